"""What is known about laws of loss before a single rung is trained.

Four numbers are learned from public ladders by marginal likelihood of their held-out largest runs, each source left
out in turn (`benchmarks/backtest.py` prints both tables); the facts they should agree with are listed here.

| law | exponent of L(C) | floor | best loss it was fitted to | floor's share |
|---|---|---|---|---|
| Kaplan et al. 2020, compute-efficient frontier | 0.050 | none | | 0 |
| Hoffmann et al. 2022, approach 3 (alpha 0.34, beta 0.28) | 0.154 | 1.69 | 1.94 | 0.87 |
| Besiroglu et al. 2024, its re-analysis (0.348, 0.366) | 0.178 | 1.82 | 1.94 | 0.94 |
| Dey et al. 2023, Cerebras-GPT on the Pile | 0.074 | 0.51 | 1.57 | 0.32 |

The exponents differ fourfold and the floors do not agree either: a law's b and c trade against each other. So the
prior on each is wide. What ladders do share is how fast the slope falls off, and that is a relation of the two.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from presage.core.config import Config

Array = np.ndarray


class Prior(Config):
    """Priors of L(C) = (a C^(-b) + c) * (1 + g(log10 C)): b, c, the misfit of a single budget, and the wander g."""

    exponent: float = Field(default=0.3, gt=0)
    exponent_spread: float = Field(default=0.8, gt=0)
    """Standard deviation of ln b."""
    floor_shares: tuple[tuple[float, float], ...] = ((12.0, 0.29), (17.0, 0.6))
    """(log10 of the largest budget in FLOPs, the floor's share of the loss there): in between by interpolation of the
    logit. Models of a few thousand weights are further from the floor than those of published ladders."""
    floor_spread: float = Field(default=0.25, gt=0)
    """Standard deviation of the share's logit."""
    wander: float = Field(default=0.04, gt=0)
    """Scale (Cauchy) of what the slope d ln L / d log10 C strays from the law's, as a standard deviation."""
    wander_length: float = Field(default=3.0, gt=0)
    """Decades of compute over which the slope forgets how it strayed."""
    misfit: float = Field(default=0.006, gt=0)
    """Scale (half-normal) of the relative deviation of one budget: shapes are whole numbers, seeds differ."""

    def centre(self, largest: float) -> float:
        """The floor share's logit to expect of a ladder whose largest budget is `largest` FLOPs."""
        decades, shares = zip(*self.floor_shares, strict=True)
        return float(np.interp(math.log10(largest), decades, [math.log(s / (1 - s)) for s in shares]))

    def shares(self, largest: float, count: int) -> Array:
        """A grid of floor shares, even in the logit, that holds practically all of the prior."""
        logit = self.centre(largest) + np.linspace(-3.5, 3.5, count) * self.floor_spread
        return np.asarray(1 / (1 + np.exp(-logit)))

    def log_density(self, b: Array, share: Array, largest: float) -> Array:
        """Of (ln b, logit share), up to a constant."""
        from_floor = (np.log(share / (1 - share)) - self.centre(largest)) / self.floor_spread
        return np.asarray(-0.5 * (np.log(b / self.exponent) / self.exponent_spread) ** 2 - 0.5 * from_floor**2)

    def log_scales(self, wander: float, misfit: float) -> float:
        """Of the two scales, up to a constant."""
        return -math.log1p((wander / self.wander) ** 2) - 0.5 * (misfit / self.misfit) ** 2


def strayed(distance: Array, length: float) -> Array:
    """Variance of g between two budgets `distance` decades apart, where the slope's variance is one.

    g is the integral of an Ornstein-Uhlenbeck process: near by it grows with the square of the distance (the slope is
    off), far away with the distance (its errors average out).
    """
    relative = np.abs(distance) / length
    return np.asarray(2 * length**2 * (relative - 1 + np.exp(-relative)))


def covariance(t: Array, s: Array, origin: float, length: float) -> Array:
    """Cov(g(t_i), g(s_j)) [n, m] where g is zero at `origin`; t and s in decades."""
    from_t, from_s = strayed(t - origin, length)[:, None], strayed(s - origin, length)[None, :]
    return np.asarray(0.5 * (from_t + from_s - strayed(t[:, None] - s[None, :], length)))
