"""What a rule is: a number measured on each document, and the range in which documents are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from presage.data.rules.texts import Texts


@dataclass(frozen=True)
class Rule:
    """One reason to remove a document.

    measure gives float64 [texts]; a document is kept while low <= value <= high (NaN: nothing to measure, kept).
    says: what is measured, in words, with its unit. source: the paper and section the rule and its bounds come from.
    """

    name: str
    says: str
    source: str
    measure: Callable[[Texts], np.ndarray]
    low: float = -math.inf
    high: float = math.inf

    def removes(self, values: np.ndarray) -> np.ndarray:
        """bool [texts]: which values lie outside the range."""
        outside: np.ndarray = (values < self.low) | (values > self.high)
        return outside
