"""Two models on the same examples: against naive twins and exact tests, and whether p and power are what they say."""

from __future__ import annotations

import math
import statistics as plain
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.evaluate.differences import (
    EXACT,
    PERMUTED,
    correlation,
    detectable,
    difference,
    examples_needed,
    of_aggregates,
    sign_flips,
)
from presage.evaluate.paired import paired

marks = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=9)


@given(st.data())
def test_against_a_naive_twin(data: st.DataObject) -> None:
    a = data.draw(marks)
    b = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(a), max_size=len(a)))
    found, apart = difference(a, b), [y - x for x, y in zip(a, b, strict=True)]
    assert found.difference.value == pytest.approx(paired(a, b).value)
    assert found.difference.stderr == pytest.approx(paired(a, b).stderr, abs=1e-12)
    totals = [abs(sum(s * d for s, d in zip(signs, apart, strict=True))) for signs in product((1, -1), repeat=len(a))]
    assert found.p == pytest.approx(plain.fmean(t >= abs(sum(apart)) - 1e-9 for t in totals))


@given(marks)
def test_turned_round_it_is_the_other_way(a: list[float]) -> None:
    b = [1 - x for x in a]
    one, other = difference(a, b), difference(b, a)
    assert one.p == other.p and one.detectable == other.detectable
    assert one.difference.value == pytest.approx(-(other.difference.value or 0.0))
    assert one.lo is None or (other.hi is not None and one.lo == pytest.approx(-other.hi))


def test_rights_and_wrongs_give_mcnemars_exact_test() -> None:
    """Two turned right, eight turned wrong: 2 P(Binomial(10, 1/2) <= 2) = 0.109375."""
    a, b = [0] * 2 + [1] * 8 + [1] * 30, [1] * 2 + [0] * 8 + [1] * 30
    found = difference(a, b)
    assert found.p == pytest.approx(0.109375)
    assert (found.a.value, found.b.value, found.difference.value) == pytest.approx((38 / 40, 32 / 40, -6 / 40))


def test_drawn_and_normal_agree_with_the_exact_test() -> None:
    """40 sums of 1 and -1: binomial; and where signs are drawn no longer, nearly the same."""
    sums = np.array([1.0] * 28 + [-1.0] * 12)
    exact = 2 * sum(math.comb(40, k) for k in range(13)) / 2**40
    assert len(sums) > EXACT
    assert sign_flips(sums) == pytest.approx(exact, rel=0.1)
    many = np.random.default_rng(0).normal(0.04, 1, size=PERMUTED + 1)
    assert sign_flips(many) == pytest.approx(sign_flips(many[:PERMUTED]), abs=0.05)


def test_groups_flip_together() -> None:
    """Four questions of one passage all changed: that is one change, and chance does it every time."""
    assert difference([0] * 4, [1] * 4, ["p"] * 4).p == 1.0
    assert difference([0] * 4, [1] * 4).p == pytest.approx(2 / 16)


def test_p_is_as_rare_as_it_says_and_power_as_promised() -> None:
    """With no difference 5 % are found; with the detectable one, of the true deviation, 80 %."""
    chance = np.random.default_rng(8)
    least = detectable(1 / math.sqrt(60), 59)
    assert least is not None
    for shift, rate, room in ((0.0, 0.05, 0.02), (least, 0.8, 0.05)):
        found = [difference([0.0] * 60, chance.normal(shift, 1, size=60).tolist()).p for _ in range(150)]
        assert plain.fmean(p is not None and p <= 0.05 for p in found) == pytest.approx(rate, abs=3 * room / 1.5)


def test_detectable_of_many_is_280_errors() -> None:
    assert detectable(0.01, 10**9) == pytest.approx(0.0280158, rel=1e-5)
    assert detectable(0.01, 9) == pytest.approx(0.01 * (2.262157 + 0.883404), rel=1e-5)
    assert detectable(0.0, 9) is None and detectable(None, 9) is None and detectable(0.1, 0) is None


def test_as_many_examples_as_a_difference_needs() -> None:
    """Miller's example: a third of the variance left by pairing, 3 points: 969 questions without, of variance 1/9."""
    assert examples_needed(0.03, 1 / 3) == 969
    with pytest.raises(ValueError, match="a difference of 0"):
        examples_needed(0.0, 1.0)


def test_a_difference_too_small_to_be_seen_is_said_to_be() -> None:
    chance = np.random.default_rng(4)
    a = chance.random(50)
    assert difference(a.tolist(), (a + chance.normal(0.0, 1, size=50)).tolist()).too_small
    assert not difference(a.tolist(), (a + chance.normal(5.0, 1, size=50)).tolist()).too_small


def test_the_same_model_twice_shows_nothing() -> None:
    found = difference([1, 0, 1], [1, 0, 1])
    assert (found.difference.value, found.p, found.lo, found.detectable) == (0.0, 1.0, None, None)
    assert found.correlation == pytest.approx(1.0)
    assert not found.too_small


def test_correlation_by_hand() -> None:
    assert correlation([1, 2, 3], [2, 2, 5]) == pytest.approx(math.sqrt(0.75))
    assert correlation([1, 1, 1], [1, 2, 3]) is None and correlation([1], [1]) is None


def test_scores_must_be_of_the_same_examples() -> None:
    with pytest.raises(ValueError, match="2 scores against 1"):
        difference([1, 2], [1])
    assert difference([], []).p is None


# ---- aggregates -----------------------------------------------------------------------------------------------------


def test_of_a_mean_drawing_groups_gives_what_the_formula_does() -> None:
    chance = np.random.default_rng(9)
    a = chance.normal(size=120)
    b, groups = a + chance.normal(0.1, 0.5, size=120), [i // 4 for i in range(120)]
    drawn = of_aggregates(a.tolist(), b.tolist(), plain.fmean, groups, draws=1500)
    formula = difference(a.tolist(), b.tolist(), groups)
    assert drawn.difference.value == pytest.approx(formula.difference.value)
    assert drawn.difference.stderr == pytest.approx(formula.difference.stderr, rel=0.1)
    assert drawn.a.stderr == pytest.approx(formula.a.stderr, rel=0.1)
    assert drawn.p == pytest.approx(formula.p, abs=0.03)
    assert drawn.detectable == pytest.approx(formula.detectable, rel=0.1)


def test_aggregates_that_do_not_spread_have_no_p() -> None:
    found = of_aggregates([1.0] * 5, [1.0] * 5, plain.fmean)
    assert (found.difference.value, found.p, found.detectable) == (0.0, None, None)
    assert of_aggregates([], [], plain.fmean).n == 0
    assert of_aggregates([1.0, 2.0], [2.0, 2.0], plain.fmean, ["g", "g"]).p is None
