"""From answers to an exam's score and percentile, each with its error (GPT-4 report, appendix A.6 and C).

Section by section the points earned over the points there are, weighted; the whole share becomes a scaled score by the
exam's public rule, and the score a band of percentiles. Errors come from a bootstrap over questions (groups that share
a passage, where there are any) within each section, 1,000 draws, carried through every rounding and table. Where all
questions came to the same, no draw differs from another: then the interval is Wilson's for the share, and the error a
quarter of its width, so that nothing right of ten is not taken for certainty.

The report's Table 1 quotes the lower of the score of all questions and that of the uncontaminated ones. The latter
counts every section as the whole exam does: what was earned of the points left, of all the section's points or its
weight. What could not be looked for is neither. Where nothing of a section is uncontaminated, there is only the former.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.evaluate.score_tables import Steps, has_table, percentile_band, read_table
from presage.evaluate.statistics import normal_quantile, wilson
from presage.tasks.exam.model import Chart, Exam, Knots, Linear, Points, Scale, Section
from presage.tasks.task import Example, Graded

DRAWS = 1000
LEVEL = (2.5, 97.5)
COLUMNS = ("exam", "title", "score", "score_stderr", "lo", "hi", "max", "percentile_lower", "percentile_upper",
           "percentile_lo", "percentile_hi", "clean_score", "clean_stderr", "clean_percentile_lower", "quoted",
           "quoted_percentile_lower", "n", "contaminated", "untestable", "invalid")  # fmt: skip
"""Of tables/exams.csv."""
_SLACK = 1e-9

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answered:
    """What one question came to: points earned of those there are."""

    id: str
    points: float
    most: float
    group: str = ""
    invalid: bool = False

    @classmethod
    def of(cls, example: Example, graded: Graded) -> Answered:
        """From what a method of an exam graded."""
        most, invalid = float(graded.extra["points_max"]), bool(graded.extra.get("invalid"))
        return cls(example.id, graded.scores["points"], most, example.group, invalid)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Answered:
        """From a row of samples.jsonl. Raises DataError for one that is not of an exam."""
        try:
            extra, points = row["extra"], float(row["scores"]["points"])
            return cls(
                str(row["id"]), points, float(extra["points_max"]), str(row["group"]), bool(extra.get("invalid"))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a row of an exam: {error}", where=row.get("task")) from None


@dataclass(frozen=True)
class ExamResult:
    """A score with its standard error, its 95 % interval and the most there is, and the percentile band.

    percentile_lower and percentile_upper are the band of the score; percentile_lo and percentile_hi are the lower ends
    at both ends of the interval. None without a table. Scores in the exam's own units, percentiles 0 to 100.
    """

    score: float
    stderr: float
    lo: float
    hi: float
    most: float
    percentile_lower: float | None
    percentile_upper: float | None
    percentile_lo: float | None
    percentile_hi: float | None
    n: int
    invalid: int


def score_exam(
    exam: Exam, answered: Mapping[str, Sequence[Answered]], folder: Path, seed: int = 0, draws: int = DRAWS
) -> ExamResult:
    """The result from every section's questions, {section: answered}. `folder` holds the tables of exams without one.

    Raises DataError for a section without questions, and for tables that cannot be read.
    """
    empty = [section.name for section in exam.sections if not answered.get(section.name)]
    if empty:
        raise DataError(f"no answers to section '{empty[0]}'", where=exam.name)
    home = exam.folder or folder
    convert = _Converter(exam.scale, home, _whole(exam, answered))
    score = convert(_share(exam, answered))
    stderr, lo, hi = _error(exam, answered, convert, seed, draws)
    tables = [read_table(spec, home) for spec in exam.percentiles if has_table(spec, home)]
    band, low, high = (percentile_band(tables, one) for one in (score, min(lo, score), max(hi, score)))
    every = [one for section in exam.sections for one in answered[section.name]]
    return ExamResult(
        score,
        stderr,
        min(lo, score),
        max(hi, score),
        convert(1.0),
        band[0] if band else None,
        band[1] if band else None,
        low[0] if low else None,
        high[0] if high else None,
        len(every),
        sum(one.invalid for one in every),
    )


# ---- the share of the points -----------------------------------------------------------------------------------------


def _weight(section: Section, answered: Sequence[Answered]) -> float:
    return section.weight if section.weight is not None else sum(one.most for one in answered)


def _whole(exam: Exam, answered: Mapping[str, Sequence[Answered]]) -> float:
    """All points there are, or all weights."""
    return sum(_weight(section, answered[section.name]) for section in exam.sections)


def _share(exam: Exam, answered: Mapping[str, Sequence[Answered]]) -> float:
    """The weighted mean over sections of points earned over points there are."""
    parts = [
        _weight(section, some) * sum(one.points for one in some) / sum(one.most for one in some)
        for section in exam.sections
        if (some := answered[section.name])
    ]
    return sum(parts) / _whole(exam, answered)


def _drawn_shares(exam: Exam, answered: Mapping[str, Sequence[Answered]], seed: int, draws: int) -> Floats:
    """The same of questions drawn with replacement, group by group, within each section."""
    total = np.zeros(draws)
    for section in exam.sections:
        some = answered[section.name]
        earned, most = _by_group(some)
        chance = stream(seed, "exam", exam.name, section.name)
        times = chance.multinomial(len(earned), np.full(len(earned), 1 / len(earned)), size=draws)
        total += _weight(section, some) * (times @ earned) / (times @ most)
    shares: Floats = total / _whole(exam, answered)
    return shares


def _error(
    exam: Exam, answered: Mapping[str, Sequence[Answered]], convert: Callable[[float], float], seed: int, draws: int
) -> tuple[float, float, float]:
    """Standard error and 95 % interval of the score."""
    shares = _drawn_shares(exam, answered, seed, draws)
    if np.ptp(shares) > _SLACK:
        drawn = np.array([convert(share) for share in shares])
        lo, hi = (float(end) for end in np.percentile(drawn, LEVEL))
        return float(drawn.std(ddof=1)), lo, hi
    groups = sum(len(_by_group(answered[section.name])[0]) for section in exam.sections)
    lo, hi = (
        convert(end) for end in wilson(min(max(float(shares[0]), 0.0), 1.0), groups, normal_quantile(LEVEL[1] / 100))
    )
    return (hi - lo) / 4, lo, hi


def _by_group(answered: Sequence[Answered]) -> tuple[Floats, Floats]:
    """Points earned and there are, summed over the questions of each group; one without a group stands alone."""
    groups: dict[tuple[str, str], list[Answered]] = {}
    for one in answered:
        groups.setdefault((one.group, "" if one.group else one.id), []).append(one)
    sums = [(sum(one.points for one in some), sum(one.most for one in some)) for some in groups.values()]
    return np.array([earned for earned, _ in sums]), np.array([most for _, most in sums])


# ---- from share to score ---------------------------------------------------------------------------------------------


class _Converter:
    """share of the points -> score, by the exam's rule."""

    def __init__(self, scale: Scale, folder: Path, whole: float) -> None:
        self.scale, self.whole = scale, whole
        self.chart = read_table(scale.table, folder, percent=False) if isinstance(scale, Chart) else None

    def __call__(self, share: float) -> float:
        if isinstance(self.scale, Points):
            return share * (self.whole if self.scale.total is None else self.scale.total)
        return scaled(self.scale, min(max(share, 0.0), 1.0), self.chart)


def scaled(scale: Linear | Knots | Chart, share: float, chart: Steps | None = None) -> float:
    """The scaled score of a share of the points, 0 to 1: rounded to the nearest step (Linear), or down (Knots)."""
    if isinstance(scale, Linear):
        return _steps(scale.low + (scale.high - scale.low) * share, scale.step, 0.5)
    if isinstance(scale, Knots):
        raw, score = zip(*scale.pairs, strict=True)
        return _steps(float(np.interp(share * raw[-1], raw, score)), scale.step, 0.0)
    assert chart is not None, "a chart is read before it is used"
    return chart.value(share * chart.scores[-1])


def _steps(value: float, step: float, up: float) -> float:
    return math.floor(value / step + up + _SLACK) * step


# ---- rows of tables/exams.csv ----------------------------------------------------------------------------------------


def incomplete(exams: Iterable[Exam], rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """{exam: sections that were not asked} of exams of which others were: they have no score."""
    asked = {str(row["task"]) for row in rows}
    missing = [(exam, [one.name for one in exam.sections if exam.task_name(one) not in asked]) for exam in exams]
    return {exam.name: names for exam, names in missing if 0 < len(names) < len(exam.sections)}


def exam_rows(
    exams: Iterable[Exam],
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    flagged: Mapping[str, Collection[str]] | None = None,
    seed: int = 0,
    untestable: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """A row (COLUMNS) for every exam whose sections have all been asked, from the rows of samples.jsonl.

    flagged: {task: ids found in the training text}; None where that was not looked for. untestable: those that could
    not be. Values that are not known are None. Raises DataError as score_exam does.
    """
    asked: dict[str, list[Answered]] = {}
    known = [exam for exam in exams if _tasks(exam) <= {str(row["task"]) for row in rows}]
    tasks = {task for exam in known for task in _tasks(exam)}
    for row in rows:
        if row["task"] in tasks:
            asked.setdefault(str(row["task"]), []).append(Answered.of_row(row))
    return [_row(exam, asked, folder, flagged, untestable, seed) for exam in known]


def _tasks(exam: Exam) -> set[str]:
    return {exam.task_name(section) for section in exam.sections}


def _row(
    exam: Exam,
    asked: Mapping[str, Sequence[Answered]],
    folder: Path,
    flagged: Mapping[str, Collection[str]] | None,
    untestable: Mapping[str, Collection[str]],
    seed: int,
) -> dict[str, Any]:
    answered = {section.name: asked[exam.task_name(section)] for section in exam.sections}
    result = score_exam(exam, answered, folder, seed)
    clean = _without(exam, _without(exam, answered, flagged or {}), untestable)
    found, unknown = (
        None if flagged is None else result.n - _count(_without(exam, answered, some))
        for some in (flagged or {}, untestable)
    )
    cleaned = (
        score_exam(_weighed(exam, answered), clean, folder, seed)
        if flagged is not None and all(clean.values())
        else None
    )
    lower = result if cleaned is None or result.score <= cleaned.score else cleaned
    values = (
        exam.name, exam.title, result.score, result.stderr, result.lo, result.hi, result.most, result.percentile_lower,
        result.percentile_upper, result.percentile_lo, result.percentile_hi, cleaned.score if cleaned else None,
        cleaned.stderr if cleaned else None, cleaned.percentile_lower if cleaned else None, lower.score,
        lower.percentile_lower, result.n, found, unknown, result.invalid,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))


def _weighed(exam: Exam, answered: Mapping[str, Sequence[Answered]]) -> Exam:
    """Every section with the weight it has when all is asked: fewer questions are then scored as the whole exam is."""
    sections = (replace(one, weight=_weight(one, answered[one.name])) for one in exam.sections)
    return replace(exam, sections=tuple(sections))


def _count(answered: Mapping[str, Sequence[Answered]]) -> int:
    return sum(map(len, answered.values()))


def _without(
    exam: Exam, answered: Mapping[str, Sequence[Answered]], ids: Mapping[str, Collection[str]]
) -> dict[str, list[Answered]]:
    """The sections without some questions, {task: ids}."""
    found = {section.name: set(ids.get(exam.task_name(section), ())) for section in exam.sections}
    return {name: [one for one in some if one.id not in found[name]] for name, some in answered.items()}
