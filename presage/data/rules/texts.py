"""A batch of documents and the arrays that rules share: computed once, when first asked for, for all texts together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from presage.data.fingerprints import Words, grams, words_of
from presage.data.folding import WORDS, Batch, Stream
from presage.data.rules.layout import Layout
from presage.data.rules.repetition import Runs

T = TypeVar("T")


class Texts:
    """Some megabytes of documents.

    A word is what stands between spaces, folded as in `presage.data.folding` (lower-case letters and digits of all
    scripts, without accents and punctuation). The words of text i are those from word_marks[i] to word_marks[i + 1].
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self._made: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def folded(self) -> Stream:
        """All texts as folded words, a mark before and after each text."""
        return Batch(self.texts, {WORDS}).streams[WORDS]

    @cached_property
    def words(self) -> Words:
        """Every word of every text: where it stands in `folded`, and its hash."""
        found = words_of(self.folded)
        real = ~self.folded.is_mark(found.starts)
        return Words(found.starts[real], found.ends[real], found.hashes[real])

    @cached_property
    def word_marks(self) -> np.ndarray:
        """int64 [texts + 1]: the index of each text's first word; the last is the number of words."""
        return np.searchsorted(self.words.starts, self.folded.marks)

    @cached_property
    def text_of_word(self) -> np.ndarray:
        """int64 [words]: the text that each word belongs to."""
        return np.repeat(np.arange(len(self)), self.word_counts)

    @property
    def word_counts(self) -> np.ndarray:
        """int64 [texts]."""
        counts: np.ndarray = np.diff(self.word_marks)
        return counts

    @cached_property
    def word_sizes(self) -> np.ndarray:
        """int64 [words]: characters of each."""
        words = self.words
        later = np.flatnonzero((np.frombuffer(self.folded.data, np.uint8) & 0xC0) == 0x80)  # bytes of a character
        owners = np.searchsorted(words.starts, later, side="right") - 1
        sizes: np.ndarray = words.ends - words.starts - np.bincount(owners, minlength=len(words.starts))
        return sizes

    @cached_property
    def layout(self) -> Layout:
        """The texts as they are written: characters, tokens, lines, paragraphs."""
        return Layout(self.texts)

    @cached_property
    def runs(self) -> Runs:
        """Runs of words that occur more than once within their text."""
        return Runs(self.words.hashes, self.word_sizes, self.text_of_word, len(self))

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives for these texts, made when first asked for under that name."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    def grams(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(hash, uint64; index of the first word, int64) of each run of n words that lies within one text."""
        hashes = grams(self.words.hashes, n)
        of = self.text_of_word
        first = np.flatnonzero(of[: len(hashes)] == of[n - 1 :])
        return hashes[first], first

    def heads(self, characters: int) -> Texts:
        """The same texts cut to their first characters."""
        return Texts([text[:characters] for text in self.texts])
