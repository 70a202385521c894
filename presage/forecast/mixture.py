"""Quantiles of a mixture of gamma distributions: never negative, and sane where the mean is next to nothing."""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc

from presage.forecast.normals import central

Array = np.ndarray

NEGLIGIBLE = 1e-6  # components lighter than this, beside the heaviest, are left out
HALVINGS = 45


def quantiles(mean: Array, relative: Array, weight: Array, level: float) -> tuple[float, float, float]:
    """Lower bound, median and upper bound of the central interval that holds `level`.

    One component an entry: its mean, its variance over its mean squared, its weight (any scale).
    """
    keep = weight > weight.max() * NEGLIGIBLE
    mean, relative, weight = mean[keep], np.maximum(relative[keep], 1e-12), weight[keep] / weight[keep].sum()
    shape = 1 / relative
    rate = shape / mean
    spread = np.sqrt(relative)
    least = max(0.0, float((mean * (1 - 9 * spread)).min()))
    greatest = float((mean * (1 + 9 * spread + 20 * relative)).max())

    def below(value: float) -> float:
        return float((weight * gammainc(shape, rate * value)).sum())

    return central(below, least, greatest, level, HALVINGS)
