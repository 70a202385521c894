"""Arithmetic and scrambling: our generators against the released files and the rules, and what a corpus holds."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.tasks.arithmetic import COUNT, KINDS, Memorised, in_corpus, made, released
from presage.tasks.library import find
from presage.tasks.scrambling import RULES, Scrambled, frequent_words
from presage.tasks.shots import Shots
from presage.tasks.task import Example
from tests.imports import ROOT

RELEASED = ROOT.parent / "shared" / "data" / "eval" / "gpt3_synthetic"
needs_released = pytest.mark.skipif(not RELEASED.is_dir(), reason="the released files are not here")
_TWO = re.compile(r"\n\nQ: What is (0|[1-9]\d*) (plus|minus|times) (0|[1-9]\d*)\?\n\nA:")
_THREE = re.compile(r"\n\nQ: What is \(([1-9]) ([-+*]) ([1-9])\) ([-+*]) ([1-9])\?\n\nA:")
_ANSWER = re.compile(r" (0|-?[1-9]\d*)")
_VALUE = {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__, "+": int.__add__, "-": int.__sub__}


def _value(groups: tuple[str, ...]) -> int:
    """What a problem comes to, read from its text."""
    if len(groups) == 3:
        return _VALUE[groups[1]](int(groups[0]), int(groups[2]))
    value = {**_VALUE, "*": int.__mul__}
    return value[groups[3]](value[groups[1]](int(groups[0]), int(groups[2])), int(groups[4]))


def _read(examples: list[Example], name: str) -> list[tuple[str, ...]]:
    """The parts of problems, every one checked letter by letter and for its answer."""
    form = _THREE if name == "single_digit_three_ops" else _TWO
    found = []
    for one in examples:
        match = form.fullmatch(one.fields["context"])
        assert match, one.fields["context"]
        assert _ANSWER.fullmatch(one.fields["completion"])
        assert one.fields["completion"] == f" {_value(match.groups())}"
        found.append(match.groups())
    return found


@needs_released
@pytest.mark.parametrize("name", KINDS)
def test_our_problems_are_of_the_released_files_form_and_distribution(name: str) -> None:
    theirs = _read(released([RELEASED / f"{name}.jsonl.xz"]), name)
    ours = _read(KINDS[name](0, COUNT, "test"), name)
    assert len(ours) == len(theirs) == COUNT
    for column in zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        if column[0][0].isdigit():
            mine, yours = (np.array(some, float) for some in column)
            assert stats.ks_2samp(mine, yours).pvalue > 1e-3
            assert (mine.min() == 0) == (yours.min() == 0) or name.startswith(("four", "five", "three"))
        else:
            counts = [Counter(some) for some in column]
            assert counts[0].keys() == counts[1].keys()
            assert (
                len(counts[0]) == 1
                or stats.chi2_contingency([list(map(c.get, counts[0])) for c in counts]).pvalue > 1e-3
            )


@pytest.mark.parametrize("name", KINDS)
def test_problems_come_from_the_seed_and_shots_from_another_stream(name: str) -> None:
    make = KINDS[name]
    assert make(1, 50, "test") == make(1, 60, "test")[:50] != make(2, 50, "test")
    assert [one.question for one in make(1, 50, "shots")] != [one.question for one in make(1, 50, "test")]
    task = find(name)
    examples, pool = task.data.examples(Path(), 0), task.data.pool(Path(), 0)
    shots = Shots(task, pool, task.shots, 0)
    for example in examples[:20]:
        assert example.question not in [shot.question for shot in shots.of(example)]
        assert re.fullmatch(
            r"(\n\nQ: What is [^?]+\?\n\nA: -?\d+){50}\n\nQ: What is [^?]+\?\n\nA:", shots.context(example)
        )


def test_operands_are_not_forced_to_their_digits_and_differences_may_be_negative() -> None:
    examples = KINDS["two_digit_subtraction"](0, COUNT, "test")
    parts = [(int(a), int(b)) for a, _, b in _read(examples, "two_digit_subtraction")]
    assert {0, 9, 99} <= {a for a, _ in parts}
    assert 0.4 < np.mean([a < b for a, b in parts]) < 0.6
    low = [int(a) for a, _, _ in _read(KINDS["five_digit_addition"](0, COUNT, "test"), "five_digit_addition")]
    assert 0.05 < np.mean(np.array(low) < 10_000) < 0.15


def test_the_oracle_of_three_operations() -> None:
    """Sheet, section 10: 6 + (4 * 8) = 38. The released form has the parentheses on the first pair."""
    assert _value(("4", "*", "8", "+", "6")) == 38
    texts = [one.question for one in KINDS["single_digit_three_ops"](0, COUNT, "test")]
    assert all(text.startswith("Q: What is (") for text in texts)
    assert not any("0" in text for text in texts)


# ---- in a corpus -----------------------------------------------------------------------------------------------------


def test_problems_in_a_corpus_are_counted_in_both_spellings() -> None:
    asked = [
        made(str(n), f"\n\nQ: What is {text}?\n\nA:", " 1")
        for n, text in enumerate(("123 plus 456", "7 plus 8", "90 minus 100", "5 plus 5"))
    ]
    texts = [
        "so 123 + 456 = 579, and 17 plus 8 and 7 plus 80 and 90 - 100 is",
        "7 plus 8 makes; 123 plus 456",
        "5 + 5 is 10",
    ]
    assert in_corpus({"t": asked}, texts) == {"t": Memorised(4, 1, 2, 2)}
    assert in_corpus({"t": asked}, ["90 - 100 = -10 = 90 minus 100"]) == {"t": Memorised(4, 1, 1, 1)}
    assert in_corpus({"t": asked}, ["1 + 5 + 5 = 11"])["t"].signs == 1, "the end of a longer sum holds it too"
    each = {"first": asked[:1], "others": asked[1:], "twice": [*asked[:1]] * 2}
    assert in_corpus(each, texts) == {
        "first": Memorised(1, 1, 1, 1), "others": Memorised(3, 0, 1, 1), "twice": Memorised(2, 2, 2, 2)}  # fmt: skip


def test_without_sums_the_texts_are_not_read() -> None:
    assert in_corpus({"t": [Example("1", "What is 3 times 4?")]}, (pytest.fail("read") for _ in "a")) == {}


# ---- scrambling ------------------------------------------------------------------------------------------------------

_WORDS = st.text(st.sampled_from("abcdefghij"), min_size=5, max_size=14).filter(lambda word: len(set(word[1:-1])) > 1)


def _obeys(name: str, shown: str, word: str) -> bool:
    """The rules of the sheet, section 5.7, read from the result."""
    turned = [word[n:] + word[:n] for n in range(1, len(word))]
    within = {
        "cycle_letters_in_word": lambda: shown in turned and shown != word,
        "mid_word_1_anagrams": lambda: (shown[0], shown[-1]) == (word[0], word[-1]) and shown != word,
        "mid_word_2_anagrams": lambda: (shown[:2], shown[-2:]) == (word[:2], word[-2:]),
        "random_insertion_in_word": lambda: shown[::2] == word and set(shown[1::2]) <= set(" ./!"),
        "reversed_words": lambda: shown == word[::-1],
    }
    return within[name]() and (len(shown) > len(word) or sorted(shown) == sorted(word))


@pytest.mark.parametrize("name", RULES)
@given(word=_WORDS, seed=st.integers(0, 99))
def test_scrambled_words_obey_their_rule(name: str, word: str, seed: int) -> None:
    assert _obeys(name, RULES[name](word, stream(seed, "x")), word)


@needs_released
@pytest.mark.parametrize("name", RULES)
def test_the_released_words_obey_the_same_rules(name: str) -> None:
    examples = released([RELEASED / f"{name}.jsonl.gz"])
    forms = [re.fullmatch(r"\n([a-z ./!]+) =", one.fields["context"]) for one in examples]
    assert len(examples) == 10_000
    assert all(forms)
    wrong = [form[1] for form, one in zip(forms, examples, strict=True) if not _obeys(name, form[1], one.targets[0])]
    assert wrong == []
    same = sum(form[1] == one.targets[0] for form, one in zip(forms, examples, strict=True))
    own = {"mid_word_2_anagrams": 193, "reversed_words": 1}  # a palindrome
    assert same == own.get(name, 0)


@needs_released
def test_inserted_signs_are_uniform_in_both() -> None:
    theirs = Counter(
        "".join(one.fields["context"][2:-2:2] for one in released([RELEASED / "random_insertion_in_word.jsonl.gz"]))
    )
    ours = Counter(
        "".join(RULES["random_insertion_in_word"]("abcdefghij" * 9, stream(n, "x"))[1::2] for n in range(100))
    )
    for counts in (theirs, ours):
        assert set(counts) == set(" ./!")
        assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_words_are_the_most_frequent_of_a_corpus(tmp_path: Path) -> None:
    text = (
        "apple apple apple river river Paris stone-cold can't aaaaa four abcdefghijklmnop candle candle candle candle"
    )
    (tmp_path / "a.txt").write_text(text + " window forest")
    assert list(frequent_words((str(tmp_path),))) == ["candle", "apple", "river", "aaaaa", "forest", "window"]
    make = Scrambled("reversed_words", (str(tmp_path),), count=3)
    assert sorted(one.targets[0] for one in make(0, 10, "test")) == ["apple", "candle", "river"]
    assert sorted(one.targets[0] for one in make(0, 10, "shots")) == ["forest", "window"], "aaaaa has no other order"
    [example] = [one for one in make(0, 10, "test") if one.targets == ("apple",)]
    assert (example.fields["context"], example.fields["completion"]) == ("\nelppa =", " apple")


def test_a_family_takes_the_users_corpus(tmp_path: Path) -> None:
    words = [f"{a}{b}cdef" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz")]
    (tmp_path / "words.txt").write_text("\n".join(words))
    task = find(f"cycle_letters_in_word:{tmp_path / 'words.txt'}")
    examples = task.data.examples(tmp_path, 0)
    assert {one.targets[0] for one in examples} <= set(words)
    assert len(examples) == 22
    with pytest.raises(DataError):
        find("reversed_words:/nowhere").data.examples(tmp_path, 0)
