"""GPT-3's filter of the training set: evaluation items cut out of documents, with what stands around them.

Section 4 and appendix C of the report (sheet section 5.8, first list). A word is lower-case, delimited by whitespace
and without punctuation (`folding.WORDS`). The 13-grams of all evaluation items are collected; those that stand in more
than 10 training documents are ignored as common phrases; every other one is deleted wherever it stands, with a window
of 200 characters around it, which splits the document. Pieces under 200 characters are dropped, and a document that was
split into more than 10 pieces is removed whole.

Where the report leaves a choice:

- The window is 200 characters to each side, as in the code others published for it (LM Evaluation Harness's janitor,
  Megatron-LM, NeMo Curator), not 200 in all.
- All pieces that a document was split into are counted, the short ones too (Megatron-LM counts those that are kept,
  the janitor collisions). A document without a collision is left as it is, however short.
- An item of 8 to 12 words would escape; it is matched whole, as in the report's overlap analysis (8 is its least N).
  Shorter items are untestable and counted.

A pass over a corpus calls `Grams.hits` batch by batch. What is removed for other reasons (duplicates) must not count,
so documents are counted afterwards (`collisions`), and only then cut (`cut`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from presage.core.errors import ConfigError
from presage.data.fingerprints import Groups, Table, grams, grams_at, same_words
from presage.data.folding import letter_positions, letter_starts
from presage.data.items import Item
from presage.data.rules.texts import Texts

N, SHORTEST = 13, 8  # words
COMMON = 10  # documents
WINDOW, SHORTEST_PIECE = 200, 200  # characters
MOST_PIECES = 10


@dataclass(frozen=True)
class Hits:
    """Every place where a gram stands in a batch, in the order of the places; four int64 arrays [hits].

    text: index in the batch; gram: index among the grams; first, after: characters of the text, from the gram's first
    letter to after its last.
    """

    text: np.ndarray
    gram: np.ndarray
    first: np.ndarray
    after: np.ndarray

    def __len__(self) -> int:
        return len(self.text)


@dataclass(frozen=True)
class _Length:
    """The grams of n words in the order of their hashes, numbered from `base`; word: int64, the first of each."""

    n: int
    base: int
    table: Table
    rows: Groups
    word: np.ndarray


class Grams:
    """The grams of evaluation items. Tables are built once, about 60 bytes a gram; `hits` finds them in documents.

    facts: {"grams": different ones, "untestable": items}; untestable: ids of the items of fewer than `shortest` words.
    """

    def __init__(self, items: Sequence[Item], n: int = N, shortest: int = SHORTEST) -> None:
        """Items of `shortest` to n - 1 words are one gram each; with shortest = n they are untestable too.

        Raises ConfigError unless 1 <= shortest <= n.
        """
        if not 1 <= shortest <= n:
            raise ConfigError(f"grams of {n} words, of items of at least {shortest}: not 1 <= shortest <= n")
        self._items = Texts([item.text for item in items])
        counts = self._items.word_counts
        lengths = np.where(counts >= shortest, np.minimum(counts, n), 0)
        self.untestable = [items[i].id for i in np.flatnonzero(lengths == 0).tolist()]
        self._lengths: list[_Length] = []
        total = 0
        for length in np.unique(lengths[lengths > 0]).tolist():
            self._lengths.append(_index(self._items, lengths == length, length, total))
            total += len(self._lengths[-1].word)
        self.facts = {"grams": total, "untestable": len(self.untestable)}
        # Most texts hold next to nothing of any item: one look at the first words of each gram rules them out.
        self._width = min((one.n for one in self._lengths), default=n)
        starts = [grams_at(self._items.words.hashes, one.word, self._width) for one in self._lengths]
        self._starts = Table(np.unique(np.concatenate([np.zeros(0, np.uint64), *starts])))

    def __len__(self) -> int:
        return self.facts["grams"]

    def hits(self, texts: Texts) -> Hits:
        """Every occurrence of every gram, word for word equal.

        A word begins at most one gram of each length, so that work and memory are linear in the texts, also where they
        are full of hits.
        """
        maybe, _ = self._starts.find(grams(texts.words.hashes, self._width))
        parts = [self._found(one, texts, maybe) for one in self._lengths]
        nothing = np.zeros(0, np.int64)
        begin, last, gram = (np.concatenate([nothing, *(part[i] for part in parts)]) for i in range(3))
        order = np.lexsort((last, begin))
        begin, last, gram = begin[order], last[order], gram[order]
        text = _text_of(texts, begin)
        return Hits(text, gram, *_places(texts, text, begin, last))

    def _found(self, one: _Length, texts: Texts, maybe: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(first word, last word, gram), int64 each, of one length's grams among the words that may begin one."""
        begin = maybe[maybe + one.n <= len(texts.words.hashes)]
        begin = begin[_text_of(texts, begin) == _text_of(texts, begin + one.n - 1)]
        where, key = one.table.find(grams_at(texts.words.hashes, begin, one.n))
        of, row = one.rows.rows(key)
        begin = begin[where[of]]
        equal = _equal(self._items, one.word[row], texts, begin, one.n)
        return begin[equal], begin[equal] + one.n - 1, one.base + row[equal]


def _index(items: Texts, chosen: np.ndarray, n: int, base: int) -> _Length:
    """The different grams of n words of the chosen items, bool [items]."""
    hashes, first = items.grams(n)
    mine = chosen[items.text_of_word[first]]
    hashes, first = hashes[mine], first[mine]
    order = np.argsort(hashes, kind="stable")
    hashes, first = hashes[order], first[order]
    _, rows = Groups.of(hashes)
    head = np.repeat(rows.starts[:-1], np.diff(rows.starts))
    repeated = _equal(items, first[head], items, first, n) & (head != np.arange(len(first)))
    keys, rows = Groups.of(hashes[~repeated])  # what is left in one group differs, though its hash does not
    return _Length(n, base, Table(keys), rows, first[~repeated])


def _equal(ours: Texts, our_places: np.ndarray, theirs: Texts, places: np.ndarray, n: int) -> np.ndarray:
    """bool [places]: whether n words from each place on are the same, byte for byte."""
    equal: np.ndarray = np.ones(len(places), bool)
    for offset in range(n):
        still = np.flatnonzero(equal)
        left, right = our_places[still] + offset, places[still] + offset
        equal[still] = same_words(ours.folded, ours.words, left, theirs.folded, theirs.words, right)
    return equal


def _text_of(texts: Texts, words: np.ndarray) -> np.ndarray:
    """int64 [words]: the text that each of these words belongs to."""
    return np.searchsorted(texts.word_marks, words, side="right") - 1


def _places(texts: Texts, text: np.ndarray, begin: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first character, character after the last), int64 [hits]; hits are in the order of their texts."""
    first, after = np.empty_like(begin), np.empty_like(begin)
    touched, hits = Groups.of(text)
    for index, start, end in zip(touched.tolist(), hits.starts[:-1].tolist(), hits.starts[1:].tolist(), strict=True):
        offset = texts.folded.marks[index] + 1
        in_stream = letter_starts(texts.folded.part(index))
        in_text = letter_positions(texts.texts[index])
        first[start:end] = in_text[np.searchsorted(in_stream, texts.words.starts[begin[start:end]] - offset)]
        after[start:end] = in_text[np.searchsorted(in_stream, texts.words.ends[last[start:end]] - offset) - 1] + 1
    return first, after


# ---- counting and cutting -------------------------------------------------------------------------------------------


def documents_per_gram(document: np.ndarray, gram: np.ndarray, grams: int) -> np.ndarray:
    """int64 [grams]: how many different documents hold each gram, from pairs (document, gram), int64 [pairs] each."""
    different = np.unique(document * grams + gram)
    return np.bincount(different % max(1, grams), minlength=grams)


def collisions(document: np.ndarray, gram: np.ndarray, grams: int, common: int = COMMON) -> np.ndarray:
    """bool [pairs]: the pairs whose gram stands in at most `common` documents, and is therefore no common phrase."""
    rare: np.ndarray = (documents_per_gram(document, gram, grams) <= common)[gram]
    return rare


def cut(
    text: str,
    spans: Iterable[tuple[int, int]],
    window: int = WINDOW,
    shortest_piece: int = SHORTEST_PIECE,
    most_pieces: int = MOST_PIECES,
) -> list[str] | None:
    """What is left of a text without its spans and `window` characters on each side of them; None: remove it whole.

    spans: (first character, character after the last), in any order; windows may overlap. Pieces of fewer than
    `shortest_piece` characters are dropped; more than `most_pieces`, short ones included, condemn the text. Without
    spans it stays as it is. A cut may go through a word; but for words made that way, the pieces hold no gram of the
    spans, and cutting again changes nothing.
    """
    ordered = sorted(spans)
    if not ordered:
        return [text]
    edges, start = [], 0
    for first, after in ordered:
        edges.append((start, first - window))
        start = max(start, after + window)
    edges.append((start, len(text)))
    pieces = [text[begin:end] for begin, end in edges if begin < end]
    return [piece for piece in pieces if len(piece) >= shortest_piece] if len(pieces) <= most_pieces else None
