"""Means of scores with standard errors, and differences between two scores of the same items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mean:
    """A mean over `n` items with its standard error; None where there are too few for one."""

    value: float | None
    stderr: float | None
    n: int

    @property
    def text(self) -> str:
        """For people: 1.234 ± 0.012."""
        spread = "" if self.stderr is None else f" ± {self.stderr:.4f}"
        return "-" if self.value is None else f"{self.value:.4f}{spread}"

    def minus(self, other: Mean) -> Mean:
        """The difference of two means over different items; their errors add in squares. n counts both."""
        if self.value is None or other.value is None:
            return Mean(None, None, self.n + other.n)
        known = self.stderr is not None and other.stderr is not None
        stderr = math.hypot(self.stderr or 0.0, other.stderr or 0.0) if known else None
        return Mean(self.value - other.value, stderr, self.n + other.n)


def mean(values: Sequence[float]) -> Mean:
    """Items count as independent draws: the standard error is their deviation over the root of their number."""
    n = len(values)
    stderr = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Mean(float(np.mean(values)) if n else None, stderr, n)


def paired(before: Sequence[float], after: Sequence[float]) -> Mean:
    """The mean of after - before, item by item: what the items differ in among themselves cancels."""
    return mean([b - a for a, b in zip(before, after, strict=True)])
