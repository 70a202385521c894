"""The corpus on disk: one JSON object a line, {"source", "path", "text"}, compressed with Zstandard."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import zstandard

from presage.core.errors import CorruptError
from presage.core.run import RunDir, atomic_write, sha256
from presage.data.documents import Document

SPLITS = ("train", "val")
CORPORA = ("corpus", "cleaned")
"""Stages that write a corpus: artifacts/{train,val}.jsonl.zst."""
_LEVEL = 3


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Same documents, same bytes: one thread, fixed level."""
    with atomic_write(path) as file, zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as out:
        for document in documents:
            row = {"source": document.source, "path": document.path, "text": document.text}
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def read_split(corpus: Path | str, split: str) -> Iterator[Document]:
    """Documents of a finished corpus run. Raises CorruptError when the file is not whole."""
    path = whole_file(open_corpus(corpus), f"artifacts/{split}.jsonl.zst")
    with open(path, "rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        for line in io.TextIOWrapper(reader, encoding="utf-8", newline="\n"):
            yield Document(**json.loads(line))


def open_corpus(path: Path | str) -> RunDir:
    """A finished run of a stage that writes a corpus. Raises RunError."""
    run = RunDir.open(path)
    return run if run.stage in CORPORA else RunDir.open(path, CORPORA[0])


def whole_file(run: RunDir, name: str) -> Path:
    """The path of a file of a finished run, whose content is what DONE recorded. Raises CorruptError naming it."""
    path = run.path / name
    recorded = run.read_json("DONE")["files"].get(name)
    if recorded is None or not path.is_file():
        raise CorruptError("missing", where=path, hint=f"run its stage '{run.stage}' again")
    if sha256(path) != recorded:
        raise CorruptError("its content is not what DONE recorded", where=path, hint=f"run stage '{run.stage}' again")
    return path
