"""What a score is worth: estimates of `presage.core.estimates`, of a task's metrics; corrections for many tests."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial

from presage.core.estimates import (
    DRAWS,
    LEVEL,
    Estimate,
    bootstrap,
    clustered,
    clustered_by,
    members,
    normal_quantile,
    of_mean,
    redraw,
    t_quantile,
    wilson,
)
from presage.tasks.task import Graded, Metric, average

__all__ = [
    "DRAWS",
    "LEVEL",
    "Estimate",
    "bootstrap",
    "clustered",
    "clustered_by",
    "holm",
    "members",
    "normal_quantile",
    "of_mean",
    "of_metric",
    "redraw",
    "t_quantile",
    "wilson",
]


def of_metric(
    metric: Metric, graded: Sequence[Graded], groups: Sequence[Hashable] | None = None, *, seed: int = 0
) -> Estimate:
    """A task's metric over graded examples: a mean by its formula, any other aggregate by the bootstrap."""
    if metric.aggregate is average:
        return of_mean([one.scores[metric.name] for one in graded], groups)
    return bootstrap(graded, partial(metric.aggregate, metric.name), groups, seed=seed)


# ---- several tests --------------------------------------------------------------------------------------------------


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Probabilities corrected for their number (Holm 1979): each is the least error rate, over the whole family, at
    which it would still be called a difference. None stays None and does not count.
    """
    order = sorted((p, i) for i, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        corrected[place] = highest
    return corrected
