"""The classical answers, as baselines and as a cross-check: least squares with and without a floor, the last point.

a C^(-b) + c is linear in a and c, so b alone is searched (variable projection, Golub & Pereyra 1973): on a grid, then
by a parabola through the best three. Many tables of losses at the same budgets are fitted at once, which makes a
thousand bootstrap refits cheap. Residuals are relative; a and c are not negative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from presage.core.seeds import stream
from presage.forecast.points import Estimate, Point

Array = np.ndarray

EXPONENTS = np.geomspace(0.005, 2.0, 240)


def with_floor(compute: Array, losses: Array, at: float) -> Array:
    """Predictions [m] at `at` for m tables of losses [m, n] measured at `compute` [n]."""
    reference = math.exp(float(np.log(compute).mean()))
    x, y = np.log(compute / reference), np.atleast_2d(losses)
    weight = 1 / y**2
    cost = np.stack([_solve(x, y, weight, np.full(len(y), b))[2] for b in EXPONENTS], axis=1)
    best = cost.argmin(axis=1)
    a, c, _ = _solve(x, y, weight, exponent := _vertex(cost, best))
    return np.asarray(a * np.exp(-exponent * math.log(at / reference)) + c)


def without_floor(compute: Array, losses: Array, at: float) -> Array:
    """As `with_floor`, for a straight line in logarithms."""
    x, y = np.log(compute), np.log(np.atleast_2d(losses))
    x_mean, y_mean = x.mean(), y.mean(axis=1)
    slope = ((x - x_mean) * (y - y_mean[:, None])).sum(axis=1) / ((x - x_mean) ** 2).sum()
    return np.asarray(np.exp(y_mean + slope * (math.log(at) - x_mean)))


def last_point(compute: Array, losses: Array, at: float) -> Array:
    """As `with_floor`: nothing gets better."""
    return np.asarray(np.atleast_2d(losses)[:, int(compute.argmax())])


def bootstrap(
    points: Sequence[Point], noise: float, at: float, level: float = 0.9, count: int = 1000, seed: int = 0
) -> Estimate:
    """Least squares with a floor, refitted to `count` tables with the points' errors (or `noise`) drawn anew.

    Its interval knows noise but neither a prior nor that the form may be wrong: too narrow for a decision.
    """
    compute, loss = np.array([p.compute for p in points]), np.array([p.loss for p in points])
    errors = np.array([p.stderr or noise * p.loss for p in points])
    drawn = loss + errors * stream(seed, "bootstrap").standard_normal((count, len(points)))
    predictions = with_floor(compute, np.maximum(drawn, 1e-3 * loss), at)
    lo, hi = np.quantile(predictions, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(with_floor(compute, loss, at)[0]), float(lo), float(hi), level)


def _solve(x: Array, y: Array, weight: Array, b: Array) -> tuple[Array, Array, Array]:
    """a, c (neither negative) and the weighted squares [m] for given exponents [m]: the best of three corners."""
    f = np.exp(-b[:, None] * x)
    w, wf, wff = weight.sum(1), (weight * f).sum(1), (weight * f * f).sum(1)
    wy, wfy = (weight * y).sum(1), (weight * f * y).sum(1)
    determinant = np.maximum(w * wff - wf**2, 1e-300)
    a, c = (w * wfy - wf * wy) / determinant, (wff * wy - wf * wfy) / determinant
    inside = (a >= 0) & (c >= 0)
    a, c = np.where(inside, a, np.where(c < 0, wfy / wff, 0.0)), np.where(inside, c, np.where(c < 0, 0.0, wy / w))
    return a, c, (weight * (y - a[:, None] * f - c[:, None]) ** 2).sum(1)


def _vertex(cost: Array, best: Array) -> Array:
    """The exponent at the bottom of the parabola through the best grid point and its neighbours, in logarithm."""
    rows, middle = np.arange(len(cost)), np.clip(best, 1, cost.shape[1] - 2)
    left, centre, right = cost[rows, middle - 1], cost[rows, middle], cost[rows, middle + 1]
    bend = left - 2 * centre + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0)
    shift = np.where(best == middle, np.clip(shift, -1, 1), best - middle)
    step = math.log(EXPONENTS[1] / EXPONENTS[0])
    return np.asarray(EXPONENTS[middle] * np.exp(step * shift))
