"""Duplicates: the same document twice, nearly the same document twice, the same paragraph in many documents.

Near copies are merged before the split, so that no copy of a validation file is trained on. Shingles of five words and
MinHash as in the GPT-3 report (appendix A: fuzzy de-duplication with MinHash; hashes and threshold are not published).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

import numpy as np

SHINGLE = 5
HASHES = 32
BAND = 4  # hashes a band: copies above a Jaccard similarity of about (4/32)^(1/4) = 0.6 meet in one
SIMILAR = 0.8
HEAD_CHARS = 1 << 20  # of a longer document only the head is compared

_MULTIPLIERS = np.random.default_rng(20230315).integers(1, 1 << 63, size=HASHES, dtype=np.uint64) | np.uint64(1)


def fingerprint(text: str) -> bytes:
    """Equal for texts that differ only in spacing."""
    return hashlib.sha256(b" ".join(text.encode().split())).digest()


def signature(text: str) -> np.ndarray:
    """MinHash of a text's word shingles: uint64 [HASHES]. The share of equal entries estimates Jaccard similarity."""
    words = text[:HEAD_CHARS].lower().encode().split()
    codes = np.fromiter(map(zlib.crc32, words), dtype=np.uint64, count=len(words))
    shingles = np.zeros(max(1, len(words) - SHINGLE + 1), np.uint64)
    for i in range(min(SHINGLE, len(words))):
        shingles = shingles * np.uint64(0x9E3779B97F4A7C15) + codes[i : i + len(shingles)]
    shingles = np.unique(shingles ^ (shingles >> np.uint64(29)))
    return np.array([_mix(shingles * m).min() for m in _MULTIPLIERS], np.uint64)


def _mix(x: np.ndarray) -> np.ndarray:
    """The high bits of a product are the well mixed ones; bring them down."""
    mixed: np.ndarray = x ^ (x >> np.uint64(32))
    return mixed


def near_copies(signatures: Sequence[np.ndarray]) -> list[int]:
    """For each document the index of the earliest one it is nearly a copy of (its own index when it is none)."""
    leader = list(range(len(signatures)))
    buckets: dict[bytes, int] = {}
    for index, row in enumerate(signatures):
        bands = [bytes([start]) + row[start : start + BAND].tobytes() for start in range(0, HASHES, BAND)]
        for candidate in sorted({buckets[b] for b in bands if b in buckets}):
            if np.mean(signatures[candidate] == row) >= SIMILAR:
                leader[index] = leader[candidate]
                break
        for band in bands:
            buckets.setdefault(band, index)
    return leader


class Paragraphs:
    """Removes paragraphs seen before in any document: libraries repeat notices and parameter descriptions en masse.

    Paragraphs (what stands between blank lines) of fewer than `min_chars` characters are kept.
    """

    def __init__(self, min_chars: int) -> None:
        self.min_chars = min_chars
        self._seen: set[bytes] = set()

    def keep_new(self, text: str) -> tuple[str, int, int]:
        """(the text without its long paragraphs that came before, paragraphs removed, their bytes)."""
        parts = text.split("\n\n")
        kept = [part for part in parts if self._is_new(part)]
        new = "\n\n".join(kept)
        return new, len(parts) - len(kept), len(text.encode()) - len(new.encode())

    def _is_new(self, part: str) -> bool:
        if len(part) < self.min_chars:
            return True
        key = hashlib.blake2b(" ".join(part.split()).casefold().encode(), digest_size=12).digest()
        known = key in self._seen
        self._seen.add(key)
        return not known
