"""Tables that some tasks bring: calibration, exams, languages, and what the limitations suite asks for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from presage.evaluate import calibration, cut, limits
from presage.evaluate.asking import Plan
from presage.evaluate.exam import COLUMNS as EXAMS
from presage.evaluate.exam import exam_rows, incomplete
from presage.evaluate.languages import BASELINE_COLUMNS, baseline_rows, baselines_of, language_rows
from presage.evaluate.languages import COLUMNS as LANGUAGES
from presage.evaluate.summary import Rows, Summary
from presage.tasks.exam.model import Exam
from presage.tasks.translated import PREFIX as TRANSLATED

Table = tuple[Rows, Sequence[str]]


@dataclass(frozen=True)
class _Asking:
    """Some tasks as they were asked together. suffix: "@K" where they were asked in other ways too, else "";
    declared: {label: the task's declared name}."""

    suffix: str
    declared: Mapping[str, str]

    def of(self, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """The rows of these tasks, by their declared names."""
        return [dict(row) | {"task": self.declared[row["task"]]} for row in rows if row["task"] in self.declared]

    def declare(self, ids: Mapping[str, Collection[str]]) -> dict[str, Collection[str]]:
        """{label: ids} by these tasks' declared names."""
        return {self.declared[label]: some for label, some in ids.items() if label in self.declared}

    def named(self, rows: Iterable[Mapping[str, Any]], *columns: str) -> Rows:
        """The same rows, in some columns told apart from those of other askings."""
        mark = f" {self.suffix}" if self.suffix else ""
        return [dict(row) | {column: f"{row[column]}{mark}" for column in columns} for row in rows]


def tables(summary: Summary, exams: Sequence[Exam], data: Path, corpus_end: date | None) -> Iterator[tuple[str, Table]]:
    """(name, table), only of what was asked, and found by the declared names of tasks, however they were asked.

    What was asked several times, as with 0 and with 5 shots, has its rows for each, told apart by "@K". Raises
    DataError for an exam's table that is missing or malformed.
    """
    scored, unscored = _exam_tables(summary, exams, data)
    if scored:
        yield "exams", (scored, EXAMS)
    if warned := [*unscored, *({"warning": text} for text in cut.warnings(summary.task_rows))]:
        yield "warnings", (warned, ("warning",))
    languages, baselines = _language_tables(summary)
    if languages:
        yield "languages", (languages, LANGUAGES)
        yield "baselines", (baselines, BASELINE_COLUMNS)
    for asking in _askings(summary.plans, lambda name: name == limits.POSITION)[:1]:  # it takes no shots
        yield "position", (limits.position_rows(asking.of(summary.rows)), limits.POSITION_COLUMNS)
    dated = _askings(summary.plans, lambda name: name == limits.DATED)
    if corpus_end and dated:
        rows = [(asking, limits.before_after(asking.of(summary.rows), corpus_end)) for asking in dated]
        yield "dated", ([row for asking, some in rows for row in asking.named(some, "period")], limits.DATE_COLUMNS)


def _askings(plans: Sequence[Plan], wanted: Callable[[str], bool]) -> list[_Asking]:
    """Some tasks, by their declared names: all together where each was asked once, else by what labels add to them."""
    declared = {plan.label: plan.declared for plan in plans if wanted(plan.declared)}
    if len(set(declared.values())) == len(declared):
        return [_Asking("", declared)] if declared else []
    suffixes = dict.fromkeys(label.removeprefix(name) for label, name in declared.items())
    return [
        _Asking(suffix, {label: name for label, name in declared.items() if label.removeprefix(name) == suffix})
        for suffix in suffixes
    ]


def _exam_tables(summary: Summary, exams: Sequence[Exam], data: Path) -> tuple[Rows, Rows]:
    """A row every time that a whole exam was sat, and a warning for those of which there never were but parts."""
    scored, unscored = [], []
    for exam in exams:
        sections = {exam.task_name(section) for section in exam.sections}
        sittings = _askings(summary.plans, sections.__contains__)
        found = [row for asking in sittings for row in _exam_rows(summary, exam, asking, data)]
        scored += found
        unscored += [] if found else [_unscored(summary, exam, asking) for asking in sittings]
    return scored, unscored


def _exam_rows(summary: Summary, exam: Exam, asking: _Asking, data: Path) -> Iterator[dict[str, Any]]:
    flagged = None if summary.flagged is None else asking.declare(summary.flagged)
    untestable = asking.declare(summary.untestable)
    found = exam_rows([exam], asking.of(summary.rows), data, flagged, summary.seed, untestable)
    yield from (row | {"exam": f"{row['exam']}{asking.suffix}"} for row in asking.named(found, "title"))


def exam_results(tables: Mapping[str, Table]) -> dict[str, dict[str, Any]]:
    """Entries of result.json from the table "exams": exam:NAME/score, /quoted, and /percentile where there is a table
    of percentiles, with the upper end of its band."""
    rows, _ = tables.get("exams", ([], ()))
    return {f"exam:{row['exam']}/{name}": entry for row in rows for name, entry in _entries(row)}


def _entries(row: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    score = {"value": row["score"], "stderr": row["score_stderr"], "lo": row["lo"], "hi": row["hi"], "level": 0.95}
    yield "score", score | {"max": row["max"], "n": row["n"]}
    yield "quoted", {"value": row["quoted"], "n": row["n"]}
    if row["percentile_lower"] is not None:
        ends = {"lo": row["percentile_lo"], "hi": row["percentile_hi"], "level": 0.95}
        yield "percentile", {"value": row["percentile_lower"], "upper": row["percentile_upper"]} | ends


def _unscored(summary: Summary, exam: Exam, asking: _Asking) -> dict[str, str]:
    missing = ", ".join(incomplete([exam], asking.of(summary.rows))[exam.name])
    what = f"the exam {exam.name}{asking.suffix} has no score: of its sections these were not asked: {missing}"
    return {"warning": what}


def _language_tables(summary: Summary) -> tuple[Rows, Rows]:
    """Languages and baselines; no language counts twice above one line."""
    languages, baselines = [], []
    for asking in _askings(summary.plans, lambda name: name.startswith(TRANSLATED)):
        found = language_rows(asking.of(summary.task_rows))
        languages += asking.named(found, "name")
        baselines += asking.named(baseline_rows(found, baselines_of(found)) if found else [], "name")
    return languages, baselines


def calibrated(summary: Summary) -> tuple[dict[str, Table], dict[str, Any]]:
    """Tables "calibration" and "selective", and their entries of result.json."""
    found = calibration.tables(summary.rows, summary.seed)
    both: dict[str, Table] = {
        "calibration": (found.calibration, calibration.CALIBRATION),
        "selective": (found.selective, calibration.SELECTIVE),
    }
    return {name: table for name, table in both.items() if table[0]}, found.results
