"""Readings of texts: as defined character by character, and where they came from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data import folding
from presage.data.folding import LETTERS, RUNS, WORDS, Batch, fold_character
from tests.evaluate.slow import reading

FLOORS = (LETTERS, WORDS, RUNS)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
MOSTLY_ASCII = st.lists(
    st.one_of(st.sampled_from([*"abc XY,.9\n"]), st.sampled_from([*"’—é́\u00adßΣς中İⱥȺ😀"])), max_size=80
)


def read(texts: list[str], floor: int) -> list[str]:
    stream = Batch(texts, [floor]).streams[floor]
    return [stream.part(i).decode().strip(" ") for i in range(len(texts))]


@pytest.mark.parametrize(
    ("floor", "expected"),
    [(LETTERS, "dontstopover2ndtime"), (WORDS, "dont stopover 2nd time"), (RUNS, "don t stop over  2nd time")],
)
def test_the_example_of_the_documentation(floor: int, expected: str) -> None:
    assert read(["Don't stop-over, 2nd time"], floor) == [expected]


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_readings_are_those_of_the_slow_twin(texts: list[str]) -> None:
    for floor in FLOORS:
        assert read(texts, floor) == [reading(text, floor)[0].strip(" ") for text in texts]


@given(st.lists(MOSTLY_ASCII.map("".join), min_size=1, max_size=4), st.booleans())
def test_exchanging_in_place_equals_rewriting(texts: list[str], sparse: bool) -> None:
    padded = [text + " plain words" * 30 * sparse for text in texts]
    for floor in FLOORS:
        assert read(padded, floor) == [reading(text, floor)[0].strip(" ") for text in padded]


def test_both_ways_are_taken() -> None:
    sparse, dense = "It’s " + "plain " * 20, "любой текст"
    assert folding._exchanged(folding._joined([sparse.encode()])) is not None
    assert folding._exchanged(folding._joined([dense.encode()])) is None


@pytest.mark.parametrize("texts", [["café NAÏVE"], ["ОДИН и два"], ["Straße, ΟΔΟΣ"], ["हिन्दी में"], ["数学的题目"]])
def test_letters_of_every_script_are_kept(texts: list[str]) -> None:
    for form in ("NFC", "NFD"):
        (letters,) = read([unicodedata.normalize(form, texts[0])], LETTERS)
        assert letters == read(texts, LETTERS)[0]
    assert len(letters) >= 5


def test_the_other_case_of_a_letter_folds_alike() -> None:
    letters = [chr(code) for code in range(0x2000) if chr(code).isalnum() and len(chr(code).swapcase()) == 1]
    wrong = [letter for letter in letters if fold_character(letter) != fold_character(letter.swapcase())]
    assert wrong == []


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_every_letter_is_found_in_its_text(texts: list[str]) -> None:
    for floor in FLOORS:
        batch = Batch(texts, [floor])
        stream = batch.streams[floor]
        for number, text in enumerate(texts):
            letters, places = reading(text, floor)
            begin = int(stream.marks[number]) + 1 + (floor != LETTERS)
            for i, letter in enumerate(letters):
                at = begin + len(letters[:i].encode())
                if letter != " ":
                    span = at, at + len(letter.encode())
                    assert batch.locate(floor, *span) == (number, places[i], places[i] + 1)
