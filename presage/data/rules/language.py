"""Which language a text is in, by py3langid (a successor of langid.py, Lui and Baldwin 2012), many texts at a time.

The model counts byte sequences with an automaton and weighs them with naive Bayes. The library walks one text at a time
in Python; here all texts take each step together, and their scores come from one sparse product. Labels and
probabilities are the library's, but for float32 rounding.

GPT-2's authors looked for languages in their corpus with CLD2 after the fact (Radford et al. 2019, section 3.7); the
corpus of GPT-3 is 93 % English by words (Brown et al. 2020, section 3.3). To keep documents by the probability of their
language is a rule of C4 (0.99, langdetect; Raffel et al. 2020, section 2.2) and of FineWeb (0.65, fastText; Penedo et
al. 2024, section 3.3).
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from presage.core.errors import ConfigError, did_you_mean
from presage.data.rules.rule import Rule
from presage.data.rules.texts import Texts

UNDETERMINED = "und"
HEAD = 2_000
"""Characters of a text that are looked at."""

MOST = 1 << 16
"""Characters that are looked at in any case at most: more would change nothing, and each is a step."""

_TOGETHER = 1024  # texts that take a step together: memory grows with them, and little time is saved beyond
_CELLS = 1 << 23  # bytes of such texts, the shorter ones filled up


def identify(texts: Sequence[str], head_chars: int = HEAD) -> tuple[list[str], np.ndarray]:
    """(ISO 639 code, probability from 0 to 1, float64 [texts]) of each text's language, told from its first characters.

    Without letters, or with none of the byte sequences that the model knows, it is "und" with probability 0.
    """
    heads = [text[: min(head_chars, MOST)] for text in texts]
    codes = [UNDETERMINED] * len(heads)
    probabilities = np.zeros(len(heads))
    lettered = [index for index, head in enumerate(heads) if any(map(str.isalpha, head))]
    encoded = {index: _encoded(heads[index]) for index in lettered}
    by_size = sorted(lettered, key=lambda index: -len(encoded[index]))  # so that texts end together
    for some in _together(by_size, [len(encoded[index]) for index in by_size]):
        found, probabilities[some] = _model().classify([encoded[index] for index in some])
        for index, code in zip(some, found, strict=True):
            codes[index] = code
    return codes, probabilities


def _together(order: Sequence[int], sizes: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut what is sorted by size, the longest first, so that none is filled up to many times its size for nothing."""
    first = 0
    while first < len(order):
        count = max(1, min(_TOGETHER, _CELLS // max(1, sizes[first])))
        yield order[first : first + count]
        first += count


def languages_of(texts: Texts, head_chars: int = HEAD) -> tuple[list[str], np.ndarray]:
    """The same of a batch, found once however often it is asked for."""
    return texts.once(f"languages/{head_chars}", lambda: identify(texts.texts, head_chars))


def languages() -> list[str]:
    """The ISO 639 codes that can be found."""
    return sorted(set(_model().codes))


def check_languages(codes: Iterable[str]) -> None:
    """Raises ConfigError for a code that the model does not know."""
    for code in codes:
        if code not in languages():
            raise ConfigError("no language that can be identified", where=code, hint=did_you_mean(code, languages()))


def language_rule(keep: Sequence[str], at_least: float, head_chars: int = HEAD) -> Rule:
    """Documents in one of some languages, with at least some probability.

    The value is the probability of the document's language if that is among `keep`, else 0. Raises ConfigError for a
    code that the model does not know.
    """
    check_languages(keep)

    def measure(texts: Texts) -> np.ndarray:
        codes, probabilities = languages_of(texts, head_chars)
        return np.where([code in keep for code in codes], probabilities, 0.0) if codes else probabilities

    says = f"probability that it is in its language, if that is one of: {', '.join(keep)}"
    return Rule("language", says, "py3langid (Lui and Baldwin 2012)", measure, low=at_least)


def _encoded(text: str) -> bytes:
    """The bytes that the model has learned on: capitals alone say nothing, and characters are composed."""
    return unicodedata.normalize("NFC", text.lower() if text.isupper() else text).encode("utf-8", "surrogatepass")


class _Model:
    """The library's automaton and weights as arrays.

    From state s, byte b leads to moves[rows[s] + b]; states share rows. features: what reaching a state counts for, or
    -1. weights: float32 [features, codes]; prior: float32 [codes]. Some codes have two columns, one for each script.
    """

    def __init__(self, library: Any) -> None:
        self.codes: list[str] = list(library.nb_classes)
        self._moves = np.frombuffer(library.tk_nextmove, np.dtype(library.tk_nextmove.typecode))
        self._rows = np.asarray(library.tk_row, np.int64) << 8
        self._features = np.asarray(library.tk_output, np.int64)
        self._weights = np.asarray(library.nb_ptc, np.float32)
        self._prior = np.asarray(library.nb_pc, np.float32)
        self._aliases = [
            (self.codes.index(code), place) for place, code in enumerate(self.codes) if self.codes.index(code) < place
        ]

    def classify(self, texts: Sequence[bytes]) -> tuple[list[str], np.ndarray]:
        """(code, probability, float64 [texts]) of texts that are sorted, longest first."""
        from scipy.sparse import csr_array

        keys, counts = np.unique(self._visited(texts), return_counts=True)
        owners, features = np.divmod(keys, len(self._weights))
        starts = np.searchsorted(owners, np.arange(len(texts) + 1))
        shape = len(texts), len(self._weights)
        scores = csr_array((np.log1p(counts.astype(np.float32)), features, starts), shape=shape) @ self._weights
        scores = (scores + self._prior).astype(np.float64)
        # Divided by the root of the size the scores make probabilities that mean the same at all sizes (the library's).
        scores /= np.sqrt([[len(text)] for text in texts])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        for first, other in self._aliases:
            scores[:, first] += scores[:, other]
            scores[:, other] = 0
        best = scores.argmax(axis=1)
        blind = starts[1:] == starts[:-1]
        codes = [UNDETERMINED if none else self.codes[place] for place, none in zip(best, blind, strict=True)]
        return codes, np.where(blind, 0.0, scores.max(axis=1))

    def _visited(self, texts: Sequence[bytes]) -> np.ndarray:
        """int64: text * features + feature, for every time that a text counts for a feature."""
        sizes = np.array([len(text) for text in texts])
        longest = int(sizes[0])
        padded = np.frombuffer(b"".join(text.ljust(longest, b"\0") for text in texts), np.uint8)
        columns = np.ascontiguousarray(padded.reshape(len(texts), longest).T, np.int64)
        going = np.searchsorted(-sizes, -np.arange(longest), side="left")  # texts longer than so many bytes
        states = np.zeros(len(texts), np.int64)
        visited = []
        for column, count in zip(columns, going.tolist(), strict=True):
            states = self._moves[self._rows[states[:count]] + column[:count]]
            visited.append(states)
        owners = np.concatenate([np.arange(count) for count in going])
        features = self._features[np.concatenate(visited)]
        counted = features >= 0
        found: np.ndarray = owners[counted] * len(self._weights) + features[counted]
        return found


@functools.cache
def _model() -> _Model:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return _Model(LanguageIdentifier.from_model_file(MODEL_FILE))
