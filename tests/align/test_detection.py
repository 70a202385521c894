"""Telling a model's texts from people's: accuracies by hand, the test beside SciPy's, planted studies."""

from __future__ import annotations

import random
import statistics as plain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.align.detection import Detection, Guess, Person, against, closest, detection, quizzes
from presage.core.errors import ConfigError, DataError


def answers(who: str, machine: str, given_ones: str) -> list[Guess]:
    """Answers of one person: m and h say who wrote each text, digits what was answered."""
    pairs = zip(machine, given_ones, strict=True)
    return [Guess(who, f"text {n}", by == "m", int(answer)) for n, (by, answer) in enumerate(pairs)]


def studied(*accuracies: float, texts: int = 20) -> Detection:
    """One person for each accuracy, all of them always sure."""
    right = [round(share * texts) for share in accuracies]
    people = (answers(f"{n:03}", "m" * texts, "5" * k + "1" * (texts - k)) for n, k in enumerate(right))
    return detection(guess for person in people for guess in person)


# ---- the study -------------------------------------------------------------------------------------------------------


def test_accuracies_by_hand() -> None:
    """Ada: 4 and 5 of a machine and 1 of a human are right, 2 of a machine is wrong, 3 does not count: 3 of 4. Ben: 1
    of a machine and 5 of a human are wrong: 0 of 2. Cyd never knew. Mean 0.375, deviation 0.5303, error 0.375; t of one
    degree is 12.706: ± 4.76, of which 0 to 1 is left."""
    found = detection([*answers("Ben", "mhh", "153"), *answers("Ada", "mmhmh", "45123"), *answers("Cyd", "mh", "33")])
    assert found.people == (Person("Ada", 3, 1, 1), Person("Ben", 0, 2, 1), Person("Cyd", 0, 0, 2))
    assert [one.accuracy for one in found.people] == [0.75, 0, None]
    assert (found.accuracy.value, found.accuracy.n) == (0.375, 2)
    assert found.accuracy.stderr == pytest.approx(0.375)
    assert (found.accuracy.lo, found.accuracy.hi) == (0, 1)
    assert found.unsure == 4 / 10


def test_the_interval_is_students_over_people() -> None:
    """Ten people, 0.5 to 0.95: mean 0.725, deviation 0.1514, error 0.0479, t of nine degrees 2.2622: ± 0.1083."""
    shares = [0.5 + n / 20 for n in range(10)]
    found = studied(*shares).accuracy
    half = 2.2622 * plain.stdev(shares) / 10**0.5
    assert found.value == pytest.approx(0.725)
    assert half == pytest.approx(0.1083, abs=1e-4)
    assert found.lo == pytest.approx(0.725 - half, abs=1e-5)
    assert found.hi == pytest.approx(0.725 + half, abs=1e-5)


def test_few_people_or_all_alike_have_no_interval() -> None:
    for found in (studied(0.7).accuracy, studied(0.7, 0.7, 0.7).accuracy):
        assert found.value == pytest.approx(0.7)
        assert (found.lo, found.hi) == (None, None)
    nobody = detection([])
    assert (nobody.people, nobody.accuracy.value, nobody.unsure, nobody.left_out) == ((), None, None, 0)


def test_people_can_be_left_out() -> None:
    given_ones = [*answers("Ada", "mh", "51"), *answers("Ben", "mh", "15")]
    found = detection(given_ones, excluded=["Ben", "Dan"])
    assert ([one.who for one in found.people], found.accuracy.value, found.left_out) == (["Ada"], 1, 1)


@pytest.mark.parametrize("answer", [0, 6, -1, 2.5, True, "4", None])
def test_an_answer_is_on_the_scale(answer: object) -> None:
    with pytest.raises(DataError, match=r"text by Ada: .* is not on the scale"):
        detection([Guess("Ada", "text", True, answer)])  # type: ignore[arg-type]


def test_nobody_reads_both_versions() -> None:
    with pytest.raises(DataError, match="text by Ada: asked twice"):
        detection([Guess("Ada", "text", True, 5), Guess("Ada", "text", False, 1)])
    assert len(detection([Guess("Ada", "text", True, 5), Guess("Ben", "text", False, 1)]).people) == 2


@given(st.lists(st.tuples(st.sampled_from("AB"), st.booleans(), st.integers(1, 5)), min_size=1, max_size=20))
def test_turning_the_scale_and_the_texts_changes_nothing(rows: list[tuple[str, bool, int]]) -> None:
    given_ones = [Guess(who, str(n), machine, answer) for n, (who, machine, answer) in enumerate(rows)]
    turned = [Guess(one.who, one.item, not one.machine, 6 - one.answer) for one in given_ones]
    assert detection(turned) == detection(given_ones)
    assert detection(reversed(given_ones)) == detection(given_ones)
    wrong = detection([Guess(one.who, one.item, not one.machine, one.answer) for one in given_ones])
    for there, back in zip(wrong.people, detection(given_ones).people, strict=True):
        assert (there.right, there.wrong, there.unsure) == (back.wrong, back.right, back.unsure)


@pytest.mark.parametrize("skill", [0.52, 0.86])
def test_intervals_hold_the_truth(skill: float) -> None:
    """Eighty people of about this skill and 25 texts each, as in the report. Of 100 intervals at least 88 hold it."""
    held = 0
    for seed in range(100):
        chance = random.Random(seed)
        own = [skill + chance.uniform(-0.1, 0.1) for _ in range(80)]
        found = studied(*(sum(chance.random() < one for _ in range(25)) / 25 for one in own), texts=25).accuracy
        assert found.lo is not None and found.hi is not None
        held += found.lo <= skill <= found.hi
    assert held >= 88


# ---- beside a control ------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 20), min_size=2, max_size=12), st.lists(st.integers(0, 20), min_size=2, max_size=12))
def test_the_test_is_scipys(x: list[int], y: list[int]) -> None:
    from scipy.stats import ttest_ind

    found = against(studied(*(n / 20 for n in x)), studied(*(n / 20 for n in y)))
    assert found.difference == pytest.approx(plain.mean(x) / 20 - plain.mean(y) / 20)
    assert found.df == len(x) + len(y) - 2
    if len(set(x)) == len(set(y)) == 1:
        assert (found.t, found.p, found.lo) == (None, None, None)
        return
    twin = ttest_ind([n / 20 for n in x], [n / 20 for n in y])
    assert found.t == pytest.approx(twin.statistic, rel=1e-6, abs=1e-9)
    assert found.p == pytest.approx(twin.pvalue, rel=1e-6, abs=1e-12)
    interval = twin.confidence_interval()
    assert found.lo == pytest.approx(interval.low, abs=1e-9)
    assert found.hi == pytest.approx(interval.high, abs=1e-9)


def test_too_few_people_are_not_compared() -> None:
    found = against(studied(0.9), studied(0.5, 0.6))
    assert found.difference == pytest.approx(0.35)
    assert (found.t, found.p, found.lo, found.df) == (None, None, None, 1)
    nothing = against(detection([]), studied(0.5, 0.6))
    assert (nothing.difference, nothing.df) == (None, 0)


def test_a_bad_model_is_told_from_a_good_one() -> None:
    chance = random.Random(0)
    control = studied(*(sum(chance.random() < 0.86 for _ in range(25)) / 25 for _ in range(80)), texts=25)
    model = studied(*(sum(chance.random() < 0.52 for _ in range(25)) / 25 for _ in range(80)), texts=25)
    found = against(control, model)
    assert found.p is not None and found.p < 1e-20
    assert found.lo is not None and found.hi is not None
    assert found.lo < 0.34 < found.hi
    same = against(model, model)
    assert (same.difference, same.t, same.p) == (0, 0, 1)


# ---- its making ------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=3), unique=True, max_size=25), st.integers(0, 9))
def test_two_quizzes_are_each_others_opposites(items: list[str], seed: int) -> None:
    first, second = quizzes(items, seed)
    assert list(first) == list(second)
    assert sorted(first) == sorted(items)
    assert all(first[item] != second[item] for item in items)
    assert sum(first.values()) == len(items) // 2
    assert quizzes(items, seed) == (first, second)


def test_an_item_is_in_a_quiz_once() -> None:
    with pytest.raises(ConfigError, match="there twice"):
        quizzes(["a", "a"])


def test_the_output_of_nearest_length_is_shown() -> None:
    assert closest(["one two three four five", "one", "one two three"], "a b c d") == 0
    assert closest(["one", "one two three"], "a b c d") == 1
    with pytest.raises(DataError, match="no outputs"):
        closest([], "a")
