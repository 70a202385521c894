"""Which evaluation items stand in a corpus: three methods side by side, in one pass, document by document.

Memory is that of the items' tables, of one file of the corpus, and of some megabytes more. An item that is too short
for every method is untestable, never clean. Each item and method is reported once, at the first place where it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from presage.core.errors import DataError, did_you_mean
from presage.data.batches import batches, byte_length
from presage.data.documents import Document
from presage.data.folding import Batch
from presage.data.items import Item
from presage.evaluate.matching import Match, Method
from presage.evaluate.ngrams import Analysis, Overlap
from presage.evaluate.patterns import Substrings

METHODS: dict[str, Callable[[Batch, Sequence[str], int], Method]] = {
    "gpt4": Substrings,
    "gpt3": lambda items, names, seed: Analysis(items),
    "gpt2": lambda items, names, seed: Overlap(items),
}
FLOORS = {"gpt4": Substrings.floor, "gpt3": Analysis.floor, "gpt2": Overlap.floor}
CONTEXT = 60  # characters of an excerpt on either side of what matched
LONGEST = 400  # characters of what matched that an excerpt shows

_BATCH = 1 << 20  # characters looked through together
_SEAM = 1 << 12  # characters of a piece that are read again with the next piece of the same document


@dataclass(frozen=True)
class Hit:
    """An item in a document. `offset` is in bytes of the document's UTF-8 text, where what matched begins.

    `item_match` and `document_match` are the characters (first, after) of the excerpts that matched.
    """

    item: str
    method: str
    document: str
    offset: int
    item_excerpt: str
    document_excerpt: str
    item_match: tuple[int, int]
    document_match: tuple[int, int]


@dataclass(frozen=True)
class Report:
    """What a scan found.

    names: every item's id; testable: ids by method; planted: what `presage.evaluate.planted` measured, if asked to.
    """

    names: list[str]
    testable: dict[str, list[str]]
    hits: list[Hit]
    facts: dict[str, dict[str, float]]
    documents: int
    bytes: int
    planted: dict[str, Any] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self.names)

    @property
    def untestable(self) -> list[str]:
        """Ids of the items that no method can test."""
        known = set().union(*self.testable.values())
        return [name for name in self.names if name not in known]

    @property
    def verdicts(self) -> dict[str, dict[str, str]]:
        """{item: {method: "flagged", "clean" or "untestable"}}, in the order of the items."""
        testable = {method: set(names) for method, names in self.testable.items()}
        flagged = {method: set(self.flagged_by(method)) for method in self.testable}
        return {
            name: {method: _verdict(name in flagged[method], name in testable[method]) for method in self.testable}
            for name in self.names
        }

    @property
    def flagged(self) -> list[str]:
        """Ids of the items that any method met, in the order in which they were met."""
        return list(dict.fromkeys(hit.item for hit in self.hits))

    def flagged_by(self, method: str) -> list[str]:
        """Ids of the items that one method met."""
        return [hit.item for hit in self.hits if hit.method == method]

    def as_json(self) -> dict[str, Any]:
        """The report as plain data: counts, what each method could test and met, hits, verdicts, planted copies."""
        methods = {
            name: {"testable": len(ids), "flagged": len(self.flagged_by(name)), **self.facts[name]}
            for name, ids in self.testable.items()
        }
        return {
            "items": self.items,
            "flagged": len(self.flagged),
            "untestable": len(self.untestable),
            "untestable_items": self.untestable,
            "documents": self.documents,
            "bytes": self.bytes,
            "methods": methods,
            "hits": [asdict(hit) for hit in self.hits],
            "verdicts": self.verdicts,
            **self.planted,
        }


@dataclass(frozen=True)
class Piece:
    """A document, or a part of one that begins at byte `base` of it. A part at byte 0 begins a new document."""

    document: Document
    base: int


class Scanner:
    """Tables for the items, built once; `scan` streams documents past them."""

    def __init__(self, items: Sequence[Item], methods: Sequence[str] = tuple(METHODS), seed: int = 0) -> None:
        """Raises DataError for an unknown method. The seed draws GPT-4's substrings."""
        unknown = next((name for name in methods if name not in METHODS), None)
        if unknown is not None:
            raise DataError(f"no method '{unknown}'", hint=did_you_mean(unknown, METHODS))
        self.items = list(items)
        self._texts = Batch([item.text for item in items], {FLOORS[name] for name in methods})
        names = [item.id for item in items]
        self.methods = [METHODS[name](self._texts, names, seed) for name in dict.fromkeys(methods)]

    def scan(self, documents: Iterable[Document]) -> Report:
        """One pass over the documents."""
        return scan_together([self], documents)[0]

    def meets(self, text: str) -> set[tuple[int, str]]:
        """{(index of the item, method)} of what one text holds, whatever was met before."""
        self.reset()
        return {(match.item, method.name) for method, match in self._matches(Batch([text], self.floors))}

    def holding(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text holds any item by any method, whatever was met before.

        By halves: texts that hold nothing are passed over together, and such are most of a corpus.
        """
        self.reset()
        if next(self._matches(Batch(texts, self.floors)), None) is None:
            return [False] * len(texts)
        if len(texts) == 1:
            return [True]
        half = len(texts) // 2
        return self.holding(texts[:half]) + self.holding(texts[half:])

    @property
    def floors(self) -> set[int]:
        """The readings of a text that the methods need (presage.data.folding)."""
        return {method.floor for method in self.methods}

    def reset(self) -> None:
        """Forget what was met."""
        for method in self.methods:
            method.reset()

    def hits(self, pieces: Sequence[Piece], batch: Batch) -> Iterator[Hit]:
        """Items met in the pieces and not before; batch: the pieces' texts in all readings that the methods need."""
        for method, match in self._matches(batch):
            index, first, after = batch.locate(method.floor, *match.in_documents)
            _, *in_item = self._texts.locate(method.floor, *match.in_items)
            piece, item = pieces[index], self.items[match.item]
            offset = piece.base + byte_length(piece.document.text[:first])
            of_item, item_match = excerpt(item.text, *in_item)
            of_document, document_match = excerpt(piece.document.text, first, after)
            place = (piece.document.path, offset)
            yield Hit(item.id, method.name, *place, of_item, of_document, item_match, document_match)

    def report(self, hits: list[Hit], documents: int, size: int) -> Report:
        """What was found among so many documents of so many bytes."""
        testable = {m.name: [self.items[i].id for i in np.flatnonzero(m.testable)] for m in self.methods}
        facts = {m.name: {**m.facts, **_overlap(m)} for m in self.methods}
        return Report([item.id for item in self.items], testable, hits, facts, documents, size)

    def _matches(self, batch: Batch) -> Iterator[tuple[Method, Match]]:
        for method in self.methods:
            yield from ((method, match) for match in method.scan(batch))


def scan_together(scanners: Sequence[Scanner], documents: Iterable[Document]) -> list[Report]:
    """One pass over the documents for several sets of items. Each report is the one of a scan for that set alone."""
    for scanner in scanners:
        scanner.reset()
    floors = set().union(*(scanner.floors for scanner in scanners))
    hits: list[list[Hit]] = [[] for _ in scanners]
    count = size = 0
    for pieces in batches_of(pieces_of(documents)):
        batch = Batch([piece.document.text for piece in pieces], floors)
        for scanner, found in zip(scanners, hits, strict=True):
            found += scanner.hits(pieces, batch)
        count += sum(piece.base == 0 for piece in pieces)
        size += sum(byte_length(piece.document.text) for piece in pieces)
    return [scanner.report(found, count, size) for scanner, found in zip(scanners, hits, strict=True)]


def excerpt(text: str, first: int, after: int) -> tuple[str, tuple[int, int]]:
    """Characters first to after of a text, word for word, with what stands around them; and where in this they are."""
    begin, end = max(0, first - CONTEXT), min(after, first + LONGEST)
    return text[begin : end + CONTEXT], (first - begin, end - begin)


def _verdict(flagged: bool, testable: bool) -> str:
    return "flagged" if flagged else "clean" if testable else "untestable"


def _overlap(method: Method) -> dict[str, float]:
    share = method.overlap()
    return {} if share is None else {"overlap": share}


def pieces_of(documents: Iterable[Document]) -> Iterator[Piece]:
    """Readers cut very long documents: pieces of one follow each other under one name. The seam is read twice."""
    last: Piece | None = None
    for document in documents:
        if last and (last.document.source, last.document.path) == (document.source, document.path):
            before = last.document.text
            seam = before[-_SEAM:]
            base = last.base + byte_length(before) - byte_length(seam)
            last = Piece(Document(document.source, document.path, seam + document.text), base)
        else:
            last = Piece(document, 0)
        yield last


def batches_of(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces by the megabyte, so that short ones are looked through together."""
    return batches(pieces, lambda piece: len(piece.document.text), _BATCH)
