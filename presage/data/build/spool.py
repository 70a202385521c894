"""Documents on disk between two passes: compressed frames that can be read from anywhere, columns of numbers beside."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO

import numpy as np
import zstandard

FRAME = 1 << 20
"""Bytes of texts in a frame, at least: what is read to fetch one document."""
_LEVEL = 1  # written once, read once or twice, then deleted


@dataclass(frozen=True)
class Row:
    """A document that was kept so far; `package` is its number in the plan, -1 for none."""

    path: str
    package: int
    text: str


class Writer:
    """Writes rows and columns below a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._files = contextlib.ExitStack()
        self._file = self._open("texts.zst")
        self._columns: dict[str, IO[bytes]] = {}
        self._heads: list[tuple[str, int, int]] = []
        self._texts: list[bytes] = []
        self._size = self.rows = 0
        self._frames: list[tuple[int, int]] = [(0, 0)]

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        for row in rows:
            text = row.text.encode()
            self._heads.append((row.path, row.package, len(text)))
            self._texts.append(text)
            self._size += len(text)
            self.rows += 1
            if self._size >= FRAME:
                self._flush()

    def column(self, name: str, values: np.ndarray) -> None:
        """Append to a column; its rows need not be those of the documents."""
        if name not in self._columns:
            self._columns[name] = self._open(f"{name}.bin")
        self._columns[name].write(np.ascontiguousarray(values).tobytes())

    def close(self) -> None:
        """Everything on disk."""
        self._flush()
        np.array(self._frames, "<i8").tofile(self._folder / "frames.bin")
        self._files.close()

    def _open(self, name: str) -> IO[bytes]:
        return self._files.enter_context(open(self._folder / name, "wb"))

    def _flush(self) -> None:
        if self._texts:
            frame = b"".join([json.dumps(self._heads).encode(), b"\n", *self._texts])
            self._file.write(zstandard.ZstdCompressor(level=_LEVEL).compress(frame))
            self._frames.append((self._file.tell(), self.rows))
            self._heads, self._texts, self._size = [], [], 0


class Reader:
    """Reads what a Writer wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Ends of the frames, a zero first: in bytes of the file and in rows.
        self._ends = np.fromfile(folder / "frames.bin", "<i8").reshape(-1, 2)

    def __len__(self) -> int:
        return int(self._ends[-1, 1])

    def column(self, name: str, dtype: str, width: int) -> np.ndarray:
        """A column as it lies on disk, [rows, width]."""
        path = self._folder / f"{name}.bin"
        if not path.exists() or not path.stat().st_size:
            return np.zeros((0, width), dtype)
        return np.memmap(path, dtype, "r").reshape(-1, width)

    def rows(self, wanted: Sequence[int] | np.ndarray | None = None) -> Iterator[Row]:
        """All rows, or those of these indices, which are in order."""
        starts, firsts = self._ends[:-1].T
        chosen = np.arange(len(self)) if wanted is None else np.asarray(wanted)
        frame_of = np.searchsorted(self._ends[1:, 1], chosen, side="right")
        with open(self._folder / "texts.zst", "rb") as file:
            for frame in np.unique(frame_of).tolist():
                file.seek(int(starts[frame]))
                packed = file.read(int(self._ends[frame + 1, 0] - starts[frame]))
                yield from _unpacked(packed, (chosen[frame_of == frame] - firsts[frame]).tolist())


def _unpacked(packed: bytes, wanted: Sequence[int]) -> Iterator[Row]:
    frame = zstandard.ZstdDecompressor().decompress(packed)
    head = frame.index(b"\n")
    heads = json.loads(frame[:head])
    ends = [*accumulate((size for _, _, size in heads), initial=head + 1)]
    for i in wanted:
        path, package, _ = heads[i]
        yield Row(path, package, frame[ends[i] : ends[i + 1]].decode())


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write to that gets its name only when the block ends well; a half-written one is begun anew."""
    draft = target.with_name(f"{target.name}.tmp")
    if draft.exists():
        shutil.rmtree(draft)
    draft.parent.mkdir(parents=True, exist_ok=True)
    yield draft
    os.replace(draft, target)
