"""The second law of capability: pass rates through the likelihood of the reference solutions.

A model's likelihood of the reference solution is measured without sampling, improves smoothly where pass rates are
still near zero, and is moved by the same luck with a problem as its pass rate. So −log p of problem i under model j is
taken as w_i (nll_ij / nll_i)^gamma, nll_i being the problem's geometric mean over models: a power, because both sides
are about power laws of compute; gamma is shared by all problems. The nll itself follows L(C) = a C^(−b) + c (law.py),
with the same relative improvement for every problem. gamma maximises the Poisson quasi-likelihood, which is concave and
does not mind zeros; its variance is clustered by problem and by model, since a model's noise is shared by its problems.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from presage.forecast import law
from presage.forecast.law import Estimate
from presage.forecast.mixture import quantiles
from presage.forecast.prior import Prior

Array = np.ndarray

NODES, SHARES = np.polynomial.hermite_e.hermegauss(7)  # a standard normal as seven values with probabilities
SHARES = SHARES / SHARES.sum()
LEVEL, DEVIATIONS = 0.9, 1.6449  # an interval of the nll, and how many standard deviations its ends are away
NEWTON = 40
LEAST = 1e-3  # of the solutions' −log p now, below which it is not extrapolated
# One model's deviation from what its likelihoods say, relative: 3 %, worth this many observations.
PRIOR_NOISE, NOISE_STRENGTH = 0.03, 4.0
# The floor of a few short solutions is known less than that of a corpus: a share of 0.4, from 0.2 to 0.65 or so.
PRIOR = Prior(floor_shares=((12.0, 0.3), (17.0, 0.4)), floor_spread=0.8)


@dataclass(frozen=True)
class CovariateFit:
    """gamma with its standard deviation; `level` is the mean over problems of w_i, that is −log p at `nll`."""

    gamma: float
    gamma_sd: float
    level: float
    nll: float
    noise: float
    n_models: int
    likelihood: law.Fit

    def predict(self, compute: float, level: float, counting: float) -> Estimate:
        """Mean −log pass rate of a new model at `compute`, whose counting variance is about `counting`."""
        ratio, gamma = self._ratio(compute), self.gamma + self.gamma_sd * NODES
        mean = np.maximum(self.level * ratio[:, None] ** gamma, 1e-100).ravel()
        relative = self.noise**2 * (1 + 1 / self.n_models) + counting / mean**2
        lo, mid, hi = quantiles(mean, relative, np.outer(SHARES, SHARES).ravel(), level)
        return Estimate(mid, lo, hi, level)

    def _ratio(self, compute: float) -> Array:
        """nll at `compute` over nll now, at NODES: the halves of the interval are taken as those of two normals."""
        nll = self.likelihood.predict(compute, LEVEL)
        value = max(nll.value, LEAST * self.nll)  # likelihoods that collapse leave the law nothing to go on
        below, above = math.log(max(nll.lo / value, 0.05)), math.log(max(nll.hi / value, 1.0))
        spread = np.where(NODES < 0, -below, above) / DEVIATIONS
        return np.asarray(value / self.nll * np.exp(spread * NODES))


def fit(compute: Array, nll: Array, rates: Array) -> CovariateFit:
    """`nll` and `rates` (−log p): shape (problems, models); `compute`: (models,). DataError where law.fit has one."""
    centre = np.log(nll).mean(axis=1, keepdims=True)
    x = np.log(nll) - centre
    gamma, curvature = _maximise(x, rates)
    share = _shares(gamma, x)
    expected = rates.sum(axis=1, keepdims=True) * share
    score = (rates - expected) * (x - (share * x).sum(axis=1, keepdims=True))
    models = rates.shape[1]
    by_model = (score.sum(axis=0) ** 2).sum() * models / max(models - 2, 1)
    meat = max((score.sum(axis=1) ** 2).sum() + by_model - (score**2).sum(), by_model)
    off = rates.mean(axis=0) / np.maximum(expected.mean(axis=0), 1e-12) - 1
    freedom = max(models - 2, 0)
    noise = math.sqrt((float((off**2).sum()) + NOISE_STRENGTH * PRIOR_NOISE**2) / (freedom + NOISE_STRENGTH))
    level = float((rates.sum(axis=1) / np.exp(gamma * x).sum(axis=1)).mean())
    means = np.exp(np.log(nll).mean(axis=0))
    likelihood = law.fit(_points(compute, means, _luck(np.log(compute), x) / math.sqrt(len(x))), prior=PRIOR)
    return CovariateFit(gamma, math.sqrt(meat) / curvature, level, math.exp(centre.mean()), noise, models, likelihood)


def _points(compute: Array, means: Array, luck: float) -> list[law.Point]:
    """A point a compute; `luck` is the relative standard deviation of one model's mean."""
    runs = {float(c): means[compute == c] for c in np.unique(compute)}
    return [law.Point(c, float(m.mean()), float(m.mean()) * luck / math.sqrt(len(m)), len(m)) for c, m in runs.items()]


def _luck(t: Array, x: Array) -> float:
    """Scatter of log nll at single problems about their trends and their models' means, one standard deviation."""
    left = x - x.mean(axis=0)
    centred = t - t.mean()
    left = left - np.outer(left @ centred, centred) / (centred @ centred)
    freedom = max((len(x) - 1) * (x.shape[1] - 2), 1)
    return math.sqrt(float((left**2).sum()) / freedom)


def _maximise(x: Array, rates: Array) -> tuple[float, float]:
    """The maximum of the profiled quasi-likelihood and its negative second derivative there: damped Newton steps."""
    total, gamma = rates.sum(axis=1), 0.0
    curvature = 1e-12
    for _ in range(NEWTON):
        share = _shares(gamma, x)
        mean = (share * x).sum(axis=1)
        slope = float(((rates * x).sum(axis=1) - total * mean).sum())
        curvature = max(float((total * ((share * x * x).sum(axis=1) - mean**2)).sum()), 1e-12)
        gamma += float(np.clip(slope / curvature, -2.0, 2.0))
    return float(np.clip(gamma, -50.0, 50.0)), curvature


def _shares(gamma: float, x: Array) -> Array:
    """What share of a problem's −log p each model should have; rows sum to one."""
    power = np.exp(np.clip(gamma * x, -300.0, 300.0))
    return np.asarray(power / power.sum(axis=1, keepdims=True))
