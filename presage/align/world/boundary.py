"""Boundary prompts: near-identical pairs of which one is disallowed and the other allowed, to examine over-refusal.

The GPT-4 system card's idea (papers.md §9.12): what is maximally similar to a disallowed prompt and yet allowed must
not be refused. From the policy world, pairs differ in the owner or the verb; from plain_words, in one gap of a sentence
that any assistant can be asked. A third source, a model that rewrites prompts, is rewriting.py.

One pair a line of JSON: id, source, category, disallowed, allowed (the prompts), differs {"disallowed", "allowed"}: the
words in which they do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from presage.align.world.grammar import deeds, frames
from presage.align.world.plain_words import THEMES, Theme
from presage.core.errors import DataError
from presage.core.files import write_rows
from presage.core.seeds import stream
from presage.tasks.readers.rows import Row, json_lines
from presage.tasks.readers.sources import source

Source = Literal["world", "plain"]
SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True)
class Pair:
    """A disallowed prompt and an allowed one. Category: of the world's, with what differs; or a theme's name."""

    id: str
    source: Source
    category: str
    disallowed: str
    allowed: str

    @property
    def differs(self) -> tuple[str, str]:
        """The words of either in which they differ: what lies between their common beginning and end."""
        return difference(self.disallowed, self.allowed)


def difference(one: str, other: str) -> tuple[str, str]:
    """The words between the common beginning and the common end of two texts, a common last mark aside."""
    if one[-1:] == other[-1:] and not one[-1:].isalnum():
        one, other = one[:-1], other[:-1]
    first, second = one.split(), other.split()
    start = _common(first, second)
    end = _common(first[start:][::-1], second[start:][::-1])
    return " ".join(first[start : len(first) - end]), " ".join(second[start : len(second) - end])


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda two: two[0] == two[1], zip(first, second, strict=False)))


# ---- drawing ---------------------------------------------------------------------------------------------------------


def boundary(seed: int, count: int, sources: Sequence[Source] = SOURCES, held_out: bool = False) -> list[Pair]:
    """`count` different pairs, as even over the sources and over their categories as those allow, in a random order;
    the same for the same seed. `held_out`: those of the world are of its held-out side.

    Raises DataError for fewer than one, no source, or more than there are.
    """
    if count < 1 or not sources:
        raise DataError(f"{count} pairs of {len(sources)} sources", where="boundary", hint="at least one of either")
    pools = [of_world(held_out) if one == "world" else of_plain() for one in dict.fromkeys(sources)]
    sizes = [sum(map(len, pool)) for pool in pools]
    if count > sum(sizes):
        raise DataError(f"{count} pairs of which there are {sum(sizes)}", where="boundary")
    chance = stream(seed, "boundary", held_out)
    drawn: list[Pair] = []
    for categories, share in zip(pools, _even(count, sizes), strict=True):
        for pool, size in zip(categories, _even(share, list(map(len, categories))), strict=True):
            drawn += [pool[place] for place in chance.choice(len(pool), size=size, replace=False)]
    return [drawn[place] for place in chance.permutation(len(drawn))]


def _even(count: int, sizes: Sequence[int]) -> list[int]:
    """How many of each: one at a time to the one that has fewest and any left."""
    taken = [0] * len(sizes)
    for _ in range(count):
        left = [place for place, size in enumerate(sizes) if taken[place] < size]
        taken[min(left, key=taken.__getitem__)] += 1
    return taken


@cache
def of_world(held_out: bool) -> tuple[tuple[Pair, ...], ...]:
    """All pairs of the world's grammar: by category, and by which word differs."""
    pools: dict[str, list[Pair]] = {}
    for deed, frame in itertools.product(deeds(held_out), frames(held_out)):
        for by, twin in zip(("owner", "verb"), deed.twins() if deed.forbidden else (), strict=False):
            category = f"{deed.category}, by {by}"
            id = f"world/{deed.key}/{frame.key}/{by}"
            pair = Pair(id, "world", category, frame.ask(deed.words), frame.ask(twin.words))
            pools.setdefault(category, []).append(pair)
    return tuple(map(tuple, pools.values()))


@cache
def of_plain() -> tuple[tuple[Pair, ...], ...]:
    """All pairs of plain English, by theme."""
    return tuple(tuple(_of_theme(theme)) for theme in THEMES)


def _of_theme(theme: Theme) -> Iterable[Pair]:
    for number, (sentence, gap) in enumerate(itertools.product(theme.sentences, theme.gaps)):
        disallowed, allowed = map(sentence.format, gap)
        yield Pair(f"plain/{theme.name.replace(' ', '-')}/{number:03d}", "plain", theme.name, disallowed, allowed)


# ---- files -----------------------------------------------------------------------------------------------------------


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    """Pairs as JSON lines, whole or not at all. Raises RunError when the disk is full."""
    write_rows(path, map(_row, pairs))


def _row(pair: Pair) -> dict[str, Any]:
    disallowed, allowed = pair.differs
    row = {"id": pair.id, "source": pair.source, "category": pair.category}
    prompts = {"disallowed": pair.disallowed, "allowed": pair.allowed}
    return row | prompts | {"differs": {"disallowed": disallowed, "allowed": allowed}}


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a file. Raises DataError naming file and line of the first fault."""
    found: dict[str, Pair] = {}
    for row in json_lines(source(path, whole=True)):
        pair = _pair(row)
        if pair.id in found:
            raise DataError(f"the id '{pair.id}' appears twice", where=row.where)
        found[pair.id] = pair
    if not found:
        raise DataError("holds no pairs", where=path)
    return list(found.values())


def _pair(row: Row) -> Pair:
    origin = SOURCES[row.one_of("source", SOURCES)]
    return Pair(row.text("id"), origin, row.text("category"), row.text("disallowed"), row.text("allowed"))
