"""The law of loss against compute, L(C) = a C^(-b) + c, with an interval that says how wrong it may be.

GPT-4's report fits three numbers to its small runs (§3.1) and prints no interval. Over two decades of compute the
floor c and the exponent b can hardly be told apart, so a least-squares fit alone extrapolates wildly. Here b and c get
weak priors from published laws, and the answer is the whole posterior: a is integrated out exactly (the model is
linear in it), b, c and the misfit tau are summed over a grid. No sampling, no starting values, always the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presage.core.config import Config
from presage.core.errors import DataError

Array = np.ndarray

# Exponents of L(C) at compute-optimal size, from published fits: Kaplan et al. 2020 0.050 (no floor); Hoffmann et al.
# 2022 (approach 3) alpha beta / (alpha + beta) = 0.154 with alpha 0.34, beta 0.28; its re-analysis, Besiroglu et al.
# 2024, 0.178 with 0.348 and 0.366.
PRIOR_EXPONENT = (0.12, 0.05)
# The floor as a share of the best fitted loss. Those fits put it at 1.69 and 1.82 nats per token, 0.57 and 0.61 bits
# per byte, a quarter to a third of what a ladder of small models reaches; Kaplan's needs none. In between.
PRIOR_FLOOR_SHARE = (0.20, 0.10)
# Misfit of the law at one budget (width and depth are whole numbers), relative: half-normal scale and its grid.
PRIOR_MISFIT = 0.004
MISFITS = (0.0, 0.001, 0.002, 0.004, 0.008, 0.016)
# What a law of this form has been seen to drift by per decade beyond the data, relative, one standard deviation.
DRIFT_PER_DECADE = 0.004
# Run-to-run noise is known with few degrees of freedom; this many pseudo-observations of 0.4 % steady it.
NOISE_PRIOR = (0.004, 4.0)
NARROWEST = 1.5  # largest budget over smallest, below which no slope can be read off
TINY, HUGE = 1e-60, 1e60  # beyond these a number is a slip, and its powers overflow
B_GRID = np.linspace(0.02, 0.50, 161)
C_SHARES = np.linspace(0.0, 0.97, 141)


@dataclass(frozen=True)
class Point:
    """The mean loss of `n` runs at one compute budget, with the standard error of that mean."""

    compute: float
    loss: float
    stderr: float
    n: int = 1


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


class Law(Config):
    """Posterior means of a C^(-b) + c (C in FLOPs)."""

    form: str = "a*C^b+c"
    a: float
    b: float
    c: float

    def loss(self, compute: float) -> float:
        return float(self.a * compute**self.b + self.c)


@dataclass(frozen=True)
class Fit:
    """The posterior over (b, c, tau) with a's conditional mean and deviation in each cell."""

    points: tuple[Point, ...]
    reference: float
    noise: float
    b: Array
    c: Array
    a: Array
    a_sd: Array
    tau: Array
    weight: Array
    drift: float

    @property
    def law(self) -> Law:
        """The curve to draw: the posterior's best cell of b and c, written for C in FLOPs with b negative."""
        b, c = float((self.weight * self.b).sum()), float((self.weight * self.c).sum())
        y = np.array([p.loss for p in self.points])
        x = (np.array([p.compute for p in self.points]) / self.reference) ** -b
        w = 1 / _errors(self.points) ** 2
        a = float((w * x * (y - c)).sum() / (w * x * x).sum())
        return Law(a=a * self.reference**b, b=-b, c=c)

    def floor(self, level: float = 0.9) -> Estimate:
        """The irreducible loss."""
        lo, mid, hi = _quantiles(self.c, np.full_like(self.c, 1e-6), self.weight, level)
        return Estimate(mid, lo, hi, level)

    def predict(self, compute: float, level: float = 0.9, *, new_run: bool = True) -> Estimate:
        """The loss of one new run at `compute` (or of the law's mean there): median and central interval."""
        if not TINY < compute < HUGE:
            raise DataError(f"cannot predict at {compute} FLOPs", hint="compute is in FLOPs, for example 1e24")
        x = (compute / self.reference) ** -self.b
        mean = self.c + self.a * x
        beyond = max(0.0, math.log10(compute / max(p.compute for p in self.points)))
        drift = self.drift * beyond
        noise = self.noise if new_run else 0.0
        relative = noise**2 + drift**2 + (self.tau**2 if new_run else 0.0)
        sd = np.sqrt((self.a_sd * x) ** 2 + mean**2 * relative)
        lo, mid, hi = _quantiles(mean, sd, self.weight, level)
        return Estimate(mid, lo, hi, level)


def fit(points: Sequence[Point], noise: float = NOISE_PRIOR[0], drift: float = DRIFT_PER_DECADE) -> Fit:
    """The posterior given mean losses at three or more budgets.

    `noise` is one run's relative deviation, `drift` what the law may be off by per decade beyond the largest budget.
    """
    _check(points)
    points = tuple(sorted(points, key=lambda p: p.compute))
    if points[-1].loss >= points[0].loss:
        raise DataError("the loss does not fall with compute", hint="is the loss column the right one?")
    reference = math.exp(sum(math.log(p.compute) for p in points) / len(points))
    x = np.log([p.compute / reference for p in points])
    y, se = np.array([p.loss for p in points]), _errors(points)
    b, share, tau = (g.ravel() for g in np.meshgrid(B_GRID, C_SHARES, np.array(MISFITS), indexing="ij"))
    c = share * y.min()
    variance = se**2 + (tau[:, None] * y) ** 2
    features = np.exp(-b[:, None] * x)
    precision = (features**2 / variance).sum(axis=1)
    a = (features * (y - c[:, None]) / variance).sum(axis=1) / precision
    residual = y - c[:, None] - a[:, None] * features
    log_weight = -0.5 * (residual**2 / variance).sum(axis=1) - 0.5 * np.log(variance).sum(axis=1)
    log_weight -= 0.5 * np.log(precision)
    log_weight += _log_normal(b, *PRIOR_EXPONENT) + _log_normal(share, *PRIOR_FLOOR_SHARE)
    log_weight += _log_normal(tau, 0.0, PRIOR_MISFIT)
    log_weight[a <= 0] = -np.inf
    weight = np.exp(log_weight - log_weight.max())
    return Fit(points, reference, noise, b, c, a, 1 / np.sqrt(precision), tau, weight / weight.sum(), drift)


def summarise(runs: Sequence[tuple[float, float]]) -> tuple[list[Point], float]:
    """(compute, loss) of single runs -> a Point per budget and the pooled relative noise of one run.

    The noise is pooled over budgets in logarithm; budgets with one run borrow it.
    """
    groups: dict[float, list[float]] = {}
    for number, (compute, loss) in enumerate(runs, 1):
        _check_positive(compute, loss, f"run {number}")
        groups.setdefault(compute, []).append(loss)
    squares = sum(float(((np.log(g) - np.log(g).mean()) ** 2).sum()) for g in groups.values())
    freedom = sum(len(g) - 1 for g in groups.values())
    prior, strength = NOISE_PRIOR
    noise = math.sqrt((squares + strength * prior**2) / (freedom + strength))
    points = [
        Point(c, float(np.mean(g)), float(np.mean(g)) * noise / math.sqrt(len(g)), len(g)) for c, g in groups.items()
    ]
    return sorted(points, key=lambda p: p.compute), noise


def warnings(fitted: Fit, target: float) -> list[str]:
    """What a reader should know before trusting the number, in words."""
    points = fitted.points
    decades = math.log10(points[-1].compute / points[0].compute)
    ratio = target / points[-1].compute
    said = []
    if len(points) < 5:
        said.append(f"only {len(points)} budgets were fitted: the interval leans on the priors")
    if decades < 2.5:
        said.append(
            f"the budgets span {decades:.1f} decades: the floor is not identified by them and comes from its prior"
        )
    if ratio > 100:
        said.append(f"the target is {ratio:,.0f} times the largest fitted budget")
    law = fitted.law
    off = [(p.loss - law.loss(p.compute)) / error for p, error in zip(points, _errors(points), strict=True)]
    if (
        len(off) >= 5
        and off[0] * off[-1] > 0
        and off[0] * off[len(off) // 2] < 0
        and min(abs(off[0]), abs(off[-1])) > 2.5
    ):
        said.append("the points bend against the law at both ends: an untuned recipe, or a law that does not hold here")
    return said


def _check(points: Sequence[Point]) -> None:
    for number, point in enumerate(points, 1):
        _check_positive(point.compute, point.loss, f"point {number}")
        if not 0 <= point.stderr < math.inf:
            raise DataError(f"stderr {point.stderr} must be zero or positive", where=f"point {number}")
    budgets = len({p.compute for p in points})
    if budgets < 3:
        raise DataError(f"a law with a floor needs at least 3 different budgets, got {budgets}")
    spread = max(p.compute for p in points) / min(p.compute for p in points)
    if spread < NARROWEST:
        raise DataError(
            f"the budgets differ by a factor of {spread:.3g} in all", hint=f"at least {NARROWEST:g} is needed"
        )


def _check_positive(compute: float, loss: float, where: str) -> None:
    if not (0 < compute < math.inf and 0 < loss < math.inf):
        raise DataError(f"compute {compute} and loss {loss} must be positive", where=where)
    if not (TINY < compute < HUGE and TINY < loss < HUGE):
        raise DataError(f"compute {compute} or loss {loss} is beyond any run", where=where)


def _errors(points: Sequence[Point]) -> Array:
    """Standard errors, of which none is so small that it would drown the others."""
    return np.array([max(p.stderr, 1e-6 * p.loss) for p in points])


def _log_normal(x: Array, mean: float, sd: float) -> Array:
    return -0.5 * ((x - mean) / sd) ** 2


def _quantiles(mean: Array, sd: Array, weight: Array, level: float) -> tuple[float, float, float]:
    """Lower bound, median and upper bound of a mixture of normals, by bisection on its distribution function."""
    from scipy.special import ndtr

    keep = weight > weight.max() * 1e-9
    mean, sd, weight = mean[keep], sd[keep], weight[keep] / weight[keep].sum()

    def quantile(q: float) -> float:
        low, high = float((mean - 9 * sd).min()), float((mean + 9 * sd).max())
        for _ in range(60):
            middle = (low + high) / 2
            below = float((weight * ndtr((middle - mean) / sd)).sum())
            low, high = (middle, high) if below < q else (low, middle)
        return (low + high) / 2

    return quantile((1 - level) / 2), quantile(0.5), quantile((1 + level) / 2)
