"""Agreement of raters: published examples worked by hand, twins in plain Python, and what must hold of any ratings."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.align.agreement import (
    Level,
    Rating,
    Weights,
    alpha,
    alpha_estimate,
    comparisons,
    kappa,
    kappa_estimate,
    kappas,
    pairwise,
)
from presage.align.records import Preference
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Message

Table = list[tuple[int | None, ...]]
LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")


def columns(*raters: str) -> Table:
    """Ratings [items][raters] of one line a rater; a dot where there is none."""
    return [
        tuple(None if one == "." else int(one) for one in item) for item in zip(*map(str.split, raters), strict=True)
    ]


# Krippendorff 2011, section C: four observers, twelve units, values missing.
OBSERVERS = columns(
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)

# ---- published examples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_four_observers(level: Level, published: float) -> None:
    """Of 40 ratings that can be paired 9, 13, 10, 5, 3 are 1 to 5; the matrix of coincidences has 7, 10, 8, 4, 3 on its
    diagonal, 32 in all. Nominal: 1 − (40 − 32) · 39 / (40² − 9² − 13² − 10² − 5² − 3²) = 1 − 312 / 1216 = 0.743."""
    found = alpha(OBSERVERS, level)
    assert found == pytest.approx(published, abs=5e-4)
    if level == "nominal":
        assert found == pytest.approx(1 - 312 / 1216)


def test_krippendorffs_two_observers_of_two_values() -> None:
    """Krippendorff 2011, section A: ten units, each counted twice: 14 zeros and 6 ones; one falls on another's zero in
    four units, so four coincidences: 1 − (20 − 1) · 4 / (14 · 6) = 8 / 84 = 0.095."""
    found = alpha(columns("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"))
    assert found == pytest.approx(8 / 84)
    assert found == pytest.approx(0.095, abs=5e-4)


def test_krippendorffs_two_observers_of_five_names() -> None:
    """Section B: twelve units, nine of which agree: 18 of 24 coincidences. a, b, c, d, e are given 4, 6, 6, 6, 2 times:
    1 − 23 · (24 − 18) / (24² − 4² − 6² − 6² − 6² − 2²) = 1 − 138 / 448 = 0.692."""
    found = alpha(list(zip("aabbdcccedda", "babbbccceddd", strict=True)))
    assert found == pytest.approx(1 - 138 / 448)
    assert found == pytest.approx(0.692, abs=5e-4)


def pairs_of(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """The ratings of two whose joint table this is."""
    cells = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in cells], [j for _, j in cells]


def test_kappa_of_a_textbook_table() -> None:
    """Fifty proposals; both yes 20, both no 15, one yes 5 and 10: seen 35 / 50 = 0.7. One says yes to 25 of 50, the
    other to 30: expected 0.5 · 0.6 + 0.5 · 0.4 = 0.5. (0.7 − 0.5) / (1 − 0.5) = 0.4."""
    assert kappa(*pairs_of([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_kappa_tells_tables_of_one_agreement_apart() -> None:
    """60 of 100 agreed in both. Margins 60, 40 and 70, 30: expected 0.54, kappa 0.06 / 0.46 = 0.1304. Margins 60, 40
    and 30, 70: expected 0.46, kappa 0.14 / 0.54 = 0.2593."""
    assert kappa(*pairs_of([[45, 15], [25, 15]])) == pytest.approx(0.06 / 0.46)
    assert kappa(*pairs_of([[25, 35], [5, 35]])) == pytest.approx(0.14 / 0.54)


def test_quadratic_kappa_by_hand() -> None:
    """Ratings (0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2): squares 0, 0, 0, 1, 1, 4, their mean 1. Margins 3, 2, 1
    and 1, 2, 3 of 6: expected (3·2·1 + 3·3·4 + 2·1·1 + 2·3·1 + 1·1·4 + 1·2·1) / 36 = 56 / 36. 1 − 36 / 56."""
    found = kappa([0, 1, 2, 0, 1, 0], [0, 1, 2, 1, 2, 2], "quadratic")
    assert found == pytest.approx(1 - 36 / 56)


# ---- twins -----------------------------------------------------------------------------------------------------------

RATINGS = st.integers(2, 4).flatmap(
    lambda raters: st.lists(
        st.tuples(*[st.one_of(st.none(), st.integers(1, 5)) for _ in range(raters)]), min_size=1, max_size=12
    )
)


def distance(level: Level, a: int, b: int, pool: list[int]) -> float:
    """Between two ratings, counting those between them one by one."""
    if level == "nominal":
        return float(a != b)
    if level == "interval":
        return float((a - b) ** 2)
    low, high = min(a, b), max(a, b)
    between = sum(low <= one <= high for one in pool) - (pool.count(low) + pool.count(high)) / 2
    return 0.0 if a == b else between**2


def alpha_twin(ratings: Table, level: Level) -> float | None:
    """By its definition: mean distance within units, each unit's pairs over its raters less one, and of all pairs."""
    units = [[one for one in unit if one is not None] for unit in ratings]
    units = [unit for unit in units if len(unit) > 1]
    pool = [one for unit in units for one in unit]
    if not pool:
        return None
    seen = sum(distance(level, a, b, pool) / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2)) / len(
        pool
    )
    expected = sum(distance(level, a, b, pool) for a, b in permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    return None if expected == 0 else 1 - seen / expected


@given(RATINGS, st.sampled_from(LEVELS))
def test_alpha_is_its_twin(ratings: Table, level: Level) -> None:
    assert alpha(ratings, level) == (None if (twin := alpha_twin(ratings, level)) is None else pytest.approx(twin))


def kappa_twin(a: list[int], b: list[int], weights: Weights) -> float | None:
    """Mean weight of the pairs there are, and of every rating of one with every rating of the other."""

    def apart(x: int, y: int) -> float:
        return float((x - y) ** 2) if weights == "quadratic" else float(x != y)

    seen = sum(map(apart, a, b)) / len(a)
    expected = sum(apart(x, y) for x in a for y in b) / len(a) ** 2
    return None if expected == 0 else 1 - seen / expected


@given(st.lists(st.tuples(st.integers(-3, 9), st.integers(-3, 9)), min_size=1, max_size=15))
def test_kappa_is_its_twin(both: list[tuple[int, int]]) -> None:
    a, b = [x for x, _ in both], [y for _, y in both]
    weights: tuple[Weights, ...] = ("nominal", "quadratic")
    for one in weights:
        twin = kappa_twin(a, b, one)
        assert kappa(a, b, one) == (None if twin is None else pytest.approx(twin, abs=1e-9))


@given(RATINGS)
def test_plain_agreement_is_its_twin(ratings: Table) -> None:
    found = [a == b for unit in ratings for a, b in combinations([one for one in unit if one is not None], 2)]
    assert pairwise(ratings).value == (pytest.approx(sum(found) / len(found)) if found else None)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=12))
def test_alpha_of_two_is_scotts_pi_corrected(both: list[tuple[int, int]]) -> None:
    """Krippendorff: for two raters of names alpha is pi (Scott 1955) but for (1 − pi) over the number of ratings."""
    pool = Counter(one for pair in both for one in pair)
    expected = sum((n / (2 * len(both))) ** 2 for n in pool.values())
    found = alpha(both)
    if expected == 1:
        assert found is None
    else:
        pi = (sum(a == b for a, b in both) / len(both) - expected) / (1 - expected)
        assert found == pytest.approx(pi + (1 - pi) / (2 * len(both)), abs=1e-9)


# ---- what must hold --------------------------------------------------------------------------------------------------


@given(RATINGS, st.randoms(use_true_random=False), st.sampled_from(LEVELS))
def test_the_order_of_raters_changes_nothing(ratings: Table, chance: random.Random, level: Level) -> None:
    order = chance.sample(range(len(ratings[0])), len(ratings[0]))
    other = [tuple(unit[place] for place in order) for unit in ratings]
    assert alpha(other, level) == alpha(ratings, level)
    here, there = pairwise(ratings), pairwise(other)
    assert (here.value, here.n, here.groups) == (there.value, there.n, there.groups)
    assert here.stderr == there.stderr or here.stderr == pytest.approx(there.stderr)
    a, b = [unit[0] for unit in ratings], [unit[1] for unit in ratings]
    forth, back = kappa(a, b), kappa(b, a)
    assert forth == back or forth == pytest.approx(back)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=12).filter(lambda found: len(set(found)) > 1))
def test_perfect_agreement_is_one(truth: list[int]) -> None:
    ratings = [(one, one, one) for one in truth]
    assert [alpha(ratings, level) for level in LEVELS] == [1, 1, 1]
    assert set(kappas(ratings).values()) == {1}
    assert kappa(truth, truth, "quadratic") == 1
    assert pairwise(ratings).value == 1


@given(st.dictionaries(st.integers(1, 5), st.integers(-99, 99), min_size=5).filter(lambda d: len(set(d.values())) == 5))
def test_names_do_not_matter_where_they_are_names(names: dict[int, int]) -> None:
    renamed = [tuple(one and names[one] for one in unit) for unit in OBSERVERS]
    assert alpha(renamed) == pytest.approx(alpha(OBSERVERS))


@given(st.floats(0.5, 9), st.floats(-5, 5))
def test_the_scale_does_not_matter(scale: float, shift: float) -> None:
    moved = [tuple(None if one is None else scale * one + shift for one in unit) for unit in OBSERVERS]
    assert alpha(moved, "interval") == pytest.approx(alpha(OBSERVERS, "interval"))
    assert alpha(moved, "ordinal") == pytest.approx(alpha(OBSERVERS, "ordinal"))


@pytest.mark.parametrize("seed", range(5))
def test_labels_drawn_alone_agree_by_chance(seed: int) -> None:
    """The error of alpha is about 0.02 here: three raters, a thousand items, three values."""
    chance = random.Random(seed)
    ratings = [tuple(chance.choice([1, 1, 2, 3]) for _ in range(3)) for _ in range(1000)]
    assert all(abs(found) < 0.06 for level in LEVELS if (found := alpha(ratings, level)) is not None)
    assert all(found is not None and abs(found) < 0.1 for found in kappas(ratings).values())
    estimate = alpha_estimate(ratings, draws=200)
    assert estimate.lo is not None and estimate.hi is not None
    assert estimate.lo - 0.02 < 0 < estimate.hi + 0.02


def test_those_who_saw_nothing_in_common_are_not_measured() -> None:
    apart: Table = [(1, None), (None, 2), (2, None)]
    assert (alpha(apart), kappa([1, None], [None, 2]), pairwise(apart).value) == (None, None, None)
    assert alpha_estimate(apart).value is None
    assert alpha([]) is None


def test_where_nobody_could_disagree_nothing_is_measured() -> None:
    same = [(3, 3)] * 5
    assert [alpha(same, level) for level in LEVELS] == [None, None, None]
    assert kappa([3] * 5, [3] * 5) is None
    assert (alpha_estimate(same).value, alpha_estimate(same).lo) == (None, None)
    assert kappa_estimate([3] * 5, [3] * 5).value is None


def test_what_is_no_number_has_no_distance() -> None:
    for bad in ("a", float("nan"), float("inf"), 10**400):
        ratings: list[tuple[Rating, Rating]] = [(1, 2), (bad, 1)]
        with pytest.raises(DataError, match="no number"):
            alpha(ratings, "interval")
        with pytest.raises(DataError, match="no number"):
            kappa([1, bad], [1, 2], "quadratic")
    with pytest.raises(ConfigError, match="no level 'ratio'"):
        alpha([(1, 2)], "ratio")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zip"):
        kappa([1], [1, 2])


# ---- intervals -------------------------------------------------------------------------------------------------------


def noisy(chance: random.Random, items: int) -> list[tuple[int, int]]:
    """Two who each see which of two is true four times in five."""

    def seen(truth: int) -> int:
        return truth if chance.random() < 0.8 else 1 - truth

    return [(seen(truth), seen(truth)) for truth in (chance.randrange(2) for _ in range(items))]


def test_intervals_hold_the_truth() -> None:
    """Two agree in 0.8² + 0.2² = 0.68 of items, by chance in half: kappa and alpha are 0.36. Of 100 intervals of 95 %
    at least 88 hold it (three deviations of 2.2 below)."""
    held, shares = 0, 0
    for seed in range(100):
        ratings = noisy(random.Random(seed), 150)
        found, plain = alpha_estimate(ratings, draws=200, seed=seed), pairwise(ratings)
        assert found.lo is not None and found.hi is not None and plain.lo is not None and plain.hi is not None
        held += found.lo <= 0.36 <= found.hi
        shares += plain.lo <= 0.68 <= plain.hi
    assert held >= 88
    assert shares >= 88


def test_the_error_of_plain_agreement_is_instructgpts_form() -> None:
    """72.6 ± 1.5 % is what a share of about 884 independent pairs has: sqrt(0.726 · 0.274 / 884) = 0.015."""
    found = pairwise([(1, 1)] * 642 + [(1, 2)] * 242)
    assert found.value == pytest.approx(0.726, abs=5e-4)
    assert found.stderr == pytest.approx(0.015, abs=5e-5)


def test_items_of_one_prompt_are_no_more_than_one() -> None:
    once = [(1, 1)] * 30 + [(1, 2)] * 10
    often = [unit for unit in once for _ in range(6)]
    prompts = [n for n in range(40) for _ in range(6)]
    assert pairwise(often, prompts).stderr == pytest.approx(pairwise(once).stderr)
    apart, together = pairwise(often).stderr, pairwise(often, prompts).stderr
    assert apart is not None and together is not None
    assert together / apart == pytest.approx(math.sqrt(6), rel=0.02)
    wide, narrow = alpha_estimate(often, groups=prompts), alpha_estimate(often)
    assert wide.value == narrow.value
    assert wide.stderr is not None and narrow.stderr is not None
    assert wide.stderr > 2 * narrow.stderr
    assert (wide.groups, narrow.groups) == (40, 240)


def test_an_item_without_a_group_stands_alone_with_all_its_pairs() -> None:
    ratings = [(1, 1, 1), (1, 2, 1), (2, 2, 2)]
    assert pairwise(ratings, ["", "", ""]) == pairwise(ratings)
    assert pairwise(ratings).groups == 3
    assert pairwise(ratings).n == 9


def test_estimates_are_the_same_again() -> None:
    assert alpha_estimate(OBSERVERS) == alpha_estimate(OBSERVERS)
    assert alpha_estimate(OBSERVERS).value == alpha(OBSERVERS)
    assert alpha_estimate(OBSERVERS).n == 11, "the twelfth unit has one rating"
    a, b = [unit[0] for unit in OBSERVERS], [unit[1] for unit in OBSERVERS]
    assert kappa_estimate(a, b).value == kappa(a, b)
    assert kappa_estimate(a, b).n == 9


# ---- of rankings -----------------------------------------------------------------------------------------------------


def ranked(id: str, who: str, *ranks: int) -> Preference:
    return Preference((Message("user", id),), tuple("abcdef"[: len(ranks)]), ranks, id=id, who=who)


def test_rankings_are_comparisons_of_two() -> None:
    found = comparisons([ranked("x", "Ben", 2, 1, 1), ranked("x", "Ada", 1, 2, 3), ranked("y", "Cyd", 1, 2)])
    assert found.raters == ("Ada", "Ben", "Cyd")
    assert found.groups == ("x", "x", "x", "y")
    assert found.ratings == (
        ("first", "second", None),
        ("first", "second", None),
        ("first", "tie", None),
        (None, None, "first"),
    )
    assert pairwise(found.ratings, found.groups).value == 0
    loose = comparisons([ranked("x", "Ben", 2, 1, 1), ranked("x", "Ada", 1, 2, 3)], ties=False)
    assert loose.ratings[2] == ("first", None)
    assert pairwise(loose.ratings, loose.groups).n == 2


def test_agreement_needs_names_and_ids() -> None:
    for one in (ranked("", "Ada", 1, 2), ranked("x", "", 1, 2)):
        with pytest.raises(DataError, match="an id and who labelled them"):
            comparisons([one])
