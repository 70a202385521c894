"""The corpus on disk: one JSON object a line, {"source", "path", "text"}, compressed with Zstandard."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import zstandard

from presage.core.errors import CorruptError
from presage.core.run import RunDir, atomic_write, sha256
from presage.data.documents import Document

SPLITS = ("train", "val")
CORPORA = ("corpus", "cleaned")
"""Stages that write a corpus: artifacts/{train,val}.jsonl.zst."""
_LEVEL = 3
_quoted = json.JSONEncoder(ensure_ascii=False).encode  # of a string, half the time of json.dumps for the row


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Same documents, same bytes: one thread, fixed level."""
    with atomic_write(path) as file:
        write_stream(file, documents)


def write_stream(file: IO[bytes], documents: Iterable[Document]) -> None:
    """Append the documents to an open file as one frame."""
    with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as out:
        for document in documents:
            source, path, text = map(_quoted, (document.source, document.path, document.text))
            out.write(f'{{"source": {source}, "path": {path}, "text": {text}}}\n'.encode())


def read_documents(path: Path) -> Iterator[Document]:
    """Documents of a file that `write_documents` wrote, or of several such files joined."""
    with (
        open(path, "rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader,
    ):
        for line in io.TextIOWrapper(reader, encoding="utf-8", newline="\n"):
            yield Document(**json.loads(line))


def read_split(corpus: Path | str, split: str) -> Iterator[Document]:
    """Documents of a finished corpus run. Raises CorruptError when the file is not whole."""
    yield from read_documents(whole_file(open_corpus(corpus), f"artifacts/{split}.jsonl.zst"))


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
