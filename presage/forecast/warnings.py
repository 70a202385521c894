"""What a reader should know before trusting a forecast, in words."""

from __future__ import annotations

import math

import numpy as np

from presage.forecast.law import Fit

FEW_POINTS, SHORT, FAR = 5, 2.5, 100
STRAYING = 0.05  # of the slope per decade: a third of what a typical ladder's slope is
SCATTERED = 0.008  # misfit of one budget: twice what seeds do
UNLEARNT = 0.7  # posterior spread of ln b over its prior's, above which the points said little


def warnings(fit: Fit, target: float) -> list[str]:
    """Too few points, too short a range, too far a target, an exponent not identified, a recipe that changes."""
    points = fit.points
    budgets = sorted({p.compute for p in points})
    decades = math.log10(budgets[-1] / budgets[0])
    ratio = target / budgets[-1]
    said = []
    if len(budgets) < FEW_POINTS:
        said.append(f"only {len(budgets)} budgets were fitted: the interval leans on the priors")
    if decades < SHORT:
        said.append(
            f"the budgets span {decades:.1f} decades: the floor is not identified by them and comes from its prior"
        )
    if target < budgets[0]:
        said.append(
            f"the target lies {math.log10(budgets[0] / target):.1f} decades below the smallest fitted budget: the law "
            "is read backwards, where smaller models often do not follow it"
        )
    if ratio > FAR:
        said.append(f"the target is {ratio:,.0f} times the largest fitted budget")
    if _spread(fit) > UNLEARNT * fit.prior.exponent_spread:
        said.append("the exponent is not identified by these points and comes mostly from its prior")
    if fit.wander > STRAYING:
        said.append(
            "the slope changes along the rungs more than the law allows: an untuned recipe is suspected, "
            "and the interval is widened for it"
        )
    if fit.misfit > SCATTERED:
        said.append(f"the points scatter by {fit.misfit:.1%} about any smooth curve: are they all of one recipe?")
    return said


def _spread(fit: Fit) -> float:
    """Posterior standard deviation of ln b."""
    log_b = np.concatenate([np.log(cell.b) for cell in fit.cells])
    weight = np.concatenate([cell.weight for cell in fit.cells])
    return float(math.sqrt(max((weight * log_b**2).sum() - (weight * log_b).sum() ** 2, 0.0)))
