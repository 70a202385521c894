"""Tables of scores from CSV files: conversion charts (raw to scaled) and percentile tables (score to percentile).

A percentile says which share of test-takers scored below; a score stands for the band from its own percentile up to
that of the next score above, and the GPT-4 report plots the lower end of it (appendix A.6).
"""

from __future__ import annotations

import bisect
import csv
import io
import itertools
from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import DataError, did_you_mean
from presage.data.documents import read_bytes
from presage.tasks.exam.model import TableFile
from presage.tasks.files import Files

TOP = 100.0
_SLACK = 1e-9
_SHARES = (0.95, 1.05)
"""What shares of all test-takers, each rounded to whole per cent, may add up to."""


@dataclass(frozen=True)
class Steps:
    """Scores in rising order, and a value for each that holds up to the next."""

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def place(self, score: float) -> int:
        """The row of the largest score that is reached; -1 below the first."""
        return bisect.bisect_right(self.scores, score + _SLACK) - 1

    def value(self, score: float) -> float:
        """The value of the row reached, the first row's below it."""
        return self.values[max(0, self.place(score))]

    def band(self, score: float) -> tuple[float, float]:
        """[lower, upper) percentile of a score: from its row to the next, 0 below the first and 100 above the last."""
        place = self.place(score)
        lower = self.values[place] if place >= 0 else 0.0
        return lower, self.values[place + 1] if place + 1 < len(self.values) else TOP


def percentile_band(tables: list[Steps], score: float) -> tuple[float, float] | None:
    """The lowest lower and highest upper end of several tables (the report's rule for the AMC); None without any."""
    bands = [table.band(score) for table in tables]
    return (min(low for low, _ in bands), max(high for _, high in bands)) if bands else None


def has_table(spec: TableFile, folder: Path) -> bool:
    """Whether the file of a table is there."""
    try:
        return bool(_files(spec).files(folder))
    except DataError:
        return False


def table_file(spec: TableFile, folder: Path) -> Path:
    """The file of a table. Raises DataError where there is none."""
    return _files(spec).files(folder)[0]


def read_table(spec: TableFile, folder: Path, *, percent: bool = True) -> Steps:
    """The table. Raises DataError naming file and line: no such file or column, no number, a score twice, a value that
    falls as scores rise, and where they are `percent`, one beyond 0 to 100."""
    path = table_file(spec, folder)
    rows = _rows(path)
    found = _shares(path, rows, spec) if spec.form == "shares" else _columns(path, rows, spec)
    steps = sorted(found)
    for (score, value, line), (next_score, next_value, next_line) in itertools.pairwise(steps):
        if score == next_score:
            raise DataError(f"the score {score:g} appears twice", where=f"{path}:{max(line, next_line)}")
        if next_value < value:
            raise DataError(f"{next_value:g} at {next_score:g} is less than at {score:g}", where=f"{path}:{next_line}")
    for score, value, line in steps if percent else []:
        if not 0 <= value <= TOP:
            raise DataError(f"a percentile of {value:g} at {score:g}", where=f"{path}:{line}")
    return Steps(tuple(score for score, _, _ in steps), tuple(value for _, value, _ in steps))


def _files(spec: TableFile) -> Files:
    return Files(lambda paths: [], ((spec.file,),))


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Every row with its line. Raises DataError."""
    try:
        reader = csv.DictReader(io.StringIO(read_bytes(path).decode("utf-8-sig"), newline=""))
        rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not CSV: {error}", where=path) from None
    if not rows:
        raise DataError("holds no scores", where=path)
    for line, row in rows:
        if None in row or None in row.values():
            raise DataError("not as many cells as the header has", where=f"{path}:{line}")
    return rows


def _columns(path: Path, rows: list[tuple[int, dict[str, str]]], spec: TableFile) -> list[tuple[float, float, int]]:
    for column in (spec.score, spec.value):
        if column not in rows[0][1]:
            raise DataError(f"no column '{column}'", where=f"{path}:1", hint=did_you_mean(column, rows[0][1]))
    found = [(_number(path, line, row[spec.score]), row[spec.value].strip(), line) for line, row in rows]
    least = min((score for score, value, _ in found if value), default=0.0)
    # Tables leave out the percentile of the lowest scores where it is less than one: that is 0.
    return [
        (score, 0.0 if not value and score < least else _number(path, line, value), line)
        for score, value, line in found
    ]


def _shares(path: Path, rows: list[tuple[int, dict[str, str]]], spec: TableFile) -> list[tuple[float, float, int]]:
    for column, _ in spec.only:
        if column not in rows[0][1]:
            raise DataError(f"no column '{column}'", where=f"{path}:1", hint=did_you_mean(column, rows[0][1]))
    fits = [(line, row) for line, row in rows if all(_same(row[column], value) for column, value in spec.only)]
    if len(fits) != 1:
        wanted = ", ".join(f"{column} {value}" for column, value in spec.only)
        raise DataError(f"{len(fits)} rows of {wanted}, not one", where=path)
    line, row = fits[0]
    shares = sorted((float(name), _number(path, line, row[name])) for name in row if _is_number(name))
    if not shares or not _SHARES[0] <= sum(share for _, share in shares) <= _SHARES[1]:
        raise DataError("shares of scores that do not add up to one", where=f"{path}:{line}")
    return [(score, 100 * sum(share for below, share in shares if below < score), line) for score, _ in shares]


def _same(cell: str, wanted: str) -> bool:
    return cell == wanted or (_is_number(cell) and _is_number(wanted) and float(cell) == float(wanted))


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _number(path: Path, line: int, text: str) -> float:
    if not _is_number(text):
        raise DataError(f"'{text}' is no number", where=f"{path}:{line}")
    return float(text)
