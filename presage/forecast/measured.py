"""A metric measured on models of several sizes: the table, the scale on which its trend is straight, its errors."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from presage.core.errors import DataError

Array = np.ndarray

METRICS = ("accuracy", "value", "loss", "bpb")  # the column taken by default is the first of these that is there
LOSSES = ("loss", "bpb", "nll", "perplexity")
HUGE = 1e60  # beyond this a compute is a slip, and its powers overflow
NEAREST = 0.005  # a share without a number of trials is taken to be at least this far from 0 and 1


class Scale(NamedTuple):
    """Where a trend is straight and up is better. Slopes and heights are in units of this scale, slopes per decade."""

    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slopes: tuple[float, ...]
    """Deviations of the slopes' normal prior, equally probable."""
    turns: tuple[float, ...]
    """The same for the slope after a future reversal."""
    misfit: float
    """What a model is off its trend by, scale of a half-Cauchy, where the errors of measurement are known."""
    unknown: float
    """The same where they are not."""
    drift: float
    """What a trend may move by in a decade beyond the data, one standard deviation."""
    low: float
    high: float
    """The values that the metric can take."""
    hint: str


# Turns are wide by our choice, for they can be sudden: PaLM's 540B model was more than 20 points above the line through
# 8B and 62B on 15 % of BIG-bench's tasks (Chowdhery et al. 2022).
PROPORTION = Scale(
    forward=logit,
    back=expit,
    slopes=(0.3, 1.0, 3.0),
    turns=(1.0, 3.0),
    misfit=0.15,
    unknown=0.3,
    drift=0.15,
    low=0.0,
    high=1.0,
    hint=f"a share of 1; columns of losses are {', '.join(LOSSES)}",
)
# Exponents of published laws are 0.05 to 0.2: a loss falls by 10 to 40 % a decade.
LOSS = Scale(
    forward=lambda y: -np.log(y),
    back=lambda z: np.exp(-z),
    slopes=(0.03, 0.1, 0.3),
    turns=(0.1, 0.3),
    misfit=0.01,
    unknown=0.03,
    drift=0.02,
    low=1e-60,
    high=HUGE,
    hint="above 0",
)


@dataclass(frozen=True)
class Measured:
    """One model's metric at one compute (FLOPs), with its standard error or, for a share, of how many trials it is."""

    compute: float
    value: float
    stderr: float | None = None
    n: int | None = None

    @property
    def has_error(self) -> bool:
        return self.stderr is not None or self.n is not None


def heights(points: Sequence[Measured], scale: Scale) -> tuple[Array, Array]:
    """Heights of points on the scale, and the variances of their errors there (0 where none is known)."""
    height, variance = np.array([_height(p, scale) for p in points]).T
    return height, variance


def _height(point: Measured, scale: Scale) -> tuple[float, float]:
    if scale is PROPORTION and point.n:
        hits, misses = point.value * point.n + 0.5, (1 - point.value) * point.n + 0.5
        return math.log(hits / misses), 1 / hits + 1 / misses  # the empirical logit (Haldane, Anscombe)
    value = float(np.clip(point.value, NEAREST, 1 - NEAREST)) if scale is PROPORTION else point.value
    slope = 1 / (value * (1 - value)) if scale is PROPORTION else 1 / value
    beyond = 1.0 if value != point.value else 0.0  # at the end of the scale a logit is only known to be far out
    return float(scale.forward(np.array(value))), (slope * (point.stderr or 0)) ** 2 + beyond


def read_points(path: Path, column: str | None = None) -> tuple[list[Measured], Scale]:
    """Points of a CSV table, one model a row, and the scale for the metric.

    Columns: `compute` (FLOPs), `column` (default: accuracy, value, loss or bpb), and `stderr`, or `n` trials of a
    share. A column named like a loss is one; any other must hold shares of 1. Raises DataError naming file, line and
    column.
    """
    rows = list(read_rows(path, ("compute",)))
    columns = rows[0][1]
    chosen = column or next((name for name in METRICS if name in columns), METRICS[0])
    if chosen not in columns:
        raise DataError(f"no column '{chosen}'", where=f"{path}:1", hint=f"columns: {', '.join(columns)}")
    scale = LOSS if chosen in LOSSES else PROPORTION
    return [_point(place, row, chosen, scale) for place, row in rows], scale


def _point(place: str, row: dict[str, str], column: str, scale: Scale) -> Measured:
    value = read_number(place, row, column, low=scale.low, high=scale.high, hint=scale.hint)
    stderr = read_number(place, row, "stderr", low=0.0) if row.get("stderr") else None
    n = read_number(place, row, "n", low=1.0, high=1e12) if row.get("n") else None
    compute = read_number(place, row, "compute", low=1.0, high=HUGE, hint="FLOPs")
    return Measured(compute, value, stderr, None if n is None else round(n))


def read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """("FILE:LINE", {column: text}) for every row of a CSV table that has the `needed` columns. Raises DataError."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            columns = table.fieldnames or []
            _check_columns(path, columns, needed)
            place = None
            for row in table:
                place = f"{path}:{table.line_num}"
                if None in row or None in row.values():
                    raise DataError(f"not {len(columns)} cells, one for each column", where=place)
                yield place, {name: text.strip() for name, text in row.items()}
            if place is None:
                raise DataError("no rows below the header", where=f"{path}:1")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV table: {error}", where=path) from None


def _check_columns(path: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    there = f"columns: {', '.join(columns) or 'none'}"
    for name in needed:
        if columns.count(name) != 1:
            what = f"{columns.count(name)} columns '{name}'" if name in columns else f"no column '{name}'"
            raise DataError(what, where=f"{path}:1", hint=there)


def read_number(
    place: str, row: dict[str, str], column: str, *, low: float = -HUGE, high: float = HUGE, hint: str | None = None
) -> float:
    """The number in a column of a row, from `low` to `high`. Raises DataError naming file, line and column."""
    try:
        value = float(row[column])
    except ValueError:
        raise DataError(f"'{row[column]}' is not a number", where=f"{place}: {column}") from None
    if not low <= value <= high:
        raise DataError(f"{row[column]} is not between {low:g} and {high:g}", where=f"{place}: {column}", hint=hint)
    return value
