"""The corpus on disk: one JSON object a line, {"source", "path", "text"}, compressed with Zstandard."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from presage.core.errors import CorruptError, DataError
from presage.core.run import RunDir, atomic_write
from presage.data.documents import Document

SPLITS = ("train", "val")
_LEVEL = 3


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Same documents, same bytes: one thread, fixed level."""
    with atomic_write(path) as file, zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as out:
        for document in documents:
            row = {"source": document.source, "path": document.path, "text": document.text}
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def read_split(corpus: Path | str, split: str) -> Iterator[Document]:
    """Documents of a finished corpus run. Raises CorruptError naming file and line when it is damaged."""
    path = RunDir.open(corpus, "corpus").path / "artifacts" / f"{split}.jsonl.zst"
    if not path.is_file():
        raise DataError(f"the corpus has no '{split}' split", where=path)
    read = 0
    try:
        with open(path, "rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            for line in io.TextIOWrapper(reader, encoding="utf-8", newline="\n"):
                yield Document(**json.loads(line))
                read += 1
    except (zstandard.ZstdError, ValueError, TypeError) as error:
        raise CorruptError(f"damaged corpus: {error}", where=f"{path}:{read + 1}") from None
