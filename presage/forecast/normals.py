"""Mixtures of normal distributions: thinned to what can be told apart, their quantiles, their shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray

NEGLIGIBLE = 1e-7  # components lighter than this, beside the heaviest, are left out
BINS = (160, 12)  # of the mean, and of the logarithm of the deviation
HALVINGS = 50


def thin(mean: Array, sd: Array, weight: Array) -> tuple[Array, Array, Array]:
    """The same mixture with at most a few hundred components: near ones are merged, mean and variance kept."""
    keep = weight > weight.max() * NEGLIGIBLE
    mean, sd, weight = mean[keep], np.maximum(sd[keep], 1e-12), weight[keep]
    cell = _bin(mean, BINS[0]) * BINS[1] + _bin(np.log(sd), BINS[1])
    _, cell = np.unique(cell, return_inverse=True)
    total = np.bincount(cell, weight)
    middle = np.bincount(cell, weight * mean) / total
    second = np.bincount(cell, weight * (sd**2 + mean**2)) / total
    return middle, np.sqrt(np.maximum(second - middle**2, 1e-24)), total / total.sum()


def quantiles(mean: Array, sd: Array, weight: Array, level: float) -> tuple[float, float, float]:
    """Lower bound, median and upper bound of the central interval that holds `level`, by bisection."""
    from scipy.special import ndtr

    mean, sd, weight = thin(mean, sd, weight)

    def below(value: float) -> float:
        return float((weight * ndtr((value - mean) / sd)).sum())

    return central(below, float((mean - 9 * sd).min()), float((mean + 9 * sd).max()), level, HALVINGS)


def central(
    below: Callable[[float], float], least: float, greatest: float, level: float, halvings: int
) -> tuple[float, float, float]:
    """Lower bound, median and upper bound of the central interval of a distribution function between two values."""

    def quantile(q: float) -> float:
        low, high = least, greatest
        for _ in range(halvings):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle) < q else (low, middle)
        return (low + high) / 2

    return quantile((1 - level) / 2), quantile(0.5), quantile((1 + level) / 2)


def sample(mean: Array, sd: Array, weight: Array, count: int = 200) -> Array:
    """Evenly spaced quantiles [count]: the mixture's shape, without chance."""
    from scipy.special import ndtr

    mean, sd, weight = thin(mean, sd, weight)
    grid = np.linspace(float((mean - 6 * sd).min()), float((mean + 6 * sd).max()), 8 * count)
    below = (weight * ndtr((grid[:, None] - mean) / sd)).sum(axis=1)
    return np.interp((np.arange(count) + 0.5) / count, below, grid)


def _bin(value: Array, count: int) -> Array:
    low, high = float(value.min()), float(value.max())
    return np.minimum(((value - low) / max(high - low, 1e-300) * count).astype(np.int64), count - 1)
