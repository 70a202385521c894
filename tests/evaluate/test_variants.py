"""Variants: what each kind may change and what it must leave, by hand and for any text."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data.items import Item
from presage.evaluate.variants import COMMON, KINDS, NAMES, names_in, variant

TEXT = (
    "Tom has three apples. In March he gives Anna two of them, and Anna gives Tom a pear. What did Tom's friend "
    "Anna keep? Nobody knows, says The Times."
)
ITEM = Item("q", TEXT, ("Tom's pear", "two apples", "Anna", "nothing"), 2)
ANY = st.text(st.sampled_from("abcXYZé ,.'ßİ中\n"), max_size=60).map(lambda text: Item("x", text))


@given(ANY, st.sampled_from(sorted(KINDS)), st.integers(0, 3))
def test_variants_are_the_same_for_the_same_seed_and_keep_the_words(item: Item, kind: str, seed: int) -> None:
    other = variant(kind, item, seed)
    assert other == variant(kind, item, seed)
    if kind == "case":
        assert other.text.casefold() == item.text.casefold()
    if kind == "spaces":
        assert other.text.split() == item.text.split()
    if kind == "letters":
        assert Counter(other.text) == Counter(item.text)


def test_noise_touches_a_tenth_and_at_least_one() -> None:
    long = Item("q", "lighthouse keeper painted seven little boats again " * 10)
    changed = [a != b for a, b in zip(long.text.split(), variant("letters", long).text.split(), strict=True)]
    assert sum(changed) == 7  # of 70
    assert variant("case", Item("q", "one")).text == "One"
    assert variant("letters", Item("q", "ab abcd USA NATOS aaaaa")).text == "ab abcd USA NATOS aaaaa"
    assert variant("spaces", Item("q", "alone")) == Item("q", "alone")
    swapped = variant("letters", Item("q", "painter")).text
    assert (swapped[0], swapped[-1], sorted(swapped)) == ("p", "r", sorted("painter"))


def test_names_are_replaced_everywhere_by_one_other_and_nothing_else_is() -> None:
    assert names_in(TEXT) == ["Anna", "Tom", "Times"]
    other = variant("names", ITEM)
    renamed = dict(zip(re.findall(r"\w+", TEXT), re.findall(r"\w+", other.text), strict=True))
    moved = {old: new for old, new in renamed.items() if old != new}
    assert moved.keys() == {"Anna", "Tom", "Times"}
    assert len(set(moved.values())) == 3
    assert set(moved.values()) <= set(NAMES)
    assert other.options == (f"{moved['Tom']}'s pear", "two apples", moved["Anna"], "nothing")
    assert re.sub(r"\w+", "", other.text) == re.sub(r"\w+", "", TEXT)
    assert not COMMON & set(NAMES)


@pytest.mark.parametrize(
    "text", ["What is it? The answer: Nothing.", "She said: 'Run!' Then Nobody. (Perhaps so.)\nWell", "no names at all"]
)
def test_a_word_that_only_begins_sentences_is_no_name(text: str) -> None:
    found = names_in(text)
    assert "What" not in found
    assert set(found) <= {"Nobody"}


@pytest.mark.parametrize("seed", range(8))
def test_words_without_case_are_no_words_whose_case_changes(seed: int) -> None:
    item = Item("q", "潮の 満ち 引き は 一日 に 二回 起こり と tide said")
    assert variant("case", item, seed).text in (item.text.replace("tide", "Tide"), item.text.replace("said", "Said"))


def test_values_of_programs_are_no_names() -> None:
    item = Item("q", "Return True if all values are None, else False, as a List")
    assert variant("names", item) == item


@pytest.mark.parametrize("seed", range(8))
def test_options_get_another_order_and_the_right_one_stays_right(seed: int) -> None:
    other = variant("options", ITEM, seed)
    assert other.options != ITEM.options
    assert sorted(other.options) == sorted(ITEM.options)
    assert other.answer is not None
    assert other.options[other.answer] == "Anna"


@pytest.mark.parametrize(
    "option",
    ["All of the above", "None Of The Above", "Both A and B", "(A) and (B)", "I and III only", "none of the preceding"],
)
def test_options_that_speak_of_places_stay(option: str) -> None:
    item = Item("q", "Which?", ("rain", "sun", option), 0)
    assert variant("options", item) == item
    assert variant("options", Item("q", "Which?")) == Item("q", "Which?")
