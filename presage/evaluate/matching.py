"""What the contamination methods share: the match they report, and the bookkeeping of which items are flagged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from presage.data.folding import Batch

MOST_ROWS = 1 << 20  # looked at together; what bounds memory where a phrase is common to many items


@dataclass(frozen=True)
class Match:
    """An item met for the first time: bytes of the items' and of the documents' stream, in the method's reading."""

    item: int
    in_items: tuple[int, int]
    in_documents: tuple[int, int]


class Method(Protocol):
    """One way to find items in documents. `testable` is bool [items]; `facts` go into the report as they are."""

    name: ClassVar[str]
    floor: ClassVar[int]
    testable: np.ndarray
    facts: dict[str, int]

    def scan(self, documents: Batch) -> Iterator[Match]:
        """The items that are met here and were not before; each at the earliest place in the documents."""

    def reset(self) -> None:
        """Forget which items were met."""

    def overlap(self) -> float | None:
        """The share of the items' distinct n-grams that was met since the last reset, where a method counts it."""


def slices(sizes: np.ndarray) -> Iterator[slice]:
    """Cuts rows of these sizes, int64 [rows], so that a slice's sizes add up to MOST_ROWS or are a single row's."""
    total = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = total[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(total, before + MOST_ROWS, side="right")))
        yield slice(start, end)
        start = end


class Flags:
    """Which items were met; lets the first match of each item through."""

    def __init__(self, items: int) -> None:
        self.met = np.zeros(items, bool)

    def first(self, matches: Iterable[Match]) -> Iterator[Match]:
        """The matches of items that were not met before."""
        for match in matches:
            if not self.met[match.item]:
                self.met[match.item] = True
                yield match
