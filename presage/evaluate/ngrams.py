"""Runs of words in common: GPT-3's overlap analysis and GPT-2's 8-gram overlap.

GPT-3 (section 4 and appendix C; sheet section 5.8): words are delimited by whitespace, lower-case, without punctuation.
N is the 5th percentile of the items' lengths in words, at least 8 and at most 13; an item is dirty if any N-gram of it
is in any training document, a whole item if it is shorter than N. Here an item of fewer than 8 words is not testable.

GPT-2 (section 4; sheet section 4.6): words are runs of letters and digits, lower-case; 8-grams of the training set go
into Bloom filters with at most one false positive in 1e8, and the share of a test set's 8-grams found there is its
overlap. Here the filter is turned round, so that its size is that of the items, whatever the corpus: the items' 8-grams
are the table and the corpus is streamed past it. They are told apart by 64-bit hashes: an 8-gram counts as met by
accident with probability G / 2^64 in a corpus of G 8-grams, below 1e-8 up to G = 1.8e11. A flag is always exact: it is
raised only where the words themselves are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from presage.data.fingerprints import Groups, Table, Words, grams, words_of
from presage.data.folding import RUNS, WORDS, Batch
from presage.evaluate.matching import Flags, Match, slices

LEAST, MOST = 8, 13
PERCENTILE = 5


@dataclass(frozen=True)
class _Grams:
    """The items' n-grams of one length: rows (n-gram, item), one where an item first has it, in the order of keys."""

    n: int
    table: Table
    rows: Groups
    item: np.ndarray  # int64 [rows]
    start: np.ndarray  # int64 [rows], bytes of the items' stream
    end: np.ndarray
    met: np.ndarray  # bool [n-grams]

    def find(self, words: Words) -> tuple[np.ndarray, np.ndarray]:
        """(word that it begins with, n-gram), int64 each: n-grams that were not met before, each at its first place."""
        at, gram = self.table.find(grams(words.hashes, self.n))
        new = ~self.met[gram]
        gram, first = np.unique(gram[new], return_index=True)
        order = np.argsort(first)
        self.met[gram] = True
        return at[new][first[order]], gram[order]


class _Ngrams(ABC):
    """One n-gram method for many items in one pass over documents."""

    name: ClassVar[str]
    floor: ClassVar[int]

    def __init__(self, items: Batch) -> None:
        stream = items.streams[self.floor]
        self._items = stream.data
        words = words_of(stream)
        owner = np.where(stream.is_mark(words.starts), -1, stream.text_at(words.starts))
        counts = np.bincount(owner + 1, minlength=len(items.texts) + 1)[1:]
        lengths = self.lengths(counts)
        self.testable = lengths > 0
        self.facts = {"n": int(lengths.max(initial=0))}
        self._lengths = [_index(words, owner, lengths, int(n)) for n in np.unique(lengths[self.testable])]
        self.facts["ngrams"] = sum(len(one.table.keys) for one in self._lengths)
        self._flags = Flags(len(lengths))

    @staticmethod
    @abstractmethod
    def lengths(counts: np.ndarray) -> np.ndarray:
        """int64 [items]: the length of the n-grams an item is tested by, from its words; 0 where it cannot be."""

    def reset(self) -> None:
        """Forget which items and n-grams were met."""
        self._flags = Flags(len(self.testable))
        for one in self._lengths:
            one.met[:] = False

    def overlap(self) -> float | None:
        """The share of the items' distinct n-grams that was met since the last reset."""
        return sum(int(one.met.sum()) for one in self._lengths) / max(1, self.facts["ngrams"])

    def scan(self, documents: Batch) -> Iterator[Match]:
        """The items that are met here and were not before; each at the earliest place in the documents."""
        stream = documents.streams[self.floor]
        words = words_of(stream)
        for one in self._lengths:
            yield from self._flags.first(self._matches(one, words, stream.data))

    def _matches(self, one: _Grams, words: Words, data: bytes) -> Iterator[Match]:
        """Items not met before whose n-gram stands in the documents, word by word, in the order of the documents."""
        at, gram = one.find(words)
        for part in slices(one.rows.sizes(gram)):
            of, row = one.rows.rows(gram[part])
            new = ~self._flags.met[one.item[row]]
            begin = at[part][of[new]]
            ranges = (one.item[row[new]], one.start[row[new]], one.end[row[new]])
            places = (words.starts[begin], words.ends[begin + one.n - 1])
            for item, start, end, first, after in zip(*(x.tolist() for x in (*ranges, *places)), strict=True):
                if not self._flags.met[item] and self._items[start:end].split() == data[first:after].split():
                    yield Match(item, (start, end), (first, after))


def _index(words: Words, owner: np.ndarray, lengths: np.ndarray, n: int) -> _Grams:
    """The n-grams of the items that are tested by this length; owner: int64 [words], -1 for separators."""
    keys = grams(words.hashes, n)
    first = owner[: len(keys)]
    place = np.flatnonzero((first >= 0) & (first == owner[n - 1 :]) & (lengths[first] == n))
    place = place[np.argsort(keys[place], kind="stable")]  # equal ones stay in the order of the items
    key, item = keys[place], owner[place]
    once = np.ones(len(place), bool)
    once[1:] = (key[1:] != key[:-1]) | (item[1:] != item[:-1])
    place, item = place[once], item[once]
    distinct, rows = Groups.of(key[once])
    met = np.zeros(len(distinct), bool)
    return _Grams(n, Table(distinct), rows, item, words.starts[place], words.ends[place + n - 1], met)


class Analysis(_Ngrams):
    """GPT-3's overlap analysis."""

    name: ClassVar[str] = "gpt3"
    floor: ClassVar[int] = WORDS

    @staticmethod
    def lengths(counts: np.ndarray) -> np.ndarray:
        """N from the 5th percentile of all lengths; an item of 8 to N words is one n-gram, whole."""
        n = np.clip(np.percentile(counts, PERCENTILE, method="lower"), LEAST, MOST)
        return np.where(counts >= LEAST, np.minimum(counts, n), 0).astype(np.int64)


class Overlap(_Ngrams):
    """GPT-2's 8-gram overlap."""

    name: ClassVar[str] = "gpt2"
    floor: ClassVar[int] = RUNS

    @staticmethod
    def lengths(counts: np.ndarray) -> np.ndarray:
        """Always 8."""
        return np.where(counts >= LEAST, LEAST, 0)
