"""What an exam is: sections, how each is asked, how points become a score, and whose percentiles it is compared with.

An exam is more than one task: `exam_tasks` makes a task of each section, named exam:NAME:SECTION, and
`presage.evaluate.exam` puts their points together again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from presage.tasks.exam.answer_key import AnswerKey, key_template
from presage.tasks.exam.free_response import FreeResponse, essay_template
from presage.tasks.task import Data, Example, Task

PREFIX = "exam:"
SHOTS = 5
"""Worked examples before a question of multiple choice (GPT-4 report, appendix A.2)."""


@dataclass(frozen=True)
class Linear:
    """A score that rises evenly with the share of the points, from `low` to `high`, rounded to multiples of `step`.

    130 to 170 in steps of 1 is the rule of the GPT-4 report for the GRE: accuracy * 40 + 130.
    """

    low: float
    high: float
    step: float = 1.0


@dataclass(frozen=True)
class Points:
    """The sum of the points, as it is; in units of a paper of `total` points where one is given."""

    total: float | None = None


@dataclass(frozen=True)
class Knots:
    """(raw, scaled) pairs from a conversion chart, straight lines between them, rounded down to multiples of `step`.

    The largest raw score stands for all points there are, however many questions are asked.
    """

    pairs: tuple[tuple[float, float], ...]
    step: float = 1.0


@dataclass(frozen=True)
class TableFile:
    """A table of scores in a CSV file: the end of its path, and which columns to read.

    form "columns": a row a score, `score` and `value` its columns. form "shares": a row an exam, found by `only`, whose
    columns are named by the scores and hold the share of test-takers with each.
    """

    file: str
    score: str = "score"
    value: str = "percentile"
    form: Literal["columns", "shares"] = "columns"
    only: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Chart:
    """A conversion chart in a file: a raw score takes the scaled score of the largest row that it reaches."""

    table: TableFile


Scale = Linear | Points | Knots | Chart


@dataclass(frozen=True)
class Section:
    """Part of an exam. kind "choice" is asked by an answer key, "free" is written and graded by a judge.

    points: of a question that brings none of its own (fields["points"]). weight: the section's part of the whole; left
    out, its number of points. wrong, blank: what such an answer earns; blank None counts an empty answer as invalid.
    rubric: how free responses are graded, where a question brings none of its own.
    """

    name: str
    kind: Literal["choice", "free"]
    data: Data
    points: float = 1.0
    weight: float | None = None
    shots: int = SHOTS
    wrong: float = 0.0
    blank: float | None = None
    rubric: str = ""
    letter: Literal["sampled", "explanation"] = "sampled"


@dataclass(frozen=True)
class Exam:
    """A declared exam. `percentiles` of several tables make one band: the lowest lower and the highest upper end.

    folder: where an exam read from a file has its tables; None where they lie in the folder of public data.
    """

    name: str
    version: int
    title: str
    source: str
    sections: tuple[Section, ...]
    scale: Scale
    percentiles: tuple[TableFile, ...] = ()
    folder: Path | None = None

    def task_name(self, section: Section) -> str:
        """exam:NAME:SECTION, under which the section's task is known."""
        return f"{PREFIX}{self.name}:{section.name}"


@dataclass(frozen=True)
class Fixed:
    """Questions and worked examples that are at hand: those of an exam read from a file."""

    questions: tuple[Example, ...]
    worked: tuple[Example, ...] = field(default=())

    def files(self, folder: Path) -> list[Path]:
        return []

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return list(self.questions)

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return list(self.worked)


def exam_tasks(exam: Exam) -> tuple[Task, ...]:
    """A task a section, in their order."""
    return tuple(_task(exam, section) for section in exam.sections)


def _task(exam: Exam, section: Section) -> Task:
    name = exam.task_name(section)
    if section.kind == "choice":
        key = AnswerKey(section.points, section.wrong, section.blank, letter=section.letter)
        return Task(name, exam.version, section.data, key_template(), key, exam.source, section.shots, "first")
    free = FreeResponse(section.points, section.rubric)
    return Task(name, exam.version, section.data, essay_template(), free, exam.source, section.shots, "first")
