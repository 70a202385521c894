"""GPT-1's tokenizer: lower-cased words, characters merged up to a mark `</w>` that ends a word; not reversible.

Follows text_utils.py of the released code, whose last two steps before BPE need libraries this project does without:
ftfy (repairs mis-decoded text: left out) and spaCy's English word splitter (here its rules for punctuation, numbers
and contractions). Ids equal the original's wherever the words are split alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Self

from presage.core.errors import CorruptError
from presage.data.documents import read_bytes

UNKNOWN = "<unk>"
END = "</w>"
_DASHES = str.maketrans({"—": "-", "–": "-", "―": "-", "…": "...", "´": "'"})
_PUNCTUATION_RUN = re.compile(r"(-+|~+|!+|\"+|;+|\?+|\++|,+|\)+|\(+|\\+|\/+|\*+|\[+|\]+|}+|{+|\|+|_+)")
_WORDS = re.compile(
    r"\n|[A-Za-z]+(?=n[’']t\b)|n[’']t\b|[’'](?:s|re|ve|ll|d|m)\b|\.{2,}"
    r"|\w+(?:[.'’&]\w+)*?(?=n[’']t\b|[’'](?:s|re|ve|ll|d|m)\b)|\w+(?:[.'’&]\w+)*|[^\w\s]",
    re.IGNORECASE,
)


class GPT1Tokenizer:
    """encode(text) -> ids, decode(ids) -> lower-cased text with a space after each word."""

    def __init__(self, vocab: dict[str, int], merges: Iterable[tuple[str, str]]) -> None:
        self.vocab = vocab
        self._tokens = {index: token for token, index in vocab.items()}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._cache: dict[str, tuple[str, ...]] = {}

    @classmethod
    def from_files(cls, encoder: Path | str, merges: Path | str) -> Self:
        """From OpenAI's encoder_bpe_40000.json and vocab_40000.bpe (plain, or as .gz or .xz)."""
        try:
            vocab = json.loads(read_bytes(Path(encoder)))
            lines = read_bytes(Path(merges)).decode().split("\n")[1:]
        except ValueError as error:
            raise CorruptError(f"not a GPT-1 vocabulary: {error}", where=encoder) from None
        pairs = [(first, second) for first, _, second in (line.partition(" ") for line in lines) if second]
        if not isinstance(vocab, dict) or UNKNOWN not in vocab:
            raise CorruptError(f"not a GPT-1 vocabulary: no {UNKNOWN}", where=encoder)
        return cls(vocab, pairs)

    @property
    def n_vocab(self) -> int:
        return len(self.vocab)

    def encode(self, text: str) -> list[int]:
        unknown = self.vocab[UNKNOWN]
        return [self.vocab.get(t, unknown) for word in words(text) for t in self.bpe(word)]

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._tokens.get(i, UNKNOWN) for i in ids).replace(END, " ").strip(" ")

    def bpe(self, word: str) -> tuple[str, ...]:
        """Merge the word's characters, the pair learned earliest first, until no pair is known."""
        if word not in self._cache:
            parts = (*word[:-1], word[-1] + END)
            while len(parts) > 1:
                pairs = set(pairwise(parts)) & self._ranks.keys()
                if not pairs:
                    break
                parts = _merge(parts, min(pairs, key=self._ranks.__getitem__))
            self._cache[word] = parts
        return self._cache[word]


def standardize(text: str) -> str:
    """Dashes, ellipsis and acute to ASCII; runs of punctuation set apart; a line break as a word of its own."""
    text = _PUNCTUATION_RUN.sub(r" \1 ", text.translate(_DASHES))
    text = re.sub(r"[^\S\n]*\n\s*", " \n ", text)
    return re.sub(r"[^\S\n]+", " ", text).strip()


def words(text: str) -> list[str]:
    """Standardised, split and lower-cased."""
    return [word.lower() for word in _WORDS.findall(standardize(text))]


def _merge(parts: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    i = 0
    while i < len(parts):
        if parts[i : i + 2] == pair:
            merged.append(parts[i] + parts[i + 1])
            i += 2
        else:
            merged.append(parts[i])
            i += 1
    return tuple(merged)
