"""The models of a ladder seen through their pass rates: means, how noisy those are, and the posterior of the law.

Arrays `rates` and `variance` have shape (problems, models): estimates of −log p in nats and their counting variance.
"Relative" variances are over the square of the mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

Array = np.ndarray

# Exponents of −log(pass@1) against compute in families of one recipe, from published HumanEval scores: Codex 12M to 12B
# 0.17 and 85M to 12B 0.14 (Chen et al. 2021); Llama 2 0.23, CodeLlama 0.24, StarCoder 0.21, DeepSeek-Coder 0.19,
# Qwen1.5 0.19, Pythia 0.21 (collected by Ruan et al. 2024). The prior is four times as wide as they spread.
PRIOR_EXPONENT = (0.20, 0.15)
# Run-to-run noise of the mean, relative: 0.4 % of loss is 1 to 2 % of the part of it that compute removes, and −log p
# falls about twice as fast as that part.
PRIOR_RUN_NOISE, RUN_STRENGTH = 0.02, 4.0  # the second: pseudo-observations that the first is worth
PRIOR_LUCK, LUCK_STRENGTH = 0.3, 1.0  # the same for one model's luck with one problem
PRIOR_EXPONENTS, EXPONENTS_STRENGTH = 0.03, 4.0  # and for how the exponents of problems differ
# Misfit of the law at one compute, relative: half-normal scale and its grid.
PRIOR_MISFIT = 0.02
MISFITS = np.array([0.0, 0.01, 0.02, 0.04, 0.08, 0.16])
COARSE, FINE = np.linspace(-0.5, 2.0, 251), 61
PASSES = 3  # each settles the scale of the noise and narrows the grid of k


@dataclass(frozen=True)
class Rungs:
    """One entry a compute: FLOPs, the mean of −log p over problems and runs, its counting variance, and runs."""

    compute: Array
    mean: Array
    counting: Array
    runs: Array


@dataclass(frozen=True)
class Cells:
    """The posterior: k and the misfit tau in each cell, alpha's conditional mean and relative variance, the weight."""

    k: Array
    tau: Array
    a: Array
    a_relative: Array
    weight: Array

    def exponent(self, level: float) -> tuple[float, float, float]:
        """Lower bound, median and upper bound of k, linear between the steps of its grid."""
        distinct, where = np.unique(self.k, return_inverse=True)
        edges = np.concatenate([[0.0], np.cumsum(np.bincount(where, self.weight))])
        step = distinct[1] - distinct[0]
        ends = np.append(distinct, distinct[-1] + step) - step / 2
        lo, mid, hi = np.interp([(1 - level) / 2, 0.5, (1 + level) / 2], edges, ends)
        return float(lo), float(mid), float(hi)


def rungs(computes: Array, rates: Array, variance: Array) -> Rungs:
    """Means over problems and over the runs at each compute; `computes` has shape (models,)."""
    distinct, column, runs = np.unique(computes, return_inverse=True, return_counts=True)
    share = np.zeros((len(computes), len(distinct)))
    share[np.arange(len(computes)), column] = 1 / runs[column]
    counting = variance.sum(axis=0) / len(rates) ** 2 @ share**2
    return Rungs(distinct, rates.mean(axis=0) @ share, counting, runs)


def problem_noise(x: Array, rates: Array, variance: Array) -> tuple[float, float]:
    """How problems differ from the law of their mean: (relative variance of luck, variance of exponents).

    A problem's −log p over the model's mean is regressed on log compute `x` (models,). What is left over, less what
    counting leaves, is one model's luck with one problem; what the slopes scatter, less what luck and counting make
    them, is how exponents differ. Both estimates are unbiased, and lean on priors where problems or models are few.
    """
    problems, models = rates.shape
    luck, exponents = PRIOR_LUCK**2, PRIOR_EXPONENTS**2
    means = np.maximum(rates.mean(axis=0), 1e-3)
    ratio, counting = rates / means, variance / means**2
    trust = 1 / (counting.mean(axis=0) + luck)
    centred = x - (trust * x).sum() / trust.sum()
    lever = trust * centred
    freedom = (problems - 1) * (models - 2)
    if freedom < 1 or not (lever * centred).sum() > 0:
        return luck, exponents
    lever /= (lever * centred).sum()
    slope, middle = ratio @ lever, (ratio * trust).sum(axis=1) / trust.sum()
    size = max(float((middle**2).sum()) * (problems - 1) / problems, 1e-9)
    left = ratio - middle[:, None] - np.outer(slope, centred)
    share = 1 - trust / trust.sum() - lever * centred  # of a column's variance that the regression leaves in it
    squares = float((trust * left**2).sum() - (trust * share * counting).sum())
    found = max(squares, 0.0) / float((trust * share).sum()) / size
    luck = (freedom * found + LUCK_STRENGTH * luck) / (freedom + LUCK_STRENGTH)
    scatter = float((slope**2).sum() - (lever**2 * counting).sum()) / size - luck * float((lever**2).sum())
    strength = EXPONENTS_STRENGTH
    return luck, ((problems - 1) * max(scatter, 0.0) + strength * exponents) / (problems - 1 + strength)


def run_noise(computes: Array, ladder: Rungs, rates: Array, variance: Array, luck: float) -> float:
    """Relative variance of one run's mean, beyond counting: pooled over computes with several runs, and the prior.

    `luck` is the share in it of luck with single problems.
    """
    column = np.searchsorted(ladder.compute, computes)
    runs, centre = ladder.runs[column], np.maximum(ladder.mean[column], 1e-9)
    counting = variance.sum(axis=0) / len(rates) ** 2 / centre**2
    squares = (rates.mean(axis=0) / centre - 1) ** 2 - counting * (1 - 1 / runs)
    expected = luck + PRIOR_RUN_NOISE**2
    freedom = len(computes) - len(ladder.compute)
    return (max(float(squares[runs > 1].sum()), 0.0) + RUN_STRENGTH * expected) / (freedom + RUN_STRENGTH)


def scales(rates: Array, variance: Array, luck: float) -> tuple[Array, float]:
    """Each problem's −log p over the mean, shrunk towards 1 (mean 1), and the relative variance left about that."""
    total = max(float(rates.mean(axis=0).sum()), 1e-9)
    raw = rates.sum(axis=1) / total
    error = float((variance.sum(axis=1) / total**2).mean()) + luck / rates.shape[1]
    spread = float(raw.var())
    share = max(0.0, 1 - error / spread) if spread > 0 else 0.0
    shrunk = np.maximum(1 + share * (raw - 1), 1e-3)
    return shrunk / shrunk.mean(), share * error


def posterior(x: Array, ladder: Rungs, noise: float) -> Cells:
    """Of mean = alpha exp(−k x), `x` being log compute over the reference and `noise` one run's relative variance."""
    error = np.sqrt(ladder.counting)
    scale, grid = np.maximum(ladder.mean, error), COARSE
    for _ in range(PASSES):
        k, tau = (g.ravel() for g in np.meshgrid(grid, MISFITS, indexing="ij"))
        variance = ladder.counting + scale**2 * (noise / ladder.runs + tau[:, None] ** 2)
        curve = np.exp(-k[:, None] * x)
        precision = (curve**2 / variance).sum(axis=1)
        a = (curve * ladder.mean / variance).sum(axis=1) / precision
        residual = ladder.mean - a[:, None] * curve
        deviations = a * np.sqrt(precision)
        log_weight = -0.5 * (residual**2 / variance + np.log(variance)).sum(axis=1) - 0.5 * np.log(precision)
        log_weight += log_ndtr(deviations) - 0.5 * ((k - PRIOR_EXPONENT[0]) / PRIOR_EXPONENT[1]) ** 2
        weight = np.exp(log_weight - log_weight.max() - 0.5 * (tau / PRIOR_MISFIT) ** 2)
        weight /= weight.sum()
        a, a_relative = _positive_part(deviations, 1 / np.sqrt(precision))
        # Noise is relative to what the law says, not to what was seen: else low points would get more weight.
        scale = np.maximum((weight[:, None] * a[:, None] * curve).sum(axis=0), error)
        grid = _narrower(grid, weight)
    return Cells(k, tau, a, a_relative, weight)


def _positive_part(deviations: Array, sd: Array) -> tuple[Array, Array]:
    """Mean and relative variance of a normal cut off at zero, whose mean is `deviations` times its `sd`."""
    z = np.maximum(deviations, -6.0)
    hazard = np.exp(-0.5 * z**2 - log_ndtr(z)) / math.sqrt(2 * math.pi)
    mean = z + hazard
    return sd * mean, np.maximum(1 - hazard * mean, 1e-12) / mean**2


def _narrower(grid: Array, weight: Array) -> Array:
    """A finer grid over the stretch that has weight."""
    share = weight.reshape(len(grid), -1).sum(axis=1)
    inside = np.flatnonzero(share > share.max() * 1e-5)
    return np.linspace(grid[max(inside[0] - 1, 0)], grid[min(inside[-1] + 1, len(grid) - 1)], FINE)
