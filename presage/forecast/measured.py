"""A metric measured on models of several sizes: the table, the scale on which its trend is straight, its errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from presage.forecast.table import HUGE, Row, read_table

Array = np.ndarray

METRICS = ("accuracy", "value", "loss", "bpb")  # the column taken by default is the first of these that is there
LOSSES = ("loss", "bpb", "nll", "perplexity")
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
    table = read_table(path)
    chosen = column or table.first_of(METRICS, METRICS[0])
    scale = LOSS if chosen in LOSSES else PROPORTION
    return [_point(row, chosen, scale) for row in table.rows(("compute", chosen), ("stderr", "n"))], scale


def _point(row: Row, column: str, scale: Scale) -> Measured:
    value = row.number(column, scale.low, scale.high, scale.hint)
    stderr = row.number("stderr", 0.0) if row["stderr"] else None
    n = row.number("n", 1.0, 1e12) if row["n"] else None
    return Measured(row.number("compute", 1.0, HUGE, "FLOPs"), value, stderr, None if n is None else round(n))
