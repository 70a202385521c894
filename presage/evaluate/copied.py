"""A deliberately contaminated copy: items of a set planted into copies of the corpus's documents, and scanned.

It shows that the scan would have seen them. The copies are held in memory; nothing that is trained on is touched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presage.core.seeds import stream
from presage.data.documents import Document
from presage.data.items import Item
from presage.evaluate.contamination import Report, Scanner

SOURCE = "copy"


@dataclass(frozen=True)
class Copied:
    """What came of it.

    planted: ids of the items planted; free: how many could have been; documents: how many were copied; report: the
    scan of the contaminated copies.
    """

    planted: list[str]
    free: int
    documents: int
    report: Report

    @property
    def found(self) -> list[str]:
        """Ids of the planted items that some method flagged."""
        met = set(self.report.flagged)
        return [name for name in self.planted if name in met]


def contaminate(scanner: Scanner, hosts: Sequence[str], count: int, seed: int) -> Copied:
    """Plant `count` items, drawn by the seed from those that some method can test and that no host holds; scan.

    Fewer where there are not so many. The scanner's memory of what it met is lost.
    """
    before = scanner.scan(_documents(hosts))
    barred = {*before.flagged, *before.untestable}
    free = [item for item in scanner.items if item.id not in barred]
    chance = stream(seed, "contaminated copy")
    chosen = [free[place] for place in chance.permutation(len(free))[:count]]
    guests: list[list[Item]] = [[] for _ in hosts]
    for item in chosen:
        guests[chance.integers(len(hosts))].append(item)
    texts = [_with(host, some, chance) for host, some in zip(hosts, guests, strict=True)]
    return Copied([item.id for item in chosen], len(free), len(hosts), scanner.scan(_documents(texts)))


def _documents(texts: Sequence[str]) -> list[Document]:
    return [Document(SOURCE, f"{SOURCE}/{number}", text) for number, text in enumerate(texts)]


def _with(host: str, items: Sequence[Item], chance: np.random.Generator) -> str:
    """The host with each item on lines of its own, at random breaks of the host: none within another item."""
    gaps = [gap.start() for gap in re.finditer(r"\s", host)] or [len(host)]
    places = chance.choice(gaps, size=len(items))
    for place, item in sorted(zip(places.tolist(), items, strict=True), key=lambda pair: -pair[0]):
        host = f"{host[:place]}\n{item.text}\n{host[place:]}"
    return host
