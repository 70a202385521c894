"""Reliability, ECE, Brier and selective accuracy: by hand, and of models that are calibrated, too sure or useless."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.evaluate.calibration import (
    CALIBRATION,
    SELECTIVE,
    Question,
    area,
    brier,
    brier_option,
    cross_fitted,
    ece,
    expected_ece,
    log_score,
    questions,
    reliability,
    rescaled,
    selective,
    tables,
    temperature,
)

HAND = [Question((0.7, 0.1, 0.1, 0.1), 0), Question((0.25, 0.25, 0.25, 0.25), 3), Question((0.05, 0.75, 0.1, 0.1), 2)]


def simulated(n: int = 2000, sharper: float = 1.0, seed: int = 0) -> list[Question]:
    """Answers drawn from Dirichlet probabilities; the model says them to a power: above 1 it is too sure."""
    chance = np.random.default_rng(seed)
    true = chance.dirichlet([0.7] * 4, size=n)
    gold = [int(chance.choice(4, p=p)) for p in true]
    said = true**sharper
    said /= said.sum(axis=1, keepdims=True)
    return [Question(tuple(p), g) for p, g in zip(said.tolist(), gold, strict=True)]


def row(task: str = "mmlu", **more: Any) -> dict[str, Any]:
    return {"task": task, "id": "1", "group": "", "gold": 0, "extra": {"probabilities": [0.7, 0.3]}} | more


# ---- by hand --------------------------------------------------------------------------------------------------------


def test_every_option_is_a_point() -> None:
    bins = reliability(HAND)
    assert [one.n for one in bins] == [1, 5, 4, 0, 0, 0, 0, 2, 0, 0]
    assert [one.fraction for one in bins if one.n] == [0, 1 / 5, 1 / 4, 1 / 2]
    assert [one.mean_probability for one in bins if one.n] == pytest.approx([0.05, 0.1, 0.25, 0.725])
    assert (bins[3].mean_probability, bins[3].fraction, bins[3].stderr) == (None, None, None)
    assert ece(bins) == pytest.approx((1 * 0.05 + 5 * 0.1 + 0 + 2 * 0.225) / 12)


def test_ends_of_bins_belong_to_the_upper_one_and_certainty_to_the_last() -> None:
    for p in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        place = [one.n for one in reliability([Question((p, 1 - p - 0.001, 0.001), 0)])].index(1, round(10 * p))
        assert place == round(10 * p), p
    assert [one.n for one in reliability([Question((1.0, 0.0), 0)])] == [1, *[0] * 8, 1]


def test_the_top_option_alone() -> None:
    bins = reliability(HAND, top=True)
    assert [(one.n, one.fraction) for one in bins if one.n] == [(1, 0), (2, 1 / 2)]
    assert ece(bins) == pytest.approx((0.25 + 2 * 0.225) / 3)


def test_proper_scores() -> None:
    assert brier(HAND[:1]).value == pytest.approx(0.3**2 + 3 * 0.1**2)
    assert brier(HAND[1:2]).value == pytest.approx(1 - 1 / 4)
    assert brier_option(HAND[:1]).value == pytest.approx((0.3**2 + 3 * 0.1**2) / 4)
    assert log_score(HAND).value == pytest.approx(-(math.log(0.7) + math.log(0.25) + math.log(0.1)) / 3)
    assert log_score([Question((0.0, 1.0), 0)]).value == pytest.approx(-math.log(1e-12))


def test_selective_accuracy() -> None:
    """Sure 0.75 and wrong, 0.7 and right, 0.25 and wrong."""
    found = [(one.n, one.threshold, one.accuracy) for one in selective(HAND)]
    assert found == [(1, 0.75, 0.0), (2, 0.7, 0.5), (3, 0.25, pytest.approx(1 / 3))]
    right_first = [Question((0.9, 0.1), 0), Question((0.6, 0.4), 1)]
    assert area(right_first) == pytest.approx((1 + math.log(2)) / 2)
    assert area(right_first[::-1]) == area(right_first)


def test_equal_probabilities_come_in_together() -> None:
    asked = [Question((0.6, 0.4), 0), Question((0.6, 0.4), 1), Question((0.6, 0.4), 0)]
    assert [(one.n, one.coverage) for one in selective(asked)] == [(3, 1.0)]
    assert area(asked) == pytest.approx(2 / 3)


# ---- properties -----------------------------------------------------------------------------------------------------

asked_questions = st.lists(
    st.tuples(st.lists(st.floats(0.01, 1), min_size=2, max_size=5), st.integers(0, 1)), min_size=1, max_size=25
).map(lambda rows: [Question(tuple(p / sum(ps) for p in ps), g) for ps, g in rows])


def naive_ece(asked: Sequence[Question]) -> float:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for one in asked:
        for place, p in enumerate(one.probabilities):
            number = next((k for k in range(9) if p < (k + 1) / 10), 9)
            bins.setdefault(number, []).append((p, place == one.gold))
    total = sum(map(len, bins.values()))
    return sum(
        len(some) / total * abs(plain.fmean(r for _, r in some) - plain.fmean(p for p, _ in some))
        for some in bins.values()
    )


@given(asked_questions)
def test_against_a_naive_twin(asked: list[Question]) -> None:
    assert ece(reliability(asked)) == pytest.approx(naive_ece(asked), abs=1e-12)
    assert sum(one.n for one in reliability(asked)) == sum(len(one.probabilities) for one in asked)
    assert 0 <= area(asked) <= 1
    assert selective(asked)[-1].coverage == 1


@given(asked_questions)
def test_temperature_never_worsens_the_log_score(asked: list[Question]) -> None:
    before, after = (log_score(some).value for some in (asked, rescaled(asked, temperature(asked))))
    assert before is not None and after is not None and after <= before + 1e-6
    assert area(rescaled(asked, 1.0)) == pytest.approx(area(asked))


@pytest.mark.parametrize(
    ("asked", "value", "bound"),
    [
        ([Question((0.9, 0.1), 1)] * 9 + [Question((0.6, 0.4), 0)], 100, "at least"),
        ([Question((0.9, 0.1), 0)] * 5, 0.01, "at most"),
        ([Question((0.25,) * 4, 2), Question((0.5, 0.5), 0)], None, "any"),
        ([Question((0.999999, 0.000001), 0)] * 6 + [Question((0.999999, 0.000001), 1)] * 5, None, None),
    ],
    ids=["of no use", "always right", "uniform", "beyond twenty"],
)
def test_a_temperature_at_an_end_of_the_range_says_so(
    asked: list[Question], value: float | None, bound: str | None
) -> None:
    """In the last, of two options at p: ln(p / (1 - p)) / T is that of six of eleven."""
    found = results(asked)["temperature"]
    assert found.get("bound") == bound
    expected = math.log(999999) / math.log(6 / 5) if bound is None else value
    assert found["value"] == (None if expected is None else pytest.approx(expected, rel=1e-6))


@given(asked_questions)
def test_no_other_temperature_of_a_grid_is_better(asked: list[Question]) -> None:
    best = log_score(rescaled(asked, temperature(asked))).value
    grid = [log_score(rescaled(asked, t)).value for t in np.geomspace(0.01, 100, 41)]
    assert best is not None and best <= min(one for one in grid if one is not None) + 1e-6


def test_no_question_has_a_part_in_the_temperature_it_is_measured_at() -> None:
    """Whole groups of opposite kinds: each half is at the temperature of the other, whatever its own would be."""
    sure = [Question((0.9, 0.1), 0, "right") for _ in range(20)]
    wrong = [Question((0.9, 0.1), 1, "wrong") for _ in range(20)]
    fitted = {one.group: one.probabilities[0] for one in cross_fitted([*sure, *wrong])}
    assert fitted["right"] == pytest.approx(0.5, abs=0.03), "fitted on what is always wrong: as flat as may be"
    assert fitted["wrong"] == pytest.approx(1.0, abs=1e-6), "fitted on what is always right: as sharp as may be"
    assert cross_fitted(sure) == []
    assert "ece_rescaled" not in results(sure)
    assert "ece_rescaled" in results([*sure, *wrong])


@given(asked_questions, st.integers(2, 3))
def test_copies_in_one_group_change_neither_value_nor_error(asked: list[Question], copies: int) -> None:
    grouped = [Question(q.probabilities, q.gold, f"g{i}") for i, q in enumerate(asked) for _ in range(copies)]
    for score in (brier, log_score):
        one, many = score(asked), score(grouped)
        assert [many.value, many.stderr] == pytest.approx([one.value, one.stderr], abs=1e-12)


# ---- models that are known ------------------------------------------------------------------------------------------


def results(asked: Sequence[Question]) -> dict[str, dict[str, Any]]:
    rows = [row(extra={"probabilities": list(q.probabilities)}, gold=q.gold, group=q.group) for q in asked]
    return {name.removeprefix("mmlu/"): entry for name, entry in tables(rows).results.items()}


def test_a_calibrated_model_has_the_ece_that_chance_gives() -> None:
    found = results(simulated())
    assert found["ece"]["value"] < 0.02
    assert abs(found["ece"]["value"] - found["ece_expected"]["value"]) < 0.006
    assert found["temperature"]["value"] == pytest.approx(1.0, abs=0.06)
    for one in reliability(simulated()):
        assert one.fraction_lo is not None and one.fraction_hi is not None and one.mean_probability is not None
        assert one.fraction_lo - 0.02 < one.mean_probability < one.fraction_hi + 0.02


def test_a_model_too_sure_is_found_out_and_temperature_brings_it_back() -> None:
    asked = simulated(sharper=2.5)
    found = results(asked)
    assert found["ece"]["value"] > 0.05 > 5 * found["ece_expected"]["value"] - 0.02
    assert found["ece"]["value"] > found["ece_expected"]["value"] + 5 * found["ece"]["stderr"]
    assert found["temperature"]["value"] == pytest.approx(2.5, rel=0.07)
    assert ece(reliability(rescaled(simulated(sharper=2.5, seed=1), found["temperature"]["value"]))) < 0.02
    assert found["ece_rescaled"]["value"] < 0.02 < found["ece"]["value"] - found["ece_rescaled"]["value"]
    assert found["log_score_rescaled"]["value"] < found["log_score"]["value"]
    top = reliability(asked, top=True)[-1]
    assert top.fraction is not None and top.mean_probability is not None and top.fraction < top.mean_probability - 0.05
    assert found["brier"]["value"] > results(simulated())["brier"]["value"]
    assert found["selective_area"]["value"] > plain.fmean(np.argmax(q.probabilities) == q.gold for q in asked) + 0.05


def test_errors_are_those_of_repetition() -> None:
    """The deviation over new draws of the same model, against the mean error that each draw states."""
    drawn = [results(simulated(n=120, sharper=2.5, seed=seed)) for seed in range(30)]
    for name in ("ece", "brier", "selective_area"):
        seen = plain.stdev(one[name]["value"] for one in drawn)
        assert plain.fmean(one[name]["stderr"] for one in drawn) == pytest.approx(seen, rel=0.4), name


def test_uniform_probabilities_expect_no_error_at_all_in_their_bin() -> None:
    """0.25 four times a question: one bin, one right in four, whatever is drawn."""
    asked = [Question((0.25,) * 4, i % 4) for i in range(20)]
    assert expected_ece(asked) == pytest.approx(0, abs=1e-12)
    assert ece(reliability(asked)) == pytest.approx(0, abs=1e-12)


# ---- tables ---------------------------------------------------------------------------------------------------------


def test_rows_without_probabilities_or_a_right_option_are_left_out() -> None:
    rows = [row(), row("free", extra={}), row("mc2", gold=None), {"task": "x", "gold": 1}]
    made = tables(rows)
    assert {one["task"] for one in made.calibration} == {"mmlu"}
    assert [list(one) for one in made.calibration[:1]] == [CALIBRATION]
    assert [list(one) for one in made.selective] == [SELECTIVE]
    assert len(made.calibration) == 10
    assert tables([]).results == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra": {"probabilities": [0.7, 0.7]}}, "sum to 1"),
        ({"extra": {"probabilities": [1.2, -0.2]}}, "from 0 to 1"),
        ({"extra": {"probabilities": ["0.5", "0.5"]}}, "not numbers"),
        ({"extra": {"probabilities": 1.0}}, "not numbers"),
        ({"gold": 2}, "'gold' is 2, no place among 2 options"),
        ({"gold": "A"}, "'gold' is 'A'"),
        ({"gold": -1}, "'gold' is -1"),
    ],
)
def test_what_is_no_probability_is_named_with_its_row(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=f"samples.jsonl:2: .*{said}"):
        questions([row(), row(**change)])
