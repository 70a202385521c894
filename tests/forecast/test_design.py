"""Which runs to buy: the promised narrowing is the closed form, the set is the best one, more spend never widens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.forecast import design
from presage.forecast.design import Design, Market, Purchase


@dataclass(frozen=True)
class At:
    compute: float


@dataclass(frozen=True)
class Straight:
    """A law whose loss is a straight line in log10 compute, with a Gaussian posterior known in closed form."""

    points: tuple[At, ...]
    noise: float
    misfit: float = 0.002
    mean: tuple[float, float] = (4.0, -0.05)
    prior: tuple[float, float] = (2.0, 0.5)
    """Standard deviations of level and slope before any run."""

    def features(self, computes: Sequence[float]) -> Any:
        x = np.log10(np.array(computes, dtype=float))
        return np.stack([np.ones_like(x), x], axis=1)

    def posterior(self, more: Sequence[tuple[float, int]] = ()) -> Any:
        """Covariance of (level, slope) after the points and `more` (compute, runs)."""
        precision = np.diag(1 / np.array(self.prior) ** 2)
        for compute, runs in [(p.compute, 1) for p in self.points] + list(more):
            row = self.features([compute])[0]
            loss = row @ np.array(self.mean)
            precision = precision + np.outer(row, row) / (loss**2 * (self.misfit**2 + self.noise**2 / runs))
        return np.linalg.inv(precision)

    def deviation(self, target: float, more: Sequence[tuple[float, int]]) -> float:
        """Of one run at the target, after `more`."""
        row = self.features([target])[0]
        own = (row @ np.array(self.mean)) ** 2 * (self.noise**2 + self.misfit**2)
        return math.sqrt(row @ self.posterior(more) @ row + own)

    def joint(self, computes: Sequence[float]) -> tuple[Any, Any]:
        rows = self.features(computes)
        return rows @ np.array(self.mean), rows @ self.posterior() @ rows.T


TARGET = 1e15
RUNGS = tuple(At(float(c)) for c in np.geomspace(1e10, 1e12, 5))
LAW = Straight(RUNGS, noise=0.01)


def exact(law: Straight, purchases: Sequence[tuple[float, int]]) -> float:
    return law.deviation(TARGET, purchases) / law.deviation(TARGET, ())


@pytest.mark.parametrize("misfit", [0.0, 0.003])
@pytest.mark.parametrize("runs", [[(0, 1)], [(3, 2)], [(0, 2), (4, 1)], [(1, 8), (2, 1), (4, 3)]])
def test_the_promised_narrowing_is_the_closed_form(runs: list[tuple[int, int]], misfit: float) -> None:
    computes = np.geomspace(1e10, 1e14, 5)
    law = replace(LAW, misfit=misfit)
    bought = [(float(computes[index]), count) for index, count in runs]
    assert Market(law, TARGET, computes.tolist()).effect(runs) == pytest.approx(exact(law, bought), rel=1e-6)


@pytest.mark.parametrize("spend", [3e10, 1e12, 2e13, 1.5e14, 1e15])
def test_what_best_says_is_what_its_runs_do(spend: float) -> None:
    found = Market(LAW, TARGET).best(spend)
    assert 0 < found.cost <= spend * (1 + 1e-9)
    bought = [(p.compute, p.runs) for p in found.purchases]
    assert found.narrowing == pytest.approx(exact(LAW, bought), rel=1e-6)


@pytest.mark.parametrize("spend_share", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("noise", [0.001, 0.02])
@pytest.mark.parametrize("slope", [0.05, 2.0])
def test_nothing_beats_it_by_five_percent_on_a_small_grid(noise: float, slope: float, spend_share: float) -> None:
    """Every combination of 0 to 4 runs at each of five budgets, four and five budgets at once included."""
    law = replace(LAW, noise=noise, prior=(1.0, slope))
    computes = [float(c) for c in np.geomspace(1e11, 1e14, 5)]
    spend = spend_share * 1e14
    sets = [
        [(c, n) for c, n in zip(computes, counts, strict=True) if n]
        for counts in product(range(5), repeat=5)
        if sum(n * c for n, c in zip(counts, computes, strict=True)) <= spend
    ]
    best = min(exact(law, chosen) for chosen in sets)
    found = Market(law, TARGET, computes).best(spend)
    assert found.narrowing <= 1.05 * best
    assert best < 1


laws = st.builds(
    Straight,
    points=st.lists(st.floats(9, 12).map(lambda x: At(10.0**x)), min_size=2, max_size=6).map(tuple),
    noise=st.floats(1e-4, 0.05),
    misfit=st.sampled_from([0.0, 0.001, 0.01]),
    prior=st.tuples(st.floats(0.01, 5), st.floats(0.001, 1)),
)


@settings(max_examples=25, deadline=None)
@given(laws, st.lists(st.floats(8, 16), min_size=2, max_size=6))
def test_more_spend_never_widens(law: Straight, exponents: list[float]) -> None:
    low = min(p.compute for p in law.points)
    market = Market(law, TARGET, [float(c) for c in np.geomspace(low, 1e14, 7)])
    found = [market.best(10.0**e) for e in sorted(exponents)]
    widths = [f.narrowing for f in found]
    assert widths == sorted(widths, reverse=True)
    assert all(0 <= w <= 1 for w in widths)
    assert all(f.cost <= 10.0**e * (1 + 1e-9) for f, e in zip(found, sorted(exponents), strict=True))


def test_of_sets_that_do_as_well_the_cheapest_is_taken() -> None:
    """A hundred times the money for less than a percentage point is not spent."""
    known = Straight(tuple(At(float(c)) for c in np.geomspace(1e10, 1e14, 40)), noise=0.01)
    market = Market(known, TARGET)
    assert market.best(1e14).cost < 1e14
    rich, poor = market.best(1e18), market.best(market.best(1e18).cost)
    assert rich == poor


def test_a_law_that_knows_the_target_already_needs_nothing() -> None:
    certain = Straight(tuple(At(c) for c in (1e14, 1e16) for _ in range(400)), noise=0.01)
    found = Market(certain, TARGET).best(1e14)
    assert not found.worthwhile
    assert found.narrowing > 0.95


def test_too_little_money_buys_nothing() -> None:
    assert Market(LAW, TARGET).best(9e9) == Design((), 1.0)
    assert not design.NOTHING.worthwhile
    assert design.NOTHING.cost == 0


def test_repeats_do_not_average_away_the_misfit_of_one_budget() -> None:
    rough = replace(LAW, misfit=0.02)
    market = Market(rough, TARGET, [1e13, 1e14])
    once, often = market.effect([(1, 1)]), market.effect([(1, 10_000)])
    assert often < once
    assert often == pytest.approx(exact(rough, [(1e14, 10**9)]), rel=1e-3)
    assert often > market.effect([(0, 10_000), (1, 10_000)])


def test_the_grid_runs_from_the_smallest_rung_to_a_tenth_of_the_target() -> None:
    computes = design.grid(LAW, TARGET)
    assert computes[0] == pytest.approx(1e10)
    assert computes[-1] == pytest.approx(1e14)
    assert len(computes) == design.CANDIDATES
    assert np.ptp(np.diff(np.log(computes))) < 1e-9
    assert len(design.grid(LAW, 2e11)) == 3
    assert design.grid(LAW, 1e11) == pytest.approx([1e10])
    with pytest.raises(DataError, match="below the smallest rung"):
        design.grid(LAW, 9e10)


def test_a_law_without_finite_uncertainty_is_refused() -> None:
    class Broken(Straight):
        def joint(self, computes: Sequence[float]) -> tuple[Any, Any]:
            mean, cov = super().joint(computes)
            return mean, cov * math.nan

    with pytest.raises(DataError, match="no finite uncertainty"):
        Market(Broken(RUNGS, 0.01), TARGET)


def test_a_purchase_costs_what_its_runs_cost() -> None:
    both = Design((Purchase(1e12, 3), Purchase(5e12, 1)), 0.8)
    assert both.cost == 8e12
    assert both.worthwhile
    assert not Design(both.purchases, 0.96).worthwhile
