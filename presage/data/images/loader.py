"""A finished run of `presage images`, opened: documents of ids, and the pixels of the pictures that they name."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import zstandard

from presage.core.errors import CorruptError
from presage.core.run import RunDir
from presage.data.images.grid import Grid
from presage.data.images.shards import PICTURE
from presage.data.records import whole_file


@dataclass(frozen=True)
class Document:
    """Ids, of which -1 - n are places for tokens of picture n; which are learned; the pictures, in their order."""

    ids: np.ndarray
    learned: np.ndarray
    pictures: tuple[int, ...]


class Images:
    """Raises CorruptError naming the file that is missing or changed, or the document whose places do not count up."""

    def __init__(self, path: Path | str) -> None:
        run = RunDir.open(path, "images")
        for name in ("index.json", "tokenizer.json"):
            whole_file(run, f"artifacts/{name}")
        self.path, index = run.path / "artifacts", run.read_json("artifacts/index.json")
        for name in index["files"]:
            whole_file(run, f"artifacts/{name}")
        self.grid = Grid.parse(index["grid"], where=self.path / "index.json")
        self.vocab_size = int(index["vocab_size"])
        self.table = np.fromfile(self.path / "pictures.bin", PICTURE)
        shards = [self.path / f"pictures-{number:05d}.bin" for number in range(int(index["shards"]))]
        self._shards = [
            np.memmap(one, np.uint8, "r") if one.stat().st_size else np.zeros(0, np.uint8) for one in shards
        ]

    @property
    def tokenizer_path(self) -> Path:
        return self.path / "tokenizer.json"

    def documents(self, split: str) -> list[Document]:
        """All documents of a split."""
        ids = np.fromfile(self.path / f"{split}-ids.bin", "<i4")
        learned = np.fromfile(self.path / f"{split}-learned.bin", "u1").astype(bool)
        starts = np.fromfile(self.path / f"{split}-starts.bin", "<i8").tolist()
        found = []
        for number, (start, end) in enumerate(pairwise(starts)):
            part = ids[start:end]
            found.append(Document(part, learned[start:end], self._named(part, f"{split} document {number}")))
        return found

    def tokens(self, picture: int) -> int:
        """Tokens of a picture."""
        return self.grid.tokens(int(self.table["height"][picture]), int(self.table["width"][picture]))

    def pixels(self, picture: int) -> np.ndarray:
        """uint8 [H, W, 3] on the grid."""
        row = self.table[picture]
        start = int(row["offset"])
        data = self._shards[int(row["shard"])][start : start + int(row["length"])].tobytes()
        shape = int(row["height"]), int(row["width"]), 3
        try:
            raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=int(np.prod(shape)))
            return np.frombuffer(raw, np.uint8).reshape(shape)
        except (zstandard.ZstdError, ValueError):
            raise CorruptError(f"picture {picture} is damaged", where=self.path, hint="make the images again") from None

    def _named(self, ids: np.ndarray, where: str) -> tuple[int, ...]:
        """The pictures that ids name, each by as many places as it has tokens."""
        found, place = [], 0
        spots = np.flatnonzero(ids < 0)
        while place < len(spots):
            picture = -1 - int(ids[spots[place]])
            count = self.tokens(picture) if picture < len(self.table) else 0
            run = spots[place : place + count]
            whole = len(run) == count > 0 and run[-1] - run[0] == count - 1 and bool((ids[run] == -1 - picture).all())
            if not whole:
                raise CorruptError(
                    f"{where}: picture {picture} has {count} tokens, and another number of places", where=self.path
                )
            found.append(picture)
            place += count
        return tuple(found)
