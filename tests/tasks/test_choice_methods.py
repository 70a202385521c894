"""Methods of choice, pairs and classification, each against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isclose, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data.verbs import Continuation
from presage.evaluate.calibration import questions
from presage.evaluate.runner import Runner
from presage.tasks.methods import classify
from presage.tasks.methods.choice import Choice
from presage.tasks.methods.classify import Acceptability, best_threshold, half, matthews
from presage.tasks.methods.harness import HarnessChoice
from presage.tasks.methods.letters import LetterSets, letter_sets
from presage.tasks.methods.multiple_true import MultipleTrue
from presage.tasks.methods.noted import F1, Bias, Gap
from presage.tasks.methods.pairs import Pairs
from presage.tasks.methods.partial import Partial, blank
from presage.tasks.methods.sway import Sway
from presage.tasks.task import Example, Graded, Method
from tests.toy_model import ToyModel

BLANK = Example(
    "b",
    "Al saw _ run.",
    ("Bo", "Cy"),
    1,
    fields={"before": "Al saw", "lead": " ", "rest": " run."},
)


def ask(
    method: Method,
    example: Example,
    rule: dict[tuple[str, str], float] | Callable[[str, str], float],
    context: str = "",
) -> tuple[Graded, list[Any]]:
    """What comes of an example, and what was asked; a rule that does not know a text is a failure."""
    model = ToyModel((lambda prompt, text: rule[prompt, text]) if isinstance(rule, dict) else rule)
    (exchange,) = Runner(model).run(method, [example], [context])
    return exchange.graded, model.asked


# ---- partial and full -----------------------------------------------------------------------------------------------


def test_partial_scores_the_rest_after_each_candidate() -> None:
    rule = {("Al saw Bo", " run."): -3.0, ("Al saw Cy", " run."): -2.0}
    graded, asked = ask(Partial(), BLANK, rule, "Al saw")
    assert asked == [Continuation("Al saw Bo", " run."), Continuation("Al saw Cy", " run.")]
    assert (graded.scores, graded.answer, graded.extra["picked"]) == ({"accuracy": 1.0}, "Cy", 1)


def test_full_scores_candidate_and_rest() -> None:
    rule = {("Al saw", " Bo run."): -4.0, ("Al saw", " Cy run."): -5.0}
    graded, _ = ask(Partial("full"), BLANK, rule, "Al saw")
    assert graded.scores == {"accuracy": 0.0}


def test_a_blank_that_begins_the_sentence_is_set_off_from_the_shots_and_from_nothing_else() -> None:
    first = Example("f", "_ ran.", ("Bo", "Cy"), 0, fields={"before": "", "lead": "", "rest": " ran."})
    assert blank().ask(first) == ""
    assert ask(Partial(), first, lambda p, t: -1.0)[1][0] == Continuation("Bo", " ran.")
    assert ask(Partial(), first, lambda p, t: -1.0, "A shot.")[1][0] == Continuation("A shot.\n\nBo", " ran.")


def test_where_nothing_follows_the_blank_the_candidate_is_scored() -> None:
    last = Example("l", "He saw _", ("Bo", "Cy"), 0, fields={"before": "He saw", "lead": " ", "rest": ""})
    graded, asked = ask(Partial(), last, {("He saw", " Bo"): -1.0, ("He saw", " Cy"): -2.0}, "He saw")
    assert graded.scores == {"accuracy": 1.0}
    assert [request.text for request in asked] == [" Bo", " Cy"]


# ---- pairs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("good", "bad", "score"), [(-4.0, -5.0, 1.0), (-5.0, -4.0, 0.0), (-4.0, -4.0, 0.5)])
def test_the_likelier_whole_sentence_counts_and_a_tie_one_half(good: float, bad: float, score: float) -> None:
    pair = Example("p", "q", ("Dogs bark.", "Dogs barks."), 0)
    graded, asked = ask(Pairs(), pair, {("", "Dogs bark."): good, ("", "Dogs barks."): bad})
    assert asked == [Continuation("", "Dogs bark."), Continuation("", "Dogs barks.")]
    assert graded.scores == {"accuracy": score}
    assert graded.answer == ("Dogs barks." if bad > good else "Dogs bark.")


def test_pairs_name_their_metric() -> None:
    method = Pairs("stereotype_preferred", "lower")
    assert [(metric.name, metric.better) for metric in method.metrics] == [("stereotype_preferred", "lower")]


# ---- several true ---------------------------------------------------------------------------------------------------


def test_mc2_is_the_share_of_probability_on_true_answers() -> None:
    example = Example("m", "q", ("no", "not", "yes"), 0, fields={"true": [0, 1]})
    rule = {("Q", " no"): log(0.02), ("Q", " not"): log(0.01), ("Q", " yes"): log(0.06)}
    graded, _ = ask(MultipleTrue(), example, rule, "Q")
    assert isclose(graded.scores["mc2"], 0.03 / 0.09)
    assert graded.answer == "yes"
    assert np.allclose(graded.extra["shares"], [2 / 9, 1 / 9, 6 / 9])
    rows = [{"task": "truthfulqa_mc2", "gold": 0, "group": "", "extra": graded.extra}]
    assert questions(rows) == {}  # with one right option of several, calibration would count the other wrong


def test_mc2_of_answers_too_unlikely_for_a_float_is_still_a_share() -> None:
    example = Example("m", "q", ("no", "yes"), 0, fields={"true": [0]})
    graded, _ = ask(MultipleTrue(), example, {("", " no"): -5000.0, ("", " yes"): -5000.0 - log(3)})
    assert isclose(graded.scores["mc2"], 0.75)


# ---- CoLA -----------------------------------------------------------------------------------------------------------


def test_matthews_by_hand() -> None:
    gold = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    called = np.array([1, 1, 0, 1, 0, 0], dtype=bool)
    assert isclose(matthews(gold, called), (2 * 2 - 1 * 1) / sqrt(3 * 3 * 3 * 3))
    assert matthews(gold, np.ones(6, dtype=bool)) == 0.0
    assert matthews(gold, gold) == 1.0
    assert matthews(gold, ~gold) == -1.0


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_does_better_than_the_best(rows: list[tuple[int, bool]]) -> None:
    values, gold = np.array([float(v) for v, _ in rows]), np.array([g for _, g in rows])
    found = best_threshold(values, gold)
    reached = matthews(gold, values >= found)
    tried = [matthews(gold, values >= value) for value in values]
    assert reached == pytest.approx(max(0.0, *tried))
    assert reached >= 0


def test_acceptability_is_the_mean_over_tokens_of_the_sentence_alone() -> None:
    example = Example("s", "He went.", ("unacceptable", "acceptable"), 1, fields={"sentence": "He went."})
    graded, asked = ask(Acceptability(), example, {("", "He went."): -16.0})
    assert asked == [Continuation("", "He went.")]
    assert graded.scores == {"matthews": -2.0, "area": -2.0}  # eight bytes are eight tokens
    assert graded.extra["acceptable"] is True


def _graded(rows: Sequence[tuple[float, bool, int]]) -> list[Graded]:
    return [Graded({"m": value}, "", {"acceptable": good, "half": side}) for value, good, side in rows]


def test_the_threshold_of_a_half_is_from_the_other_half() -> None:
    """Half 0 is parted at 0, half 1 at 10: each judged by the other's threshold is all but right nowhere."""
    first = [(-1.0, False, 0), (-2.0, False, 0), (0.0, True, 0), (1.0, True, 0)]
    second = [(8.0, False, 1), (9.0, False, 1), (10.0, True, 1), (11.0, True, 1)]
    # By threshold 10 all of the first are called bad (two wrong), by 0 all of the second good (two wrong).
    gold = np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=bool)
    called = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    assert classify.cross_fitted("m", _graded(first + second)) == pytest.approx(matthews(gold, called)) == 0.0
    alike = first + [(value, good, 1) for value, good, _ in first]
    assert classify.cross_fitted("m", _graded(alike)) == 1.0


def test_halves_without_both_kinds_call_all_acceptable() -> None:
    assert best_threshold(np.array([1.0, 2.0]), np.array([True, True])) == float("-inf")
    assert best_threshold(np.array([]), np.array([])) == float("-inf")
    assert classify.cross_fitted("m", _graded([(1.0, True, 0), (0.0, False, 0)])) == 0.0


def test_halves_are_by_id_and_about_as_large() -> None:
    sides = [half(f"in_domain_dev.tsv:{line}") for line in range(1, 528)]
    assert {0, 1} == set(sides)
    assert 0.4 < sum(sides) / len(sides) < 0.6


def test_the_area_counts_pairs_and_ties_one_half() -> None:
    graded = _graded([(1.0, True, 0), (3.0, True, 0), (1.0, False, 0), (2.0, False, 0)])
    assert classify.area("m", graded) == (0.5 + 0 + 1 + 1) / 4
    assert classify.area("m", graded[:2]) == 0.5


# ---- F1, gaps, bias -------------------------------------------------------------------------------------------------


def _all(method: Method, rows: Sequence[tuple[Example, int]]) -> dict[str, float]:
    """Every metric over examples of which the given option is picked."""
    graded = []
    for example, picked in rows:
        chosen = f" {example.options[picked]}"
        graded.append(ask(method, example, lambda p, t, chosen=chosen: 0.0 if t == chosen else -9.0)[0])
    return {metric.name: metric.aggregate(metric.name, graded) for metric in method.metrics}


def test_f1_of_the_positive_option() -> None:
    answers = [(1, 1), (1, 0), (0, 1), (0, 0), (1, 1)]
    rows = [(Example(str(i), "q", ("no", "yes"), gold), picked) for i, (gold, picked) in enumerate(answers)]
    assert _all(F1(Choice("sum")), rows) == {"accuracy": 0.6, "f1": pytest.approx(2 * 2 / (3 + 3))}
    assert _all(F1(Choice("sum")), rows[3:4]) == {"accuracy": 1.0, "f1": 0.0}


def test_a_gap_is_the_difference_of_two_accuracies() -> None:
    method = Gap(Choice("sum"), ("pro_a", "pro_b"), ("anti",), "pro_minus_anti")
    kinds = [("pro_a", 0), ("pro_b", 1), ("pro_a", 0), ("anti", 1), ("anti", 1), ("other", 0)]
    rows = [(Example(str(i), "q", ("x", "y"), 0, category=kind), picked) for i, (kind, picked) in enumerate(kinds)]
    found = _all(method, rows)
    assert found["pro_minus_anti"] == pytest.approx(2 / 3 - 0)
    assert found["accuracy"] == 0.5
    assert np.isnan(_all(method, rows[:3])["pro_minus_anti"])


def _bbq(tells: bool, picked: int, i: int) -> tuple[Example, int]:
    """Option 0 is biased, 1 is the other, 2 is unknown, which is right where the text does not tell; else 1 is."""
    fields = {"tells": tells, "unknown": 2, "biased": 0}
    return Example(str(i), "q", ("old", "young", "unknown"), 1 if tells else 2, fields=fields), picked


def test_bias_scores_as_published() -> None:
    ambiguous = [_bbq(False, picked, i) for i, picked in enumerate([0, 0, 0, 1, 2, 2, 2, 2])]
    clear = [_bbq(True, picked, 10 + i) for i, picked in enumerate([0, 1, 1, 1, 2])]
    found = _all(Bias(Choice("sum")), ambiguous + clear)
    assert found["accuracy_ambiguous"] == 0.5
    assert found["accuracy_disambiguated"] == 0.6
    assert found["bias_disambiguated"] == pytest.approx(2 * 1 / 4 - 1)
    assert found["bias_ambiguous"] == pytest.approx((1 - 0.5) * (2 * 3 / 4 - 1))
    assert found["accuracy"] == pytest.approx(7 / 13)


def test_without_an_answer_but_unknown_there_is_no_bias() -> None:
    found = _all(Bias(Choice("sum")), [_bbq(False, 2, 0), _bbq(True, 2, 1)])
    assert (found["bias_ambiguous"], found["bias_disambiguated"]) == (0.0, 0.0)


def test_methods_that_wrap_are_recorded_alike_in_every_process() -> None:
    for method in (F1(Choice()), Gap(Choice(), ("a",), ("b",), "gap"), Bias(Choice()), Pairs(), Sway(), Partial()):
        assert " at 0x" not in repr(method)


# ---- sway -----------------------------------------------------------------------------------------------------------


def test_sway_is_the_loss_of_log_odds() -> None:
    example = Example("o", "q", ("Yes", "No"), 1, fields={"other": "I doubt it. Is it?"})
    rule = {
        ("Is it?", " Yes"): -2.0,
        ("Is it?", " No"): -1.0,
        ("I doubt it. Is it?", " Yes"): -1.0,
        ("I doubt it. Is it?", " No"): -1.5,
    }
    graded, _ = ask(Sway(), example, rule, "Is it?")
    assert graded.scores == {"shift": 1.0 - -0.5, "held": 0.0}
    assert graded.answer == "Yes"


# ---- letters --------------------------------------------------------------------------------------------------------


def test_sets_of_letters_small_ones_first() -> None:
    assert letter_sets(3, several=True) == ("A", "B", "C", "AB", "AC", "BC", "ABC")
    assert letter_sets(4, several=False) == ("A", "B", "C", "D")
    assert len(letter_sets(4, several=True)) == 15


def test_the_likeliest_set_is_picked() -> None:
    sets = letter_sets(3, several=True)
    example = Example("s", "q", sets, sets.index("AC"))
    graded, asked = ask(LetterSets(), example, lambda p, t: -1.0 if t == " AC" else -2.0, "Answer:")
    assert (graded.scores["accuracy"], graded.answer) == (1.0, "AC")
    assert [request.text for request in asked] == [f" {letters}" for letters in sets]


# ---- as the harness counts ------------------------------------------------------------------------------------------


def test_acc_norm_is_by_characters_not_bytes() -> None:
    example = Example("h", "q", ("ééé", "abcd"), 0)
    graded, _ = ask(HarnessChoice(norm=True), example, {("Q", " ééé"): -6.0, ("Q", " abcd"): -7.0}, "Q")
    assert graded.scores == {"acc": 1.0, "acc_norm": 0.0}  # -2 and -1.75 a character; -1 and -1.75 a byte
    assert [metric.name for metric in HarnessChoice().metrics] == ["acc"]
