"""How finished examinations are printed: of one model, and of a ladder's models by compute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from presage.cli.grammar import in_columns

if TYPE_CHECKING:
    from presage.core.run import RunDir

Row = dict[str, str]
COUNTED = {
    "invalid": "answers could not be read",
    "truncated": "prompts were cut from the left to fit",
    "judge_truncated": "prompts to the judge were cut from the left to fit",
}
LISTED = ["metric", "shots", "n", "value", "95 % interval", "chance", "clean", "contaminated"]
EXAMS = ["exam", "score", "95 % interval", "of", "percentile", "clean", "to quote", "n", "contaminated"]
BY_COMPUTE = ["task", "metric", "shots", "model", "FLOPs", "n", "value", "95 % interval", "chance", "invalid", "cut"]


def scores(run: RunDir) -> Iterator[str]:
    """A row a task and metric, and everything that must be known beside them."""
    shown = {row["task"]: row for row in run.read_table("shown")}
    table = run.read_table("tasks")
    first = _firsts(table, "task")
    rows = [["task", *LISTED]]
    for row in table:
        numbers = [row["metric"], row["shots"], row["n"], _number(row["value"], row["stderr"]), _interval(row)]
        clean = _clean(shown[row["task"]]) if row in first else ["", ""]
        rows.append([row["task"], *numbers, _number(row["chance"]), *clean])
    yield from in_columns(rows)
    yield from _exams(_if_any(run, "exams"))
    yield from _counted((row["task"], row) for row in first)
    yield from (f"skipped: {row['task']}: {row['reason']}" for row in run.read_table("skipped"))
    yield from (
        f"{row['task']}: {row['either']} of {row['problems']} problems stand in the training text as 'a + b =' or "
        "'a plus b'"
        for row in _if_any(run, "arithmetic")
    )
    yield from _warnings(run)
    yield from ["", str(run.path)]


def against_compute(run: RunDir) -> Iterator[str]:
    """A row a task, metric, number of shots and model, in the order of compute."""
    table = run.read_table("ladder")
    rows = [BY_COMPUTE]
    for row in table:
        numbers = [f"{float(row['flops']):.2g}", row["n"], _number(row["value"], row["stderr"]), _interval(row)]
        counts = [row.get(name) or "-" for name in ("invalid", "truncated")]
        rows.append([row["task"], row["metric"], row["shots"], row["model"], *numbers, _number(row["chance"]), *counts])
    yield from in_columns(rows)
    first = _firsts(table, "task", "shots", "model")
    yield from _counted((f"{row['task']} with K = {row['shots']}", row) for row in first)
    yield from _warnings(run)
    yield from ["", str(run.path)]


def unasked(path: Path) -> Iterator[str]:
    """How many tasks an examination left out, and where they stand."""
    from presage.core.run import RunDir

    skipped = [row["task"] for row in RunDir.open(path).read_table("skipped")]
    if skipped:
        tasks = "1 task was" if len(skipped) == 1 else f"{len(skipped)} tasks were"
        yield f"{tasks} not asked; which, and why, is in the report and in {path / 'tables/skipped.csv'}"


def _exams(found: Sequence[Row]) -> Iterator[str]:
    """Scaled scores and percentiles; the lower of score and clean score is the one to quote."""
    rows = [EXAMS]
    for row in found:
        clean, share = _clean(row | {"clean": row["clean_score"], "absent": _no_clean_score(row)})
        band = f"{_number(row['percentile_lower'])} to {_number(row['percentile_upper'])}"
        score = [_number(row["score"], row["score_stderr"]), _interval(row), _number(row["max"])]
        rest = [clean, _number(row["quoted"]), row["n"], share]
        rows.append([row["title"], *score, band if row["percentile_lower"] else "no table", *rest])
    yield from ["", *in_columns(rows), ""] if found else []


def _no_clean_score(row: Row) -> str:
    if not row["contaminated"]:
        return "not checked"
    return "none testable" if row["untestable"] == row["n"] else "N/A"


def _firsts(rows: Iterable[Row], *keys: str) -> list[Row]:
    """The first row of each: that of the metric to quote."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), row)
    return list(found.values())


def _counted(rows: Iterable[tuple[str, Row]]) -> Iterator[str]:
    """How many answers and prompts were not whole, and where; rows that are called alike together."""
    found: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
    for label, row in rows:
        for name, counts in found.items():
            counts[label] += int(row.get(name) or 0)
    for name, counts in found.items():
        some = ", ".join(f"{label} {count}" for label, count in counts.items() if count)
        yield from [f"{counts.total()} {COUNTED[name]}: {some}"] if some else []


def _warnings(run: RunDir) -> Iterator[str]:
    yield from (f"warning: {row['warning']}" for row in _if_any(run, "warnings"))


def _if_any(run: RunDir, table: str) -> list[dict[str, str]]:
    """The rows of a table that is written only where it has some."""
    return run.read_table(table) if (run.path / "tables" / f"{table}.csv").is_file() else []


def _clean(row: Row) -> list[str]:
    """The clean score, and how many examples were found; those that could not be looked for are neither."""
    clean = _number(row["clean"], row["clean_stderr"]) if row["clean"] else row["absent"]
    untestable = int(row.get("untestable") or 0)
    more = f", {untestable} not testable" if untestable else ""
    return [clean, f"{row['contaminated']} of {row['n']}{more}" if row["contaminated"] else "-"]


def _number(value: str, stderr: str = "") -> str:
    if not value:
        return "-"
    return f"{float(value):.4g}" + (f" ± {float(stderr):.2g}" if stderr else "")


def _interval(row: Row) -> str:
    return f"{float(row['lo']):.4g} to {float(row['hi']):.4g}" if row["lo"] and row["hi"] else "-"
