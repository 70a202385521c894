"""What of some texts stands word for word in documents: their runs of 8 words, and the longest run of each.

Words are GPT-2's (sheet section 4.6): runs of letters and digits, lower-case. As in presage.evaluate.ngrams the texts'
runs of 8 words are the table, by 64-bit hashes, and the documents are streamed past it once: memory is that of the
texts. A hash only tells where to look. Where several places in a row are found, and a text has these words in a row as
well, the run is longer than 8; from there on words themselves are compared, forwards and back, until they differ. So
what is found stands there, byte for byte of the folded words; a collision of hashes could only hide a run, with
probability below 1e-8 up to 1e11 runs of 8 words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from presage.data.batches import byte_length
from presage.data.documents import Document
from presage.data.fingerprints import Groups, Table, Words, grams, words_of
from presage.data.folding import RUNS, Batch
from presage.evaluate.contamination import Piece, batches_of, excerpt, pieces_of
from presage.evaluate.matching import slices

N = 8


@dataclass(frozen=True)
class Run:
    """A text's longest run of words that stands in a document, from byte `offset` of the document's UTF-8 text.

    `text_match` and `document_match` are the characters (first, after) of the excerpts that the run is.
    """

    words: int
    document: str
    offset: int
    text_excerpt: str
    document_excerpt: str
    text_match: tuple[int, int]
    document_match: tuple[int, int]


class Verbatim:
    """Texts, and what of them the documents that `scan` has seen hold."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._batch = Batch(texts, {RUNS})
        stream = self._batch.streams[RUNS]
        self._words = words_of(stream)
        self._owner = np.where(stream.is_mark(self._words.starts), -1, stream.text_at(self._words.starts))
        keys = grams(self._words.hashes, N)
        first = self._owner[: len(keys)]
        place = np.flatnonzero((first >= 0) & (first == self._owner[N - 1 :]))
        self._place = place[np.argsort(keys[place], kind="stable")]  # of each row: the word that the run begins with
        distinct, self._rows = Groups.of(keys[self._place])
        self._table = Table(distinct)
        self._met = np.zeros(len(self._owner), bool)  # of each word: whether the run that begins with it was met
        self.words = self._count(self._owner >= 0)
        """int64 [texts]: words of each text."""
        self._best = np.zeros(len(texts), np.int64)
        self._longest: dict[int, Run] = {}
        self.documents = self.bytes = 0
        """Seen so far."""

    @property
    def ngrams(self) -> np.ndarray:
        """int64 [texts]: runs of 8 words of each text, one for each word that begins one."""
        count: np.ndarray = np.maximum(0, self.words - N + 1)
        return count

    @property
    def found(self) -> np.ndarray:
        """int64 [texts]: how many of these stand in a document."""
        return self._count(self._met)

    @property
    def longest(self) -> list[Run | None]:
        """Of each text its longest run, at the first place that holds it; None where none has 8 words."""
        return [self._longest.get(number) for number in range(len(self._texts))]

    def scan(self, documents: Iterable[Document]) -> None:
        """Look through documents."""
        for pieces in batches_of(pieces_of(documents)):
            self._look(pieces, Batch([piece.document.text for piece in pieces], {RUNS}))
            self.documents += sum(piece.base == 0 for piece in pieces)
            self.bytes += sum(byte_length(piece.document.text) for piece in pieces)

    def _count(self, words: np.ndarray) -> np.ndarray:
        counts: np.ndarray = np.bincount(self._owner[words], minlength=len(self._texts))
        return counts

    def _look(self, pieces: Sequence[Piece], documents: Batch) -> None:
        there = _Read(documents)
        at, gram = self._table.find(grams(there.words.hashes, N))
        if not len(at):
            return
        _, stretch = _stretches(at[1:] != at[:-1] + 1)
        most = np.bincount(stretch)[stretch] + N - 1  # words that a run through this place can have
        better: dict[int, tuple[int, int]] = {}
        for part in slices(self._rows.sizes(gram)):
            edges = int(at[part][0]), int(at[part][-1])
            for length, mine, theirs in _diagonals(*self._pairs(at[part], gram[part], most[part])):
                if self._promises(length, mine, theirs, edges):
                    self._follow(mine, theirs, there, better)
        for text, (mine, theirs) in sorted(better.items(), key=lambda found: found[1][1]):  # document by document
            self._longest[text] = self._run(int(self._best[text]), mine, theirs, pieces, there)

    def _pairs(self, at: np.ndarray, gram: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(word of the texts, word of the documents) where both begin the same run: only what may tell something new.

        Common phrases stand in many texts and places; they are followed until no place can hold more of them.
        """
        owner = self._owner[self._place]
        known = np.where(self._met[self._place], self._best[owner], 0)
        known[known == self.words[owner]] = np.iinfo(np.int64).max  # the whole text was found
        of, row = self._rows.rows(gram)
        new = known[row] < most[of]
        return self._place[row[new]], at[of[new]]

    def _promises(self, length: int, mine: int, theirs: int, edges: tuple[int, int]) -> bool:
        """Whether so many runs in a row, by their hashes, may tell something new. At an edge they may have been cut."""
        cut = theirs == edges[0] or theirs + length - 1 == edges[1]
        longer = length + N - 1 > self._best[self._owner[mine]]
        return bool(cut or longer or not self._met[mine : mine + length].all())

    def _follow(self, mine: int, theirs: int, there: _Read, better: dict[int, tuple[int, int]]) -> None:
        """Compare words from a pair on, forwards and back, as far as they are the same."""
        text = int(self._owner[mine])
        after = self._same(mine, theirs, there, 1)
        before = self._same(mine - 1, theirs - 1, there, -1)
        words = before + after
        if after == 0 or words < N:
            return
        mine, theirs = mine - before, theirs - before
        self._met[mine : mine + words - N + 1] = True
        if words > self._best[text]:
            self._best[text] = words
            better[text] = mine, theirs

    def _same(self, mine: int, theirs: int, there: _Read, step: int) -> int:
        """How many words in a row are the same, forwards or back. A mark between texts ends it."""
        count = 0
        ours = self._batch.streams[RUNS].data
        while self._owner[mine] >= 0:
            begin, end = there.words.starts[theirs], there.words.ends[theirs]
            if ours[self._words.starts[mine] : self._words.ends[mine]] != there.data[begin:end]:
                break
            count, mine, theirs = count + 1, mine + step, theirs + step
        return count

    def _run(self, words: int, mine: int, theirs: int, pieces: Sequence[Piece], there: _Read) -> Run:
        text, *in_text = self._batch.locate(RUNS, *_span(self._words, mine, words))
        index, first, after = there.batch.locate(RUNS, *_span(there.words, theirs, words))
        piece = pieces[index]
        offset = piece.base + byte_length(piece.document.text[:first])
        of_text, text_match = excerpt(self._texts[text], *in_text)
        of_document, document_match = excerpt(piece.document.text, first, after)
        return Run(words, piece.document.path, offset, of_text, of_document, text_match, document_match)


class _Read:
    """Documents as words."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.data = batch.streams[RUNS].data
        self.words = words_of(batch.streams[RUNS])


def _stretches(breaks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(where each stretch begins, the stretch that each element is in); breaks: bool [elements - 1], before each."""
    begins = np.concatenate([[True], breaks])[: len(breaks) + 1]
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def _diagonals(mine: np.ndarray, theirs: np.ndarray) -> list[tuple[int, int, int]]:
    """[(how many pairs follow each other word by word on both sides, the first one's words)], the longest first."""
    if not len(mine):
        return []
    order = np.lexsort((theirs, theirs - mine))
    mine, theirs = mine[order], theirs[order]
    begins, _ = _stretches((mine[1:] != mine[:-1] + 1) | (theirs[1:] != theirs[:-1] + 1))
    lengths = np.diff(begins, append=len(mine))
    order = np.lexsort((theirs[begins], -lengths))
    found = (lengths[order], mine[begins[order]], theirs[begins[order]])
    return list(zip(*(values.tolist() for values in found), strict=True))


def _span(words: Words, first: int, count: int) -> tuple[int, int]:
    """The bytes of a stream that so many words take."""
    return int(words.starts[first]), int(words.ends[first + count - 1])
