"""The law of size and tokens, L(N, D) = E + A / N^alpha + B / D^beta, and what to spend compute on.

Hoffmann et al. 2022 (approach 3) fit the five numbers by one minimisation from many starts and print a curve. A few
runs leave whole families of curves, so here the answer is the posterior. Written about the points' middle (N0, D0),

    L = E + T (s (N / N0)^-alpha + (1 - s) (D / D0)^-beta),    0 < s < 1,

the law is linear in E and T, which are integrated out in closed form (variable projection); alpha, beta, the split s
and the misfit tau are summed over a grid that narrows where the mass is. A and B cannot turn negative, and no sum
over points is made per cell: sums of products of the axes' features suffice. No sampling, no starting values, always
the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from presage.core.config import Config
from presage.forecast.law import Estimate
from presage.forecast.normals import quantiles
from presage.forecast.sized import SizedPoint, check, check_positive, doubts, outside, summarise

__all__ = ["Optimum", "SizedPoint", "SurfaceFit", "SurfaceLaw", "fit", "summarise", "warnings"]

Array = np.ndarray


class SurfaceLaw(Config):
    """One law: loss in nats per token (or whatever it was fitted in), N parameters, D tokens."""

    form: str = "e+a/N^alpha+b/D^beta"
    e: float
    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, n_params: float, tokens: float) -> float:
        """The loss of a model of `n_params` parameters after `tokens` tokens."""
        return float(self.e + self.a * n_params**-self.alpha + self.b * tokens**-self.beta)


# Facts, with their sources: fits of this very form. Kaplan et al. 2020 has another form and no floor.
PUBLISHED = {
    "Hoffmann et al. 2022, approach 3": SurfaceLaw(e=1.69, a=406.4, alpha=0.34, b=410.7, beta=0.28),
    "Besiroglu et al. 2024": SurfaceLaw(e=1.8172, a=482.01, alpha=0.3478, b=2085.43, beta=0.3658),
    "Muennighoff et al. 2023": SurfaceLaw(e=1.87, a=521.0, alpha=0.353, b=1488.0, beta=0.353),
}
# Their exponents' mean; the deviation is widened from theirs (0.007 and 0.05), all being fits to web text.
PRIOR_ALPHA = (0.347, 0.10)
PRIOR_BETA = (0.333, 0.10)
# The floor as a share of the loss: what those laws say at the largest fitted run, within these bounds and +- this.
FLOOR_BOUNDS, FLOOR_SD = (0.15, 0.75), 0.15
# Compute is best spent where size and tokens gain equally, alpha A / N^alpha = beta B / D^beta, and published optima
# lie near 20 tokens a parameter. The logarithm of the two gains' ratio there: zero, give or take a factor of e.
BEST_RATIO, GAIN_SD = 20.0, 1.0
# Misfit at one shape, relative: Student's t with 4 degrees of freedom and this scale, on this grid.
PRIOR_MISFIT = 0.003
MISFITS = 0.0005 * 2.0 ** np.arange(7)
# What a law of this form drifts by outside the points, relative, per decade of N and again per decade of D: of 0.4,
# 0.8, 1.2 and 1.6 % the one with the best CRPS on 24 held-out targets of public runs that 6 or more points lead to.
DRIFT_PER_DECADE = 0.012
TIGHTEST = 1e-4  # no loss is known better than this, relative
# The grid of (alpha, beta, split): its outer bounds, and its cells, each time about where the mass was.
OUTER, DEVIATIONS = (0.05, 1.0), 3.5
GRIDS = ((20, 20, 8), (14, 14, 9), (14, 14, 9), (23, 23, 15))
FEW = 8  # points; with fewer the priors speak loudly
SCATTER, UNLEARNT = 0.012, 0.8  # when to warn: of the misfit, and of an exponent's deviation over its prior's
ODD, ODD_SHARE = 4.0, 0.2  # robust deviations that make a point odd; with a greater share of them none is


@dataclass(frozen=True)
class Optimum:
    """How to spend `compute` FLOPs: size and tokens with their intervals, and the loss of the run at their values."""

    compute: float
    n_params: Estimate
    tokens: Estimate
    loss: Estimate


@dataclass(frozen=True)
class Cells:
    """Flat arrays, one entry a cell: its parameters, its weight, and the moments of E and T, normal within it."""

    alpha: Array
    beta: Array
    split: Array
    tau: Array
    weight: Array
    e: Array
    t: Array
    ee: Array
    et: Array
    tt: Array


@dataclass(frozen=True)
class SurfaceFit:
    """The posterior given points, about their middle N0, D0."""

    points: tuple[SizedPoint, ...]
    odd: tuple[int, ...]
    """Numbers, from 1, of points so far off the law that they were given less weight."""
    noise: float
    drift: float
    n0: float
    d0: float
    cells: Cells
    law: SurfaceLaw
    """The curve to draw: posterior means of exponents and split, with the E and T that follow."""

    def predict(self, n_params: float, tokens: float, level: float = 0.9, *, new_run: bool = True) -> Estimate:
        """The loss of one new run of that size on that many tokens (or of the law's mean there).

        Median and central interval. Raises DataError for numbers that no run can have.
        """
        check_positive("prediction", n_params=n_params, tokens=tokens)
        c = self.cells
        f = c.split * (n_params / self.n0) ** -c.alpha + (1 - c.split) * (tokens / self.d0) ** -c.beta
        mean = c.e + c.t * f
        drift = self.drift * sum(outside(self.points, n_params, tokens))
        relative = drift**2 + new_run * (self.noise**2 + c.tau**2)
        at = _interval(mean, np.sqrt(c.ee + 2 * f * c.et + f * f * c.tt + mean**2 * relative), c.weight, level)
        return Estimate(max(at.value, 0.0), max(at.lo, 0.0), max(at.hi, 0.0), level)  # no loss is negative

    def frontier(self, compute: float, flops_per_param_token: float = 6.0, level: float = 0.9) -> Optimum:
        """The size and tokens that promise the lowest loss where `flops_per_param_token` N D = `compute` FLOPs.

        Hoffmann et al. 2022, equation 4, solved in every cell; so N and D have intervals.
        """
        check_positive("frontier", compute=compute, flops_per_param_token=flops_per_param_token)
        c, product = self.cells, math.log(compute / flops_per_param_token)
        gain = np.log(c.alpha * c.split / (c.beta * (1 - c.split)))
        size = gain + c.alpha * math.log(self.n0) + c.beta * (product - math.log(self.d0))
        logs = _interval(size / (c.alpha + c.beta), np.full_like(size, 0.01), c.weight, level)
        lo, n, hi = (math.exp(x) for x in (logs.lo, logs.value, logs.hi))
        d = math.exp(product) / n
        tokens = Estimate(d, d * n / hi, d * n / lo, level)
        return Optimum(compute, Estimate(n, lo, hi, level), tokens, self.predict(n, d, level))

    def floor(self, level: float = 0.9) -> Estimate:
        """The irreducible loss E: not below zero, nor above the best loss seen."""
        found = _interval(self.cells.e, np.sqrt(self.cells.ee), self.cells.weight, level)
        best = min(p.loss for p in self.points)
        lo, mid, hi = (min(max(v, 0.0), best) for v in (found.lo, found.value, found.hi))
        return Estimate(mid, lo, hi, level)


def fit(points: Sequence[SizedPoint], noise: float | None = None, drift: float = DRIFT_PER_DECADE) -> SurfaceFit:
    """The posterior given six or more finished runs of one recipe.

    `noise` is one run's relative deviation (None: the middle of the points' own), `drift` what the law may be off by
    per decade of size and per decade of tokens outside the points. Raises DataError for points that cannot be used.
    """
    points = check(points)
    errors = np.array([max(p.stderr, TIGHTEST * p.loss) for p in points])
    noise = float(np.median([p.stderr / p.loss for p in points])) if noise is None else noise
    data = _Data(points, errors)
    cells = data.posterior()
    odd = _odd(data, cells)
    if odd.any():
        data = _Data(points, np.where(odd, np.maximum(errors, np.abs(data.residuals(cells))), errors))
        cells = data.posterior()
    numbers = tuple(int(i) + 1 for i in np.flatnonzero(odd))
    return SurfaceFit(points, numbers, noise, drift, data.n0, data.d0, cells, data.law(cells))


class _Data:
    """The points in logarithms about their middle, and the posterior's density on any grid."""

    def __init__(self, points: Sequence[SizedPoint], errors: Array) -> None:
        n, d, self.y = (np.array([getattr(p, name) for p in points]) for name in ("n_params", "tokens", "loss"))
        self.n0, self.d0 = (float(np.exp(np.log(v).mean())) for v in (n, d))
        self.x, self.z = np.log(n / self.n0), np.log(d / self.d0)
        self.errors = errors
        last = int(np.argmax(n * d))
        shares = [law.e / law.loss(n[last], d[last]) for law in PUBLISHED.values()]
        self.floor = float(np.clip(np.mean(shares), *FLOOR_BOUNDS)) * self.y.min()

    def posterior(self) -> Cells:
        """Cells on a grid that narrows to where the mass is; those with next to no weight are dropped."""
        box = np.array([OUTER, OUTER, (-DEVIATIONS, DEVIATIONS)])
        for sizes in GRIDS:
            alpha, beta, gain = (np.linspace(lo, hi, size) for (lo, hi), size in zip(box, sizes, strict=True))
            grid = self.grid(alpha, beta, gain, MISFITS)
            box = np.array([_support(grid.weight, i, axis) for i, axis in enumerate((alpha, beta, gain))])
        return _heaviest(grid)

    def grid(self, alpha: Array, beta: Array, gain: Array, tau: Array) -> Cells:
        """The density on a grid [alpha, beta, gain, tau]; `gain` is in deviations of its prior."""
        w = 1 / (self.errors**2 + (tau[:, None] * self.y) ** 2)
        offset = float(np.average(self.y, weights=w[0]))
        y, floor, spread = self.y - offset, self.floor - offset, FLOOR_SD * self.y.min()
        u, v = np.exp(-alpha[:, None] * self.x), np.exp(-beta[:, None] * self.z)
        a, b = alpha[:, None, None, None], beta[None, :, None, None]
        usual = (a + b) / 2 * math.log(self.d0 / self.n0 / BEST_RATIO)
        s = expit(usual + GAIN_SD * gain[None, None, :, None] - np.log(a / b))
        r = 1 - s

        def over_alpha(features: Array) -> Array:
            return np.asarray(features @ w.T)[:, None, None, :]

        def over_beta(features: Array) -> Array:
            return np.asarray(features @ w.T)[None, :, None, :]

        both = np.einsum("ai,bi,ti->abt", u, v, w)[:, :, None, :]
        f = s * over_alpha(u) + r * over_beta(v)
        ff = s * s * over_alpha(u * u) + 2 * s * r * both + r * r * over_beta(v * v)
        fy = s * over_alpha(u * y) + r * over_beta(v * y)
        p, py = w.sum(axis=1) + spread**-2, w @ y + floor * spread**-2
        determinant = p * ff - f * f
        ee, et, tt = ff / determinant, -f / determinant, p / determinant
        e, t = ee * py + et * fy, et * py + tt * fy
        squares = w @ y**2 + (floor / spread) ** 2 - e * py - t * fy
        log_weight = -0.5 * (squares + np.log(determinant)) + 0.5 * np.log(w).sum(axis=1)
        inside, e, t, ee, et, tt = _truncated(e, t, ee, et, tt, -offset, 0.98 * self.y.min() - offset)
        log_weight += np.log(inside) + _normal(a, PRIOR_ALPHA) + _normal(b, PRIOR_BETA)
        log_weight += -0.5 * gain[:, None] ** 2 + np.log(tau) - 2.5 * np.log1p((tau / PRIOR_MISFIT) ** 2 / 4)
        log_weight = np.where(t > 0, log_weight, -np.inf)
        weight = np.exp(log_weight - log_weight.max())
        full = np.broadcast_arrays(a, b, s, tau, weight / weight.sum(), e + offset, t, ee, et, tt)
        return Cells(*full)

    def residuals(self, cells: Cells) -> Array:
        """Each loss less the posterior mean of the law there."""
        u, v = np.exp(-cells.alpha * self.x[:, None]), np.exp(-cells.beta * self.z[:, None])
        means = cells.e + cells.t * (cells.split * u + (1 - cells.split) * v)
        return np.asarray(self.y - means @ cells.weight)

    def law(self, cells: Cells) -> SurfaceLaw:
        """The one curve to draw: exponents, split and floor at their means, T by weighted least squares."""
        alpha, beta, split, e, tau = (
            float(v @ cells.weight) for v in (cells.alpha, cells.beta, cells.split, cells.e, cells.tau)
        )
        feature = split * np.exp(-alpha * self.x) + (1 - split) * np.exp(-beta * self.z)
        w = 1 / (self.errors**2 + (tau * self.y) ** 2)
        t = float((w * feature * (self.y - e)).sum() / (w * feature**2).sum())
        a, b = t * split * self.n0**alpha, t * (1 - split) * self.d0**beta
        return SurfaceLaw(e=e, a=a, alpha=alpha, b=b, beta=beta)


def warnings(fitted: SurfaceFit, n_params: float, tokens: float) -> list[str]:
    """What a reader should know before trusting the number for this run, in words."""
    points, cells = fitted.points, fitted.cells
    said = []
    if len(points) < FEW:
        said.append(f"only {len(points)} points for a law of five numbers: the interval leans on the priors")
    for name, values, (_, known) in (("size", cells.alpha, PRIOR_ALPHA), ("tokens", cells.beta, PRIOR_BETA)):
        if _deviation(values, cells.weight) > UNLEARNT * known:
            said.append(f"the exponent of {name} is not identified by the points and comes from its prior")
    scatter = float(cells.tau @ cells.weight)
    if scatter > SCATTER:
        said.append(f"the points scatter about the law by {scatter:.1%}: are they of one recipe?")
    if fitted.odd:
        said.append(f"far off the law, so given less weight: points {', '.join(map(str, fitted.odd))}")
    return said + doubts(points, n_params, tokens)


def _odd(data: _Data, cells: Cells) -> Array:
    """Points so far off the law that one wide error would bend it: |residual| beyond 4 robust deviations."""
    relative = data.residuals(cells) / data.y
    freedom = max(len(relative) - 5, 1) / len(relative)
    scale = 1.4826 * np.median(np.abs(relative)) / math.sqrt(freedom)
    odd = np.abs(relative) > ODD * np.maximum(np.maximum(scale, data.errors / data.y), PRIOR_MISFIT)
    return odd if odd.mean() < ODD_SHARE and len(odd) > FEW else np.zeros_like(odd)


def _truncated(
    e: Array, t: Array, ee: Array, et: Array, tt: Array, low: float, high: float
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """(mass, moments) of a normal pair of which the first is kept between `low` and `high`."""
    sd = np.sqrt(ee)
    a, b = (low - e) / sd, (high - e) / sd
    a, b = np.clip(a, -37, 37), np.clip(b, -37, 37)
    mass = np.maximum(ndtr(b) - ndtr(a), 1e-30)
    at_a, at_b = (np.exp(-0.5 * q * q) / math.sqrt(2 * math.pi) for q in (a, b))
    shift = (at_a - at_b) / mass
    shrink = np.clip(1 + (a * at_a - b * at_b) / mass - shift**2, 1e-9, 1.0)
    slope = et / ee
    kept = np.clip(e + sd * shift, low, high)
    narrow = ee * shrink
    return mass, kept, t + slope * (kept - e), narrow, slope * narrow, tt - slope * et + slope**2 * narrow


def _support(weight: Array, axis: int, values: Array) -> tuple[float, float]:
    """The stretch of an axis that holds the mass, one step more on each side, within the axis."""
    along = weight.sum(axis=tuple(i for i in range(weight.ndim) if i != axis))
    there = np.flatnonzero(along > 1e-4 * along.max())
    return float(values[max(there[0] - 1, 0)]), float(values[min(there[-1] + 1, len(values) - 1)])


def _heaviest(grid: Cells, left_out: float = 1e-5) -> Cells:
    """The cells that hold all but a little of the mass, flat."""
    order = np.argsort(grid.weight, axis=None)[::-1]
    kept = order[: int(np.searchsorted(np.cumsum(grid.weight.ravel()[order]), 1 - left_out)) + 1]
    flat = {name: getattr(grid, name).ravel()[kept] for name in grid.__dataclass_fields__}
    return Cells(**flat | {"weight": flat["weight"] / flat["weight"].sum()})


def _deviation(values: Array, weight: Array) -> float:
    return math.sqrt(float((values - values @ weight) ** 2 @ weight))


def _normal(x: Array, prior: tuple[float, float]) -> Array:
    return -0.5 * ((x - prior[0]) / prior[1]) ** 2


def _interval(mean: Array, sd: Array, weight: Array, level: float) -> Estimate:
    lo, mid, hi = quantiles(mean, np.maximum(sd, 1e-9 * np.abs(mean).max()), weight, level)
    return Estimate(mid, lo, hi, level)
