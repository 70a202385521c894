"""VQAv2's accuracy (Antol et al. 2015; the official evaluation's rules for comparing answers).

As the official code does where annotators differ, but for both sides alike and always: it leaves some annotators'
answers half normalised, which can only cost a right answer its points.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

ENOUGH = 3
"""Annotators who said so, for the whole point."""
ARTICLES = frozenset(("a", "an", "the"))
_COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_COUNTED)}
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_PERIOD = re.compile(r"\.(?!\d)")
_COMMA = re.compile(r"\d,\d")
_SHORT = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
    he'd've he's how'd how'll how's i'd've i'm i've isn't it'd it'd've it'll let's ma'am might've mightn't
    mightn't've must've mustn't needn't not've o'clock oughtn't ow's'at shan't she'd've she's should've
    shouldn't shouldn't've someone'd someone'll someone's something'd something'll that'd've that'll that's
    there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
    weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've
    why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've you'd you'd've you'll you're
    you've
"""


def _misspelt(word: str) -> list[str]:
    """The word with one or more of its apostrophes left out."""
    first, *rest = word.split("'")
    marked = product(("'", ""), repeat=len(rest))
    return [first + "".join(mark + part for mark, part in zip(marks, rest, strict=True)) for marks in marked][1:]


CONTRACTIONS = {wrong: word for word in _SHORT.split() for wrong in _misspelt(word)}


def normalised(answer: str) -> str:
    """An answer as it is compared: lower case, no punctuation and no articles, numbers as digits, apostrophes in."""
    text = _PERIOD.sub("", _without_punctuation(" ".join(answer.split())))
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def vqa_accuracy(said: str, answers: Sequence[str]) -> float:
    """From 0 to 1: over every choice of all annotators but one, the mean of min(how many said so / 3, 1)."""
    given, right = normalised(said), [normalised(answer) for answer in answers]
    matches = right.count(given)
    scores = [min((matches - (one == given)) / ENOUGH, 1.0) for one in right]
    return sum(scores) / len(scores) if scores else 0.0


def _without_punctuation(text: str) -> str:
    """A mark at the end of a word, and any where a number has a comma, is left out; another parts two words."""
    joined = _COMMA.search(text) is not None
    found = text
    for mark in PUNCTUATION:
        goes = joined or f"{mark} " in text or f" {mark}" in text
        found = found.replace(mark, "" if goes else " ")
    return found
