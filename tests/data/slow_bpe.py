"""Byte-level BPE written to be read: the slow twin of presage.data.bpe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import regex  # type: ignore[import-untyped, unused-ignore]


def slow_encode(text: str, ranks: dict[bytes, int], pattern: str) -> list[int]:
    """Split by the pattern; in each part, merge the adjacent pair of lowest rank until none is a token."""
    ids = []
    for part in regex.findall(pattern, text):
        tokens = [bytes([byte]) for byte in part.encode()]
        while True:
            known = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(tokens)) if a + b in ranks]
            if not known:
                break
            _, i = min(known)
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
        ids += [ranks[token] for token in tokens]
    return ids


class Pairs:
    """How often each pair of adjacent tokens stands in the texts, as merges go on."""

    def __init__(self, texts: Iterable[str], pattern: str) -> None:
        parts = Counter(part for text in texts for part in regex.findall(pattern, text))
        self.words = [([bytes([byte]) for byte in part.encode()], count) for part, count in parts.items()]
        self.counts: Counter[tuple[bytes, bytes]] = Counter()
        for tokens, count in self.words:
            self._count(tokens, count)

    def merge(self, pair: tuple[bytes, bytes]) -> None:
        for tokens, count in self.words:
            if pair in pairwise(tokens):
                self._count(tokens, -count)
                _merge(tokens, pair)
                self._count(tokens, count)

    def _count(self, tokens: list[bytes], count: int) -> None:
        for pair in pairwise(tokens):
            self.counts[pair] += count


def slow_train(texts: Iterable[str], merges: int, pattern: str) -> list[tuple[bytes, bytes]]:
    """The most frequent adjacent pair becomes a token; of equals, the pair that is greater by its bytes."""
    pairs = Pairs(texts, pattern)
    learned: list[tuple[bytes, bytes]] = []
    while len(learned) < merges:
        learned.append(max(pairs.counts, key=lambda pair: (pairs.counts[pair], pair)))
        pairs.merge(learned[-1])
    return learned


def counts_of_merges(texts: Iterable[str], merges: list[tuple[bytes, bytes]], pattern: str) -> list[tuple[int, int]]:
    """Replay merges: [(how often the pair stood in the text when it was merged, how often the commonest pair did)]."""
    pairs = Pairs(texts, pattern)
    counts = []
    for merge in merges:
        counts.append((pairs.counts[merge], max(pairs.counts.values())))
        pairs.merge(merge)
    return counts


def _merge(tokens: list[bytes], pair: tuple[bytes, bytes]) -> None:
    i = 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
        i += 1
