"""Readers: files, folders and globs to documents. What cannot be read becomes a `Bad` row; the rest is kept.

Formats: .txt .md .rst .py as one document a file; .jsonl one a line; .parquet one a row (needs pyarrow). The first five
may be compressed as .gz, .xz or .zst. Text is strict UTF-8.
"""

from __future__ import annotations

import glob
import gzip
import json
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

from presage.core.errors import DataError

TEXT_SUFFIXES = (".txt", ".md", ".rst", ".py")
ROW_SUFFIXES = (".jsonl", ".ndjson")
COMPRESSIONS = (".gz", ".xz", ".zst")
READABLE = (*TEXT_SUFFIXES, *ROW_SUFFIXES, ".parquet")
_BLOCK = 1 << 20
_ZST_BLOCK = 1 << 13  # small: one block of a bomb can grow twenty-thousandfold before it is counted


@dataclass(frozen=True)
class Document:
    """One text; `path` is relative to its source's root, and says which side of the split it falls on."""

    source: str
    path: str
    text: str


@dataclass(frozen=True)
class Bad:
    """Something that could not be read: the file, the place in it (byte or line), why."""

    source: str
    path: str
    place: str
    reason: str


@dataclass(frozen=True)
class Limits:
    """Bytes after decompression. A longer document is cut into pieces, a longer file is refused."""

    document_bytes: int = 1 << 24
    file_bytes: int = 1 << 32
    text_key: str = "text"


LIMITS = Limits()


class _Refused(Exception):
    """Why a file or line is bad; becomes a `Bad` row."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place


def read_paths(source: str, paths: Sequence[str], limits: Limits = LIMITS) -> Iterator[Document | Bad]:
    """Documents of files, folders and globs, in path order.

    Raises DataError when a path does not exist or a folder or glob holds nothing readable.
    """
    for location, name in find_files(paths):
        yield from read_file(source, location, name, limits)


def find_files(paths: Sequence[str]) -> list[tuple[Path, str]]:
    """[(location, path relative to the root given)], each file once; in the order of the relative paths."""
    found = {os.path.abspath(location): (location, name) for path in paths for location, name in _expand(path)}
    return sorted(found.values(), key=lambda pair: pair[1])


def read_file(
    source: str, location: Path, name: str, limits: Limits = LIMITS, *, as_text: bool = False
) -> Iterator[Document | Bad]:
    """Documents of one file under the name `name`; `as_text` whatever its suffix. Never raises for its content."""
    try:
        kind, compression = ("text", "") if as_text else kind_of(name)
        _check_regular(location)
        yield from _READERS[kind](source, location, name, compression, limits)
    except _Refused as refused:
        yield Bad(source, name, refused.place, refused.reason)
    except OSError as error:
        yield Bad(source, name, "", f"cannot be read: {error.strerror or error}")


def read_bytes(location: Path, limit: int = LIMITS.file_bytes) -> bytes:
    """A whole file, decompressed by its suffix. Raises DataError."""
    try:
        return b"".join(_blocks(location, kind_of(location.name)[1], limit))
    except _Refused as refused:
        raise DataError(refused.reason, where=location) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=location) from None


def kind_of(name: str) -> tuple[str, str]:
    """("text" | "rows" | "parquet" | "unknown", compression suffix or "")."""
    lower = name.lower()
    compression = next((c for c in COMPRESSIONS if lower.endswith(c)), "")
    stem = lower.removesuffix(compression)
    kinds = {"text": TEXT_SUFFIXES, "rows": ROW_SUFFIXES, "parquet": () if compression else (".parquet",)}
    return next((kind for kind, suffixes in kinds.items() if stem.endswith(suffixes)), "unknown"), compression


def split_text(text: bytes | bytearray, limit: int) -> Iterator[bytes]:
    """Pieces of at most `limit` bytes, cut after a newline where there is one, never inside a UTF-8 character."""
    start = 0
    while len(text) - start > limit:
        end = text.rfind(b"\n", start + limit // 2, start + limit) + 1 or start + limit
        end -= next((back for back in range(4) if text[end - back] & 0xC0 != 0x80), 0)
        yield bytes(text[start:end])
        start = end
    yield bytes(text[start:])


# ---- finding --------------------------------------------------------------------------------------------------------


def _expand(path: str) -> Iterator[tuple[Path, str]]:
    root = Path(path)
    if root.is_dir():
        found = [(p, f"{root.resolve().name}/{p.relative_to(root).as_posix()}") for p in _walk(root)]
        if not found:
            raise DataError("no readable file in this folder", where=path, hint=f"reads {' '.join(READABLE)}")
        yield from found
    elif os.path.lexists(root):
        yield root, root.name
    else:
        matches = [Path(p) for p in glob.glob(path, recursive=True) if kind_of(p)[0] != "unknown"]
        matches = [p for p in matches if not p.is_dir()]
        if not matches:
            known = "no readable file matches" if glob.has_magic(path) else "no such file or folder"
            raise DataError(known, where=path, hint=f"reads {' '.join(READABLE)}")
        base = Path(os.path.commonpath([p.parent for p in matches]))
        yield from ((p, f"{base.resolve().name}/{p.relative_to(base).as_posix()}") for p in matches)


def _walk(root: Path) -> Iterator[Path]:
    """Readable files below a folder; hidden ones and links to folders are not followed."""
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        yield from (Path(folder, n) for n in names if kind_of(n)[0] != "unknown" and not n.startswith("."))


def _check_regular(location: Path) -> None:
    if location.is_symlink() and not location.exists():
        raise _Refused("a link that leads nowhere")
    if not stat.S_ISREG(location.stat().st_mode):
        raise _Refused("not a regular file")


# ---- reading --------------------------------------------------------------------------------------------------------


def _read_text(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    blocks = _blocks(location, compression, limits.file_bytes)
    # All texts before the first document, lest a bad end follows; the bytes are let go as soon as they are texts.
    for text in list(_texts(_joined(blocks), limits.document_bytes)):
        yield Document(source, name, text)


def _joined(blocks: Iterator[bytes]) -> bytearray:
    data = bytearray()  # grows in place: a file of a gigabyte is held once
    for block in blocks:
        data += block
    return data


def _texts(data: bytearray, limit: int) -> Iterator[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused("UTF-16 text; convert it to UTF-8", "byte 0")
    nul = data.find(b"\0")
    if nul >= 0:
        raise _Refused("a NUL byte: not text", f"byte {nul}")
    start = 0
    for piece in split_text(data, limit):
        try:
            yield piece.decode().removeprefix("\ufeff" if start == 0 else "")
        except UnicodeDecodeError as error:
            raise _Refused(f"not UTF-8: {error.reason}", f"byte {start + error.start}") from None
        start += len(piece)


def _read_rows(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    for number, line in enumerate(_lines(_blocks(location, compression, limits.file_bytes)), 1):
        if not line.strip():
            continue
        try:
            text = _row_text(line, limits.text_key)
        except _Refused as refused:
            yield Bad(source, name, f"line {number}", refused.reason)
            continue
        for piece in split_text(text, limits.document_bytes):
            yield Document(source, f"{name}:{number}", piece.decode())


def _row_text(line: bytes, key: str) -> bytes:
    try:
        row = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise _Refused(f"not UTF-8: {error.reason} at byte {error.start} of the line") from None
    except RecursionError:
        raise _Refused("nested too deeply") from None
    except ValueError as error:
        raise _Refused(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise _Refused(f"a JSON {type(row).__name__}, not an object")
    return _encoded(row.get(key, _MISSING), key)


_MISSING = object()


def _encoded(text: object, key: str) -> bytes:
    if text is _MISSING:
        raise _Refused(f"no key '{key}'")
    if not isinstance(text, str):
        raise _Refused(f"'{key}' is {'null' if text is None else type(text).__name__}, not text")
    if "\0" in text:
        raise _Refused(f"a NUL character at {text.index(chr(0))} of '{key}': not text")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _Refused(f"half a surrogate pair at character {error.start} of '{key}'") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Refused(f"the key '{next(k for k in keys if keys.count(k) > 1)}' appears twice")
    return row


def _read_parquet(source: str, location: Path, name: str, _: str, limits: Limits) -> Iterator[Document | Bad]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise DataError("reading .parquet needs pyarrow", where=name, hint="pip install pyarrow") from None
    number = 0
    try:
        with parquet.ParquetFile(location) as file:
            if limits.text_key not in file.schema_arrow.names:
                raise _Refused(f"no column '{limits.text_key}'; has {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(batch_size=1024, columns=[limits.text_key]):
                for value in batch.column(0).to_pylist():
                    number += 1
                    yield from _parquet_row(source, name, number, value, limits)
    except ArrowException as error:
        raise _Refused(f"not a whole parquet file: {str(error).splitlines()[0]}", f"row {number}") from None


def _parquet_row(source: str, name: str, number: int, value: object, limits: Limits) -> Iterator[Document | Bad]:
    try:
        text = _encoded(value, limits.text_key)
    except _Refused as refused:
        yield Bad(source, name, f"row {number}", refused.reason)
        return
    for piece in split_text(text, limits.document_bytes):
        yield Document(source, f"{name}:{number}", piece.decode())


def _refuse_kind(source: str, location: Path, name: str, _: str, limits: Limits) -> Iterator[Document | Bad]:
    raise _Refused(f"not a kind of file that is read ({' '.join(READABLE)})")


_READERS: dict[str, Callable[[str, Path, str, str, Limits], Iterator[Document | Bad]]] = {
    "text": _read_text,
    "rows": _read_rows,
    "parquet": _read_parquet,
    "unknown": _refuse_kind,
}


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their newline; linear in time however long a line is."""
    pending: list[bytes] = []
    for block in blocks:
        first, *others = block.split(b"\n")
        pending.append(first)
        for part in others:
            yield b"".join(pending)
            pending = [part]
    yield b"".join(pending)


def _blocks(location: Path, compression: str, limit: int) -> Iterator[bytes]:
    """The file's bytes, decompressed; refuses a truncated or damaged archive and more than `limit` bytes."""
    total = 0
    try:
        with _OPENERS[compression](location) as file:
            reader = _zst_blocks(file) if compression == ".zst" else iter(lambda: file.read(_BLOCK), b"")
            for block in reader:
                total += len(block)
                if total > limit:
                    raise _Refused(f"more than {limit:,} bytes{' when decompressed' if compression else ''}")
                yield block
    except EOFError:
        raise _Refused("the compressed file ends early", f"after {total:,} bytes of text") from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise _Refused(f"damaged {compression} file: {error}", f"after {total:,} bytes of text") from None


def _zst_blocks(file: IO[bytes]) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor().decompressobj()
    while data := file.read(_ZST_BLOCK):
        while data:  # one frame ends and the next begins anywhere in a block
            if decoder.eof:
                decoder = zstandard.ZstdDecompressor().decompressobj()
            yield decoder.decompress(data)
            data = decoder.unused_data
    if not decoder.eof:
        raise EOFError


def _open_plain(location: Path) -> IO[bytes]:
    return open(location, "rb")


_OPENERS: dict[str, Callable[[Path], Any]] = {"": _open_plain, ".zst": _open_plain, ".gz": gzip.open, ".xz": lzma.open}
