"""Finished runs of known size and tokens, for a fit of L(N, D): read, merged and checked; how far off a target is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from presage.core.errors import DataError
from presage.forecast.points import METRICS, NARROWEST, NOISE_PRIOR
from presage.forecast.table import HUGE, TINY, Row, read_table

FEWEST = 6  # one more than the law has numbers
TOGETHER = 0.98  # correlation of log N and log D beyond which they are one variable
STILL = 0.1  # standard deviation of a logarithm below which a variable is a constant
APART = 0.03  # of losses at one size and token count, largest over smallest, beyond what seeds do (0.4 % each)
FAR, OFF_RATIO = 10.0, 2.0  # factors outside the points, of N or D and of D / N, that a reader should hear of


@dataclass(frozen=True)
class SizedPoint:
    """The loss of a finished run (or the mean of several) of `n_params` parameters on `tokens` tokens."""

    n_params: float
    tokens: float
    loss: float
    stderr: float = 0.0
    """0: not known, part of the misfit."""
    spread: float = 0.0
    """Of the runs that this is the mean of: the largest loss over the smallest, less 1."""


def read_points(path: Path, metric: str | None = None) -> list[SizedPoint]:
    """Points, one a row, in the order of the file.

    Columns: n_params, tokens, and `metric` (default: bpb, else loss); stderr where it is there. Rows with no (0, false)
    in a column `fitted` are left out. Raises DataError naming file, line and column.
    """
    table = read_table(path)
    chosen = metric or table.first_of(METRICS, METRICS[-1])
    rows = table.rows(("n_params", "tokens", chosen), ("stderr", "fitted"))
    return [_point(row, chosen) for row in rows if row.fitted]


def _point(row: Row, metric: str) -> SizedPoint:
    n, d, loss = (row.positive(name) for name in ("n_params", "tokens", metric))
    return SizedPoint(n, d, loss, row.positive("stderr") if row["stderr"] else 0.0)


def summarise(points: Sequence[SizedPoint]) -> tuple[list[SizedPoint], float]:
    """Repeats at one size and token count as their mean, and the relative noise of one run.

    The noise is pooled over all repeats in logarithm, steadied by a prior. Without repeats the points stay as they
    are and the noise is that of their own errors (root mean square; 0 where none is given).
    """
    groups: dict[tuple[float, float], list[SizedPoint]] = {}
    for point in points:
        groups.setdefault((point.n_params, point.tokens), []).append(point)
    freedom = len(points) - len(groups)
    if not freedom:
        own = [p.stderr / p.loss for p in points if p.stderr]
        return list(points), math.sqrt(sum(e * e for e in own) / len(own)) if own else 0.0
    logs = [np.log([p.loss for p in group]) for group in groups.values()]
    prior, strength = NOISE_PRIOR
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in logs)
    noise = math.sqrt((squares + strength * prior**2) / (freedom + strength))
    return [_mean(group, noise) for group in groups.values()], noise


def _mean(group: Sequence[SizedPoint], noise: float) -> SizedPoint:
    losses = [p.loss for p in group]
    loss = float(np.mean(losses))
    stderr = loss * noise / math.sqrt(len(group))
    return SizedPoint(group[0].n_params, group[0].tokens, loss, stderr, max(losses) / min(losses) - 1)


def check(points: Sequence[SizedPoint]) -> tuple[SizedPoint, ...]:
    """The points. Raises DataError for such as no law of size and tokens can be fitted to."""
    for place, point in enumerate(points, 1):
        check_positive(f"point {place}", n_params=point.n_params, tokens=point.tokens, loss=point.loss)
        if not 0 <= point.stderr < math.inf:
            raise DataError(f"stderr {point.stderr} must be zero or positive", where=f"point {place}")
    if len(points) < FEWEST:
        hint = "with fewer, fit the loss against compute: presage forecast fit"
        raise DataError(f"a law of size and tokens needs at least {FEWEST} points, got {len(points)}", hint=hint)
    logs = np.log([(p.n_params, p.tokens, p.loss) for p in points])
    if np.ptp(logs[:, :2], axis=0).max() < math.log(NARROWEST):
        raise DataError(f"sizes and tokens differ by less than a factor of {NARROWEST:g} in all")
    centred = logs - logs.mean(axis=0)
    slopes = np.linalg.lstsq(centred[:, :2], centred[:, 2], rcond=1e-6)[0]
    if slopes.min() >= -1e-9:
        raise DataError("the loss falls neither with size nor with tokens", hint="is the loss column the right one?")
    return tuple(points)


def check_positive(where: str, **values: float) -> None:
    """DataError unless all are positive and of a size that a run can have."""
    for name, value in values.items():
        if not TINY < value < HUGE:
            raise DataError(f"{name} {value} must be positive and not beyond any run", where=where)


def outside(points: Sequence[SizedPoint], n_params: float, tokens: float) -> tuple[float, float]:
    """Decades by which a run lies beyond the points' sizes, and beyond their tokens."""
    return _decades(n_params, [p.n_params for p in points]), _decades(tokens, [p.tokens for p in points])


def doubts(points: Sequence[SizedPoint], n_params: float, tokens: float) -> list[str]:
    """What the places of the points and of the target say against a forecast, in words."""
    said = [*_disagreement(points), *_dependence(points)]
    said += [
        f"the target's {name} lie a factor of {10**decades:,.3g} outside the points"
        for name, decades in zip(("parameters", "tokens"), outside(points, n_params, tokens), strict=True)
        if decades > math.log10(FAR)
    ]
    ratios = [p.tokens / p.n_params for p in points]
    if _decades(tokens / n_params, ratios) > math.log10(OFF_RATIO):
        said.append(
            f"the target's {tokens / n_params:,.3g} tokens a parameter lie outside the points' "
            f"{min(ratios):,.3g} to {max(ratios):,.3g}"
        )
    return said


def _decades(value: float, seen: Sequence[float]) -> float:
    return max(0.0, math.log10(value / max(seen)), math.log10(min(seen) / value))


def _disagreement(points: Sequence[SizedPoint]) -> list[str]:
    """Runs of one size on as many tokens that differ by more than seeds do."""
    apart = [p.spread for p in points if p.spread > APART]
    if not apart:
        return []
    return [
        f"at {len(apart)} of {len(points)} pairs of size and tokens the runs disagree, by up to {max(apart):.1%}, and "
        "their mean was fitted: are they of one recipe, measured on one text in one unit?"
    ]


def _dependence(points: Sequence[SizedPoint]) -> list[str]:
    """Whether size and tokens vary on their own."""
    logs = np.log([(p.n_params, p.tokens) for p in points])
    for name, spread in zip(("parameters", "tokens"), logs.std(axis=0), strict=True):
        if spread < STILL:
            return [f"all points have about the same {name}: what more {name} bring is assumed, not known"]
    alike = float(np.corrcoef(logs.T)[0, 1])
    if abs(alike) < TOGETHER:
        return []
    return [
        f"size and tokens go together (correlation {alike:.3f} in logarithms): only the loss along that line is "
        "identified, L(C), not what either brings alone"
    ]
