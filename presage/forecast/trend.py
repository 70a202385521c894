"""A trend that may turn: does a metric improve with compute, worsen, or reverse, and what may it be further on?

GPT-4's report (§3.2) shows Hindsight Neglect, where accuracy falls from ada to gpt-3.5 and GPT-4 gets everything right:
a monotone extrapolation would have been wrong in sign. So five shapes are compared by their exact evidence: improving,
worsening, flat, and one reversal in either sense. Each is made of straight lines in log10 of compute, on a scale where
up is better: the logit of a share, minus the logarithm of a loss. Level and slopes are integrated out in closed form;
the knot, the width of the slopes' prior and the misfit tau are summed over a grid. No sampling, no starting values,
always the same answer. Where the shape is not an improvement no point forecast is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri, ndtri_exp

from presage.core.errors import DataError
from presage.forecast.measured import PROPORTION, Measured, Scale, heights
from presage.forecast.points import WIDEST_GAP
from presage.forecast.table import HUGE

Array = np.ndarray

SHAPES = ("improves", "worsens", "flat", "worsens_then_improves", "improves_then_worsens")
IMPROVES, WORSENS, FLAT, RECOVERS, SPOILS = range(5)
QUADRANTS = {(1, 1): IMPROVES, (-1, -1): WORSENS, (-1, 1): RECOVERS, (1, -1): SPOILS}  # signs of two slopes -> shape
FORM = 1 / 4  # of a monotone trend: a line, flat and then a line, a line and then flat, two lines
# Before the data: half for what most tasks do, the rest shared. Of 46 downstream tasks 39 % scale smoothly; among the
# others are inverse, non-monotone, trendless and sudden ones (Lourie et al. 2025).
SHAPE_PRIOR = np.array([0.5, 0.125, 0.125, 0.125, 0.125])
# An inverse trend that turns within r decades: Wei et al. 2022 ("Inverse scaling can become U-shaped") took the 11
# tasks of the Inverse Scaling Prize (McKenzie et al. 2023) to 5 times the compute, and 6 of them turned. With one
# pseudo-task of each kind that is 7 of 13 in 0.70 decades. Tasks differ in their rate (gamma, shape 2), which gives
# 1 - (1 + r / 1.48) ** -2.
TURN_SHAPE, TURN_SCALE = 2.0, 1.48
# A trend that improves and then worsens, per decade: our choice; such tasks are rare even where people look for them.
SPOIL_RATE = 0.03
REFUSAL = 0.25  # with more than this against an improving or flat trend nothing is extrapolated
# The grid of tau, in units of the scale's misfit; each stands for its stretch of a half-Cauchy.
MISFITS = np.array([0.05, 0.35, 0.7, 1.4, 2.8, 5.6])
MISFIT_PRIOR = np.diff(np.arctan([0, 0.2, 0.5, 1, 2, 4, math.inf])) * 2 / math.pi
KNOTS, NODES = 24, 12


@dataclass(frozen=True)
class Trend:
    """The answer. Compute in FLOPs, values in the metric's own unit."""

    at: float
    value: float | None
    """The median at `at`; None where no extrapolation is given."""
    lo: float
    hi: float
    """The interval there; without a value, from the lowest to the highest end of the two continuations' intervals."""
    level: float
    shape: str
    """The most probable of SHAPES. Worsening then improving is a U of an accuracy, an inverted U of a loss."""
    probability: dict[str, float]
    """Of each shape."""
    log_evidence: dict[str, float]
    """Of each shape, less the best one's: for readers with another prior than ours."""
    p_reversed_in_data: float
    p_reversal_before_target: float
    """Of a reversal (another one, if there was one) between the largest compute of the data and `at`."""
    turn: tuple[float, float, float] | None
    """Where the reversal within the data is: lower bound, median, upper bound. None if its probability is below 5 %."""
    goes_on: tuple[float, float]
    """The interval at `at` if the trend at the end of the data goes on."""
    reverses: tuple[float, float]
    """The interval at `at` if it reverses on the way."""
    n_points: int
    warnings: list[str]

    def as_json(self) -> dict[str, object]:
        """One flat object: `probability` becomes p_SHAPE, intervals become NAME_lo and NAME_hi."""
        turn_lo, turn, turn_hi = self.turn or (None, None, None)
        return {
            "at": self.at,
            "value": self.value,
            "lo": self.lo,
            "hi": self.hi,
            "level": self.level,
            "refused": self.value is None,
            "shape": self.shape,
            "p_reversed_in_data": self.p_reversed_in_data,
            "p_reversal_before_target": self.p_reversal_before_target,
            **{f"p_{name}": p for name, p in self.probability.items()},
            **{f"log_evidence_{name}": e for name, e in self.log_evidence.items()},
            "turn": turn,
            "turn_lo": turn_lo,
            "turn_hi": turn_hi,
            "goes_on_lo": self.goes_on[0],
            "goes_on_hi": self.goes_on[1],
            "reverses_lo": self.reverses[0],
            "reverses_hi": self.reverses[1],
            "n_points": self.n_points,
            "warnings": self.warnings,
        }


class _Pieces(NamedTuple):
    """A mixture: in each piece the last slope is known, and the trend's height at the end of the data is normal."""

    log_weight: Array
    shape: Array
    knot: Array
    slope: Array
    height: Array
    variance: Array
    tau: Array


class _Mixture(NamedTuple):
    """Normals with weights, on the metric's scale."""

    weight: Array
    mean: Array
    sd: Array


def trend(points: Sequence[Measured], at: float, scale: Scale = PROPORTION, level: float = 0.9) -> Trend:
    """The shape of a metric over compute, and what it may be at `at` FLOPs.

    `points` are single models at three or more different computes below `at`. Raises DataError naming the point.
    """
    _check(points, at, scale, level)
    x = np.log10([p.compute for p in points])
    y, variance = heights(points, scale)
    known = all(p.has_error for p in points)
    pieces = _pieces(x, y, variance, scale.slopes, scale.misfit if known else scale.unknown)
    evidence = np.array([logsumexp(pieces.log_weight[pieces.shape == s]) for s in range(len(SHAPES))])
    chance = np.exp(evidence - evidence.max()) * SHAPE_PRIOR
    chance /= chance.sum()
    weight = np.exp(pieces.log_weight - evidence[pieces.shape]) * chance[pieces.shape]
    goes_on, reverses, p_reversal = _continuations(pieces, weight, math.log10(at) - float(x.max()), scale)
    a, _, b = _interval(goes_on, level, scale)
    c, _, d = _interval(reverses, level, scale)
    either = _Mixture(*(np.concatenate(pair) for pair in zip(goes_on, reverses, strict=True)))
    lo, value, hi = _interval(either, level, scale)
    refused = float(chance[[WORSENS, RECOVERS, SPOILS]].sum()) > REFUSAL
    turned = float(chance[RECOVERS] + chance[SPOILS])
    return Trend(
        at,
        None if refused else value,
        min(a, c) if refused else lo,
        max(b, d) if refused else hi,
        level,
        SHAPES[int(chance.argmax())],
        dict(zip(SHAPES, chance.tolist(), strict=True)),
        dict(zip(SHAPES, (evidence - evidence.max()).tolist(), strict=True)),
        turned,
        p_reversal,
        _turn(pieces, weight, level) if turned >= 0.05 else None,
        (a, b),
        (c, d),
        len(points),
        _warnings(points, at, chance, refused, p_reversal),
    )


# ---- the posterior --------------------------------------------------------------------------------------------------


class _Cells(NamedTuple):
    """The linear model in every cell of the grid over tau, the width of slopes and the knot; first axis the cells."""

    mean: Array  # of (height at the knot, slope before it, slope after it), fewer for simpler shapes
    covariance: Array
    log_weight: Array
    knot: Array
    tau: Array


def _pieces(x: Array, y: Array, variance: Array, slopes: Sequence[float], misfit: float) -> _Pieces:
    """Every shape in every cell. A monotone trend is a line, flat before or after a knot, or two lines of one sign."""
    end, one = float(x.max()), np.ones_like(x)
    edges = np.linspace(x.min(), end, KNOTS + 1)
    inner, last = (edges[1:] + edges[:-1]) / 2, np.array([end])

    def cells(knots: Array, *columns: Array) -> _Cells:
        basis = np.stack(np.broadcast_arrays(one, *columns), -1)
        return _cells(basis.reshape(len(knots), len(x), -1), knots, y, variance, slopes, MISFITS * misfit)

    before, after = np.minimum(x - inner[:, None], 0), np.maximum(x - inner[:, None], 0)
    line, stops, starts, lines = (
        cells(last, x - end),
        cells(inner, before),
        cells(inner, after),
        cells(inner, before, after),
    )
    found = [_constant(cells(last))]
    for sign in (1, -1):
        found += [_line(line, sign, end), _line(starts, sign, end), _line(stops, sign, end, stops=True)]
    found += [_two_lines(lines, signs, end) for signs in QUADRANTS]
    return _Pieces(*(np.concatenate([part.ravel() for part in parts]) for parts in zip(*found, strict=True)))


def _cells(basis: Array, knots: Array, y: Array, variance: Array, slopes: Sequence[float], taus: Array) -> _Cells:
    """Posteriors with a flat prior on the height and N(0, sd^2) on slopes; basis (knots, points, coefficients).

    Weights are log evidence (constants that all shapes share left out) plus log prior of the cell.
    """
    n = basis.shape[2] - 1
    sds = np.array(slopes)
    w = 1 / (variance + taus[:, None] ** 2)
    prior = np.stack([np.diag([0.0] + n * [sd**-2]) for sd in sds])
    data = np.einsum("tp,kpi,kpj->tkij", w, basis, basis)
    covariance = np.linalg.inv(data[:, None] + prior[:, None])  # (taus, slopes, knots, n + 1, n + 1)
    mean = np.einsum("tskij,tp,kpj,p->tski", covariance, w, basis, y, optimize=True)
    residual = y - np.einsum("kpi,tski->tskp", basis, mean)
    misfit = np.einsum("tp,p,tskp->tsk", w, y, residual)
    evidence = (np.log(w).sum(1)[:, None, None] + np.linalg.slogdet(covariance)[1] - misfit) / 2
    weight = evidence - n * np.log(sds)[:, None] + np.log(MISFIT_PRIOR)[:, None, None]
    shape = weight.shape
    return _Cells(
        mean.reshape(-1, n + 1),
        covariance.reshape(-1, n + 1, n + 1),
        weight.ravel() - math.log(len(sds) * len(knots)),
        np.broadcast_to(knots, shape).ravel(),
        np.broadcast_to(taus[:, None, None], shape).ravel(),
    )


def _half_line(mean: Array, variance: Array, sign: int) -> tuple[Array, Array]:
    """log P(sign * s > 0) of normal s (cells, 1), and equally probable values of s on that side (cells, nodes)."""
    sd = np.sqrt(variance)
    log_p = log_ndtr(sign * mean / sd)
    return log_p, mean - sign * sd * ndtri_exp(log_p + np.log((np.arange(NODES) + 0.5) / NODES))


def _constant(cells: _Cells) -> _Pieces:
    mean, v = cells.mean, cells.covariance[:, 0]
    return _piece(cells, FLAT, np.zeros_like(mean), mean, v, np.zeros_like(mean))


def _line(cells: _Cells, sign: int, end: float, *, stops: bool = False) -> _Pieces:
    """One slope, that of a line, or after the knot, or (`stops`) only before it."""
    (height, middle), v = cells.mean.T[:, :, None], cells.covariance[..., None]
    log_p, slope = _half_line(middle, v[:, 1, 1], sign)
    pull = v[:, 0, 1] / v[:, 1, 1]
    last = slope * (not stops)
    there = height + pull * (slope - middle) + last * (end - cells.knot[:, None])
    weight = log_p + math.log(2 * FORM / NODES)  # twice, for a half-normal
    return _piece(cells, QUADRANTS[sign, sign], last, there, v[:, 0, 0] - pull * v[:, 0, 1], weight)


def _two_lines(cells: _Cells, signs: tuple[int, int], end: float) -> _Pieces:
    """The last slope at its nodes; the first one, given it, is a truncated normal whose two moments are exact."""
    (height, before, after), v = cells.mean.T[:, :, None], cells.covariance[..., None]
    log_p, slope = _half_line(after, v[:, 2, 2], signs[1])
    off = slope - after
    first, sd = before + v[:, 1, 2] / v[:, 2, 2] * off, np.sqrt(v[:, 1, 1] - v[:, 1, 2] ** 2 / v[:, 2, 2])
    place = signs[0] * first / sd
    log_q = log_ndtr(place)
    mills = np.exp(-(place**2) / 2 - log_q) / math.sqrt(2 * math.pi)
    cut, cut_variance = first + signs[0] * sd * mills, sd**2 * np.maximum(1 - place * mills - mills**2, 0)
    pull = np.linalg.solve(cells.covariance[:, 1:, 1:], cells.covariance[:, 1:, :1])
    there = height + pull[:, 0] * (cut - before) + pull[:, 1] * off + slope * (end - cells.knot[:, None])
    variance = v[:, 0, 0] - (pull * v[:, 1:, 0]).sum(1) + pull[:, 0] ** 2 * cut_variance
    form = FORM if signs[0] == signs[1] else 1.0
    return _piece(cells, QUADRANTS[signs], slope, there, variance, log_p + log_q + math.log(4 * form / NODES))


def _piece(cells: _Cells, shape: int, slope: Array, height: Array, variance: Array, weight: Array) -> _Pieces:
    """Arrays of (cells, nodes), whatever was the same for all nodes spread over them."""
    parts = (cells.log_weight[:, None] + weight, np.array([[shape]]), cells.knot[:, None], slope, height, variance)
    return _Pieces(*np.broadcast_arrays(*parts, cells.tau[:, None]))


# ---- what follows from it -------------------------------------------------------------------------------------------


def _continuations(pieces: _Pieces, weight: Array, beyond: float, scale: Scale) -> tuple[_Mixture, _Mixture, float]:
    """The height `beyond` decades on if the last trend goes on, and if it reverses before; the latter's probability."""
    up, down = np.isin(pieces.shape, (IMPROVES, RECOVERS)), np.isin(pieces.shape, (WORSENS, SPOILS))
    spoils, turns = 1 - math.exp(-SPOIL_RATE * beyond), _turned(beyond)
    drift = scale.drift * beyond
    sd = np.sqrt(pieces.variance + pieces.tau**2 + drift**2)
    goes_on = _Mixture(weight * (1 - spoils * up - turns * down), pieces.height + pieces.slope * beyond, sd)
    nodes = (np.arange(NODES) + 0.5) / NODES
    late = TURN_SCALE * ((1 - nodes * turns) ** (-1 / TURN_SHAPE) - 1)
    better = _reversal(pieces, weight * down * turns, 1, late, beyond, scale)
    worse = _reversal(pieces, weight * up * spoils, -1, nodes * beyond, beyond, scale)
    reverses = _Mixture(*(np.concatenate(pair) for pair in zip(better, worse, strict=True)))
    return goes_on, reverses, float(reverses.weight.sum())


def _turned(decades: float) -> float:
    """The probability that a worsening trend has turned within so many decades."""
    return 1 - math.pow(1 + decades / TURN_SCALE, -TURN_SHAPE)


def _reversal(pieces: _Pieces, weight: Array, sign: int, places: Array, beyond: float, scale: Scale) -> _Mixture:
    """Trends summed up by their moments, turning at equally probable `places` (decades on) and going the other way."""
    total = max(float(weight.sum()), 1e-300)
    share = weight / total
    height, slope = float(share @ pieces.height), float(share @ pieces.slope)
    variance = float(share @ (pieces.variance + pieces.tau**2 + (pieces.height - height) ** 2))
    back = sign * np.outer(scale.turns, ndtri(0.5 + (np.arange(NODES) + 0.5) / NODES / 2)).ravel()
    mean = (height + slope * places[:, None] + back * (beyond - places[:, None])).ravel()
    same = np.ones_like(mean)
    return _Mixture(same * total / mean.size, mean, same * math.sqrt(variance + (scale.drift * beyond) ** 2))


def _interval(mixture: _Mixture, level: float, scale: Scale) -> tuple[float, float, float]:
    """Lower bound, median and upper bound in the metric's own unit."""
    keep = mixture.weight > mixture.weight.max() * 1e-7
    weight, mean, sd = mixture.weight[keep] / mixture.weight[keep].sum(), mixture.mean[keep], mixture.sd[keep]
    places = [_quantile(weight, mean, sd, q) for q in ((1 - level) / 2, 0.5, (1 + level) / 2)]
    low, middle, high = sorted(float(scale.back(np.array(place))) for place in places)
    return low, middle, high


def _quantile(weight: Array, mean: Array, sd: Array, q: float) -> float:
    least, greatest = float((mean - 9 * sd).min()), float((mean + 9 * sd).max())
    return float(brentq(lambda place: float(weight @ ndtr((place - mean) / sd)) - q, least, greatest, xtol=1e-9))


def _turn(pieces: _Pieces, weight: Array, level: float) -> tuple[float, float, float]:
    """Quantiles of the knot over the shapes that reverse, in FLOPs."""
    turned = np.isin(pieces.shape, (RECOVERS, SPOILS))
    knots, which = np.unique(pieces.knot[turned], return_inverse=True)
    share = np.append(0, np.bincount(which.ravel(), weight[turned]).cumsum())
    half = (knots[1] - knots[0]) / 2  # a knot stands for the stretch around it
    edges = np.append(knots - half, knots[-1] + half)
    places = np.interp([(1 - level) / 2, 0.5, (1 + level) / 2], share / share[-1], edges)
    low, middle, high = (float(10**place) for place in places)
    return low, middle, high


def _warnings(points: Sequence[Measured], at: float, chance: Array, refused: bool, p_reversal: float) -> list[str]:
    """What a reader must know, in words."""
    largest, computes = max(p.compute for p in points), len({p.compute for p in points})
    tell = {
        f"{_reason(chance)}: no monotone extrapolation is given; the interval covers going on and reversing": refused,
        f"a turn before the target has probability {p_reversal:.2f}: of the 11 tasks of the Inverse Scaling Prize 6 "
        "turned within 5 times the compute": chance[WORSENS] + chance[SPOILS] > REFUSAL,
        "no trend is seen, but what is flat so far may still move later, even suddenly": chance.argmax() == FLAT,
        "points without stderr or n: what the models scatter by stands in for their errors": any(
            not p.has_error for p in points
        ),
        f"only {computes} different computes: the answer leans on its priors": computes < 5,
        f"the target is {at / largest:,.0f} times the largest compute of the data": at > 100 * largest,
    }
    return [text for text, holds in tell.items() if holds]


def _reason(chance: Array) -> str:
    worsens, turned = chance[WORSENS], chance[RECOVERS] + chance[SPOILS]
    if worsens > 0.5:
        return f"the metric worsens with compute (probability {worsens:.2f})"
    if turned > 0.5:
        return f"the trend reversed within the data (probability {turned:.2f})"
    if worsens + turned > 0.75:
        return f"the metric worsens over a part of the data (probability {worsens + turned:.2f})"
    return "the points do not settle which way the metric goes"


def _check(points: Sequence[Measured], at: float, scale: Scale, level: float) -> None:
    for number, point in enumerate(points, 1):
        if not 1 <= point.compute < HUGE:
            raise DataError(f"compute {point.compute} is none", where=f"point {number}", hint="FLOPs")
        if not scale.low <= point.value <= scale.high:
            what = f"value {point.value} is not between {scale.low:g} and {scale.high:g}"
            raise DataError(what, where=f"point {number}", hint=scale.hint)
    computes = sorted({p.compute for p in points})
    if len(computes) < 3:
        raise DataError(f"a trend that may turn needs at least 3 different computes, got {len(computes)}")
    gap = max(high / low for low, high in pairwise(computes))
    if gap > WIDEST_GAP:
        raise DataError(f"a gap of {gap:.3g} times between two computes", hint="are all of them in FLOPs?")
    if not computes[-1] < at < HUGE:
        hint = f"it must be above {computes[-1]:g} FLOPs"
        raise DataError(f"the target {at:g} is not beyond the data", where="--at", hint=hint)
    if not 0 < level < 1:
        raise DataError(f"the level {level} is not between 0 and 1", where="--level")
