"""Exact and near copies in a corpus that does not fit in memory: which documents repeat an earlier one.

The rule: documents are taken in order. One is removed if it is a copy of an earlier document that is itself kept, and
its leader is the earliest such; a copy of a removed document alone is kept, so that a chain of small changes does not
drift away from what stands for it. A copy is a text equal but for spacing, or one whose set of shingles is similar
enough (`presage.data.shingles`; GPT-3's fuzzy de-duplication, sheet section 5.4).

    digests, keys = digest_columns(texts), band_keys(Texts(texts))      # batch by batch, into files
    leader, exact = leaders(digests, keys, read)                        # once, for all

Equal keys propose pairs, the texts decide: no document is removed that is less similar than `similar` to its leader.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import IO

import numpy as np

from presage.data.batches import batches
from presage.data.fingerprints import stir
from presage.data.shingles import BANDS, NO_KEY, band_keys, digest_columns, distinct, jaccard, shingle_sets

__all__ = ["BANDS", "FIRST", "NEAREST", "Read", "band_keys", "digest_columns", "leaders"]

Read = Callable[[np.ndarray], Iterable[str]]
"""The texts of these documents (int64, ascending), in their order."""

FIRST = NEAREST = 4  # what a document is compared with in each of its buckets: the first of all, the last before it

_PAIRS_AT_ONCE = 1 << 16
_SHINGLES_AT_ONCE = 1 << 23  # 64 MB
_CHARACTERS_AT_ONCE = 1 << 21


def leaders(
    digests: np.ndarray, keys: np.ndarray, read: Read, *, similar: float = 0.8, memory_rows: int = 1 << 20
) -> tuple[np.ndarray, np.ndarray]:
    """(leader, int64 [documents]; exact, bool [documents]).

    The leader of a kept document is itself. `exact` marks removed documents whose text, but for spacing, came before;
    their leader is that text's, so a near copy's copy leads to the original.

    digests: uint64 [documents, 2], `digest_columns` of all documents; keys: uint32 [documents, bands], `band_keys`.
    Both may be memory-mapped files; they are read column by column, so order="F" reads least. `read` is asked for
    documents that share a key with another, each seldom more than twice. `similar` is the least Jaccard similarity of a
    copy; how many pairs at a similarity are found is said at `band_keys`.

    Memory: about 100 bytes for each of `memory_rows` keys that are sorted at once (a bucket larger than that is still
    held whole), some 100 MB for pairs and texts under comparison (or one document and its candidates, if they are
    longer), and some 20 bytes a document. Pairs wait in an unnamed temporary file, 8 bytes each.

    A bucket, all documents with one key in one column, may be huge: licences, empty forms. In each of its buckets a
    document is compared with the FIRST first documents and the NEAREST last before it, so with all in a bucket of 9 or
    fewer and never with more than 8 a band. What this can miss: a copy all of whose kept originals stand in the middle
    of every bucket that they share, all of them larger than 9.

    Neither `memory_rows` nor what `read` holds at once changes the result.
    """
    everything = np.arange(len(digests))
    leader = everything.copy()
    for rows, heads in _buckets(list(digests.T), np.ones(len(digests), bool), memory_rows):
        leader[rows] = rows[heads]
    exact = leader != everything
    with tempfile.TemporaryFile() as file:
        runs = _candidates(keys, ~exact, memory_rows, file)
        _Greedy(leader, runs, read, similar).settle(0, len(leader))
    return leader[leader], exact


# ---- candidates -----------------------------------------------------------------------------------------------------


def _buckets(
    columns: Sequence[np.ndarray], taken: np.ndarray, memory_rows: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, where in them the first of each row's bucket stands), int64 each; part by part, only what shares a bucket.

    A bucket is what is equal in all columns, among the rows `taken`; its rows are in order.
    """
    parts = -(-len(taken) // memory_rows)
    for part in range(parts):
        rows = _rows_of_part(columns[0], taken, part, parts, memory_rows)
        values = [column[rows] for column in columns]
        order = np.lexsort(values)
        as_before = np.zeros(len(rows) + 1, bool)
        as_before[1:-1] = np.logical_and.reduce([value[order[1:]] == value[order[:-1]] for value in values])
        shared = as_before[:-1] | as_before[1:]
        opens = ~as_before[:-1][shared]
        yield rows[order[shared]], np.flatnonzero(opens)[np.cumsum(opens) - 1]


def _rows_of_part(column: np.ndarray, taken: np.ndarray, part: int, parts: int, memory_rows: int) -> np.ndarray:
    """int64: about one in `parts` of the rows, all that share a value in one part. NO_KEY is in none."""
    found = []
    for first in range(0, len(column), memory_rows):
        values = column[first : first + memory_rows]
        parts_of = (stir(values.astype(np.uint64)) >> np.uint64(32)) * np.uint64(parts) >> np.uint64(32)
        here = taken[first : first + memory_rows] & (values != NO_KEY) & (parts_of == part)
        found.append(np.flatnonzero(here) + first)
    return np.concatenate(found)


def _candidates(keys: np.ndarray, taken: np.ndarray, memory_rows: int, file: IO[bytes]) -> list[np.ndarray]:
    """Pairs of documents as later * documents + earlier, in ascending runs that lie in the file."""
    ends = [0]
    for band in range(keys.shape[1]):
        for rows, heads in _buckets([keys[:, band]], taken, memory_rows):
            later, earlier = _compared(heads)
            np.sort(rows[later] * len(keys) + rows[earlier]).tofile(file)
            ends.append(ends[-1] + len(later))
    file.flush()
    pairs = np.memmap(file, np.int64, "r") if ends[-1] else np.zeros(0, np.int64)
    return [pairs[first:after] for first, after in pairwise(ends) if after > first]


def _compared(heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(place, earlier place) of all pairs within buckets that are to be compared, each once."""
    places = np.arange(len(heads))
    rank = places - heads
    later = [places[rank >= step] for step in range(1, NEAREST + 1)]
    earlier = [some - step for step, some in enumerate(later, 1)]
    far = [places[rank > NEAREST + head] for head in range(FIRST)]
    return np.concatenate(later + far), np.concatenate(earlier + [heads[some] + head for head, some in enumerate(far)])


# ---- decisions ------------------------------------------------------------------------------------------------------


class _Greedy:
    """Decides documents in order; `leader` is final for all that were decided."""

    def __init__(self, leader: np.ndarray, runs: Sequence[np.ndarray], read: Read, similar: float) -> None:
        self.leader = leader
        self.runs = runs
        self.read = read
        self.similar = similar

    def settle(self, first: int, after: int) -> None:
        """Decide documents first to after - 1, in halves where all at once would take too much memory."""
        pairs = self._pairs(first, after)
        sets = None if pairs is None else self._sets(np.unique(pairs), alone=after - first == 1)
        if pairs is None or sets is None:
            middle = (first + after) // 2
            self.settle(first, middle)
            self.settle(middle, after)
            return
        for later, earlier in pairs.tolist():
            undecided, kept = self.leader[later] == later, self.leader[earlier] == earlier
            if undecided and kept and _similar(sets[later], sets[earlier], self.similar):
                self.leader[later] = earlier

    def _pairs(self, first: int, after: int) -> np.ndarray | None:
        """int64 [pairs, 2], ascending: (document, earlier one not yet removed). None if they are too many."""
        count = len(self.leader)
        slices = [slice(*np.searchsorted(run, (first * count, after * count))) for run in self.runs]
        if sum(part.stop - part.start for part in slices) > _PAIRS_AT_ONCE and after - first > 1:
            return None
        found = [run[part] for run, part in zip(self.runs, slices, strict=True)]
        codes = distinct(np.concatenate([np.zeros(0, np.int64), *found]))
        later, earlier = np.divmod(codes, max(1, count))
        kept = self.leader[earlier] == earlier
        return np.stack((later[kept], earlier[kept]), axis=1)

    def _sets(self, documents: np.ndarray, *, alone: bool) -> dict[int, np.ndarray] | None:
        """The shingles of these documents. None if they are too many, unless they all belong to one decision."""
        sets: list[np.ndarray] = []
        size = 0
        for texts in batches(self.read(documents) if len(documents) else (), len, _CHARACTERS_AT_ONCE):
            new = shingle_sets(texts)
            sets += new
            size += sum(map(len, new))
            if size > _SHINGLES_AT_ONCE and not alone:
                return None
        return dict(zip(documents.tolist(), sets, strict=True))


def _similar(first: np.ndarray, second: np.ndarray, least: float) -> bool:
    """Sizes alone bound the similarity, at no cost."""
    smaller, larger = sorted((len(first), len(second)))
    return smaller / max(1, larger) >= least and jaccard(first, second) >= least
