"""Tables that some tasks bring: calibration, exams, languages, and what the limitations suite asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from presage.evaluate import calibration, limits
from presage.evaluate.exam import COLUMNS as EXAMS
from presage.evaluate.exam import exam_rows, incomplete
from presage.evaluate.languages import BASELINE_COLUMNS, baseline_rows, baselines_of, language_rows
from presage.evaluate.languages import COLUMNS as LANGUAGES
from presage.evaluate.summary import Rows, Summary
from presage.tasks.exam.model import Exam

Table = tuple[Rows, Sequence[str]]


def tables(summary: Summary, exams: Sequence[Exam], data: Path, corpus_end: date | None) -> Iterator[tuple[str, Table]]:
    """(name, table), only of what was asked, and found by the declared names of tasks, however they were asked.

    Raises DataError for an exam's table that is missing or malformed.
    """
    names = summary.names
    rows = [dict(row) | {"task": names[row["task"]]} for row in summary.rows]
    flagged = summary.flagged
    if flagged is not None:
        flagged = {names[label]: ids for label, ids in flagged.items()}
    if scored := exam_rows(exams, rows, data, flagged, summary.seed):
        yield "exams", (scored, EXAMS)
    if missing := incomplete(exams, rows):
        yield "warnings", ([{"warning": _unscored(*one)} for one in missing.items()], ("warning",))
    if languages := language_rows(row | {"task": names[row["task"]]} for row in summary.task_rows):
        yield "languages", (languages, LANGUAGES)
        yield "baselines", (baseline_rows(languages, baselines_of(languages)), BASELINE_COLUMNS)
    if position := limits.position_rows(rows):
        yield "position", (position, limits.POSITION_COLUMNS)
    if corpus_end and any(row["task"] == limits.DATED for row in rows):
        yield "dated", (limits.before_after(rows, corpus_end), limits.DATE_COLUMNS)


def _unscored(exam: str, sections: Sequence[str]) -> str:
    return f"the exam {exam} has no score: of its sections these were not asked: {', '.join(sections)}"


def calibrated(summary: Summary) -> tuple[dict[str, Table], dict[str, Any]]:
    """Tables "calibration" and "selective", and their entries of result.json."""
    found = calibration.tables(summary.rows, summary.seed)
    both: dict[str, Table] = {
        "calibration": (found.calibration, calibration.CALIBRATION),
        "selective": (found.selective, calibration.SELECTIVE),
    }
    return {name: table for name, table in both.items() if table[0]}, found.results
