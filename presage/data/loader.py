"""Tokens from shards, and batches as a pure function of (seed, sequence number).

The training stream is endless. Epoch e cuts the tokens into windows of length T that do not overlap, beginning at a
random phase, and visits them in a random order; both depend on (seed, e) only. Sequence number s is window s mod n of
epoch s div n. So resuming is arithmetic, and any rank may take any slice of a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.errors import CorruptError, DataError
from presage.core.run import RunDir, sha256
from presage.core.seeds import stream
from presage.data.records import whole_file

_EPOCHS_KEPT = 4


class Split:
    """The tokens of one split, memory-mapped across its shards."""

    def __init__(self, arrays: list[np.ndarray], vocab_size: int, eot: int, token_bytes: np.ndarray, name: str) -> None:
        self.name, self.vocab_size, self.eot, self.token_bytes = name, vocab_size, eot, token_bytes
        self._arrays = arrays
        self._starts = np.concatenate([[0], np.cumsum([len(a) for a in arrays])]).astype(np.int64)
        self.n_tokens = int(self._starts[-1])

    def read(self, start: int, length: int) -> np.ndarray:
        """Tokens start … start+length-1, across shard borders; at most to the end."""
        shard = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = []
        while length > 0 and shard < len(self._arrays):
            offset = start - int(self._starts[shard])
            part = self._arrays[shard][offset : offset + length]
            parts.append(part)
            start, length, shard = start + len(part), length - len(part), shard + 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0, np.int64)])

    def windows(self, starts: np.ndarray, length: int) -> np.ndarray:
        """int64 [len(starts), length]."""
        out = np.empty((len(starts), length), np.int64)
        for row, start in zip(out, starts.tolist(), strict=True):
            row[:] = self.read(start, length)
        return out


class Tokens:
    """A finished shards run, opened. Raises CorruptError naming the shard that is missing, cut short or changed."""

    def __init__(self, path: Path | str, *, verify: bool = True) -> None:
        run = RunDir.open(path, "shards")
        self.path = run.path / "artifacts"
        whole_file(run, "artifacts/index.json")
        self.index: dict[str, Any] = run.read_json("artifacts/index.json")
        self.dtype = np.dtype(self.index["dtype"]).newbyteorder("<")
        self.vocab_size, self.eot = int(self.index["vocab_size"]), int(self.index["eot"])
        whole_file(run, f"artifacts/{self.index['token_bytes']}")
        self.token_bytes = self._map(self.index["token_bytes"], np.dtype("<i4"), self.vocab_size).astype(np.int32)
        self._arrays = {
            split: [self._open(file, verify) for file in facts["files"]]
            for split, facts in self.index["splits"].items()
        }

    @property
    def tokenizer_path(self) -> Path:
        return self.path / "tokenizer.json"

    def split(self, name: str) -> Split:
        if name not in self._arrays:
            raise DataError(f"no split '{name}'", where=self.path, hint=f"has {', '.join(self._arrays)}")
        return Split(self._arrays[name], self.vocab_size, self.eot, self.token_bytes, name)

    def _open(self, file: dict[str, Any], verify: bool) -> np.ndarray:
        array = self._map(file["name"], self.dtype, int(file["tokens"]))
        path = self.path / file["name"]
        if array.size and int(array.max()) >= self.vocab_size:
            first = int(np.argmax(array >= self.vocab_size))
            raise CorruptError(
                f"token {int(array[first])} is outside the vocabulary of {self.vocab_size}",
                where=f"{path}: byte {first * self.dtype.itemsize}",
                hint=_AGAIN,
            )
        if verify and sha256(path) != file["sha256"]:
            raise CorruptError("the shard's content is not what index.json recorded", where=path, hint=_AGAIN)
        return array

    def _map(self, name: str, dtype: np.dtype[Any], length: int) -> np.ndarray:
        path = self.path / name
        if not path.is_file():
            raise CorruptError("missing", where=path, hint=_AGAIN)
        size, expected = path.stat().st_size, length * dtype.itemsize
        if size != expected:
            raise CorruptError(
                f"{'truncated' if size < expected else 'too long'}: {size:,} bytes instead of {expected:,}",
                where=f"{path}: byte {min(size, expected)}",
                hint=_AGAIN,
            )
        return np.memmap(path, dtype, "r")


_AGAIN = "make the shards again"


class Loader:
    """Training sequences by number. Stateless but for a cache of the last few epochs' orders."""

    def __init__(self, split: Split, context_length: int, seed: int) -> None:
        if split.n_tokens < context_length + 1:
            raise DataError(
                f"the {split.name} split has {split.n_tokens:,} tokens; a sequence needs {context_length + 1:,}",
                hint="a shorter context_length, or more text",
            )
        self.split, self.context_length, self.seed = split, context_length, seed
        # One window is given up so that an epoch has the same number of windows whatever its phase.
        self.n_windows = max(1, (split.n_tokens - context_length) // context_length)
        self._phases = split.n_tokens - self.n_windows * context_length
        self._epochs: OrderedDict[int, np.ndarray] = OrderedDict()

    def batch(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of sequences first … first+count-1: two int64 [count, T], targets one token later."""
        epochs, places = np.divmod(np.arange(first, first + count), self.n_windows)
        starts = np.empty(count, np.int64)
        for epoch in np.unique(epochs).tolist():
            inside = epochs == epoch
            starts[inside] = self._starts(epoch)[places[inside]]
        rows = self.split.windows(starts, self.context_length + 1)
        return rows[:, :-1], rows[:, 1:]

    def _starts(self, epoch: int) -> np.ndarray:
        """Where each window of an epoch begins, in the order of visit: int64 [n_windows]."""
        if epoch not in self._epochs:
            random = stream(self.seed, "loader", epoch)
            phase = int(random.integers(self._phases))
            self._epochs[epoch] = phase + self.context_length * random.permutation(self.n_windows)
            while len(self._epochs) > _EPOCHS_KEPT:
                self._epochs.popitem(last=False)
        return self._epochs[epoch]


def evaluation_windows(
    split: Split, context_length: int, max_tokens: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A fixed sample of windows that do not overlap: two int64 [n, T] with n*T at most `max_tokens`, in file order.

    A larger `max_tokens` adds windows and keeps those of a smaller one. Bits per byte: the summed loss of the targets
    over `split.token_bytes[targets].sum()` and ln 2.
    """
    available = (split.n_tokens - 1) // context_length
    if available < 1:
        raise DataError(f"the {split.name} split has {split.n_tokens:,} tokens; a window needs {context_length + 1:,}")
    wanted = max(1, min(available, max_tokens // context_length))
    chosen = np.sort(stream(seed, "evaluation").permutation(available)[:wanted])
    rows = split.windows(chosen * context_length, context_length + 1)
    return rows[:, :-1], rows[:, 1:]
