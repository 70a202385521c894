"""Passages, edited versions of them, and how similar these are: what near-duplicate removal is measured on."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from presage.data import shingles
from presage.data.documents import read_bytes
from presage.data.folding import SPACE, fold_character

SIMILAR = 0.8
SYLLABLES = ("ba", "cor", "den", "fi", "gal", "hu", "jer", "kin", "lo", "mas", "nor", "pe", "qui", "ros", "tu", "vel")
Leaders = dict[int, int]
"""{text: the earlier one that it copies} of those that copy one."""


# ---- passages -------------------------------------------------------------------------------------------------------


def documents(paths: Sequence[Path]) -> Iterator[str]:
    """Texts of files of JSON lines; without files, made ones without end."""
    for path in paths:
        for line in read_bytes(path).decode().splitlines():
            record = json.loads(line)
            yield record.get("text") or "\n\n".join(first for first, _ in record["pairs"])
    if not paths:
        chance = random.Random(0)
        words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 3))) for _ in range(4000)]
        while True:
            yield " ".join(chance.choices(words, k=2000))


def passages(documents: Iterable[str], count: int) -> list[str]:
    """As many as there are, up to `count`; from all over the documents."""
    chance, found = random.Random(1), []
    for text in documents:
        words = text.split(" ")
        while len(words) >= 100:
            size = chance.randint(100, 1500)
            found.append(" ".join(words[:size]))
            words = words[size:]
        if len(found) >= 20 * count:
            break
    return chance.sample(found, min(count, len(found)))


# ---- edits ----------------------------------------------------------------------------------------------------------


def edited(text: str, other: str, chance: random.Random) -> str:
    """A version whose similarity to the text is near one drawn at random."""
    spread = chance.uniform(0.5, 1), chance.uniform(SIMILAR - 0.05, SIMILAR + 0.05)
    similarity = chance.choice(spread)
    edit = chance.choice((_dropped, _exchanged, _moved, _longer))
    return " ".join(edit(text.split(" "), other.split(" "), similarity, chance))


def _rate(similarity: float) -> float:
    """The share of words to touch: a shingle stays where all five words do."""
    return 1 - float((2 * similarity / (1 + similarity)) ** (1 / shingles.SHINGLE))


def _dropped(words: list[str], _: list[str], similarity: float, chance: random.Random) -> list[str]:
    rate = _rate(similarity)
    return [word for word in words if chance.random() >= rate]


def _exchanged(words: list[str], other: list[str], similarity: float, chance: random.Random) -> list[str]:
    rate = _rate(similarity)
    return [chance.choice(other) if chance.random() < rate else word for word in words]


def _moved(words: list[str], _: list[str], similarity: float, chance: random.Random) -> list[str]:
    """Each move breaks about twelve shingles: four where the words were, eight around them where they go."""
    words = [*words]
    for _move in range(round((1 - similarity) / (1 + similarity) * len(words) / 6)):
        first = chance.randrange(len(words))
        taken = words[first : first + chance.randint(5, 20)]
        del words[first : first + len(taken)]
        place = chance.randint(0, len(words))
        words[place:place] = taken
    return words


def _longer(words: list[str], other: list[str], similarity: float, chance: random.Random) -> list[str]:
    """Paragraphs of another text at both ends."""
    added = (other * 3)[: round((1 / similarity - 1) * len(words))]
    before = chance.randint(0, len(added))
    return [*added[:before], *words, *added[before:]]


# ---- labels ---------------------------------------------------------------------------------------------------------


class _Folding(dict[int, str]):
    def __missing__(self, code: int) -> str:
        folded = fold_character(chr(code))
        self[code] = chr(folded) if folded > SPACE else " " * (folded == SPACE)
        return self[code]


_FOLDING = _Folding()


def _shingles(text: str) -> set[str]:
    words = text.translate(_FOLDING).split()
    size = shingles.SHINGLE
    return {" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))}


@dataclass
class Labelled:
    """Originals first, then one version of each; similarity[i] is that of version i to its original."""

    texts: list[str]
    sets: list[set[str]]
    similarity: list[float]
    shingle_seconds: float

    @classmethod
    def of(cls, originals: Sequence[str]) -> Labelled:
        chance = random.Random(2)
        texts = [*originals, *(edited(text, chance.choice(originals), chance) for text in originals)]
        start = time.process_time()
        sets = [_shingles(text) for text in texts]
        seconds = time.process_time() - start
        count = len(originals)
        return cls(texts, sets, [_jaccard(sets[i], sets[count + i]) for i in range(count)], seconds)

    def score(self, found: Leaders) -> tuple[float, float]:
        """(precision, recall) of a leader for some texts; right is one at least as similar as the threshold."""
        right = {i for i, leader in found.items() if _jaccard(self.sets[i], self.sets[leader]) >= SIMILAR}
        originals = len(self.similarity)
        copies = {originals + i for i, similarity in enumerate(self.similarity) if similarity >= SIMILAR}
        return len(right) / max(1, len(found)), len(right & copies) / max(1, len(copies))

    def said(self) -> str:
        """What was labelled, in a sentence."""
        copies = sum(similarity >= SIMILAR for similarity in self.similarity)
        close = sum(abs(similarity - SIMILAR) < 0.05 for similarity in self.similarity)
        return (
            f"{len(self.similarity):,} passages and an edited version of each, {megabytes(self.texts):.1f} MB: "
            f"{copies:,} versions at {SIMILAR} or above, {close:,} within 0.05 of it."
        )


def _jaccard(first: set[str], second: set[str]) -> float:
    return len(first & second) / len(first | second)


def megabytes(texts: Iterable[str]) -> float:
    """In UTF-8; a million bytes each."""
    return sum(len(text.encode()) for text in texts) / 1e6
