"""GPT-3's quality filter: a logistic regression that tells reference texts from raw ones, and a coin per document.

GPT-3 (Appendix A) trained on WebText, Wikipedia and books against raw Common Crawl, on hashed counts of words
(Spark's Tokenizer and HashingTF), and kept a document iff `np.random.pareto(9) > 1 - score`: nearly all that the model
takes for reference text, and a little of everything else, lest the corpus narrow to what the references look like.
The number of features and how counts were scaled are not published. Here words and pairs of words (by which shuffled
text differs from written text) share 2^18 features; a count n is taken as 1 + log n, and rows have length one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy.sparse import csr_matrix, vstack
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from presage.core.errors import CorruptError, DataError
from presage.core.files import atomic_write
from presage.core.seeds import derive
from presage.data.fingerprints import Groups
from presage.data.rules.texts import Texts

PARETO = 9  # GPT-3, Appendix A: chosen to match the scores of WebText
BITS = 18  # of a word's hash: 262,144 features
HEAD = 2_000  # characters
FEWEST = 20  # documents a side: with fewer, the held-out tenth says nothing
_TRUST = 10.0  # scikit-learn's C; at 1 most reference texts score too low to be kept
_HELD_OUT = 10  # one document in ten
_ROWS = 1_000  # documents whose words are in memory at a time
_SAID = "quality"
_PRECISION = 53  # bits of a float64 between 0 and 1


@dataclass(frozen=True)
class Facts:
    """How a model was trained, and how well it tells the sides apart.

    trained, held_out: documents of both sides together. accuracy (at a score of one half) and auc are of the
    held-out ones, both 0 to 1; guessing gives 0.5.
    """

    trained: int
    held_out: int
    accuracy: float
    auc: float


@dataclass(frozen=True)
class Quality:
    """How much a text looks like the positives it was trained on: 0 (like the negatives) to 1.

    weights: float32 [2^bits], one for each value of the first bits of the hash of a word or of two words. bias: a
    logit. head_chars: how many characters of a text are read, 0 for all.
    """

    weights: np.ndarray
    bias: float
    bits: int
    head_chars: int
    facts: Facts

    @classmethod
    def train(
        cls,
        positives: Iterable[str],
        negatives: Iterable[str],
        *,
        seed: int,
        head_chars: int = HEAD,
        sample: int = 20_000,
        bits: int = BITS,
        names: tuple[str, str] = ("positives", "negatives"),
    ) -> Self:
        """From as many documents of either side, at most `sample` each, of which a tenth is held out.

        Which are drawn depends on the seed and their texts alone: not on their order, and a text that comes twice
        counts once. Memory holds at most twice the sample. DataError when a side, called by its name in `names`, has
        fewer than 20 different documents with words.
        """
        sides = [_drawn(texts, sample, seed, head_chars) for texts in (positives, negatives)]
        for name, side in zip(names, sides, strict=True):
            _check_enough(name, len(side))
        count = min(map(len, sides))
        held, learned = count // _HELD_OUT, count - count // _HELD_OUT
        rows = [features(side[:count], bits) for side in sides]
        x = vstack([row[held:] for row in rows], format="csr")
        regression = LogisticRegression(C=_TRUST, solver="liblinear", random_state=derive(seed, "quality") % 2**31)
        with threadpool_limits(1):  # sums in one order, so that the same inputs give the same bits
            regression.fit(x, np.repeat([1, 0], learned))
        weights, bias = regression.coef_[0].astype(np.float32), float(regression.intercept_[0])
        logits = [row[:held] @ weights.astype(np.float64) + bias for row in rows]
        facts = Facts(2 * learned, 2 * held, *_success(*logits))
        return cls(weights, bias, bits, head_chars, facts)

    def scores(self, texts: Texts) -> np.ndarray:
        """float64 [texts], 0 to 1. A text without words (in its head) scores 0: there is nothing to be said for it."""
        read = texts.heads(self.head_chars) if self.head_chars else texts
        logits = _features(read, self.bits) @ self.weights.astype(np.float64) + self.bias
        scores: np.ndarray = np.where(read.word_counts > 0, expit(logits), 0.0)
        return scores

    def save(self, path: Path) -> None:
        """One .safetensors file with the facts in its metadata. RunError when it cannot be written."""
        said = {"bias": self.bias, "bits": self.bits, "head_chars": self.head_chars, "facts": asdict(self.facts)}
        metadata = {_SAID: json.dumps(said)}  # under one key: safetensors writes several in any order
        with atomic_write(path) as file:
            file.write(save({"weights": self.weights}, metadata))

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote, to the bit. DataError when there is no such file, CorruptError when it is not one."""
        try:
            with safe_open(path, framework="numpy") as file:
                weights = file.get_tensor("weights")
                said = json.loads((file.metadata() or {})[_SAID])
            model = cls(
                weights, float(said["bias"]), int(said["bits"]), int(said["head_chars"]), Facts(**said["facts"])
            )
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", where=path) from None
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise CorruptError(f"not a quality model: {error}", where=path, hint="train it again") from None
        if weights.dtype != np.float32 or weights.ndim != 1 or np.log2(max(1, weights.size)) != model.bits:
            raise CorruptError(f"not the weights of 2^{model.bits} features", where=path, hint="train it again")
        return model


# ---- which documents are kept ---------------------------------------------------------------------------------------


def keep_chance(scores: np.ndarray) -> np.ndarray:
    """float64: the probability that GPT-3 keeps a document of this score, (2 - s)^-9.

    numpy's `pareto(9)` is above x with probability (1 + x)^-9, and x is 1 - s.
    """
    chances: np.ndarray = (2.0 - scores) ** -PARETO
    return chances


def keeps(scores: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """bool [texts]: equal in law to `np.random.pareto(9) > 1 - scores`, with the chance given as `draws` in [0, 1)."""
    return margins(scores, draws) > 0


def margins(scores: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """float64 [texts]: by how much the chance to be kept exceeds the draw; a text is kept above 0."""
    over: np.ndarray = keep_chance(scores) - draws
    return over


def draws(texts: Sequence[str], seed: int) -> np.ndarray:
    """float64 [texts], uniform in [0, 1): of each text alone, so neither their order nor who asks changes a draw.

    Equal texts have equal draws, and are kept or removed together.
    """
    key = derive(seed, "quality draws").to_bytes(8, "little")
    digests = b"".join(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest() for text in texts)
    numbers = np.frombuffer(digests, "<u8") >> np.uint64(64 - _PRECISION)
    return numbers * 2.0**-_PRECISION


# ---- features -------------------------------------------------------------------------------------------------------


def features(texts: Sequence[str], bits: int) -> csr_matrix:
    """float64 [texts, 2^bits]: 1 + log of how often each word and each pair of words occurs, by the first bits of its
    hash; every row scaled to length one, or empty."""
    parts = [_features(Texts(texts[first : first + _ROWS]), bits) for first in range(0, len(texts), _ROWS)]
    joined: csr_matrix = vstack(parts, format="csr")
    return joined


def _features(texts: Texts, bits: int) -> csr_matrix:
    pairs, first = texts.grams(2)
    hashes = np.concatenate([texts.words.hashes, pairs])
    rows = np.concatenate([texts.text_of_word, texts.text_of_word[first]]).astype(np.uint64)
    width = np.uint64(bits)
    cells = (rows << width) | (hashes >> (np.uint64(64) - width))
    cells.sort()  # numpy's sort of numbers is several times faster than what scipy does to gather a row
    cells, groups = Groups.of(cells)
    values = 1 + np.log(np.diff(groups.starts))
    of = (cells >> width).astype(np.int64)
    values /= np.sqrt(np.bincount(of, values**2, len(texts)))[of]
    columns = (cells & np.uint64((1 << bits) - 1)).astype(np.int32)
    marks = np.searchsorted(of, np.arange(len(texts) + 1))
    return csr_matrix((values, columns, marks), shape=(len(texts), 1 << bits))


# ---- training -------------------------------------------------------------------------------------------------------


def _drawn(texts: Iterable[str], most: int, seed: int, head_chars: int) -> list[str]:
    """The heads of the documents with the lowest draws: a random sample in random order, whatever order they come in.

    Draws are taken of the heads with the sample's own seed, lest they decide twice what a document is worth.
    """
    key = derive(seed, "quality sample")
    lowest: dict[str, float] = {}
    batch: list[str] = []
    for text in texts:
        batch.append(text[:head_chars] if head_chars else text)
        if len(batch) == _ROWS:
            lowest = _lowest(lowest, batch, key, most)
            batch = []
    return list(_lowest(lowest, batch, key, most))


def _lowest(lowest: dict[str, float], batch: list[str], seed: int, most: int) -> dict[str, float]:
    worded = [text for text, count in zip(batch, Texts(batch).word_counts.tolist(), strict=True) if count]
    pool = lowest | dict(zip(worded, draws(worded, seed).tolist(), strict=True))
    return dict(sorted(pool.items(), key=lambda pair: (pair[1], pair[0]))[:most])


def _check_enough(name: str, count: int) -> None:
    if count < FEWEST:
        what = f"{count} different documents with words, needs at least {FEWEST} to train a classifier"
        raise DataError(what, where=name, hint="give more documents, or shorter ones")


def _success(positives: np.ndarray, negatives: np.ndarray) -> tuple[float, float]:
    """(accuracy, AUC) of the held-out logits."""
    logits, truth = np.concatenate([positives, negatives]), np.repeat([1, 0], [len(positives), len(negatives)])
    return float(np.mean((logits > 0) == truth)), float(roc_auc_score(truth, logits))
