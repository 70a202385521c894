"""Two eval runs, example by example: paired differences by task and metric, and whether both were asked the same."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.data.records import whole_file
from presage.evaluate.alike import Asking, apart, other_settings, same_labels
from presage.evaluate.differences import Difference, difference, examples_needed, of_aggregates
from presage.evaluate.statistics import clustered, holm
from presage.tasks.task import Graded, Metric, average

SAMPLES, TASKS = "samples.jsonl", "tables/tasks.csv"
KEYS = ("task", "id", "scores")
SHOWN = 5  # examples of each task where both differ most
Pair = tuple[dict[str, Any], dict[str, Any]]
COLUMNS = ["task", "metric", "n", "A", "B", "B - A", "p", "p (Holm)", "detectable", "only A", "only B"]


@dataclass(frozen=True)
class Row:
    """One metric of one task, over the examples that both runs have.

    p_corrected: by Holm over the first metrics of all tasks; None for the others. note: what to know of this row.
    """

    task: str
    metric: str
    better: str
    difference: Difference
    p_corrected: float | None
    only_a: int
    only_b: int
    note: str = ""

    @property
    def too_small(self) -> str:
        """A sentence where the difference is below what can be seen, else empty."""
        found = self.difference
        if not found.too_small or found.detectable is None or found.difference.value is None:
            return ""
        return (
            f"{self.task}: {self.metric} differs by {abs(found.difference.value):.4f}; these {found.n} examples show "
            f"differences from {found.detectable:.4f} on (power 0.8 at 5 %){self._needed}"
        )

    @property
    def _needed(self) -> str:
        """How many examples of this kind, grouped as these are, would show the difference; empty where it is 0."""
        apart, n = self.difference.difference, self.difference.n
        if not apart.value or apart.stderr is None:
            return ""
        return f"; {examples_needed(apart.value, apart.stderr * math.sqrt(n)):,} would be needed to show one like this"


@dataclass(frozen=True)
class Apart:
    """An example that both were asked, where their scores differ."""

    task: str
    id: str
    metric: str
    a: float
    b: float
    answer_a: str
    answer_b: str
    prompt: str


@dataclass(frozen=True)
class Comparison:
    """Rows a task and metric, what must be known of them, and the examples that differ most.

    labels: {in B: in A} of tasks that B calls otherwise; here they have A's.
    """

    a: str
    b: str
    rows: list[Row]
    warnings: list[str]
    examples: list[Apart]
    labels: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare(a: Path, b: Path, shown: int = SHOWN) -> Comparison:
    """Two finished runs of the stage "eval", B against A.

    Raises RunError or CorruptError for what is none or was changed, DataError for rows that are no samples, and where
    the two have no example in common.
    """
    one, other = _Eval.read(a), _Eval.read(b)
    labels = same_labels(one.askings, other.askings)
    other = other.named(labels)
    tasks = [task for task in one.tasks if task in other.tasks]
    if not any(one.tasks[task].keys() & other.tasks[task].keys() for task in tasks):
        hint = f"A has {', '.join(one.tasks) or 'no task'}; B has {', '.join(other.tasks) or 'no task'}"
        raise DataError("no example in common", where=f"{a}, {b}", hint=hint)
    known = _known_metrics({task: one.declared(task) for task in tasks})
    rows = [row for task in tasks for row in _rows(task, one, other, known.get(task, {}))]
    warnings = [text for task in tasks for text in _warnings(task, one, other)]
    warnings = [*apart(one.origin, other.origin), *warnings, *_left_out(one, other)]
    examples = [found for task in tasks for found in _apart(task, one, other, shown)]
    return Comparison(str(a), str(b), _corrected(rows), warnings, examples, labels)


# ---- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Eval:
    """{task: {id: row}} of a run's samples, {(task, metric): row} of its table of tasks, and its origin.

    own: {task: the label that it has in the run}, where that is another.
    """

    tasks: dict[str, dict[str, dict[str, Any]]]
    table: dict[tuple[str, str], dict[str, str]]
    origin: Mapping[str, Any]
    own: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _Eval:
        run = RunDir.open(path, "eval")
        where = whole_file(run, SAMPLES)
        tasks: dict[str, dict[str, dict[str, Any]]] = {}
        for number, row in enumerate(run.rows(SAMPLES), 1):
            _check(row, f"{where}:{number}")
            row.pop("asked", None)  # by far the most of it
            if tasks.setdefault(row["task"], {}).setdefault(row["id"], row) is not row:
                raise DataError(f"the example '{row['id']}' of '{row['task']}' again", where=f"{where}:{number}")
        table = run.read_table("tasks") if (path / TASKS).is_file() else []
        return cls(tasks, {(row["task"], row["metric"]): row for row in table}, run.origin)

    def named(self, labels: Mapping[str, str]) -> _Eval:
        """The same under other labels, {label: new}."""
        tasks = {labels.get(task, task): rows for task, rows in self.tasks.items()}
        table = {(labels.get(task, task), metric): row for (task, metric), row in self.table.items()}
        return replace(self, tasks=tasks, table=table, own={new: label for label, new in labels.items()})

    @property
    def askings(self) -> dict[str, Asking]:
        """{task: its declared name and number of shots}, as far as the table has it."""
        shots = {task: self.setting(task, "shots") for task in self.tasks}
        return {task: (self.declared(task), count) for task, count in shots.items() if count is not None}

    def metrics(self, task: str) -> list[str]:
        """In the order of the table, else of the scores; the first is the one to quote."""
        listed = [metric for name, metric in self.table if name == task]
        return list(dict.fromkeys([*listed, *(m for row in self.tasks[task].values() for m in row["scores"])]))

    def declared(self, task: str) -> str:
        """The name that the task was declared under; its label where the run says none."""
        row = next(iter(self.tasks[task].values()), {})
        return str(row.get("declared") or task)

    def setting(self, task: str, column: str) -> str | None:
        return next((row.get(column) for (name, _), row in self.table.items() if name == task), None)


def _check(row: Mapping[str, Any], where: str) -> None:
    missing = next((key for key in KEYS if key not in row), None)
    if missing:
        raise DataError(f"no key '{missing}'", where=where, hint="rows of samples.jsonl as the stage eval writes them")
    scores = row["scores"]
    if not isinstance(scores, dict) or not all(_is_number(value) for value in scores.values()):
        raise DataError("'scores' is no object of finite numbers", where=where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _known_metrics(tasks: Mapping[str, str]) -> dict[str, dict[str, Metric]]:
    """The metrics of the library's tasks, {label: declared name}: how scores of examples become one number."""
    from presage.tasks.library import tasks as library

    declared = library()
    known = {label: name for label, name in tasks.items() if name in declared}
    return {label: {m.name: m for m in declared[name].method.metrics} for label, name in known.items()}


# ---- rows -----------------------------------------------------------------------------------------------------------


def _rows(task: str, a: _Eval, b: _Eval, known: Mapping[str, Metric]) -> Iterator[Row]:
    common = [name for name in a.tasks[task] if name in b.tasks[task]]
    if not common:
        return
    pairs = [(a.tasks[task][name], b.tasks[task][name]) for name in common]
    only = len(a.tasks[task]) - len(common), len(b.tasks[task]) - len(common)
    for metric in a.metrics(task):
        declared = known.get(metric)
        if declared is None or declared.aggregate is average:
            found = _of_scores(pairs, metric)
        else:
            found = of_aggregates(*_graded(pairs), partial(declared.aggregate, metric), _of(pairs))
        if found.n:
            better = a.table.get((task, metric), {}).get("better", "higher")
            note = "" if declared else _note(task, metric, a)
            yield Row(task, metric, better, found, None, *only, note)


def _of_scores(pairs: Sequence[Pair], metric: str) -> Difference:
    scored = [(x, y) for x, y in pairs if metric in x["scores"] and metric in y["scores"]]
    ours = [x["scores"][metric] for x, _ in scored]
    return difference(ours, [y["scores"][metric] for _, y in scored], _of(scored))


def _of(pairs: Sequence[Pair]) -> list[Hashable]:
    return [row.get("group") or "" for row, _ in pairs]


def _graded(pairs: Sequence[Pair]) -> tuple[list[Graded], list[Graded]]:
    def graded(row: dict[str, Any]) -> Graded:
        return Graded(row["scores"], row.get("answer", ""), row.get("extra") or {})

    return [graded(x) for x, _ in pairs], [graded(y) for _, y in pairs]


def _note(task: str, metric: str, run: _Eval) -> str:
    """Of a task that the library does not know: its own value may be another than the mean of its examples."""
    told = run.table.get((task, metric), {}).get("value")
    found = clustered([r["scores"][metric] for r in run.tasks[task].values() if metric in r["scores"]]).value
    if not told or found is None or math.isclose(float(told), found, rel_tol=1e-6, abs_tol=1e-9):
        return ""
    return "compared by the mean over examples, which is not how the task sums up"


def _corrected(rows: list[Row]) -> list[Row]:
    first = {row.task: place for place, row in reversed(list(enumerate(rows)))}
    corrected = dict(zip(first.values(), holm([rows[i].difference.p for i in first.values()]), strict=True))
    return [replace(row, p_corrected=corrected.get(place)) for place, row in enumerate(rows)]


# ---- warnings -------------------------------------------------------------------------------------------------------


def _warnings(task: str, a: _Eval, b: _Eval) -> Iterator[str]:
    ours, theirs = a.tasks[task], b.tasks[task]
    common = [name for name in ours if name in theirs]
    if not common:
        yield f"{task}: no example in common"
        return
    other = [name for name in common if ours[name].get("prompt_sha256") != theirs[name].get("prompt_sha256")]
    if other:
        share = f"{len(other)} of {len(common)} prompts differ"
        yield f"{task}: {share}, so the two were not asked the same; the first '{other[0]}'"
    for column in ("version", "method", "shots"):
        pair = a.setting(task, column), b.setting(task, column)
        if None not in pair and pair[0] != pair[1]:
            yield f"{task}: {column} is {pair[0]} in A and {pair[1]} in B"
    if other_settings(task, b.own.get(task, task), a.origin, b.origin):
        yield f"{task}: its method had other settings in A than in B (tables/methods.csv)"
    golds = [name for name in common if ours[name].get("gold") != theirs[name].get("gold")]
    if golds:
        yield f"{task}: the right option of {len(golds)} examples differs, the first '{golds[0]}'"
    yield from _without(task, ours, theirs, "A")
    yield from _without(task, theirs, ours, "B")


def _without(task: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], name: str) -> Iterator[str]:
    alone = [one for one in ours if one not in theirs]
    if alone:
        yield f"{task}: {len(alone)} examples only in {name}, the first '{alone[0]}'; they are not compared"


def _left_out(a: _Eval, b: _Eval) -> Iterator[str]:
    for name, ours, theirs in (("A", a, b), ("B", b, a)):
        alone = [task for task in ours.tasks if task not in theirs.tasks]
        if alone:
            yield f"only in {name}: {', '.join(alone)}"


# ---- examples -------------------------------------------------------------------------------------------------------


def _apart(task: str, a: _Eval, b: _Eval, shown: int) -> list[Apart]:
    metric = next(iter(a.metrics(task)), "")
    ours, theirs = a.tasks[task], b.tasks[task]
    pairs = [(ours[name], theirs[name]) for name in ours if name in theirs]
    pairs = [(x, y) for x, y in pairs if x["scores"].get(metric) != y["scores"].get(metric)]
    pairs = [(x, y) for x, y in pairs if metric in x["scores"] and metric in y["scores"]]
    pairs.sort(key=lambda pair: _far(pair, metric), reverse=True)
    return [
        Apart(task, x["id"], metric, x["scores"][metric], y["scores"][metric], x.get("answer", ""),
              y.get("answer", ""), x.get("prompt", ""))
        for x, y in pairs[:shown]
    ]  # fmt: skip


def _far(pair: Pair, metric: str) -> tuple[float, float]:
    """By score first, and among equals by the probability of the right option."""
    x, y = pair
    return abs(y["scores"][metric] - x["scores"][metric]), abs(_right(y) - _right(x))


def _right(row: Mapping[str, Any]) -> float:
    probabilities, gold = (row.get("extra") or {}).get("probabilities"), row.get("gold")
    return float(probabilities[gold]) if probabilities and gold is not None else 0.0


# ---- text -----------------------------------------------------------------------------------------------------------


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """A table of text: COLUMNS, then a row a task and metric."""
    return [COLUMNS, *map(_cells, rows)]


def _cells(row: Row) -> list[str]:
    found = row.difference
    means = [_shown(found.a.value, found.a.stderr), _shown(found.b.value, found.b.stderr)]
    apart = _shown(found.difference.value, found.difference.stderr, "+")
    tests = [_p(found.p), _p(row.p_corrected), "-" if found.detectable is None else f"{found.detectable:.2g}"]
    return [row.task, row.metric, str(found.n), *means, apart, *tests, str(row.only_a), str(row.only_b)]


def _shown(value: float | None, stderr: float | None, sign: str = "-") -> str:
    spread = "" if stderr is None else f" ± {stderr:.2g}"
    return "-" if value is None else f"{value:{sign}.4g}{spread}"


def _p(p: float | None) -> str:
    return "-" if p is None else f"{p:.4f}" if p >= 1e-4 else "<0.0001"
