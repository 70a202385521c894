"""GPT-4's rule: an item is contaminated if one of three random substrings of it stands in a training document.

GPT-4 report, appendix C (sheet section 9.7): only letters and digits are kept on both sides; three random substrings of
50 characters an item, the whole item if it is shorter. The report says nothing of case (here folded, with accents) nor
of how short an item may be (here 25 such characters; shorter ones are not testable by this rule).

How it is fast. Any place where a pattern may stand covers, for each run of 23 of its letters, exactly one whole
sixteen-byte window that begins at a multiple of eight. So only those windows of the documents are looked up, in a table
that holds eight windows of each pattern, one for each way to lie; what is found is compared with the pattern itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from presage.core.seeds import derive
from presage.data.fingerprints import Groups, Table, loads, pair
from presage.data.folding import LETTERS, Batch
from presage.evaluate.matching import Flags, Match, slices

LENGTH = 50
SHORTEST = 25
DRAWN = 3
_STEP = 8
_SPAN = _STEP - 1 + 16  # bytes of a pattern that its eight windows cover
_ANCHORS = 4


def draw(letters: bytes, seed: int, name: str) -> list[tuple[int, int]]:
    """The patterns of an item as byte ranges of its letters, in order, each once; empty when it is too short.

    They depend on the seed, the item's name and its letters, and not on the other items.
    """
    size = len(letters.decode())
    if size < SHORTEST:
        return []
    room = max(0, size - LENGTH)
    firsts = sorted({derive(seed, "pattern", name, k) % (room + 1) for k in range(DRAWN)})
    place = np.append(np.flatnonzero(np.frombuffer(letters, np.uint8) & 0xC0 != 0x80), len(letters))
    return [(int(place[first]), int(place[min(first + LENGTH, size)])) for first in firsts]


class Substrings:
    """GPT-4's rule for many items in one pass over documents."""

    name: ClassVar[str] = "gpt4"
    floor: ClassVar[int] = LETTERS

    def __init__(self, items: Batch, names: Sequence[str], seed: int = 0) -> None:
        """names: one for each item, which its random patterns are drawn from."""
        stream = items.streams[LETTERS]
        self.testable = np.zeros(len(names), bool)
        owners: dict[bytes, list[tuple[int, int]]] = {}  # pattern: items and where in the items' stream it stands
        for item, name in enumerate(names):
            letters, begin = stream.part(item), int(stream.marks[item]) + 1
            for first, end in draw(letters, seed, name):
                owners.setdefault(letters[first:end], []).append((item, begin + first))
                self.testable[item] = True
        self.facts = {"patterns": len(owners), "characters": LENGTH}
        self._patterns, self._owners = list(owners), list(owners.values())
        self._sizes = np.fromiter(map(len, self._patterns), np.int64, len(self._patterns))
        self._index()
        self.reset()

    def reset(self) -> None:
        """Forget which items were met."""
        self._flags = Flags(len(self.testable))
        self._met = np.zeros(len(self._patterns), bool)

    def overlap(self) -> float | None:
        """This rule counts no n-grams."""
        return None

    def scan(self, documents: Batch) -> Iterator[Match]:
        """The items that are met here and were not before."""
        data = documents.streams[LETTERS].data
        blocks = np.frombuffer(data, "<u8")
        block, key = self._table.find(pair(blocks[:-1], blocks[1:]))
        first: dict[int, int] = {}  # of each pattern: a row of zeros may hold one at every byte
        for part in slices(self._windows.sizes(key)):
            for at, pattern in self._candidates(data, block[part] * _STEP, key[part]):
                if at < first.get(pattern, at + 1) and data.startswith(self._patterns[pattern], at):
                    first[pattern] = at
        found = sorted((at, pattern) for pattern, at in first.items())
        self._met[np.array([pattern for _, pattern in found], np.int64)] = True
        yield from self._flags.first(
            Match(item, (in_items, in_items + int(self._sizes[pattern])), (at, at + int(self._sizes[pattern])))
            for at, pattern in found
            for item, in_items in self._owners[pattern]
        )

    def _candidates(self, data: bytes, windows: np.ndarray, keys: np.ndarray) -> Iterator[tuple[int, int]]:
        """(position, pattern) where a window of a pattern stands, int64 [found] each, and its last eight bytes too."""
        of, row = self._windows.rows(keys)
        pattern = self._pattern_of[row]
        at = windows[of] - self._offset_of[row]
        tail = at + self._sizes[pattern] - 8
        fits = np.flatnonzero(~self._met[pattern] & (at >= 0) & (tail <= len(data) - 8))
        right = fits[loads(data)[tail[fits]] == self._tails[pattern[fits]]]
        return zip(at[right].tolist(), pattern[right].tolist(), strict=True)

    def _index(self) -> None:
        """The table of the patterns' windows, and for each window its pattern and offset in it."""
        body = b"".join(self._patterns) + bytes(8)
        windows, begins = loads(body), np.cumsum(self._sizes) - self._sizes
        self._tails = windows[begins + self._sizes - 8]
        # Where the eight windows begin is free: take the anchor whose first window is rarest among all patterns, so
        # that a phrase common to thousands of items does not lead to thousands of comparisons.
        anchors = (self._sizes - _SPAN)[:, None] * np.arange(_ANCHORS) // (_ANCHORS - 1)
        firsts = begins[:, None] + anchors
        _, which, counts = np.unique(
            pair(windows[firsts], windows[firsts + 8]), return_inverse=True, return_counts=True
        )
        rarest = counts[which.reshape(firsts.shape)].argmin(axis=1)
        offsets = np.take_along_axis(anchors, rarest[:, None], axis=1) + np.arange(_STEP)
        places = begins[:, None] + offsets
        keys = pair(windows[places], windows[places + 8]).ravel()
        order = np.argsort(keys)
        distinct, self._windows = Groups.of(keys[order])
        self._table = Table(distinct)
        self._pattern_of, self._offset_of = order // _STEP, offsets.ravel()[order]
