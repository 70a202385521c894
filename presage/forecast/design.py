"""Which small runs to buy next: the set that narrows the forecast of the target most.

A law's posterior says how the losses at all computes vary together. Runs bought at computes x, whose mean losses will
come out with covariance R around the law, will shrink the variance at the target t from S_tt to

    S_tt - S_tx (S_xx + R)^-1 S_xt

whatever they show: for a Gaussian posterior this is known before a FLOP is spent (preposterior analysis; Raiffa and
Schlaifer 1961; as optimal design, Chaloner and Verdinelli 1995). So sets can be compared by price. Optimal designs for
a law of three parameters rest on at most about three budgets, so every set of up to three budgets from a grid, with up
to eight runs each, is evaluated: no search, no starting values, and a larger spend can only do better.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Protocol

import numpy as np

from presage.core.errors import DataError

REPEATS = (1, 2, 3, 4, 6, 8)
"""Runs that may be bought at one budget."""
MOST_BUDGETS = 3
CANDIDATES = 20
"""Budgets on the grid, at most; at most PER_DECADE in a decade."""
PER_DECADE = 6
NEAREST = 10.0
"""No small run is larger than the target over this."""
WORTH = 0.05
"""A set that narrows the interval by less than this is not worth a recommendation."""
STEP = 0.01
"""Half-widths that differ by less than this share of the present one count as equal; then the cheapest set is taken."""


class HasCompute(Protocol):
    """A fitted point; only where it lies matters here."""

    @property
    def compute(self) -> float: ...


class Outlook(Protocol):
    """What a fitted law must offer."""

    @property
    def noise(self) -> float:
        """Relative deviation of one run, that repeats average away."""

    @property
    def misfit(self) -> float:
        """Relative deviation of one budget, that repeats do not: shapes are whole numbers, no law is exact."""

    @property
    def points(self) -> Sequence[HasCompute]: ...

    def joint(self, computes: Sequence[float]) -> tuple[Any, Any]:
        """Posterior mean [n] and covariance [n, n] of the noise-free loss at several computes."""


@dataclass(frozen=True)
class Purchase:
    """`runs` runs of `compute` FLOPs each."""

    compute: float
    runs: int

    @property
    def cost(self) -> float:
        """FLOPs of all of them."""
        return self.compute * self.runs


@dataclass(frozen=True)
class Design:
    """A set of runs and what it does to the target's interval."""

    purchases: tuple[Purchase, ...]
    narrowing: float
    """Half-width of the target's interval after these runs over the one before, 0 to 1."""

    @property
    def cost(self) -> float:
        """FLOPs of all runs."""
        return sum(p.cost for p in self.purchases)

    @property
    def worthwhile(self) -> bool:
        """Whether it narrows the interval by more than 5 %."""
        return self.narrowing < 1 - WORTH


NOTHING = Design((), 1.0)


class Market:
    """Every set on offer for one target, with its price and its effect, computed once; `best` picks by spend."""

    def __init__(self, law: Outlook, target: float, candidates: Sequence[float] = ()) -> None:
        self.computes = np.array(candidates or grid(law, target), dtype=float)
        mean, cov = (np.asarray(part, dtype=float) for part in law.joint([*self.computes, target]))
        own = mean**2 * law.misfit**2
        self._between = cov[:-1, :-1] + np.diag(own[:-1])
        self._noise = mean[:-1] ** 2 * law.noise**2
        self._to_target = cov[:-1, -1]
        # One run of the target has its own noise and misfit, which no other run can narrow.
        self._before = float(cov[-1, -1] + own[-1] + (mean[-1] * law.noise) ** 2)
        if not (np.isfinite(cov).all() and self._before >= 0):
            raise DataError("the law gives no finite uncertainty at the target and the candidate budgets")
        self._sets = [(*sets, self._ratios(*sets[:2])) for sets in self._on_offer()]

    def best(self, spend: float) -> Design:
        """The cheapest set, among those within a percentage point of the narrowest that `spend` FLOPs buy."""
        found, rank = NOTHING, (1 / STEP, 0.0)
        for budgets, runs, cost, ratio in self._sets:
            steps = np.where(cost <= spend * (1 + 1e-9), np.ceil(ratio / STEP - 1e-9), np.inf)
            first = int(np.lexsort((cost, steps))[0])
            if (steps[first], cost[first]) < rank:
                rank = (float(steps[first]), float(cost[first]))
                chosen = zip(self.computes[budgets[first]], runs[first], strict=True)
                found = Design(tuple(Purchase(float(c), int(n)) for c, n in chosen), float(ratio[first]))
        return found

    def effect(self, purchases: Sequence[tuple[int, int]]) -> float:
        """Half-width after over before, for (index of a budget, runs) of as many budgets as one likes."""
        budgets = np.array([[index for index, _ in purchases]])
        return float(self._ratios(budgets, np.array([[runs for _, runs in purchases]]))[0])

    def _on_offer(self) -> Iterator[tuple[Any, Any, Any]]:
        """Sets of 1, 2, 3 budgets: indices [n, k], runs [n, k], cost [n]."""
        for size in range(1, min(MOST_BUDGETS, len(self.computes)) + 1):
            indices = np.array(list(combinations(range(len(self.computes)), size)))
            counts = np.array(list(product(REPEATS, repeat=size)))
            budgets, runs = np.repeat(indices, len(counts), axis=0), np.tile(counts, (len(indices), 1))
            yield budgets, runs, (self.computes[budgets] * runs).sum(axis=1)

    def _ratios(self, budgets: Any, runs: Any) -> Any:
        """Half-width after over before of every set, [n]; budgets and runs [n, k]."""
        if self._before == 0:
            return np.ones(len(budgets))
        between = self._between[budgets[:, :, None], budgets[:, None, :]]
        size = budgets.shape[1]
        between[:, range(size), range(size)] += self._noise[budgets] / runs
        across = self._to_target[budgets]
        gain = (across * _solve(between, across)).sum(axis=1)
        return np.sqrt(np.clip(1 - gain / self._before, 0.0, 1.0))


def grid(law: Outlook, target: float) -> list[float]:
    """Candidate budgets, even in logarithm from the smallest rung to target / 10. DataError when there is no room."""
    low, high = min(p.compute for p in law.points), target / NEAREST
    if high < low:
        raise DataError(f"no room for small runs: target / {NEAREST:g} is below the smallest rung, {low:.3g} FLOPs")
    number = min(CANDIDATES, 1 + math.ceil(PER_DECADE * math.log10(high / low)))
    return [float(c) for c in np.geomspace(low, high, number)]


def _solve(matrices: Any, right: Any) -> Any:
    """[n, k, k] and [n, k] -> [n, k]. A nearly singular matrix (budgets that say the same) is no error."""
    scale = matrices.trace(axis1=1, axis2=2)[:, None, None] / matrices.shape[1]
    steady = matrices + 1e-12 * scale * np.eye(matrices.shape[1])
    return np.linalg.solve(steady, right[:, :, None])[:, :, 0]
