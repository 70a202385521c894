"""What occurs more than once in a text: lines, paragraphs and runs of words, told by their 64-bit hashes.

A duplicate is what has occurred before in the same text; the first occurrence is none. So a text that says everything
twice is half duplicates, and what is left without them says everything once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from presage.data.fingerprints import loads, pair, stir

_BLOCK = 8
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(_BLOCK + 1)], np.uint64)
_COUNTED = np.int64(1 << 40)  # room for characters below the count of occurrences


# ---- hashes ---------------------------------------------------------------------------------------------------------


def span_hashes(data: bytes, starts: np.ndarray, ends: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """uint64 [spans]: of the bytes from start to end (at least one) and the number of the owner.

    All eight-byte blocks of all spans are hashed in one go: a loop over the blocks of the longest span would take one
    turn for each eight bytes of it.
    """
    sizes = ends - starts
    blocks = -(-sizes // _BLOCK)
    after = np.cumsum(blocks)
    first = after - blocks
    places = _BLOCK * np.arange(blocks.sum()) + np.repeat(starts - _BLOCK * first, blocks)
    values = loads(data + bytes(_BLOCK))[places]
    values[after - 1] &= _MASKS[sizes - _BLOCK * (blocks - 1)]
    return pair(pair(sequence_hashes(values, first), sizes.astype(np.uint64)), owners.astype(np.uint64))


def sequence_hashes(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """uint64 [sequences]: of the values from each start to the next, in their order. Starts ascend from 0."""
    if not len(starts):
        return np.zeros(0, np.uint64)
    places = np.arange(len(values)) - np.repeat(starts, np.diff(starts, append=len(values)))
    sums: np.ndarray = np.add.reduceat(pair(values, places.astype(np.uint64)), starts)
    return stir(sums)


# ---- what occurs again ----------------------------------------------------------------------------------------------


def repeated(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(places, int64; first, bool) of all keys, uint64, that occur more than once.

    Places of one key stand together and in order; `first` marks the first of each. Sorting the keys with their places
    in their lowest bits is several times faster than sorting places by keys; what those bits hid is looked at after.
    """
    hidden = np.uint64((1 << len(keys).bit_length()) - 1)
    packed = np.sort((keys & ~hidden) | np.arange(len(keys), dtype=np.uint64))
    kept, _ = _grouped(packed & ~hidden)
    places = (packed[kept] & hidden).astype(np.int64)
    order = np.argsort(keys[places], kind="stable")  # few, and nearly in order
    kept, first = _grouped(keys[places[order]])
    return places[order[kept]], first


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(kept, bool [keys]; first, bool [kept]) of keys in order: which have an equal neighbour, which lead."""
    same = np.concatenate([[False], keys[1:] == keys[:-1], [False]])
    before, after = same[: len(keys)], same[1 : len(keys) + 1]
    kept = before | after
    return kept, ~before[kept]


def again(keys: np.ndarray) -> np.ndarray:
    """bool [keys]: whether the same key stands before."""
    places, first = repeated(keys)
    found = np.zeros(len(keys), bool)
    found[places[~first]] = True
    return found


# ---- runs of words --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Level:
    """Runs of n words that occur more than once: places and firsts as `repeated` gives them; and all in text order."""

    places: np.ndarray
    first: np.ndarray
    ordered: np.ndarray
    hashes: np.ndarray


class Runs:
    """Runs of words that occur more than once within their text.

    A run of n words can only occur twice if both runs of n - 1 words in it do. In most texts few do from n = 3 on, so
    each n looks only at what the one before has left.
    """

    def __init__(self, hashes: np.ndarray, sizes: np.ndarray, texts: np.ndarray, count: int) -> None:
        """hashes, uint64; sizes in characters, int64; texts, int64 [words] each. count: how many texts there are."""
        self._texts, self._count = texts, count
        self._words = pair(hashes, texts.astype(np.uint64))  # so that words of two texts are never the same
        self._before = np.concatenate([[0], np.cumsum(sizes)])
        everywhere = np.arange(len(hashes))
        self._levels = [_Level(everywhere, np.ones(len(hashes), bool), everywhere, self._words)]

    @cached_property
    def characters(self) -> np.ndarray:
        """int64 [texts]: of all words."""
        edges = self._before[np.searchsorted(self._texts, np.arange(self._count + 1))]
        characters: np.ndarray = np.diff(edges)
        return characters

    def duplicated(self, n: int) -> np.ndarray:
        """int64 [texts]: characters in runs of n words that occurred before, none counted twice."""
        level = self._level(n)
        places = np.sort(level.places[~level.first])
        new = self._new(places, np.diff(places, prepend=-n), n)
        return np.bincount(self._texts[places], new, self._count).astype(np.int64)

    def most_frequent(self, n: int) -> np.ndarray:
        """int64 [texts]: characters in the most frequent run of n words, none counted twice; 0 if none occurs twice.

        Of equally frequent runs it is the one with most characters.
        """
        level = self._level(n)
        found = np.zeros(self._count, np.int64)
        if not len(level.places):
            return found
        gaps = np.where(level.first, n, np.diff(level.places, prepend=0))
        starts = np.flatnonzero(level.first)
        characters = np.add.reduceat(self._new(level.places, gaps, n), starts)
        times = np.diff(starts, append=len(level.places))
        np.maximum.at(found, self._texts[level.places[starts]], times * _COUNTED + characters)
        return found % _COUNTED

    def _new(self, places: np.ndarray, gaps: np.ndarray, n: int) -> np.ndarray:
        """int64: characters of the run of n words at each place that the one `gaps` words before does not have."""
        new: np.ndarray = self._before[places + n] - self._before[places + np.maximum(0, n - gaps)]
        return new

    def _level(self, n: int) -> _Level:
        while len(self._levels) < n:
            last = self._levels[-1]
            both = np.diff(last.ordered, append=-1) == 1  # the run that begins a word later is there too
            candidates = last.ordered[both]
            hashes = pair(last.hashes[both], self._words[candidates + len(self._levels)])
            where, first = repeated(hashes)
            ordered = np.sort(where)
            self._levels.append(_Level(candidates[where], first, candidates[ordered], hashes[ordered]))
        return self._levels[n - 1]
