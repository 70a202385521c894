"""What near-duplicate removal keeps of a text: a digest of it as written, and keys made from its shingles.

A shingle is a run of five folded words (`presage.data.rules.texts`); a text of fewer words has one, all of them. Texts
are alike as far as their sets of shingles are: Jaccard similarity, shingles in both over shingles in either.

In scripts that put no spaces between words, a word would be a whole paragraph. So a word of more than 32 bytes is cut
before each of its characters of three bytes or more (in UTF-8: those of Indic scripts, Thai, Chinese, Japanese, …).

The GPT-3 report (appendix A; sheet section 5.4) removed near copies with Spark's MinHashLSH and 10 hashes; threshold
and features are not published. Here the keys only propose, and `presage.data.near` compares the sets themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

from presage.data.fingerprints import Words, grams, hash_words, pair, stir
from presage.data.rules.texts import Texts

SHINGLE = 5
LONG_WORD = 32  # bytes; a longer word is cut where its script allows it
BANDS = 29
ROWS = 8  # bins that a band's key is made of
NO_KEY = 0  # in all bands of a text without words

_HASHED_ALONE = 64  # bytes; the vectorised hash sees no more of a word
_THREE_BYTES = 0xE0  # first byte of such a character or of a longer one
_BINS = BANDS * ROWS
_EMPTY = np.uint64((1 << 64) - 1)
_ROUNDS = 16  # of throwing shingles into bins; what they leave empty goes bin by bin
_TEXTS_AT_ONCE = 512  # their bins, a megabyte, stay in the cache
_FACTORS = stir(np.arange(1, _ROUNDS + _BINS + 1, dtype=np.uint64)) | np.uint64(1)
_SPACES = bytes(32 if bytes([code]).isspace() else code for code in range(256))


def digest_columns(texts: Sequence[str]) -> np.ndarray:
    """uint64 [texts, 2]: 128 bits of SHA-256 each, equal for texts that differ only in spacing (ASCII's six spaces)."""
    digests = b"".join(hashlib.sha256(_single_spaced(text.encode())).digest()[:16] for text in texts)
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def _single_spaced(data: bytes) -> bytes:
    """As by splitting into words and joining them, in a third of the time."""
    data = data.translate(_SPACES).strip()
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


# ---- shingles -------------------------------------------------------------------------------------------------------


def shingles(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(hash, uint64; text, int64) of every shingle, text by text, repeated ones repeatedly.

    Every byte counts in the 64 bits: that any two of a million different shingles have one hash is a chance of 1 in
    30 million.
    """
    hashes, of = _pieces(texts)
    runs = grams(hashes, SHINGLE)
    within = np.flatnonzero(of[: len(runs)] == of[SHINGLE - 1 :])
    runs, owners = runs[within], of[within]
    whole, short = _short(hashes, of, len(texts))
    places = np.searchsorted(owners, short)
    return np.insert(runs, places, whole), np.insert(owners, places, short)


def _short(hashes: np.ndarray, of: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """(hash of all its words, text) of each text that has fewer than a shingle's, and has any."""
    counts = np.bincount(of, minlength=texts)
    few = counts[of] < SHINGLE
    hashes, of = hashes[few], of[few]
    found = [grams(hashes[counts[of] == size], size)[::size] for size in range(1, SHINGLE)]
    short = np.concatenate([np.flatnonzero(counts == size) for size in range(1, SHINGLE)])
    order = np.argsort(short)
    return np.concatenate(found)[order], short[order]


def shingle_sets(texts: Sequence[str]) -> list[np.ndarray]:
    """The shingles of each text in order, each once: uint64 arrays."""
    batch = Texts(texts)
    hashes, of = shingles(batch)
    marks = np.searchsorted(of, np.arange(len(batch) + 1))
    return [distinct(hashes[first:after]) for first, after in pairwise(marks)]


def jaccard(first: np.ndarray, second: np.ndarray) -> float:
    """Exact similarity of two of `shingle_sets`, 0 to 1; 0 for two empty ones."""
    both = np.sort(np.concatenate((first, second)))
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return shared / max(1, len(both) - shared)


def distinct(hashes: np.ndarray) -> np.ndarray:
    """As numpy.unique, which is ten times slower where it hashes (from 2.3 on)."""
    ordered = np.sort(hashes)
    once: np.ndarray = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return once


def _pieces(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """(hash of all its bytes, uint64; text, int64) of each word, long ones of unspaced scripts in pieces."""
    data = texts.folded.data
    words, of = _cut(texts)
    hashes = words.hashes.copy()
    for index in np.flatnonzero(words.ends - words.starts > _HASHED_ALONE):
        whole = hashlib.blake2b(data[words.starts[index] : words.ends[index]], digest_size=8).digest()
        hashes[index] = int.from_bytes(whole, "little")
    return hashes, of


def _cut(texts: Texts) -> tuple[Words, np.ndarray]:
    """(words or pieces; their texts)."""
    words, of = texts.words, texts.text_of_word
    data = texts.folded.data
    leads = np.flatnonzero(np.frombuffer(data, np.uint8) >= _THREE_BYTES)
    word = np.searchsorted(words.starts, leads) - 1  # the only word that this cut could fall within
    leads, word = leads[word >= 0], word[word >= 0]
    cuts = leads[(leads < words.ends[word]) & (words.ends - words.starts > LONG_WORD)[word]]
    if not len(cuts):
        return words, of
    starts, ends = np.sort(np.append(words.starts, cuts)), np.sort(np.append(words.ends, cuts))
    return Words(starts, ends, hash_words(data, starts, ends)), of[np.searchsorted(words.starts, starts, "right") - 1]


# ---- keys -----------------------------------------------------------------------------------------------------------


def band_keys(texts: Texts) -> np.ndarray:
    """uint32 [texts, BANDS]: texts with an equal key in any column are candidates. NO_KEY is no key.

    A pair of similarity s becomes a candidate with chance 1 - (1 - s^8)^29: 0.995 at 0.8, 0.82 at 0.7, 0.11 at 0.5,
    0.002 at 0.3. Fewer bands of fewer rows find as much and propose more in vain (14 of 5: 0.36 at 0.5). 32 bits a key
    keep a document at 116 bytes; keys equal by accident cost a comparison each, one for every 30 documents of 10
    million.

    The 232 bins are a sketch by Dahlgaard, Knudsen and Thorup, "Fast Similarity Sketching" (2017): one-permutation
    hashing whose empty bins are filled by throwing the shingles again. Measured (`benchmarks/near_duplicates.py`), it
    finds as many pairs as 232 permutations, in a third of the time at 500 shingles, in the same at 50. Empty bins that
    take the next full one's value are faster still and find 0.86 of the pairs of 5 shingles, 0.97 of those of 50.
    """
    hashes, of = shingles(texts)
    keys = np.zeros((len(texts), BANDS), np.uint32)
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        after = min(first + _TEXTS_AT_ONCE, len(texts))
        part = slice(*np.searchsorted(of, (first, after)))
        keys[first:after] = _keys_of(_sketch(hashes[part], of[part] - first, after - first))
    keys[np.bincount(of, minlength=len(texts)) == 0] = NO_KEY
    return keys


def _keys_of(sketch: np.ndarray) -> np.ndarray:
    """The high halves, which are the well mixed ones."""
    columns = sketch.reshape(len(sketch), BANDS, ROWS)
    keys: np.ndarray = reduce(pair, (columns[:, :, row] for row in range(ROWS)))
    return (keys >> np.uint64(32)).astype(np.uint32)


def _sketch(hashes: np.ndarray, of: np.ndarray, texts: int) -> np.ndarray:
    """uint64 [texts, bins] of shingles in order of their texts: a bin is equal in two texts with chance s.

    In each round a text with empty bins throws all its shingles anew; a bin keeps the least value of the first round
    that hit it (the round is the highest byte). Texts of few shingles would throw for long: after 16 rounds the rest of
    their bins hold each the least value of a permutation of its own.
    """
    sketch = np.full((texts, _BINS), _EMPTY)
    bins = sketch.reshape(-1)
    for number, factor in enumerate(_FACTORS[:_ROUNDS]):
        thrown = hashes * factor
        places = ((thrown >> np.uint64(40)) * np.uint64(_BINS) >> np.uint64(24)).view(np.int64)
        np.minimum.at(bins, of * _BINS + places, _in_round(thrown, number))
        wanting = (sketch == _EMPTY).any(axis=1)[of]
        hashes, of = hashes[wanting], of[wanting]
        if not len(of):
            return sketch
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    few = of[starts]
    for place, factor in enumerate(_FACTORS[_ROUNDS:]):
        least = np.minimum.reduceat(_in_round(hashes * factor, _ROUNDS), starts)
        sketch[few, place] = np.minimum(sketch[few, place], least)
    return sketch


def _in_round(values: np.ndarray, number: int) -> np.ndarray:
    placed: np.ndarray = (values >> np.uint64(8)) | np.uint64(number << 56)
    return placed
