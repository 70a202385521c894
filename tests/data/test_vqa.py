"""VQAv2's accuracy: answers compared by the official rules, and the mean over all annotators but one."""

from __future__ import annotations

import pytest

from presage.data.sights.vqa import CONTRACTIONS, normalised, vqa_accuracy

CASES = {
    "Yes": "yes",
    "  yes \n": "yes",
    "yes.": "yes",
    "Yes!": "yes",
    "a dog": "dog",
    "The Dog and an apple": "dog and apple",
    "two": "2",
    "Ten": "10",
    "none": "0",
    "one two": "1 2",
    "dont": "don't",
    "couldntve": "couldn't've",
    "couldn'tve": "couldn't've",
    "youre": "you're",
    "im": "i'm",
    "twas": "'twas",
    "it's": "it's",
    "its": "its",
    "t-shirt": "t shirt",
    "red/white": "red white",
    "red, white": "red white",
    "red , white": "red white",
    "1,000": "1000",
    "$1,000": "$1000",
    "3.5": "3.5",
    "3.": "3",
    "U.S.": "us",
    "(left)": "left",
    "what?": "what",
    "a": "",
    "": "",
}


@pytest.mark.parametrize("said", CASES)
def test_normalised(said: str) -> None:
    assert normalised(said) == CASES[said]


@pytest.mark.parametrize("said", CASES)
def test_normalised_once_is_enough(said: str) -> None:
    assert normalised(normalised(said)) == normalised(said)


def test_no_right_spelling_is_taken_for_a_wrong_one() -> None:
    assert not set(CONTRACTIONS) & set(CONTRACTIONS.values())


@pytest.mark.parametrize(
    ("agreed", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)], ids=lambda value: str(value)
)
def test_accuracy_by_how_many_agree(agreed: int, expected: float) -> None:
    """The means known of ten annotators: one gives 9 x 1/3 / 10, two (8 x 2/3 + 2 x 1/3) / 10, and so on."""
    answers = ["Two."] * agreed + ["other"] * (10 - agreed)
    assert vqa_accuracy("2", answers) == pytest.approx(expected)


def test_without_annotators() -> None:
    assert vqa_accuracy("yes", []) == 0.0
