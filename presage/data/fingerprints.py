"""64-bit hashes of words and runs of words, and a table that tells which of many occur: all of it array by array.

Nothing here decides: who finds a hash in a table looks at the bytes that it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from presage.data.folding import SPACE, Stream

_ODD = 0x9E3779B97F4A7C15
_ALL = 1 << 64
_HASHED = 64  # bytes of a word that its hash sees, beside its length; the comparison that follows sees them all
_BITS_PER_KEY = 32  # so that one look-up in 32 goes on to the sorted keys by accident
_MOST_BITS = 30
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(9)], np.uint64)


def loads(data: bytes) -> np.ndarray:
    """uint64 [bytes - 7]: the eight bytes from each position on, without a copy."""
    return np.ndarray((max(0, len(data) - 7),), "<u8", data, strides=(1,))


def stir(x: np.ndarray) -> np.ndarray:
    """A product by an odd number mixes upwards; what it put into the high bits is brought down."""
    mixed = x * np.uint64(_ODD)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return mixed


def pair(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """uint64 hash of two arrays of eight bytes each."""
    return stir(first * np.uint64(0xC2B2AE3D27D4EB4F) + (second ^ (second >> np.uint64(31))))


# ---- words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """Every word of a stream, marks too: first byte and byte after the last, int64 [words]; hash, uint64."""

    starts: np.ndarray
    ends: np.ndarray
    hashes: np.ndarray


def words_of(stream: Stream) -> Words:
    """The words between the spaces of a stream."""
    letters = np.frombuffer(stream.data, np.uint8) > SPACE
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1  # a stream begins and ends with what is no letter
    starts, ends = edges[0::2], edges[1::2]
    return Words(starts, ends, hash_words(stream.data, starts, ends))


def hash_words(data: bytes, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """uint64 [words] of the bytes between; of long ones the first 64 and the length. Eight more follow the last."""
    sizes = ends - starts
    windows = loads(data)
    hashes = stir((windows[starts] & _MASKS[np.minimum(sizes, 8)]) + sizes.astype(np.uint64))
    longer = np.flatnonzero(sizes > 8)
    for first in range(8, _HASHED, 8):
        if not len(longer):
            break
        more = windows[starts[longer] + first] & _MASKS[np.minimum(sizes[longer] - first, 8)]
        hashes[longer] = pair(hashes[longer], more)
        longer = longer[sizes[longer] > first + 8]
    return hashes


def grams(hashes: np.ndarray, n: int) -> np.ndarray:
    """uint64 [words - n + 1]: the hash of each run of n words, from runs of 1, 2, 4, … words joined."""
    count = len(hashes) - n + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    total, taken = np.zeros(count, np.uint64), 0
    run, size = hashes, 1
    while True:
        factor = np.uint64(pow(_ODD, size, _ALL))
        if n & size:
            total = total * factor + run[taken : taken + count]
            taken += size
        if 2 * size > n:
            return stir(total)
        run = run[:-size] * factor + run[size:]
        size *= 2


def grams_at(hashes: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """uint64 [places]: what `grams` gives for the runs of n words that begin at these words."""
    total = np.zeros(len(places), np.uint64)
    for offset in range(n):
        total = total * np.uint64(_ODD) + hashes[places + offset]
    return stir(total)


def same_words(
    ours: Stream, our_words: Words, our_places: np.ndarray, theirs: Stream, their_words: Words, places: np.ndarray
) -> np.ndarray:
    """bool [places]: which words of ours are byte for byte the words of theirs. Time is that of the bytes compared."""
    start, their_start = our_words.starts[our_places], their_words.starts[places]
    sizes = our_words.ends[our_places] - start
    same: np.ndarray = sizes == their_words.ends[places] - their_start
    left, right = loads(ours.data), loads(theirs.data)
    open_ = np.flatnonzero(same)
    done = 0
    while len(open_):
        differ = left[start[open_] + done] ^ right[their_start[open_] + done]
        wrong = (differ & _MASKS[np.minimum(sizes[open_] - done, 8)]) != 0
        same[open_[wrong]] = False
        done += 8
        open_ = open_[~wrong & (sizes[open_] > done)]
    return same


# ---- table ----------------------------------------------------------------------------------------------------------


class Table:
    """Which of many hashes are among the keys: a bitmap answers most, sorted keys the rest. About 12 bytes a key."""

    def __init__(self, keys: np.ndarray) -> None:
        """keys: uint64 [K], sorted, each once, well mixed in their high bits."""
        self.keys = keys
        bits = min(_MOST_BITS, max(10, int(len(keys) * _BITS_PER_KEY).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._bitmap = np.zeros(1 << (bits - 3), np.uint8)
        places = keys >> self._shift
        np.bitwise_or.at(self._bitmap, places >> np.uint64(3), _bit(places))

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(where in `hashes`, index of the key), int64 [found] each, of every hash that is a key."""
        if not len(self.keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        places = hashes >> self._shift
        maybe = np.flatnonzero((self._bitmap[(places >> np.uint64(3)).view(np.int64)] & _bit(places)) != 0)
        values = hashes[maybe]
        index = np.minimum(np.searchsorted(self.keys, values), len(self.keys) - 1)
        right = self.keys[index] == values
        return maybe[right], index[right]


def _bit(places: np.ndarray) -> np.ndarray:
    bit: np.ndarray = np.left_shift(np.uint8(1), places.astype(np.uint8) & np.uint8(7))
    return bit


@dataclass(frozen=True)
class Groups:
    """Rows gathered by key: the rows of key k lie at starts[k] to starts[k + 1]; int64 [keys + 1]."""

    starts: np.ndarray

    @classmethod
    def of(cls, sorted_keys: np.ndarray) -> tuple[np.ndarray, Groups]:
        """(each key once, its rows) of keys that are in order, one a row."""
        new = np.concatenate([[True], sorted_keys[1:] != sorted_keys[:-1]])[: len(sorted_keys)]
        heads = np.flatnonzero(new)
        return sorted_keys[heads], cls(np.append(heads, len(sorted_keys)))

    def sizes(self, keys: np.ndarray) -> np.ndarray:
        """How many rows each of these keys has, int64 [keys]."""
        sizes: np.ndarray = self.starts[keys + 1] - self.starts[keys]
        return sizes

    def rows(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(index into `keys`, row), int64 each, of every row of these keys in turn."""
        sizes = self.sizes(keys)
        of = np.repeat(np.arange(len(keys)), sizes)
        within = np.arange(len(of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return of, self.starts[keys][of] + within
