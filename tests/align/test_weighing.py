"""The least weight that overcomes a reward model, beside a search over all that could be it."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from presage.align.weighing import Gap, gaps, overcoming_weight
from presage.core.errors import ConfigError, DataError

numbers = st.integers(-20, 20).map(lambda n: n / 4)
pairs = st.lists(st.builds(Gap, numbers, st.sampled_from([0.25, 0.5, 1.0, 2.0])), max_size=12)
shares = st.integers(0, 20).map(lambda n: n / 20)


def _ordered(some: list[Gap], weight: float, margin: float) -> int:
    return sum(one.model + weight * one.rules >= margin for one in some)


@given(pairs, shares)
def test_the_weight_is_the_least_that_is_enough(some: list[Gap], share: float) -> None:
    """Quarters and powers of two: no sum is rounded, so "enough" is exact."""
    found = overcoming_weight(some, 0.5, share)
    conflicts = [one for one in some if one.model < 0.5]
    candidates = [0.0, *((0.5 - one.model) / one.rules for one in conflicts)]
    enough = [w for w in candidates if 20 * _ordered(conflicts, w, 0.5) >= round(20 * share) * len(conflicts)]
    assert found.weight == min(enough)
    assert (found.pairs, found.conflicts) == (len(some), len(conflicts))
    assert found.overcome == _ordered(conflicts, found.weight, 0.5)


@given(pairs)
def test_what_the_reward_model_has_right_stays_right(some: list[Gap]) -> None:
    found = overcoming_weight(some, 0.5, 1.0)
    assert _ordered(some, found.weight, 0.5) == len(some)


def test_by_hand() -> None:
    some = [Gap(-1.0, 2.0), Gap(-3.0, 1.0), Gap(5.0, 1.0), Gap(0.0, 0.5)]
    assert overcoming_weight(some, 0.5, 1.0).weight == 3.5
    found = overcoming_weight(some, 0.5, 2 / 3)
    assert (found.weight, found.conflicts, found.overcome) == (1.0, 3, 2)
    assert overcoming_weight(some, 0.5, 0.0).weight == 0.0
    assert overcoming_weight([Gap(5.0, 1.0)], 0.5, 1.0).weight == 0.0
    assert overcoming_weight([], 0.5, 1.0).weight == 0.0


def test_a_share_is_not_rounded_up_by_floats() -> None:
    some = [Gap(-float(n), 1.0) for n in range(100)]
    assert overcoming_weight(some, 1.0, 0.95).overcome == 95
    assert overcoming_weight(some, 1.0, 0.29).overcome == 29


def test_gaps_of_a_prompt() -> None:
    found = gaps([0.5, 2.0, 1.0], [1.0, -1.0, 1.0])
    assert sorted((one.model, one.rules) for one in found) == [(-1.5, 2.0), (-1.0, 2.0)]
    assert gaps([1.0], [1.0]) == []


@pytest.mark.parametrize(
    ("model", "rules"),
    [([1.0], [1.0, 2.0]), ([math.nan, 1.0], [0.0, 1.0]), ([0.0, 1.0], [math.inf, 1.0])],
    ids=["lengths", "nan", "inf"],
)
def test_scores_that_are_none(model: list[float], rules: list[float]) -> None:
    with pytest.raises(DataError):
        gaps(model, rules)


@pytest.mark.parametrize("gap", [(0.0, 0.0), (0.0, -1.0), (math.nan, 1.0), (0.0, math.inf)], ids=str)
def test_gaps_that_are_none(gap: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="a gap of"):
        Gap(*gap)


@pytest.mark.parametrize(("margin", "share"), [(0.0, 0.5), (-1.0, 0.5), (math.nan, 0.5), (0.1, 1.5), (0.1, -0.1)])
def test_settings_that_are_none(margin: float, share: float) -> None:
    with pytest.raises(ConfigError):
        overcoming_weight([], margin, share)
