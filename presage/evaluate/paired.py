"""Means of scores with standard errors, and differences between two scores of the same items."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from presage.core.estimates import Mean

__all__ = ["Mean", "mean", "paired"]


def mean(values: Sequence[float]) -> Mean:
    """Items count as independent draws: the standard error is their deviation over the root of their number."""
    n = len(values)
    stderr = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Mean(float(np.mean(values)) if n else None, stderr, n)


def paired(before: Sequence[float], after: Sequence[float]) -> Mean:
    """The mean of after - before, item by item: what the items differ in among themselves cancels."""
    return mean([b - a for a, b in zip(before, after, strict=True)])
