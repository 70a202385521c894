"""Errors and intervals: against naive twins, and whether they hold what they say on planted data."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.evaluate.paired import mean
from presage.evaluate.statistics import Estimate, bootstrap, clustered, holm, of_mean, of_metric, wilson
from presage.tasks.task import Graded, Metric

REPEATS = 1500
scores = st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=2, max_size=30)


def pairwise(values: Sequence[float], groups: Sequence[str]) -> float:
    """The clustered variance as Miller writes it, pair by pair within groups, with G / (G - 1)."""
    middle = math.fsum(values) / len(values)
    names = [g or f"alone {i}" for i, g in enumerate(groups)]
    total = sum(
        (values[i] - middle) * (values[j] - middle)
        for i in range(len(values))
        for j in range(len(values))
        if names[i] == names[j]
    )
    count = len(set(names))
    return math.sqrt(max(0.0, total) * count / (count - 1)) / len(values)


# ---- standard errors ------------------------------------------------------------------------------------------------


@given(scores.filter(lambda values: len(values) > 1))
def test_alone_every_example_counts_as_in_the_plain_error(values: list[float]) -> None:
    assert clustered(values).stderr == pytest.approx(mean(values).stderr, abs=1e-12)
    assert clustered(values, [""] * len(values)) == clustered(values)
    assert clustered(values, list(range(len(values)))) == clustered(values)


@given(st.data())
def test_the_clustered_error_is_the_sum_over_pairs(data: st.DataObject) -> None:
    values = data.draw(scores)
    groups = data.draw(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=len(values), max_size=len(values)))
    if len({g or i for i, g in enumerate(groups)}) > 1:
        assert clustered(values, groups).stderr == pytest.approx(pairwise(values, groups), abs=1e-9)


@given(scores, st.integers(2, 4))
def test_copies_of_every_example_in_its_group_change_nothing(values: list[float], copies: int) -> None:
    many = [value for value in values for _ in range(copies)]
    groups = [f"g{i}" for i in range(len(values)) for _ in range(copies)]
    assert clustered(many, groups).stderr == pytest.approx(clustered(values).stderr, abs=1e-12)


def test_by_hand() -> None:
    """Mean 0.5; sums of deviations 1, -1, 0: sqrt(3/2 * 2) / 6."""
    found = clustered([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
    assert (found.value, found.n) == (0.5, 6)
    assert found.stderr == pytest.approx(math.sqrt(3) / 6)


def test_one_group_or_one_example_has_no_error() -> None:
    assert clustered([1, 0, 1], ["p", "p", "p"]).stderr is None
    assert clustered([1]).stderr is None
    assert clustered([]).value is None


def test_groups_must_be_as_many_as_examples() -> None:
    with pytest.raises(ValueError, match="2 groups of 3 examples"):
        clustered([1, 0, 1], ["a", "b"])


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_wilson_as_published() -> None:
    """Newcombe 1998, Table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for right, n, lo, hi in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(right / n, n, 1.959964) == pytest.approx((lo, hi), abs=5e-5)
        found = of_mean([1.0] * right + [0.0] * (n - right))
        assert (found.lo, found.hi) == pytest.approx((lo, hi), abs=5e-5)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40), st.integers(1, 5))
def test_rights_and_wrongs_always_have_an_interval_around_them(values: list[float], size: int) -> None:
    for groups in (None, [i // size for i in range(len(values))]):
        found = of_mean(values, groups)
        assert found.lo is not None and found.hi is not None and found.value is not None
        assert 0 <= found.lo <= found.value + 1e-12 and found.value - 1e-12 <= found.hi <= 1
        assert found.hi - found.lo > 0.02


def test_scores_all_alike_are_not_certain() -> None:
    assert of_mean([0.4] * 5).hi == pytest.approx(wilson(0.4, 5, 2.776445)[1])
    assert of_mean([7.5] * 5) == Estimate(7.5, 0.0, None, None, 5, 5)
    assert of_mean([]) == Estimate(None, None, None, None, 0, 0)


def test_student_by_hand() -> None:
    """Mean 2, deviation 1 of three: 2 ± 4.303 / sqrt(3)."""
    found = of_mean([1, 2, 3])
    assert (found.lo, found.hi) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)


def cover(truth: float, found: Sequence[Estimate]) -> float:
    return plain.fmean(one.lo <= truth <= one.hi for one in found if one.lo is not None and one.hi is not None)


def test_intervals_of_shares_hold_what_they_say() -> None:
    """A share has so few values that its coverage goes up and down with it: taken over the shares of many tasks."""
    chance = np.random.default_rng(3)
    rates = chance.uniform(0.05, 0.95, size=REPEATS)
    inside = [cover(p, [of_mean((chance.random(60) < p).astype(float).tolist())]) for p in rates]
    assert 0.93 < plain.fmean(inside) < 0.97


@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["from 0 to 1", "any number"])
def test_intervals_of_grouped_scores_hold_what_they_say(scale: float) -> None:
    """40 passages of five questions; half of the variance is the passage's. Taken for single questions, they fail."""
    chance = np.random.default_rng(5)
    groups = [passage for passage in range(40) for _ in range(5)]
    right, wrong = [], []
    for _ in range(REPEATS // 2):
        shared = chance.random(40).repeat(5)
        values = (scale * (0.5 * shared + 0.5 * chance.random(200))).tolist()
        right.append(of_mean(values, groups))
        wrong.append(of_mean(values))
    assert 0.93 < cover(0.5 * scale, right) < 0.97
    assert cover(0.5 * scale, wrong) < 0.85


def test_intervals_of_grouped_answers_hold_what_they_say() -> None:
    chance = np.random.default_rng(6)
    groups = [passage for passage in range(40) for _ in range(5)]
    found = []
    for _ in range(REPEATS // 2):
        rate = chance.beta(1.4, 0.6, size=40).repeat(5)  # mean 0.7
        found.append(of_mean((chance.random(200) < rate).astype(float).tolist(), groups))
    assert 0.93 < cover(0.7, found) < 0.97


# ---- bootstrap ------------------------------------------------------------------------------------------------------


def test_of_a_mean_the_bootstrap_gives_the_error_of_the_formula() -> None:
    chance = np.random.default_rng(1)
    values = chance.normal(size=150).tolist()
    groups = [i // 3 for i in range(150)]
    for some in (None, groups):
        found, formula = bootstrap(values, plain.fmean, some, draws=2000), clustered(values, some)
        assert found.value == pytest.approx(formula.value)
        assert found.stderr == pytest.approx(formula.stderr, rel=0.06)
        assert found.lo is not None and found.hi is not None and found.lo < plain.fmean(values) < found.hi


def test_the_same_seed_draws_the_same() -> None:
    values = [0.0, 1.0, 3.0, 4.5]
    assert bootstrap(values, max, seed=4) == bootstrap(values, max, seed=4)
    assert bootstrap(values, plain.fmean, seed=4) != bootstrap(values, plain.fmean, seed=5)


def test_bootstrap_intervals_of_what_is_no_mean_hold_what_they_say() -> None:
    """The exponential of a mean, as a perplexity is."""
    chance = np.random.default_rng(2)
    found = [
        bootstrap(chance.normal(1.0, 0.5, size=80).tolist(), lambda x: math.exp(np.mean(x)), draws=150, seed=i)
        for i in range(300)
    ]
    assert 0.91 < cover(math.e, found) < 0.97


@pytest.mark.parametrize("groups", [["a"] * 4, None], ids=["one group", "no spread"])
def test_no_error_where_nothing_is_known(groups: list[str] | None) -> None:
    found = bootstrap([2.0] * 4, plain.fmean, groups)
    assert (found.value, found.stderr, found.lo) == (2.0, None, None)


def test_an_aggregate_that_is_mostly_undefined_has_no_error() -> None:
    assert bootstrap([0.0] * 9 + [1.0], lambda x: 1.0 if any(x) else math.nan).stderr is None
    assert bootstrap([], plain.fmean).value is None


def test_a_metric_has_the_error_that_fits_how_it_sums_up() -> None:
    graded = [Graded({"score": value}) for value in (0.0, 1.0, 1.0, 4.0)]
    groups = ["a", "a", "b", "c"]
    assert of_metric(Metric("score"), graded, groups) == of_mean([0, 1, 1, 4], groups)
    highest = Metric("score", aggregate=lambda name, some: max(one.scores[name] for one in some))
    found = of_metric(highest, graded, groups, seed=1)
    assert found == bootstrap([0.0, 1.0, 1.0, 4.0], max, groups, seed=1)
    assert (found.value, found.hi) == (4.0, 4.0)


# ---- several tests --------------------------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None, 0.005]) == pytest.approx([0.03, 0.06, 0.06, None, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_its_steps_reject(ps: list[float]) -> None:
    """The definition: from the smallest on, p against alpha / (m - rank), until one is not below."""
    for alpha in (0.05, 0.3):
        rejected, order = set(), sorted(range(len(ps)), key=lambda i: ps[i])
        for rank, i in enumerate(order):
            if (len(ps) - rank) * ps[i] > alpha:
                break
            rejected.add(i)
        assert {i for i, p in enumerate(holm(ps)) if p is not None and p <= alpha} == rejected
