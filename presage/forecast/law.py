"""The law of loss against compute, with an interval that says how wrong it may be.

GPT-4's report fits L(C) = a C^(-b) + c to its small runs (§3.1) and prints no interval. Over two or three decades b
and c can hardly be told apart, and real ladders do not follow the form exactly: a recipe that is poor when small gets
better, a floor comes near. So the law here is

    L(C) = (a C^(-b) + c) * (1 + g(log10 C))

where g lets the slope wander slowly; how much, each ladder shows by itself. What it did among the rungs it may do
again beyond them, so a ladder that bends gets a wide interval and one that does not a narrow one. The answer is the
whole posterior: a is integrated out (the model is linear in it), b, c, the wander and the misfit are summed over a
grid. No sampling, no starting values, always the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from presage.core.config import Config
from presage.forecast.normals import quantiles
from presage.forecast.points import Estimate, Point, check, check_compute, summarise
from presage.forecast.prior import Prior, covariance

__all__ = ["Estimate", "Fit", "Law", "Point", "fit", "summarise"]

Array = np.ndarray

WANDERS = (0.0, 0.015, 0.03, 0.06, 0.12, 0.24, 0.4)
MISFITS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.012)
SLOPES = (0.002, 0.8)  # -d ln L / d ln C at the largest budget: the range that is searched
COARSE, FINE, SHARES = 32, 40, 40
NEGLIGIBLE = 1e-7  # of the greatest weight


class Law(Config):
    """Posterior means of a C^b + c (C in FLOPs, b negative)."""

    form: str = "a*C^b+c"
    a: float
    b: float
    c: float

    def loss(self, compute: float) -> float:
        return float(self.a * compute**self.b + self.c)


@dataclass(frozen=True)
class _Cells:
    """Grid cells of one wander and misfit: G pairs (b, c) with a's conditional mean and deviation, and their weight."""

    wander: float
    misfit: float
    whiten: Array  # [n, n]: inverse Cholesky factor of the points' covariance
    b: Array
    c: Array
    a: Array
    a_sd: Array
    weight: Array
    features: Array  # [G, n] whitened C^(-b)
    residual: Array  # [G, n] whitened y - c - a C^(-b)


@dataclass(frozen=True)
class Fit:
    """The posterior. `reference` is the compute at which a is measured: a is the loss above the floor there."""

    points: tuple[Point, ...]
    prior: Prior
    noise: float
    """Relative deviation of one run, as measured from repeats; 0 where it was not and is part of the misfit."""
    drift: float
    reference: float
    cells: tuple[_Cells, ...]

    @property
    def law(self) -> Law:
        """The curve to draw: the posterior means of b and c, and the a that fits the points best with them."""
        b, c = self._mean("b"), self._mean("c")
        y = np.array([p.loss for p in self.points])
        x = (np.array([p.compute for p in self.points]) / self.reference) ** -b
        weight = 1 / y**2
        a = float((weight * x * (y - c)).sum() / (weight * x * x).sum())
        return Law(a=a * self.reference**b, b=-b, c=c)

    @property
    def wander(self) -> float:
        """Posterior mean of how far the slope d ln L / d log10 C strays, one standard deviation."""
        return float(sum(cell.wander * cell.weight.sum() for cell in self.cells))

    @property
    def misfit(self) -> float:
        """Posterior mean of the relative deviation of one budget from any smooth curve."""
        return float(sum(cell.misfit * cell.weight.sum() for cell in self.cells))

    def exponent(self, level: float = 0.9) -> Estimate:
        return self._quantiles("b", level)

    def floor(self, level: float = 0.9) -> Estimate:
        """The irreducible loss."""
        return self._quantiles("c", level)

    def predict(self, compute: float, level: float = 0.9, *, new_run: bool = True, wander: bool = True) -> Estimate:
        """The loss of one new run at `compute` (or of the law's mean there): median and central interval.

        Without `wander` the form is taken to hold exactly, or as nearly as the points allow: parameters and noise only.
        """
        mean, sd, weight = self.mixture(compute, new_run=new_run, wander=wander)
        lo, mid, hi = (max(bound, 0.0) for bound in quantiles(mean, sd, weight, level))  # no loss is negative
        return Estimate(mid, lo, hi, level)

    def mixture(self, compute: float, *, new_run: bool = True, wander: bool = True) -> tuple[Array, Array, Array]:
        """The predictive distribution itself: means, standard deviations and weights of the normals it is made of."""
        check_compute(compute)
        least = min(cell.wander for cell in self.cells)
        kept = [cell for cell in self.cells if wander or cell.wander == least]
        parts = [self._at(cell, np.array([compute])) for cell in kept]
        mean = np.concatenate([part[0][:, 0] for part in parts])
        drift = self.drift * self._beyond(compute)
        scatter = [(self.noise**2 + cell.misfit**2) * new_run + drift**2 for cell in kept]
        variance = [p[1][:, 0, 0] + p[0][:, 0] ** 2 * s for p, s in zip(parts, scatter, strict=True)]
        weight = np.concatenate([cell.weight for cell in kept])
        return mean, np.sqrt(np.concatenate(variance)), weight / weight.sum()

    def joint(self, computes: Sequence[float]) -> tuple[Array, Array]:
        """Posterior mean [m] and covariance [m, m] of the law's loss, free of noise, at several computes.

        What drift adds stands on the diagonal alone: no run elsewhere is taken to narrow it.
        """
        for compute in computes:
            check_compute(compute)
        at = np.array(computes, dtype=float)
        parts = [(cell.weight, *self._at(cell, at)) for cell in self.cells]
        mean = sum((w[:, None] * m).sum(axis=0) for w, m, _ in parts)
        second = sum((w[:, None, None] * (v + m[:, :, None] * m[:, None, :])).sum(axis=0) for w, m, v in parts)
        drift = mean * self.drift * np.array([self._beyond(compute) for compute in computes])
        return mean, second - np.outer(mean, mean) + np.diag(drift**2)

    def _beyond(self, compute: float) -> float:
        """Decades above the largest budget."""
        return max(0.0, math.log10(compute / self.points[-1].compute))

    def _at(self, cell: _Cells, computes: Array) -> tuple[Array, Array]:
        """Mean [G, m] and covariance [G, m, m] of the loss given b, c and the scales; a and g are integrated out."""
        origin, length = math.log10(self.points[-1].compute), self.prior.wander_length
        t, s = np.array([math.log10(p.compute) for p in self.points]), np.log10(computes)
        y = np.array([p.loss for p in self.points])
        shape = np.exp(-cell.b[:, None] * np.log(computes / self.reference))
        curve = cell.c[:, None] + cell.a[:, None] * shape
        gain = cell.wander**2 * (covariance(s, t, origin, length) * y) @ cell.whiten.T
        own = cell.wander**2 * covariance(s, s, origin, length) - gain @ gain.T
        mean = curve * (1 + cell.residual @ gain.T)
        slope = (shape - curve * (cell.features @ gain.T)) * cell.a_sd[:, None]
        return mean, slope[:, :, None] * slope[:, None, :] + curve[:, :, None] * curve[:, None, :] * own

    def _mean(self, name: str) -> float:
        return float(sum((cell.weight * getattr(cell, name)).sum() for cell in self.cells))

    def _quantiles(self, name: str, level: float) -> Estimate:
        value = np.concatenate([getattr(cell, name) for cell in self.cells])
        weight = np.concatenate([cell.weight for cell in self.cells])
        width = np.full_like(value, 0.02 * float(value.max() - value.min()) + 1e-12)  # smooths the grid's steps
        lo, mid, hi = quantiles(value, width, weight, level)
        return Estimate(mid, lo, hi, level)


def fit(points: Sequence[Point], noise: float = 0.0, drift: float = 0.0, prior: Prior | None = None) -> Fit:
    """The posterior given losses at three or more budgets.

    `noise` is one run's relative deviation where repeats measured it (0: it is found as part of the misfit); `drift`
    is what the maker of a recipe knows it to be off by per decade beyond the largest budget, on top of the wander.
    Raises DataError for points that no law can be fitted to.
    """
    points = check(points)
    prior = prior or Prior()
    grid = _Grid(points, prior)
    found = [cell for wander in WANDERS for cell in grid.cells(grid.range(wander), wander)]
    top = max(log_weight.max() for *_, log_weight in found)
    least = top + math.log(NEGLIGIBLE)
    total = sum(float(np.exp(log_weight[log_weight > least] - top).sum()) for *_, log_weight in found)
    cells = []
    for wander, misfit, whiten, columns, log_weight in found:
        keep = log_weight > least
        if not keep.any():
            continue
        weight = np.exp(log_weight[keep] - top) / total
        b, c, a, a_sd, features, residual = (column[keep] for column in columns)
        cells.append(_Cells(wander, misfit, whiten, b, c, a, a_sd, weight, features, residual))
    return Fit(points, prior, noise, drift, grid.reference, tuple(cells))


class _Grid:
    """The posterior's cells: slopes at the largest budget times shares of the floor, for every wander and misfit."""

    def __init__(self, points: tuple[Point, ...], prior: Prior) -> None:
        self.prior, self.y = prior, np.array([p.loss for p in points])
        compute = np.array([p.compute for p in points])
        self.largest = float(compute[-1])
        self.reference = math.exp(float(np.log(compute).mean()))
        self.x, self.t = np.log(compute / self.reference), np.log10(compute)
        self.errors = np.array([p.stderr for p in points])
        self.shares = prior.shares(self.largest, SHARES)

    def range(self, wander: float) -> Array:
        """The slopes that matter at this wander, finely: the less it may wander, the better the slope is known."""
        slopes = np.geomspace(*SLOPES, COARSE)
        for count in (COARSE, FINE):
            weights = [weight.reshape(len(slopes), -1).max(axis=1) for *_, weight in self.cells(slopes, wander)]
            likely = np.max(weights, axis=0)
            near = np.flatnonzero(likely > likely.max() + math.log(NEGLIGIBLE))
            first, last = max(near[0] - 1, 0), min(near[-1] + 1, len(slopes) - 1)
            slopes = np.geomspace(slopes[first], slopes[last], count)
        return slopes

    def cells(self, slopes: Array, wander: float) -> Iterator[tuple[float, float, Array, tuple[Array, ...], Array]]:
        """(wander, misfit, whitening, (b, c, a, a_sd, features, residual), log weight) for every misfit."""
        slope, share = (g.ravel() for g in np.meshgrid(slopes, self.shares, indexing="ij"))
        b, c = slope / (1 - share), share * self.y.min()
        shape, above = np.exp(-b[:, None] * self.x), self.y - c[:, None]
        prior = self.prior.log_density(b, share, self.largest) + math.log(math.log(slopes[1] / slopes[0]))
        wandering = covariance(self.t, self.t, float(self.t[-1]), self.prior.wander_length)
        for misfit in MISFITS:
            relative = wander**2 * wandering + misfit**2 * np.eye(len(self.y))
            factor = np.linalg.cholesky(np.outer(self.y, self.y) * relative + np.diag(self.errors**2))
            whiten = np.linalg.inv(factor)
            features, left = shape @ whiten.T, above @ whiten.T
            precision = (features**2).sum(axis=1)
            a = (features * left).sum(axis=1) / precision
            residual = left - a[:, None] * features
            weight = prior + self.prior.log_scales(wander, misfit) - np.log(np.diag(factor)).sum()
            weight = weight - 0.5 * (residual**2).sum(axis=1) - 0.5 * np.log(precision)
            weight = np.where(a > 0, weight - np.log(np.maximum(a, 1e-300)), -np.inf)
            yield wander, misfit, whiten, (b, c, a, 1 / np.sqrt(precision), features, residual), weight
