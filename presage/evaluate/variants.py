"""Variants of items that should mean the same, drawn from a seed and the item's name.

case     the first letter of some words in the other case              keeps the meaning in prose, not in code
spaces   some spaces between words doubled                             keeps the meaning but inside quoted code
letters  two neighbouring inner letters of some longer words swapped   a reader still understands; rarely another word
names    names inside sentences replaced, each by one other            keeps it where any name would do, not where the
                                                                       question is about the name
options  the options in another order, the right one with them         keeps it; options that speak of others by their
                                                                       place ("all of the above") are left as they are

Of what an edit may touch, one in ten is touched, and at least one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from presage.core.seeds import stream
from presage.data.items import Item

RATE = 0.1
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NAMES = (
    "Alder", "Arden", "Ashby", "Baxter", "Blair", "Bryn", "Calder", "Carey", "Corin", "Dalton", "Darcy", "Devin",
    "Ellery", "Emlyn", "Farley", "Finley", "Garnet", "Hadley", "Harlow", "Hollis", "Jocelyn", "Kendal", "Kerry",
    "Larkin", "Linden", "Marlow", "Merle", "Morgan", "Nevin", "Orrin", "Perrin", "Quinlan", "Rowan", "Selby",
    "Shelby", "Tatum", "Tiernan", "Vesper", "Wilder", "Wynne",
)  # fmt: skip
# Capitalised inside sentences without being a name that could be another one.
COMMON = frozenset({
    "The", "For", "And", "But", "Its", "This", "That", "These", "Those", "She", "They", "You", "His", "Her",
    "Their", "What", "Which", "Who", "When", "Where", "Why", "How", "Not", "Yes", "All", "Both", "Each", "Monday",
    "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January", "February", "March", "April",
    "May", "June", "July", "August", "September", "October", "November", "December", "Mrs", "God", "Earth", "Sun",
    "Moon", "English", "French", "German", "Spanish", "Latin", "Greek", "Chinese", "Japanese", "Russian", "Italian",
    "True", "False", "None", "List", "Dict", "Tuple", "Set",
})  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_GAP = re.compile(r"(?<=\S) (?=\S)")
_NAME = re.compile(r"(?<![\w'’-])[A-Z][a-z]{2,}(?![\w-])")
_OPENING = re.compile(r"(?:^|[.!?:;]['\"”’)]*\s|\n)\s*['\"“‘(]*$")
_BY_PLACE = re.compile(
    r"(?i:\b(?:above|below|preceding|following|previous)\b)"
    r"|\b[A-H]\)?,? (?:and|or|nor|&) \(?[A-H]\b|\b(?:I|II|III|IV)\b"
)


def question(item: Item) -> str:
    """The text with its options, lettered, and where the answer would begin."""
    options = (f"{letter}. {option}" for letter, option in zip(LETTERS, item.options, strict=False))
    return "\n".join([item.text, *options, "Answer:"])


def variant(kind: str, item: Item, seed: int = 0) -> Item:
    """The item changed by one of KINDS; equal to itself where there is nothing to change."""
    return KINDS[kind](item, stream(seed, "perturb", kind, item.id))


def _case(item: Item, random: np.random.Generator) -> Item:
    words = [word for word in _WORD.finditer(item.text) if _has_case(word[0][0])]
    return _edited(item, words, lambda word: word[0].swapcase() + word[1:], random)


def _has_case(letter: str) -> bool:
    """And comes back when its case is changed twice."""
    return letter.swapcase() != letter == letter.swapcase().swapcase()


def _spaces(item: Item, random: np.random.Generator) -> Item:
    return _edited(item, list(_GAP.finditer(item.text)), lambda _: "  ", random)


def _letters(item: Item, random: np.random.Generator) -> Item:
    words = [word for word in _WORD.finditer(item.text) if _swappable(word[0])]
    return _edited(item, words, lambda word: _swapped(word, random), random)


def _swappable(word: str) -> list[int]:
    """Where two inner letters stand that differ; words of fewer than five letters have none, nor have acronyms."""
    inner = range(1, len(word) - 2) if len(word) >= 5 and not word.isupper() else range(0)
    return [place for place in inner if word[place] != word[place + 1]]


def _swapped(word: str, random: np.random.Generator) -> str:
    places = _swappable(word)
    place = places[random.integers(len(places))]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _edited(
    item: Item, places: Sequence[re.Match[str]], edit: Callable[[str], str], random: np.random.Generator
) -> Item:
    """The text with the edit applied to some of the places, at least one; as it was where there is no place."""
    count = min(len(places), max(1, round(RATE * len(places))))
    text = item.text
    for index in sorted(random.choice(len(places), count, replace=False).tolist(), reverse=True) if places else []:
        place = places[index]
        text = text[: place.start()] + edit(place[0]) + text[place.end() :]
    return replace(item, text=text)


def names_in(text: str) -> list[str]:
    """Capitalised words that stand inside a sentence somewhere and are no common ones, in the order of the text."""
    inside = (word[0] for word in _NAME.finditer(text) if not _OPENING.search(text, 0, word.start()))
    return [name for name in dict.fromkeys(inside) if name not in COMMON]


def _names(item: Item, random: np.random.Generator) -> Item:
    """In the options too, so that they still answer the question."""
    everything = "\n".join([item.text, *item.options])
    free = [name for name in NAMES if name not in everything]
    drawn = (free[k] for k in random.permutation(len(free)))
    other = dict(zip(names_in(item.text), drawn, strict=False))

    def rename(text: str) -> str:
        return _NAME.sub(lambda word: other.get(word[0], word[0]), text)

    return replace(item, text=rename(item.text), options=tuple(map(rename, item.options)))


def _options(item: Item, random: np.random.Generator) -> Item:
    """Another order, never the same."""
    if item.answer is None or any(map(_BY_PLACE.search, item.options)):
        return item
    count = len(item.options)
    order = random.permutation(count)
    if (order == np.arange(count)).all():
        order = np.roll(order, 1)
    options = tuple(item.options[k] for k in order)
    return replace(item, options=options, answer=int(np.flatnonzero(order == item.answer)[0]))


KINDS: dict[str, Callable[[Item, np.random.Generator], Item]] = {
    "case": _case,
    "spaces": _spaces,
    "letters": _letters,
    "names": _names,
    "options": _options,
}
