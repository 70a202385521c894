"""Free-form answers, chains of thought, translations and summaries, against values computed by hand or by others."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.verbs import Decoding, Generation
from presage.tasks.methods.bleu import Bleu, corpus_bleu
from presage.tasks.methods.chain_of_thought import ChainOfThought, extract
from presage.tasks.methods.free import Free, exact, exact_match, f1, f1_of_others, normalised, numeric
from presage.tasks.methods.rouge import Rouge, sentences
from presage.tasks.task import Example
from tests.tasks.asking import examine, examine_all, writes
from tests.toy_model import ToyModel

# ---- free ------------------------------------------------------------------------------------------------------------


def test_the_default_is_a_beam_of_four_with_penalty_six_tenths() -> None:
    model = writes(" Paris")
    examine(Free(), Example("1", "?", targets=("Paris",)), "Q: ?\n\nA:", model)
    [asked] = model.asked
    assert isinstance(asked, Generation)
    assert (asked.decoding.beams, asked.decoding.length_penalty, asked.decoding.temperature) == (4, 0.6, 0.0)
    assert asked.prompt == "Q: ?\n\nA:"


def test_normalisation_is_squads() -> None:
    assert normalised("The  Quick, brown fox's an A-team!") == "quick brown foxs ateam"
    assert normalised("a the an") == ""


@pytest.mark.parametrize(
    ("answer", "targets", "value"),
    [
        ("the cat sat", ("cat sat down",), 2 * 2 / (2 + 3)),
        ("cat cat", ("cat",), 2 * 1 / 3),
        ("dog", ("cat", "a dog"), 1.0),
        ("", ("",), 1.0),
        ("", ("cat",), 0.0),
        ("the", ("",), 1.0),
        ("dog", (), 0.0),
    ],
)
def test_f1_by_hand(answer: str, targets: tuple[str, ...], value: float) -> None:
    assert f1(answer, targets) == pytest.approx(value)


def test_coqas_f1_leaves_each_reference_out_in_turn() -> None:
    # against {b c}: 0 and 2/3 of "a c" -> max of the rest each time
    targets = ("x", "y", "x y")
    by_hand = (max(f1("x", ["y"]), f1("x", ["x y"])) + max(f1("x", ["x"]), f1("x", ["x y"])) + 1.0) / 3
    assert f1_of_others("x", targets) == pytest.approx(by_hand) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert f1_of_others("x", ("x",)) == 1.0


@pytest.mark.parametrize(
    ("answer", "target", "value"),
    [
        ("$1,200.", "1200", 1.0),
        ("7.0", "7", 1.0),
        ("-3", "3", 0.0),
        ("seven", "7", 0.0),
        ("NaN", "NaN", 0.0),
        ("", "", 0.0),
    ],
)
def test_numbers_are_compared_as_numbers(answer: str, target: str, value: float) -> None:
    assert numeric(answer, (target,)) == value


def test_exact_is_letter_by_letter_and_exact_match_is_not() -> None:
    assert (exact(" casino", ("casino",)), exact("Casino", ("casino",))) == (1.0, 0.0)
    assert (exact_match("The Casino.", ("casino",)), exact_match("casinos", ("casino",))) == (1.0, 0.0)


@given(st.text(max_size=30), st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_an_exact_match_has_the_full_f1(answer: str, targets: list[str]) -> None:
    assert 0.0 <= f1(answer, targets) <= 1.0
    if exact_match(answer, targets):
        assert f1(answer, targets) == 1.0


def test_a_pattern_reads_the_first_or_the_last() -> None:
    example = Example("1", "?", targets=("12",))
    model = writes("so 3 and then 12")
    assert examine(Free(("exact",), Decoding(), r"\d+", "last"), example, "", model).scores == {"exact": 1.0}
    assert examine(Free(("exact",), Decoding(), r"(\d+)"), example, "", model).answer == "3"


@pytest.mark.parametrize(("written", "pattern"), [("", ""), ("  \n", ""), ("no number", r"\d+")])
def test_what_cannot_be_read_is_invalid_and_wrong(written: str, pattern: str) -> None:
    graded = examine(Free(("exact", "f1"), Decoding(), pattern), Example("1", "?", targets=("4",)), "", writes(written))
    assert graded.scores == {"exact": 0.0, "f1": 0.0}
    assert graded.extra["invalid"] is True


def test_samples_depend_on_the_example_and_on_nothing_else() -> None:
    model = writes("x")
    examine_all(Free(), [Example("1", "a", targets=("x",)), Example("2", "a", targets=("x",))], model)
    examine(Free(), Example("1", "a", targets=("x",)), "other shots", model)
    one, two, again = (request.seed for request in model.asked)  # type: ignore[attr-defined]
    assert one != two
    assert one == again


# ---- chain of thought ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "answer", "marked"),
    [
        (" 3 + 4 = 7.\nThe answer is 7.", "number", "7", True),
        (" The answer is 5. No: the answer is $1,200.50.", "number", "1200.5", True),
        (" first 3, then 12.", "number", "12", False),
        (" it is -4", "number", "-4", False),
        (" 10-4 = 6", "number", "6", False),
        (" nothing to count", "number", None, False),
        (" The answer is nothing, as 3 says", "number", "3", True),
        (" so (B) is wrong. The answer is (C).", "letter", "C", True),
        (" Therefore the answer is D", "letter", "D", True),
        (" I am not sure.", "letter", None, False),
        (" So the answer is I.", "letter", "I", True),
        (" The answer is, I think, (B).", "letter", "B", True),
        (" so the coin is up. the answer is No.", "yes_no", "no", True),
        (' The answer is "yajo".', "letters", "yajo", True),
        (" 0.50 of it", "number", "0.5", False),
    ],
)
def test_answers_are_read_by_the_rule(text: str, kind: str, answer: str | None, marked: bool) -> None:
    assert extract(text, kind) == (answer, marked)  # type: ignore[arg-type]


def test_equal_numbers_are_right_however_spelled() -> None:
    example = Example("1", "?", targets=("39.0",))
    assert examine(ChainOfThought(), example, "", writes("The answer is 39.")).scores == {"accuracy": 1.0}


def test_zero_shot_asks_twice_and_shows_the_reasoning_again() -> None:
    model = ToyModel(write=lambda prompt, sample: " 12." if prompt.endswith("is") else " 5 and 7 make 12")
    graded = examine(ChainOfThought(then="\nTherefore, the answer is"), Example("1", "?", targets=("12",)), "Q:", model)
    assert graded.scores == {"accuracy": 1.0}
    assert model.asked[1].prompt == "Q: 5 and 7 make 12\nTherefore, the answer is"  # type: ignore[attr-defined]


def test_the_majority_decides_and_the_first_of_equals() -> None:
    said = ["The answer is 3.", "The answer is 4.", "The answer is 3.0.", "I do not know", "The answer is 4"]
    model = ToyModel(write=lambda prompt, sample: said[sample])
    graded = examine(ChainOfThought(samples=5), Example("1", "?", targets=("3",)), "", model)
    assert graded.scores == {"accuracy": 1.0, "accuracy_of_one": 2 / 5}
    assert graded.extra["votes"] == {"3": 2, "4": 2}


# ---- BLEU ------------------------------------------------------------------------------------------------------------

_PAIRS = [
    ("the cat sat on the mat today", ("the cat sat on a mat today",)),
    ("there is a dog in the garden", ("a dog is in the garden", "there is a dog in that garden")),
    ("", ("nothing was said here",)),
    ("Hello, world! It works.", ("Hello world, it works!",)),
]


def test_corpus_bleu_is_sacrebleus_of_the_whole_corpus() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    references = [[refs[0] for _, refs in _PAIRS], [refs[1] if len(refs) > 1 else None for _, refs in _PAIRS]]
    theirs = sacrebleu.metrics.BLEU().corpus_score([text for text, _ in _PAIRS], references).score
    texts = {str(number): text for number, (text, _) in enumerate(_PAIRS)}
    model = ToyModel(write=lambda prompt, sample: texts[prompt])
    examples = [Example(str(n), str(n), targets=refs) for n, (_, refs) in enumerate(_PAIRS)]
    graded = examine_all(Bleu(), examples, model)
    assert corpus_bleu("bleu", graded) == pytest.approx(theirs, abs=1e-9)
    assert theirs > 5
    alone = sacrebleu.sentence_bleu(_PAIRS[1][0], list(_PAIRS[1][1])).score
    assert graded[1].scores["bleu"] == pytest.approx(alone)
    assert [one.extra["invalid"] for one in graded] == [False, False, True, False]


def test_a_copy_of_the_reference_has_bleu_100() -> None:
    pytest.importorskip("sacrebleu")
    [graded] = examine_all(Bleu(), [Example("1", "", targets=("a b c d e",))], writes("a b c d e"))
    assert corpus_bleu("bleu", [graded]) == pytest.approx(100.0)


def test_languages_without_blanks_are_counted_by_characters() -> None:
    pytest.importorskip("sacrebleu")
    example = Example("1", "", targets=("今日はとても良い天気です",))
    by_words, by_characters = (
        corpus_bleu("bleu", examine_all(Bleu(tokenize), [example], writes("今日はとても悪い天気です")))
        for tokenize in ("13a", "char")
    )
    assert by_words < 1 < by_characters


@pytest.mark.parametrize(("missing", "method"), [("sacrebleu", Bleu()), ("rouge_score", Rouge())])
def test_a_missing_library_is_named(missing: str, method: Bleu | Rouge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    example = Example("1", "", targets=("a",), fields={"article": "A."})
    with pytest.raises(ConfigError, match=r"presage\[eval\]"):
        examine(method, example, "", writes("a"))


# ---- ROUGE -----------------------------------------------------------------------------------------------------------


def test_sentences_end_where_a_new_one_begins() -> None:
    text = 'It rained. "Why?" she asked. No. 3 is here: e.g. this. 5 more.\n\nEnd'
    assert sentences(text) == ["It rained.", '"Why?" she asked.', "No.", "3 is here: e.g. this.", "5 more.", "End"]


def test_rouge_of_the_first_three_sentences_by_hand() -> None:
    pytest.importorskip("rouge_score")
    article = "One two. Three four. Five six. Seven eight."
    example = Example("1", "", targets=("one two three nine",), fields={"article": article})
    model = writes("One two. Three. Four. Nine nine nine.")
    graded = examine(Rouge(), example, "x\nTL;DR:", model)
    assert graded.answer == "One two. Three. Four."
    assert graded.scores["rouge1"] == pytest.approx(3 / 4)
    assert graded.scores["rouge2"] == pytest.approx(2 / 3)
    assert graded.scores["lead3_rouge1"] == pytest.approx(2 * 3 / (6 + 4))
    assert graded.scores["random3_rouge1"] in (pytest.approx(2 * n / 10) for n in (1, 2, 3))
    mean = sum(graded.scores[name] for name in ("rouge1", "rouge2", "rougeL")) / 3
    assert graded.scores["rouge_mean"] == pytest.approx(mean)
    [asked] = model.asked
    assert (asked.decoding.max_tokens, asked.decoding.top_k) == (100, 2)  # type: ignore[attr-defined]
