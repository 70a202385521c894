"""Stage `images`: records of text and images to ids and pixels, mapped into memory like the tokens of text.

artifacts/{train,val}-ids.bin: little-endian int32, documents one after another; -1 - n stands for a token of picture n,
as often as it has tokens. {train,val}-learned.bin: a byte for each id, 1 where it is learned. {train,val}-starts.bin:
int64, where each document begins, and the end. pictures.bin: a row of PICTURE for each picture; pictures-00000.bin …:
their pixels, already on the grid, each compressed by itself. index.json: the grid, counts, and the sha256 of every
file. Equal files of images are kept once.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import File, Parent
from presage.core.errors import DataError
from presage.core.run import RunDir, sha256
from presage.core.seeds import derive
from presage.data.attempt import attempt
from presage.data.bpe import Tokenizer
from presage.data.images.grid import Grid
from presage.data.images.hashing import look, pixel_digest
from presage.data.images.parts import TAG, Picture, pictures, without_pictures
from presage.data.images.reading import read_image
from presage.data.images.records import Mixture, document_ids, read_documents
from presage.data.verbs import Message
from presage.data.vocabulary import tokenizer_of

__all__ = ["Config", "run"]

PICTURE = np.dtype(
    [
        ("shard", "<i4"),
        ("offset", "<i8"),
        ("length", "<i4"),
        ("height", "<i4"),
        ("width", "<i4"),
        ("look", "<u8"),
        ("pixels", "V32"),
    ]
)
"""pixels: sha256 of those in the file (hashing.pixel_digest); look: the perceptual hash; height, width: on the grid."""
SPLITS = ("train", "val")
_AT_ONCE = 64


class Config(BaseConfig):
    """Which records, in whose ids, on which grid."""

    records: tuple[File, ...] = Field(min_length=1)
    tokenizer: Parent | None = None
    """A run that has a tokenizer: of stage tokenizer, or of the model that is to see. None: bytes."""
    grid: Grid = Grid()
    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of the documents that becomes the val split."""
    blind: bool = False
    """Every image replaced by a tag: the same text for a twin that sees nothing."""
    shard_bytes: int = Field(default=1 << 28, gt=0)
    seed: int = 0


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Read, verify and store. Raises DataError naming file and line of the first record that is wrong."""
    with attempt(out, "images", config, seed=config.seed, resume=resume) as directory:
        tokenizer = Tokenizer.load(tokenizer_of(config.tokenizer)) if config.tokenizer else Tokenizer.of_bytes()
        directory.write_text("artifacts/tokenizer.json", tokenizer.to_json())
        store = _Store(directory, config)
        writers = {split: _Documents(directory, split) for split in SPLITS}
        with ThreadPoolExecutor(2) as pool:
            for number, document in enumerate(_verified(config, pool, store)):
                ids, learned = document_ids(tokenizer, document, lambda picture: store.ids(picture))
                split = "val" if derive(config.seed, "split", number) % 10**6 < config.held_out * 10**6 else "train"
                writers[split].add(ids, learned)
        store.close()
        files = {name: sha256(directory.artifact(name)) for one in writers.values() for name in one.close()}
        files |= {name: sha256(directory.artifact(name)) for name in store.names}
        index: dict[str, Any] = {"grid": config.grid.model_dump(), "pictures": len(store.rows), "files": files}
        index |= {"vocab_size": tokenizer.n_vocab, "shards": len(store.names) - 1}
        directory.write_json("artifacts/index.json", index)
        if not writers["train"].starts[1:]:
            raise DataError("no documents to train on", where=config.records[0], hint="a smaller held_out")
        for split, one in writers.items():
            for name, value in one.counts.items():
                directory.result(f"{split}/{name}", value, unit=name)
        directory.result("pictures", len(store.rows), unit="pictures")
        return directory


def _verified(config: Config, pool: ThreadPoolExecutor, store: _Store) -> Iterator[Mixture]:
    """Every document of the files, its pictures decoded and stored."""
    for path in config.records:
        documents = read_documents(path)
        while group := list(islice(documents, _AT_ONCE)):
            shown = [(where, _blinded(document) if config.blind else document) for where, document in group]
            wanted = [
                (f"{where}: image {number}", picture)
                for where, document in shown
                for number, picture in enumerate(_pictures(document), 1)
            ]
            new = {picture.digest: (where, picture) for where, picture in reversed(wanted) if store.lacks(picture)}
            for one in pool.map(lambda pair: _Decoded.of(pair[1], pair[0], config.grid), reversed(new.values())):
                store.add(one)
            yield from (document for _, document in shown)


class _Decoded:
    """A picture as it is kept."""

    def __init__(self, digest: str, pixels: np.ndarray, seen: int, content: bytes) -> None:
        self.digest, self.shape, self.look, self.content = digest, pixels.shape, seen, content
        self.data = zstandard.ZstdCompressor(3).compress(pixels.tobytes())

    @classmethod
    def of(cls, picture: Picture, where: str, grid: Grid) -> _Decoded:
        image = read_image(picture.data, where)
        return cls(picture.digest, grid.fitted(image), look(image), pixel_digest(image))


class _Store:
    """Pictures by digest, and their compressed pixels in files of about `shard_bytes`."""

    def __init__(self, directory: RunDir, config: Config) -> None:
        self.directory, self.grid, self.most = directory, config.grid, config.shard_bytes
        self.rows: list[tuple[Any, ...]] = []
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._file: Any = None
        self._open()

    def lacks(self, picture: Picture) -> bool:
        return picture.digest not in self._numbers

    def add(self, one: _Decoded) -> None:
        if self._file.tell() and self._file.tell() + len(one.data) > self.most:
            self._open()
        height, width, _ = one.shape
        self._numbers[one.digest] = len(self.rows)
        place = (len(self.names) - 1, self._file.tell(), len(one.data))
        self.rows.append((*place, height, width, one.look, one.content))
        self._file.write(one.data)

    def ids(self, picture: Picture) -> list[int]:
        """-1 - its number, once for each of its tokens."""
        number = self._numbers[picture.digest]
        _, _, _, height, width, *_ = self.rows[number]
        return [-1 - number] * self.grid.tokens(height, width)

    def close(self) -> None:
        self._file.close()
        self.directory.artifact("pictures.bin").write_bytes(np.array(self.rows, PICTURE).tobytes())
        self.names.append("pictures.bin")

    def _open(self) -> None:
        if self._file is not None:
            self._file.close()
        self.names.append(f"pictures-{len(self.names):05d}.bin")
        self._file = open(self.directory.artifact(self.names[-1]), "wb")  # noqa: SIM115 - until the next or close()


class _Documents:
    """The ids of a split as they come."""

    def __init__(self, directory: RunDir, split: str) -> None:
        self.starts, self.counts = [0], {"documents": 0, "tokens": 0, "image_tokens": 0, "learned_tokens": 0}
        self._directory, self._split = directory, split
        self._ids = open(directory.artifact(f"{split}-ids.bin"), "wb")  # noqa: SIM115 - until close()
        self._learned = open(directory.artifact(f"{split}-learned.bin"), "wb")  # noqa: SIM115

    def add(self, ids: list[int], learned: list[bool]) -> None:
        self._ids.write(np.array(ids, "<i4").tobytes())
        self._learned.write(np.array(learned, "u1").tobytes())
        self.starts.append(self.starts[-1] + len(ids))
        seen = sum(i < 0 for i in ids)
        for name, count in zip(self.counts, (1, len(ids), seen, sum(learned)), strict=True):
            self.counts[name] += count

    def close(self) -> list[str]:
        self._ids.close()
        self._learned.close()
        self._directory.artifact(f"{self._split}-starts.bin").write_bytes(np.array(self.starts, "<i8").tobytes())
        return [f"{self._split}-{name}.bin" for name in ("ids", "learned", "starts")]


def _pictures(document: Mixture) -> list[Picture]:
    return [
        one for part in document for one in (pictures(part.parts) if isinstance(part, Message) else pictures([part]))
    ]


def _blinded(document: Mixture) -> Mixture:
    return tuple(  # type: ignore[return-value]
        Message(one.role, one.content) if isinstance(one, Message) else without_pictures([one], TAG)[0]
        for one in document
    )
