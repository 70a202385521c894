"""How well scores tell positives from negatives: area under the ROC curve, and under precision and recall.

Both by definition, ties included: the first is the chance that a positive scores above a negative, a tie counting one
half (Hanley and McNeil 1982); the second the mean, over positives, of the precision at the place of each, where equal
scores stand at one place (average precision; the moderation paper, Markov et al. 2022, calls it AUPRC).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from presage.core.estimates import DRAWS, LEVEL, Estimate, redraw

Area = Callable[[np.ndarray, np.ndarray], float]


def roc_area(scores: np.ndarray, positive: np.ndarray) -> float:
    """[n] scores, [n] bool; NaN without both sides."""
    n, p = len(scores), int(positive.sum())
    if not 0 < p < n:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # from 1, ties at their middle
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * (n - p)))


def precision_area(scores: np.ndarray, positive: np.ndarray) -> float:
    """[n] scores, [n] bool; NaN without a positive."""
    p = int(positive.sum())
    if not p:
        return float("nan")
    values, place = np.unique(-scores, return_inverse=True)
    found = np.bincount(place, positive, len(values))
    precision = np.cumsum(found) / np.cumsum(np.bincount(place, minlength=len(values)))
    return float((found * precision).sum() / p)


def estimated(area: Area, scores: Sequence[float], positive: Sequence[bool], seed: int = 0) -> Estimate:
    """The area with its error and interval, by `DRAWS` draws of all texts with replacement; draws without both sides
    do not count. No interval where the draws show no spread."""
    x, y = np.asarray(scores, float), np.asarray(positive, bool)
    value = area(x, y)
    n = len(x)
    if not np.isfinite(value):
        return Estimate(None, None, None, None, n, n)
    drawn = np.array([area(x[some], y[some]) for some in redraw(None, n, DRAWS, seed)])
    kept = drawn[np.isfinite(drawn)]
    if 2 * len(kept) < DRAWS or np.ptp(kept) == 0:
        return Estimate(value, None, None, None, n, n)
    lo, hi = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(kept.std(ddof=1)), float(lo), float(hi), n, n)
