"""What happened to the documents of one source: counts, removals by rule with sampled examples, unreadable places."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

TOO_SHORT, EXACT, NEAR = "too_short", "exact_copies", "near_copies"
PARAGRAPHS, EMPTIED, CONTAMINATED = "paragraphs", "emptied", "contaminated"
"""Rules that are part of the passes, by the names under which they count."""
SAMPLES = 5
"""Removed documents shown for each rule of each source."""
BAD = 1000
"""Unreadable places listed for each source; all are counted."""
EXCERPT = 300
"""Characters of a removed document that are shown."""


@dataclass(frozen=True, order=True)
class Sample:
    """A removed document. `rank` is a hash of its path: the lowest are kept, whatever order they came in."""

    rank: str
    path: str
    why: str
    excerpt: str

    @classmethod
    def of(cls, path: str, why: str, text: str) -> Self:
        """`why`: what was measured, or what it is a copy of."""
        return cls(hashlib.sha256(path.encode()).hexdigest()[:16], path, why, text[:EXCERPT])


@dataclass
class Removal:
    """What one rule removed; `alone` counts all documents that break it, other rules' removals included."""

    documents: int = 0
    bytes: int = 0
    alone: int = 0
    samples: list[Sample] = field(default_factory=list)

    def add(self, documents: int, size: int, alone: int, samples: Iterable[Sample]) -> None:
        """More of the same."""
        self.documents += documents
        self.bytes += size
        self.alone += alone
        self.samples = sorted({*self.samples, *samples})[:SAMPLES]

    def wants(self, path: str) -> bool:
        """Whether a removed document of this path would be among the samples."""
        return len(self.samples) < SAMPLES or Sample.of(path, "", "").rank < self.samples[-1].rank


class Tally:
    """Counts of one part, or of all parts of a source; adding them up gives the same in any order."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.removals: defaultdict[str, Removal] = defaultdict(Removal)
        self.languages: Counter[str] = Counter()
        self.packages: Counter[str] = Counter()
        self.bad: list[list[str]] = []

    def add(self, other: Tally) -> None:
        """The other's counts beside these."""
        self.counts.update(other.counts)
        self.languages.update(other.languages)
        self.packages.update(other.packages)
        self.bad = [*self.bad, *other.bad][:BAD]
        for rule, removal in other.removals.items():
            self.removals[rule].add(removal.documents, removal.bytes, removal.alone, removal.samples)

    def written(self, split: str) -> dict[str, int]:
        """Documents, bytes and content of one split of a finished part."""
        return {what: self.counts[f"{split}/{what}"] for what in ("documents", "bytes", "content")}

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "counts": self.counts,
            "languages": self.languages,
            "packages": self.packages,
            "bad": self.bad,
            "removals": {
                rule: [r.documents, r.bytes, r.alone, [[s.rank, s.path, s.why, s.excerpt] for s in r.samples]]
                for rule, r in self.removals.items()
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        tally = cls()
        tally.counts.update(data["counts"])
        tally.languages.update(data["languages"])
        tally.packages.update(data["packages"])
        tally.bad = [list(row) for row in data["bad"]]
        for rule, (documents, size, alone, samples) in data["removals"].items():
            tally.removals[rule].add(documents, size, alone, [Sample(*sample) for sample in samples])
        return tally
