"""The three methods written to be read: the slow twins of presage.evaluate.patterns and presage.evaluate.ngrams."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from presage.data.folding import SPACE, fold_character
from presage.evaluate.patterns import draw

Met = dict[str, tuple[int, int]]  # item: the first document that holds it, and the character where the match begins


def reading(text: str, floor: int) -> tuple[str, list[int]]:
    """A reading of a text, and for each of its characters the one of the text that it was made from."""
    codes = [(fold_character(character), place) for place, character in enumerate(text)]
    kept = [(chr(max(code, SPACE)), place) for code, place in codes if code > floor]
    return "".join(letter for letter, _ in kept), [place for _, place in kept]


def words(text: str, floor: int) -> list[tuple[str, int]]:
    """[(word, the character where it begins)] of one reading."""
    letters, places = reading(text, floor)
    gaps = [-1, *(i for i, letter in enumerate(letters) if letter == " "), len(letters)]
    return [(letters[a + 1 : b], places[a + 1]) for a, b in pairwise(gaps) if b > a + 1]


def substrings(items: dict[str, str], documents: Sequence[str], seed: int) -> Met:
    """GPT-4's rule."""
    met: Met = {}
    for name, text in items.items():
        letters = reading(text, SPACE)[0].encode()
        patterns = [letters[first:end].decode() for first, end in draw(letters, seed, name)]
        for number, document in enumerate(documents):
            kept, places = reading(document, SPACE)
            found = [at for pattern in patterns if (at := kept.find(pattern)) >= 0]
            if found:
                met.setdefault(name, (number, places[min(found)]))
    return met


def ngrams(items: dict[str, str], documents: Sequence[str], floor: int, lengths: dict[str, int]) -> Met:
    """GPT-3's and GPT-2's rules: `floor` names the reading, `lengths` the N of each item (0: not tested)."""
    met: Met = {}
    for name, text in items.items():
        n = lengths[name]
        wanted = _runs([word for word, _ in words(text, floor)], n) if n else []
        for number, document in enumerate(documents):
            there = words(document, floor)
            found = [i for i, run in enumerate(_runs([word for word, _ in there], n)) if n and run in wanted]
            if found:
                met.setdefault(name, (number, there[found[0]][1]))
    return met


def overlap(items: dict[str, str], documents: Sequence[str], floor: int, n: int) -> float:
    """The share of the items' distinct n-grams that stand in the documents."""
    wanted = {run for text in items.values() for run in _runs([word for word, _ in words(text, floor)], n)}
    there = {run for text in documents for run in _runs([word for word, _ in words(text, floor)], n)}
    return len(wanted & there) / max(1, len(wanted))


def _runs(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
