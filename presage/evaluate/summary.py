"""What the rows of an examination come to: metrics with errors, categories, and raw beside clean."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from presage.evaluate.asking import Plan
from presage.evaluate.contamination import Report
from presage.evaluate.joined import Row, degradation_percent, is_worse, join
from presage.evaluate.logged import graded
from presage.evaluate.scored import CLEAN, FLAGGED, UNTESTABLE, Scan, Score, overall
from presage.evaluate.statistics import Estimate, of_metric
from presage.tasks.task import Metric

Rows = list[dict[str, Any]]
TASKS = ["task", "declared", "version", "method", "shots", "metric", "better", "n", "value", "stderr", "lo", "hi",
         "chance", "invalid", "truncated", "judge_truncated"]  # fmt: skip
COUNTS = ("invalid", "truncated", "judge_truncated")
METHODS = ["task", "method"]
CATEGORIES = ["task", "category", "metric", "n", "value", "stderr", "lo", "hi", *COUNTS]
_NOWHERE = Path("this examination")
SHOWN = ["task", "better", "n", "contaminated", "untestable", "raw", "raw_stderr", "clean", "clean_stderr", "dirty",
         "dirty_stderr", "degradation_percent", "absent", "quote"]  # fmt: skip


class Summary:
    """Tables, results and files of an examination."""

    def __init__(
        self, plans: Sequence[Plan], rows: Sequence[Mapping[str, Any]], reports: Mapping[str, Report], seed: int
    ) -> None:
        self.plans, self.seed = plans, seed
        by_task: dict[str, list[Mapping[str, Any]]] = {plan.label: [] for plan in plans}
        for row in rows:
            by_task[row["task"]].append(row)
        self._rows = by_task
        self.rows = list(rows)
        self._verdicts = {
            name: {item: overall(by.values()) for item, by in report.verdicts.items()}
            for name, report in reports.items()
        }
        self._totals = {
            (plan.label, metric.name): self._estimate(metric, by_task[plan.label])
            for plan in plans
            for metric in plan.task.method.metrics
        }

    @property
    def flagged(self) -> dict[str, set[str]] | None:
        """{task: ids found in the training text}; None where that was not looked for."""
        return self._of_state(FLAGGED) or None

    @property
    def untestable(self) -> dict[str, set[str]]:
        """{task: ids of which that could not be told}."""
        return self._of_state(UNTESTABLE)

    def _of_state(self, wanted: str) -> dict[str, set[str]]:
        found = self._verdicts.items()
        return {task: {name for name, state in of.items() if state == wanted} for task, of in found}

    @property
    def task_rows(self) -> Rows:
        """Rows of tables/tasks.csv."""
        return [row for plan in self.plans for row in self._of_task(plan)]

    def tables(self) -> dict[str, tuple[Rows, list[str]]]:
        """{name: (rows, columns)} of every table."""
        return {
            "tasks": (self.task_rows, TASKS),
            "categories": ([row for plan in self.plans for row in self._of_categories(plan)], CATEGORIES),
            "shown": ([self._shown(plan) for plan in self.plans], SHOWN),
            "methods": ([{"task": plan.label, "method": repr(plan.task.method)} for plan in self.plans], METHODS),
        }

    def results(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, entry) of result.json: TASK/METRIC, and what a reader must know beside it."""
        yield "examples", {"value": sum(map(len, self._rows.values())), "unit": "examples"}
        for plan in self.plans:
            for metric in plan.task.method.metrics:
                total = self._totals[plan.label, metric.name]
                more = {"level": 0.95, "n": len(self._rows[plan.label])}
                yield f"{plan.label}/{metric.name}", _numbers(total) | more

    def artifacts(self) -> Iterator[tuple[str, str]]:
        """(name, text): a score file a task, as `presage scores` reads them; the scan's verdicts beside them."""
        names = _file_names([plan.label for plan in self.plans])
        for plan in self.plans:
            metric = plan.task.method.metrics[0]
            lines = (
                {"id": row["id"], "score": row["scores"][metric.name], "task": plan.label, "better": metric.better}
                for row in self._rows[plan.label]
            )
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            yield f"scores/{names[plan.label]}.jsonl", text
        if self._verdicts:
            yield "contamination.json", json.dumps(self._verdicts, indent=1, ensure_ascii=False) + "\n"

    def _estimate(self, metric: Metric, rows: Sequence[Mapping[str, Any]]) -> Estimate:
        """A mean with its clustered error; of any other aggregate the bootstrap's, over groups."""
        found = of_metric(metric, [graded(row) for row in rows], [row["group"] for row in rows], seed=self.seed)
        known = found.value is None or math.isfinite(found.value)
        return found if known else Estimate(None, None, None, None, found.n, found.groups)

    def _of_task(self, plan: Plan) -> Iterator[dict[str, Any]]:
        rows = self._rows[plan.label]
        facts = {"task": plan.label, "declared": plan.declared, "version": plan.task.version}
        facts |= {"method": _method(plan), "shots": plan.shots}
        counts = _counts(rows)
        for metric in plan.task.method.metrics:
            numbers = _numbers(self._totals[plan.label, metric.name])
            chance = {"chance": plan.chance} if metric.name == "accuracy" else {}
            yield facts | {"metric": metric.name, "better": metric.better, "n": len(rows)} | numbers | chance | counts

    def _of_categories(self, plan: Plan) -> Iterator[dict[str, Any]]:
        rows = self._rows[plan.label]
        names = sorted({row["category"] for row in rows})
        for name in names if len(names) > 1 else []:
            some = [row for row in rows if row["category"] == name]
            for metric in plan.task.method.metrics:
                facts = {"task": plan.label, "category": name, "metric": metric.name, "n": len(some)}
                yield facts | _numbers(self._estimate(metric, some)) | _counts(some)

    def _shown(self, plan: Plan) -> dict[str, Any]:
        """Raw beside clean and contaminated, of the metric to quote."""
        metric = plan.task.method.metrics[0]
        rows = self._rows[plan.label]
        verdicts = self._verdicts.get(plan.label, {})
        scores = [Score(row["id"], row["scores"][metric.name], plan.label, better=metric.better) for row in rows]
        joined = join(scores, Scan({plan.label: verdicts}, _NOWHERE) if verdicts else None).rows[0]
        raw = self._totals[plan.label, metric.name]
        groups = {state: [row for row in rows if verdicts.get(row["id"]) == state] for state in (CLEAN, FLAGGED)}
        clean, dirty = (self._estimate(metric, some) if some else None for some in groups.values())
        return _cells(joined, raw, clean, dirty)


def _numbers(found: Estimate) -> dict[str, float | None]:
    return {"value": found.value, "stderr": found.stderr, "lo": found.lo, "hi": found.hi}


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many answers and prompts were not whole."""
    return {name: sum(bool(row["extra"].get(name)) for row in rows) for name in COUNTS}


def _cells(row: Row, raw: Estimate, clean: Estimate | None, dirty: Estimate | None) -> dict[str, Any]:
    """The join's counts, with means whose errors know of groups."""
    facts = {"task": row.task, "better": row.better, "n": row.n, "contaminated": row.contaminated}
    means = {"raw": raw, "clean": clean, "dirty": dirty}
    cells: dict[str, Any] = {}
    for name, mean in means.items():
        cells |= {name: mean.value if mean else None, f"{name}_stderr": mean.stderr if mean else None}
    found = clean.value if clean else None
    degradation, quote = None, "raw"
    if found is not None and raw.value is not None:
        degradation = degradation_percent(found, raw.value) if raw.value > 0 and found >= 0 else None
        quote = "clean" if is_worse(found, raw.value, row.better) else "raw"
    rest = {"untestable": row.untestable, "degradation_percent": degradation, "absent": row.absent, "quote": quote}
    return facts | cells | rest


def _method(plan: Plan) -> str:
    """The method's name, and where it chooses, by what; tables/methods.csv has all it was set to."""
    method: Any = plan.task.method
    scoring = getattr(method, "scoring", "")
    return f"{type(method).__name__} by {scoring}" if scoring else type(method).__name__


def _file_names(labels: Sequence[str]) -> dict[str, str]:
    """A name a label, of characters that any file system takes; of labels that so become one, all but the first get a
    number. Names that differ in case alone count as one."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        plain = "".join(char if char.isalnum() or char in "._@-" else "-" for char in label)
        numbered = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        found[label] = next(name for name in numbered if name.casefold() not in taken)
        taken.add(found[label].casefold())
    return found
