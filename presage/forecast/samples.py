"""Graded samples from a CSV table: how often each model solved each problem."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import DataError

REQUIRED = ("problem", "compute", "n", "passed", "split")
OPTIONAL = ("run", "nll", "difficulty")
BUCKET, FIT = "bucket", "fit"
SMALLEST, LARGEST = 1e-60, 1e60  # a compute or likelihood beyond these is a slip, and its powers overflow
MOST = 10**12  # attempts


@dataclass(frozen=True)
class Sample:
    """`passed` of `n` attempts at one problem by one model.

    `compute` is what the model cost in FLOPs, `run` tells repetitions at one compute apart, `split` says what the
    attempts are for (bucket: sorting problems by difficulty; fit: everything else), `nll` is the negative
    log-likelihood of the reference solution under that model, in nats.
    """

    problem: str
    compute: float
    n: int
    passed: int
    split: str
    run: str = ""
    nll: float | None = None
    difficulty: str | None = None

    @property
    def key(self) -> tuple[str, float, str, str]:
        """What may stand in a table once."""
        return self.problem, self.compute, self.run, self.split


def read_samples(path: Path) -> list[Sample]:
    """Every row of the table, in its order. Columns REQUIRED and, where wanted, OPTIONAL; others are ignored.

    Raises DataError naming file, line and column.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(_rows(csv.DictReader(file, strict=True), path))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV table: {error}", where=path) from None


def _rows(rows: csv.DictReader[str], path: Path) -> Iterator[Sample]:
    _check_columns(rows.fieldnames or [], path)
    seen: dict[tuple[str, float, str, str], int] = {}
    for row in rows:
        place = f"{path}:{rows.line_num}"
        if None in row:
            raise DataError("more cells than columns", where=place, hint="quote a cell that holds a comma")
        sample = _parse(row, place)
        first = seen.setdefault(sample.key, rows.line_num)
        if first != rows.line_num:
            raise DataError(
                f"problem '{sample.problem}' at {sample.compute:g} FLOPs, run '{sample.run}', split {sample.split} "
                f"stands on line {first} already",
                where=f"{place}: problem",
                hint="add up the counts, or tell repetitions apart by a column run",
            )
        yield sample
    if not seen:
        raise DataError("no rows below the header", where=f"{path}:1", hint="a row for each problem and model")


def _check_columns(columns: Sequence[str], path: Path) -> None:
    there = f"columns: {', '.join(columns) or 'none'}"
    for name in (*REQUIRED, *OPTIONAL):
        if columns.count(name) > 1:
            raise DataError(f"column '{name}' stands there {columns.count(name)} times", where=f"{path}:1", hint=there)
    for name in REQUIRED:
        if name not in columns:
            raise DataError(f"no column '{name}'", where=f"{path}:1", hint=there)


def _parse(row: dict[str, str], place: str) -> Sample:
    cells = {name: (row.get(name) or "").strip() for name in (*REQUIRED, *OPTIONAL)}
    n = _whole(cells["n"], 1, MOST, f"{place}: n", "the number of attempts, at least 1")
    passed = _whole(cells["passed"], 0, n, f"{place}: passed", f"how many of the n = {n} attempts passed")
    if not cells["problem"]:
        raise DataError("empty", where=f"{place}: problem", hint="every row names its problem")
    if cells["split"] not in (BUCKET, FIT):
        raise DataError(f"'{cells['split']}' is not a split", where=f"{place}: split", hint=f"write {BUCKET} or {FIT}")
    return Sample(
        problem=cells["problem"],
        compute=_positive(cells["compute"], f"{place}: compute", "FLOPs, for example 1e18"),
        n=n,
        passed=passed,
        split=cells["split"],
        run=cells["run"],
        nll=_positive(cells["nll"], f"{place}: nll", "nats of the reference solution") if cells["nll"] else None,
        difficulty=cells["difficulty"] or None,
    )


def _whole(text: str, least: float, most: float, where: str, hint: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise DataError(f"'{text}' is not a whole number", where=where, hint=hint) from None
    if not least <= value <= most:
        raise DataError(f"{value} is out of range", where=where, hint=hint)
    return value


def _positive(text: str, where: str, hint: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"'{text}' is not a number", where=where, hint=hint) from None
    if not SMALLEST < value < LARGEST:
        raise DataError(f"{text} is not a positive number of a sane size", where=where, hint=hint)
    return value
