"""Points for a fit: single runs read from a CSV table, and their means per budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from presage.core.errors import DataError
from presage.forecast.table import HUGE, TINY, Row, read_table

METRICS = ("bpb", "loss")  # the column taken by default is the first of these that is there
OPTIONAL = ("n_params", "tokens", "stderr")
# Run-to-run noise is known with few degrees of freedom; this many pseudo-observations of 0.4 % steady it.
NOISE_PRIOR = (0.004, 4.0)
NARROWEST = 1.5  # largest budget over smallest, below which no slope can be read off
WIDEST_GAP = 1e6  # between neighbouring budgets; more is a mixture of units (petaflop/s-days are 8.64e19 FLOPs)
STEEPEST_RISE = 1.25  # of the loss from one budget to the next; more is no noise (a nat is 1.44 bits)


@dataclass(frozen=True)
class Point:
    """The mean loss of `n` runs at one compute budget, with the standard error of that mean (0: not known)."""

    compute: float
    loss: float
    stderr: float
    n: int = 1
    place: str = field(default="", compare=False)
    """FILE:LINE of a single run from a table."""


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that holds it with probability `level`."""

    value: float
    lo: float
    hi: float
    level: float

    @property
    def half_width(self) -> float:
        return (self.hi - self.lo) / 2


class Run(NamedTuple):
    """One row of a table: compute in FLOPs, loss, and what else was given."""

    compute: float
    loss: float
    n_params: float | None = None
    tokens: float | None = None
    stderr: float | None = None
    seed: str | None = None
    place: str = ""
    """FILE:LINE."""


def summarise(runs: Iterable[Sequence[float | str | None]]) -> tuple[list[Point], float]:
    """(compute, loss) of single runs, or `Run`s -> a Point per budget and the relative noise of one run.

    Repeats at one budget measure the noise; it is pooled over budgets in logarithm. Without repeats it is what the
    runs' own standard errors say, and without those 0: not known.
    """
    made = [Run(*run) for run in runs]  # type: ignore[arg-type]
    groups: dict[float, list[Run]] = {}
    for number, run in enumerate(made, 1):
        check_positive(run.compute, run.loss, run.place or f"run {number}")
        groups.setdefault(run.compute, []).append(run)
    noise = _noise([np.log([r.loss for r in group]) for group in groups.values()], made)
    points = []
    for compute, group in sorted(groups.items()):
        loss = float(np.mean([r.loss for r in group]))
        place = group[0].place if len(group) == 1 else ""
        points.append(Point(compute, loss, _stderr(group, loss * noise), len(group), place))
    return points, noise


def check(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points in order of compute. Raises DataError for points that no law can be fitted to."""
    for number, point in enumerate(points, 1):
        check_positive(point.compute, point.loss, point.place or f"point {number}")
        if not 0 <= point.stderr < math.inf:
            raise DataError(f"stderr {point.stderr} must be zero or positive", where=f"point {number}")
    budgets = sorted({p.compute for p in points})
    if len(budgets) < 3:
        raise DataError(f"a law with a floor needs at least 3 different budgets, got {len(budgets)}")
    spread = budgets[-1] / budgets[0]
    if spread < NARROWEST:
        raise DataError(
            f"the budgets differ by a factor of {spread:.3g} in all", hint=f"at least {NARROWEST:g} is needed"
        )
    ordered = tuple(sorted(points, key=lambda p: p.compute))
    for before, after in pairwise(ordered):
        _check_step(before, after)
    if ordered[-1].loss >= ordered[0].loss:
        raise DataError("the loss does not fall with compute", hint="is the loss column the right one?")
    return ordered


def check_compute(compute: float) -> None:
    """DataError for what is no number of FLOPs."""
    if not TINY < compute < HUGE:
        raise DataError(f"cannot predict at {compute} FLOPs", hint="compute is in FLOPs, for example 1e24")


def check_not_far_below(compute: float, fitted: Sequence[float], where: str = "--at") -> None:
    """DataError for FLOPs so far below the `fitted` ones that they are a slip: no law of loss is one down there."""
    least = min(fitted)
    if compute * WIDEST_GAP < least:
        raise DataError(
            f"{compute:.4g} FLOPs lie {math.log10(least / compute):.1f} decades below the smallest run, {least:.4g}",
            where=where,
            hint="compute is in FLOPs, for example 1e24",
        )


def check_positive(compute: float, loss: float, where: str) -> None:
    """DataError unless both are positive, finite and of a size that a run can have."""
    if not (0 < compute < math.inf and 0 < loss < math.inf):
        raise DataError(f"compute {compute} and loss {loss} must be positive", where=where)
    if not (TINY < compute < HUGE and TINY < loss < HUGE):
        raise DataError(f"compute {compute} or loss {loss} is beyond any run", where=where)


def read_runs(path: Path, metric: str | None = None) -> list[Run]:
    """Runs, one a row, in the order of the file.

    Columns: `compute`, and `metric` (default: bpb, else loss); n_params, tokens, stderr and seed where they are there.
    Rows with no (0, false) in a column `fitted` are left out. Raises DataError naming file, line and column.
    """
    table = read_table(path)
    chosen = metric or table.first_of(METRICS, METRICS[-1])
    rows = table.rows(("compute", chosen), (*OPTIONAL, "seed", "name", "fitted"))
    return list(_without_duplicates(_run(row, chosen) for row in rows if row.fitted))


def _run(row: Row, metric: str) -> Run:
    numbers = {name: row.positive(name) for name in OPTIONAL if row[name]}
    seed = row["seed"] or row["name"] or None
    return Run(row.positive("compute"), row.positive(metric), seed=seed, place=row.place, **numbers)


def _without_duplicates(runs: Iterable[Run]) -> Iterator[Run]:
    seen: dict[Run, str] = {}
    for run in runs:
        first = seen.setdefault(run._replace(place=""), run.place)
        if first != run.place:
            hint = "repeats need a column seed to tell them apart"
            raise DataError(f"the same run as {first}", where=run.place, hint=hint)
        yield run


def _check_step(before: Point, after: Point) -> None:
    if after.compute / before.compute > WIDEST_GAP:
        raise DataError(
            f"nothing between {before.compute:.3g} and {after.compute:.3g} FLOPs",
            hint="are these mixed units, FLOPs and petaflop/s-days?",
        )
    if after.compute > before.compute and after.loss / before.loss > STEEPEST_RISE:
        raise DataError(
            f"the loss rises from {before.loss:.4g} at {before.compute:.3g} FLOPs to {after.loss:.4g} at "
            f"{after.compute:.3g}",
            where=after.place or None,
            hint="are these mixed units, bits and nats, or runs of different recipes?",
        )


def _noise(groups: Sequence[np.ndarray], runs: Sequence[Run]) -> float:
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in groups)
    freedom = sum(len(g) - 1 for g in groups)
    if freedom:
        prior, strength = NOISE_PRIOR
        return math.sqrt((squares + strength * prior**2) / (freedom + strength))
    given = [r.stderr / r.loss for r in runs if r.stderr is not None]
    return math.sqrt(sum(e * e for e in given) / len(given)) if given else 0.0


def _stderr(group: Sequence[Run], of_one: float) -> float:
    """Of the mean: from the runs' own errors where all have one, from the pooled noise otherwise."""
    given = [r.stderr for r in group if r.stderr is not None]
    if len(given) == len(group):
        return max(math.sqrt(sum(e * e for e in given)) / len(group), of_one / math.sqrt(len(group)))
    return of_one / math.sqrt(len(group))
