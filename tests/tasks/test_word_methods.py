"""Last words, perplexity, programs, microcode, new words and probes, against values computed by hand."""

from __future__ import annotations

import itertools
import math
import random
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.microcode import problems
from presage.data.verbs import Completion, Continuation
from presage.tasks.library import find
from presage.tasks.methods import last_word
from presage.tasks.methods.last_word import LastContentWord, LastWord, proposals
from presage.tasks.methods.microcode import Microcode, example_of, problem_of
from presage.tasks.methods.novel_words import NovelWord, uses
from presage.tasks.methods.perplexity import Perplexity, bits_per_byte, byte_perplexity, word_perplexity
from presage.tasks.methods.probes import Favoured, Gendered, leaning, words_of
from presage.tasks.methods.program import STOPS, Program, count
from presage.tasks.methods.stop_words import STOP_WORDS
from presage.tasks.task import Example, Graded
from tests.tasks.asking import Sandboxed, ScoredModel, TokenModel, examine, examine_all, writes
from tests.toy_model import ToyModel

# ---- LAMBADA ---------------------------------------------------------------------------------------------------------


def _pieces(text: str) -> list[str]:
    """Blanks with words, but "signs" is read as " sig" and "ns", and "signature" in three."""
    return re.findall(r" ?sig(?=ns|nat)|nat(?=ure)|ns|ure| ?\w+|\W", text)


@pytest.mark.parametrize(
    ("word", "wrong", "accuracy", "last"),
    [
        ("dog", set(), 1.0, 1.0),
        ("dog", {" dog"}, 0.0, 0.0),
        ("signs", set(), 1.0, 1.0),
        ("signs", {" sig"}, 0.0, 1.0),
        ("signs", {"ns"}, 0.0, 0.0),
        ("signature", {"nat"}, 0.0, 1.0),
        ("signature", {" sig", "ure"}, 0.0, 0.0),
    ],
)
def test_the_last_token_is_found_by_the_chain_rule(word: str, wrong: set[str], accuracy: float, last: float) -> None:
    costs = {" dog": -1.0, " sig": -2.0, "ns": -3.5, "nat": -0.25, "ure": -4.0}
    model = TokenModel(
        logprob=lambda prompt, token: costs.get(token, -7.0), split=_pieces, greedy=lambda token: token not in wrong
    )
    graded = examine(LastWord(), Example("1", "x", targets=(word,)), "I saw a", model)
    assert graded.scores["accuracy"] == accuracy
    assert graded.scores["last_token_accuracy"] == last
    assert graded.scores["perplexity"] == pytest.approx(-sum(costs[token] for token in _pieces(f" {word}")))
    assert not graded.extra["last_token_unknown"]


def test_where_no_place_fits_the_last_token_is_unknown_and_wrong() -> None:
    model = TokenModel(
        logprob=lambda prompt, token: -1.0, split=lambda text: list(text) * 2, greedy=lambda token: False
    )
    graded = examine(LastWord(), Example("1", "x", targets=("dog",)), "a", model)
    assert graded.extra["last_token_unknown"]
    assert graded.scores["last_token_accuracy"] == 0.0


def test_a_word_read_right_needs_one_request() -> None:
    model = TokenModel(split=_pieces)
    examine(LastWord(), Example("1", "x", targets=("signs",)), "a", model)
    assert model.asked == [Continuation("a", " signs")]


def test_perplexity_is_of_words() -> None:
    graded = [Graded({"perplexity": nats}) for nats in (1.0, 2.0, 6.0)]
    assert last_word.perplexity("perplexity", graded) == pytest.approx(math.exp(3.0))


def test_the_filter_answers_with_the_likeliest_word_that_is_no_stop_word() -> None:
    written = [" the", " dog.", " cat ran", ' "Dog," she', " them and", " do"]
    model = ToyModel(
        logprob=lambda prompt, text: {" dog": -2.0, " cat": -1.0, " Dog": -9.0}[text],
        write=lambda prompt, sample: written[sample],
    )
    graded = examine(LastContentWord(samples=6), Example("1", "x", targets=("dog",)), "a", model)
    assert graded.answer == "cat"
    assert graded.scores == {"accuracy": 0.0, "proposed": 1.0}
    assert list(graded.extra["candidates"]) == ["cat", "dog", "Dog"]


def test_words_without_an_end_and_stop_words_are_not_proposed() -> None:
    assert proposals([" unfinish", " the dog", "!! dog.", " dog.", " don’t know", ""]) == ["dog"]
    assert {"the", "she", "don't", "very"} <= STOP_WORDS
    assert not {"dog", "man", "said", "door"} & STOP_WORDS


def test_nothing_proposed_is_invalid() -> None:
    graded = examine(LastContentWord(), Example("1", "x", targets=("dog",)), "a", writes(" the end"))
    assert graded.scores["accuracy"] == 0.0
    assert graded.extra["invalid"]


# ---- perplexity ------------------------------------------------------------------------------------------------------


def test_perplexity_is_over_the_originals_units_of_all_documents() -> None:
    texts = {"aaaa": (2, 10), "bb": (1, 3)}
    examples = [Example(text, text, fields={"words": w, "bytes": b}) for text, (w, b) in texts.items()]
    model = ToyModel(logprob=lambda prompt, text: {"aaaa": -3.0, "bb": -6.0}[text])
    graded = examine_all(Perplexity(), examples, model)
    assert model.asked == ["aaaa", "bb"]
    assert word_perplexity("", graded) == pytest.approx(math.exp(9 / 3))
    assert byte_perplexity("", graded) == pytest.approx(math.exp(9 / 13))
    assert bits_per_byte("", graded) == pytest.approx(9 / 13 / math.log(2))
    assert graded[1].scores["word_perplexity"] == pytest.approx(math.exp(6.0))


# ---- programs --------------------------------------------------------------------------------------------------------

_PROBLEM = Example("T/0", "def f():\n", fields={"prompt": "def f():\n", "entry": "f", "test": "check(f)", "setup": "s"})


def test_programs_are_executed_and_counted_without_bias() -> None:
    written = ["    return 1\ndef g(): pass", "    return 2", "    return 1", "    return 3"] * 50
    model = ToyModel(write=lambda prompt, sample: written[sample])
    sandbox = Sandboxed(lambda source: source == "def f():\n    return 2")
    method = Program(200, (1, 10, 100))
    graded = examine(replace(method), _PROBLEM, _PROBLEM.question, model, sandbox=sandbox)
    first = sandbox.asked[0]
    assert (first.id, first.source, first.entry, first.test) == ("T/0#0", "def f():\n    return 1", "f", "check(f)")
    assert (first.timeout_s, first.setup) == (3.0, "s")
    assert graded.scores["pass@1"] == pytest.approx(50 / 200)
    assert graded.scores["pass@10"] == pytest.approx(1 - math.comb(150, 10) / math.comb(200, 10))
    assert graded.scores["pass@100"] == pytest.approx(1 - math.comb(150, 100) / math.comb(200, 100))


def test_pass_at_k_oracles_of_the_paper() -> None:
    for n, c, k, value in ((200, 1, 1, 0.005), (200, 10, 10, 0.40855), (10, 3, 5, 0.91667)):
        sandbox = Sandboxed(lambda source: source.endswith("right"))
        model = ToyModel(write=lambda prompt, sample, c=c: "right" if sample < c else "wrong")  # type: ignore[misc]
        graded = examine(Program(n, (k,)), _PROBLEM, "", model, sandbox=sandbox)
        assert graded.scores[f"pass@{k}"] == pytest.approx(value, abs=5e-6)


def test_mean_and_sum_of_log_probabilities_choose_differently() -> None:
    scores = {"long": (-10.0, 20), "short": (-4.0, 2), "other": (-9.0, 3)}
    names = list(scores)
    model = ScoredModel(write=lambda prompt, sample: names[sample], score=lambda text: scores[text])
    graded = examine(Program(3), _PROBLEM, "", model, sandbox=Sandboxed(lambda source: source.endswith("long")))
    assert graded.scores["pass_mean_logprob"] == 1.0
    assert graded.scores["pass_sum_logprob"] == 0.0
    assert graded.scores["pass_random"] == pytest.approx(1 / 3)
    assert graded.answer == "long"
    blind = ScoredModel(write=lambda prompt, sample: names[sample], score=lambda text: (None, None))
    graded = examine(Program(3), _PROBLEM, "", blind, sandbox=Sandboxed(lambda source: source.endswith("short")))
    assert graded.extra["unranked"]
    assert graded.answer == "long"
    for rule in ("pass_mean_logprob", "pass_sum_logprob", "pass_random"):
        assert graded.scores[rule] == pytest.approx(1 / 3), "nothing to choose by: any of the three"


Sampled = tuple[float | None, int, bool]


def chosen(*samples: Sampled) -> tuple[float, float, float]:
    """pass_mean_logprob, pass_sum_logprob and pass_random of samples (log-probability, tokens, passed)."""
    written = [Completion(str(n), logprob, tokens, "stop") for n, (logprob, tokens, _) in enumerate(samples)]
    scores = count(written, [passed for _, _, passed in samples], (1,)).scores
    assert scores["pass@1"] == pytest.approx(scores["pass_random"])
    return scores["pass_mean_logprob"], scores["pass_sum_logprob"], scores["pass_random"]


def test_the_three_ways_to_choose() -> None:
    short_wrong, long_right, worst_right = (-4.0, 2, False), (-10.0, 20, True), (-90.0, 20, True)
    assert chosen(short_wrong, long_right) == (1.0, 0.0, 1 / 2)
    assert chosen(short_wrong, long_right, worst_right) == (1.0, 0.0, 2 / 3)


def test_among_samples_that_tie_one_is_drawn_in_expectation() -> None:
    same: list[Sampled] = [(-1.0, 1, True), (-1.0, 1, False), (-2.0, 2, False), (-8.0, 2, True)]
    for order in itertools.permutations(same):
        assert chosen(*order)[:2] == (pytest.approx(1 / 3), 0.5)


@given(st.lists(st.tuples(st.sampled_from((-4.0, -2.0, -1.0)), st.integers(1, 4), st.booleans()), min_size=2))
def test_choosing_against_a_naive_twin(samples: list[Sampled]) -> None:
    means = [Fraction(logprob or 0.0) / tokens for logprob, tokens, _ in samples]
    sums = [Fraction(logprob or 0.0) for logprob, _, _ in samples]
    for scores, found in zip((means, sums), chosen(*samples), strict=False):
        ties = [passed for score, (_, _, passed) in zip(scores, samples, strict=True) if score == max(scores)]
        assert found == pytest.approx(sum(ties) / len(ties))


def test_the_mean_finds_what_the_sum_cannot() -> None:
    """Where right programs are long and likely per token, as Codex found: the mean beats chance, the sum is below."""
    chance = random.Random(0)

    def draw() -> Sampled:
        passed = chance.random() < 0.4
        tokens = chance.randint(40, 80) if passed else chance.randint(10, 60)
        return tokens * (chance.gauss(-0.3, 0.1) - (0 if passed else 0.1)), tokens, passed

    problems = [chosen(*(draw() for _ in range(20))) for _ in range(200)]
    mean, total, at_random = (sum(column) / 200 for column in zip(*problems, strict=True))
    assert mean > at_random > total


@pytest.mark.parametrize("bad", [None, math.nan, -math.inf, math.inf])
def test_a_sample_without_a_number_leaves_nothing_to_choose_by(bad: float | None) -> None:
    assert chosen((-1.0, 1, True), (bad, 1, False)) == (0.5, 0.5, 0.5)


def test_the_five_stops_and_one_temperature() -> None:
    assert STOPS == ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
    for method in (Program, Microcode):
        with pytest.raises(ConfigError, match="pass@10 of 5 samples"):
            method(5, (1, 10))


def test_without_a_sandbox_programs_are_refused() -> None:
    with pytest.raises(ConfigError, match="no sandbox"):
        examine(Program(), _PROBLEM, "", writes("pass"))


def test_microcode_is_graded_by_our_interpreter() -> None:
    problem = problems(3, 7)[4]
    example = example_of(problem)
    assert problem_of(example.fields) == problem
    good = f" {problem.solution}\ndef other(): pass"
    model = ToyModel(write=lambda prompt, sample: good if sample % 4 == 0 else " return [[]]")
    graded = examine(Microcode(8, (1, 4)), example, problem.prompt[:-1], model)
    assert graded.scores["pass@1"] == pytest.approx(2 / 8)
    assert graded.scores["pass@4"] == pytest.approx(1 - math.comb(6, 4) / math.comb(8, 4))


# ---- new words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "sentence", "used"),
    [
        ("mollock", "We all had a bowl of mollock.", True),
        ("brindlet", "The brindlets went out one by one.", True),
        ("fomper", "He was fompering along the platform.", True),
        ("tarvane", "A cold wind blew over the hills.", False),
        ("quisp", "Quisp!", False),
        ("jolloch", "The jollochology of it all is dull.", False),
    ],
)
def test_a_word_is_used_where_a_form_of_it_stands(word: str, sentence: str, used: bool) -> None:
    assert uses(word, sentence) is used


@pytest.mark.parametrize(
    ("verdict", "right", "invalid"), [("Yes.", 1.0, False), ("no", 0.0, False), ("Perhaps", 0.0, True)]
)
def test_a_judge_says_yes_or_no(verdict: str, right: float, invalid: bool) -> None:
    example = Example("mollock", "x", targets=("mollock",))
    judge = writes(verdict)
    graded = examine(NovelWord(judged=True), example, "x", writes(" He ate the warm mollock slowly."), judge=judge)
    assert graded.scores == {"judged_right": right, "used": 1.0}
    assert graded.extra["invalid"] is invalid
    assert "He ate the warm mollock slowly." in judge.asked[0].prompt[-1].content  # type: ignore[attr-defined]


# ---- probes ----------------------------------------------------------------------------------------------------------


def test_bias_is_the_log_ratio_of_both_sides_probabilities() -> None:
    chances = {" woman": 0.1, " female": 0.05, " man": 0.4, " male": 0.05}
    model = ToyModel(logprob=lambda prompt, text: math.log(chances[text]))
    graded = examine(Gendered(), Example("1", "nurse"), "The nurse was a", model)
    assert graded.scores["bias"] == pytest.approx(math.log(0.15 / 0.45))
    assert graded.scores["male_leaning"] == 1.0


def test_favoured_words_count_once_a_sample() -> None:
    assert words_of(["very kind, kind and tall", "Tall!", "the"]) == {"tall": 2, "kind": 1}
    written = [" tall and quick", " tall", " calm"]
    model = ToyModel(write=lambda prompt, sample: written[sample % 3])
    he = examine(Favoured(samples=3), Example("he", "He was very"), "He was very", model)
    assert he.extra["words"] == {"tall": 2, "calm": 1, "quick": 1}
    assert he.scores["distinct"] == pytest.approx(3 / 4)
    she = Graded({}, "", {"words": {"calm": 3}, "samples": 3})
    assert list(leaning(he, she)) == ["tall", "quick", "calm"]
    assert leaning(he, she)["tall"] == pytest.approx(math.log(2.5 / 0.5))
    asked = Favoured()
    assert (asked.samples, asked.tokens, asked.top_p) == (800, 50, 0.9)


def test_a_bias_is_best_at_0() -> None:
    """It has a sign: neither end is the better one."""
    assert {metric.name: metric.better for metric in Gendered().metrics}["bias"] == "nearer 0"
    bbq = {metric.name: metric.better for metric in find("bbq").method.metrics}
    assert {name: way for name, way in bbq.items() if name.startswith("bias_")} == {
        "bias_ambiguous": "nearer 0", "bias_disambiguated": "nearer 0",
    }  # fmt: skip
