"""Files, folders and globs to documents. What cannot be read becomes a `Bad` row; the rest is kept.

Formats are the rows of `FORMATS`: .txt .md .rst .py as one document a file; .jsonl one a line; .parquet one a row
(needs pyarrow); pages and archives of the web as in `presage.data.web`. Text is strict UTF-8, but for pages.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import read_json, utf8_line
from presage.data import web
from presage.data.readers import (
    COMPRESSIONS,
    LIMITS,
    Bad,
    Document,
    Limits,
    Reader,
    Refused,
    blocks,
    joined,
    split_text,
)

__all__ = [
    "COMPRESSIONS",
    "FORMATS",
    "LIMITS",
    "READABLE",
    "Bad",
    "Document",
    "Format",
    "Limits",
    "find_files",
    "format_of",
    "json_lines",
    "read_bytes",
    "read_file",
    "read_paths",
    "split_text",
]


MOST_LINE = 256 << 20
"""Bytes of a line of JSON that is read as a whole."""


@dataclass(frozen=True)
class Format:
    """A kind of file: how names end (before a compression's suffix), what reads it, in which compressions ("" none)."""

    suffixes: tuple[str, ...]
    read: Reader
    compressions: tuple[str, ...] = ("", *COMPRESSIONS)


def read_paths(source: str, paths: Sequence[str], limits: Limits = LIMITS) -> Iterator[Document | Bad]:
    """Documents of files, folders and globs, in path order.

    Raises DataError when a path does not exist or a folder or glob holds nothing readable.
    """
    for location, name in find_files(paths):
        yield from read_file(source, location, name, limits)


def find_files(paths: Sequence[str]) -> list[tuple[Path, str]]:
    """[(location, path relative to the root given)], each file once; in the order of these paths.

    Where several roots give one path to different files, as many folders above as tell them apart stand before it.
    """
    found = {os.path.abspath(place): (place, _sayable(name)) for path in paths for place, name in _expand(path)}
    names = _told_apart({place: name for place, (_, name) in found.items()})
    return sorted(((found[place][0], name) for place, name in names.items()), key=lambda pair: pair[1])


def _told_apart(names: dict[str, str]) -> dict[str, str]:
    """{absolute path: name}, each name once."""
    shown = {place: name.count("/") + 1 for place, name in names.items()}  # parts of the path in the name
    while twice := {name for name, count in Counter(names.values()).items() if count > 1}:
        for place in [place for place, name in names.items() if name in twice]:
            parts = Path(place).parts
            shown[place] += 1
            names[place] = _sayable("/".join(parts[max(1, len(parts) - shown[place]) :]))
    return names


def read_file(
    source: str, location: Path, name: str, limits: Limits = LIMITS, *, as_text: bool = False
) -> Iterator[Document | Bad]:
    """Documents of one file under the name `name`; `as_text` whatever its suffix. Never raises for its content."""
    try:
        found, compression = (TEXT, "") if as_text else format_of(name)
        _check_regular(location)
        if found is None:
            raise Refused(f"not a kind of file that is read ({' '.join(READABLE)})")
        yield from found.read(source, location, name, compression, limits)
    except Refused as refused:
        yield Bad(source, name, refused.place, refused.reason)
    except OSError as error:
        yield Bad(source, name, "", f"cannot be read: {error.strerror or error}")


def read_bytes(location: Path, limit: int = LIMITS.file_bytes) -> bytes:
    """A whole file, decompressed by its suffix. Raises DataError."""
    with _told(location):
        return b"".join(blocks(location, format_of(location.name)[1], limit))


def json_lines(location: Path, limit: int = LIMITS.file_bytes) -> Iterator[tuple[str, Any]]:
    """(file and line, value) of every line of JSON that is not blank; the file, decompressed by its suffix, is read
    piece by piece. Raises DataError naming the line of the first fault."""
    with _told(location):
        for number, line in enumerate(_lines(blocks(location, format_of(location.name)[1], limit), MOST_LINE), 1):
            if line.strip():
                where = f"{location}:{number}"
                yield where, read_json(utf8_line(line, where), where)


@contextlib.contextmanager
def _told(location: Path) -> Iterator[None]:
    """What keeps a file from being read, as a DataError."""
    try:
        yield
    except Refused as refused:
        raise DataError(refused.reason, where=location) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=location) from None


def format_of(name: str) -> tuple[Format | None, str]:
    """(the format or None, compression suffix or "") of a file's name."""
    lower = name.lower()
    compression = next((c for c in COMPRESSIONS if lower.endswith(c)), "")
    stem = lower.removesuffix(compression)
    fits = (one for one in FORMATS if stem.endswith(one.suffixes) and compression in one.compressions)
    return next(fits, None), compression


def _sayable(name: str) -> str:
    """The name of a file, which need not be UTF-8, as text that can be written."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


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
        hits = sorted(map(Path, glob.glob(path, recursive=True)))
        matches = [file for hit in hits for file in (_walk(hit) if hit.is_dir() else [hit]) if format_of(file.name)[0]]
        if not matches:
            known = "no readable file matches" if glob.has_magic(path) else "no such file or folder"
            raise DataError(known, where=path, hint=f"reads {' '.join(READABLE)}")
        base = Path(os.path.commonpath([p.parent for p in matches]))
        yield from ((p, f"{base.resolve().name}/{p.relative_to(base).as_posix()}") for p in matches)


def _walk(root: Path) -> Iterator[Path]:
    """Readable files below a folder; hidden ones and links to folders are not followed."""
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__pycache__"]
        yield from (Path(folder, n) for n in names if format_of(n)[0] and not n.startswith("."))


def _refuse(error: OSError) -> None:
    raise DataError(f"cannot be listed: {error.strerror}", where=error.filename)


def _check_regular(location: Path) -> None:
    if location.is_symlink() and not location.exists():
        raise Refused("a link that leads nowhere")
    if not stat.S_ISREG(location.stat().st_mode):
        raise Refused("not a regular file")


# ---- reading --------------------------------------------------------------------------------------------------------


def _read_text(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    data = joined(blocks(location, compression, limits.file_bytes))
    # All texts before the first document, lest a bad end follows; the bytes are let go as soon as they are texts.
    texts = list(_texts(data, limits.document_bytes))
    del data
    for text in texts:
        yield Document(source, name, text)


def _texts(data: bytearray, limit: int) -> Iterator[str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("UTF-16 text; convert it to UTF-8", "byte 0")
    nul = data.find(b"\0")
    if nul >= 0:
        raise Refused("a NUL byte: not text", f"byte {nul}")
    start = 0
    for piece in split_text(data, limit):
        try:
            yield piece.decode().removeprefix("\ufeff" if start == 0 else "")
        except UnicodeDecodeError as error:
            raise Refused(f"not UTF-8: {error.reason}", f"byte {start + error.start}") from None
        start += len(piece)


def _read_rows(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    for number, line in enumerate(_lines(blocks(location, compression, limits.file_bytes)), 1):
        if not line.strip():
            continue
        try:
            text = _row_text(line, limits.text_key)
        except Refused as refused:
            yield Bad(source, name, f"line {number}", refused.reason)
            continue
        for piece in split_text(text, limits.document_bytes):
            yield Document(source, f"{name}:{number}", piece.decode())


def _row_text(line: bytes, key: str) -> bytes:
    try:
        row = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8: {error.reason} at byte {error.start} of the line") from None
    except RecursionError:
        raise Refused("nested too deeply") from None
    except ValueError as error:
        raise Refused(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise Refused(f"a JSON {type(row).__name__}, not an object")
    return _encoded(row.get(key, _MISSING), key)


_MISSING = object()


def _encoded(text: object, key: str) -> bytes:
    if text is _MISSING:
        raise Refused(f"no key '{key}'")
    if not isinstance(text, str):
        raise Refused(f"'{key}' is {'null' if text is None else type(text).__name__}, not text")
    if "\0" in text:
        raise Refused(f"a NUL character at {text.index(chr(0))} of '{key}': not text")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"half a surrogate pair at character {error.start} of '{key}'") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        raise Refused(f"the key '{next(k for k in keys if keys.count(k) > 1)}' appears twice")
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
                raise Refused(f"no column '{limits.text_key}'; has {', '.join(file.schema_arrow.names)}")
            for batch in file.iter_batches(batch_size=1024, columns=[limits.text_key]):
                for value in map(_cell, batch.column(0)):
                    number += 1
                    yield from _parquet_row(source, name, number, value, limits)
    except ArrowException as error:
        raise Refused(f"not a whole parquet file: {str(error).splitlines()[0]}", f"row {number}") from None


def _cell(cell: Any) -> object:
    """The value; bytes, which are no text, where a string is not UTF-8."""
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        return cell.as_buffer().to_pybytes()


def _parquet_row(source: str, name: str, number: int, value: object, limits: Limits) -> Iterator[Document | Bad]:
    try:
        text = _encoded(value, limits.text_key)
    except Refused as refused:
        yield Bad(source, name, f"row {number}", refused.reason)
        return
    for piece in split_text(text, limits.document_bytes):
        yield Document(source, f"{name}:{number}", piece.decode())


def _lines(blocks: Iterator[bytes], longest: int | None = None) -> Iterator[bytes]:
    """Lines without their newline; linear in time however long a line is. Refuses one of more than `longest` bytes,
    as far as it spans blocks: what is to be held in memory."""
    pending: list[bytes] = []
    for block in blocks:
        first, *others = block.split(b"\n")
        pending.append(first)
        if longest is not None and sum(map(len, pending)) > longest:
            raise Refused(f"a line of more than {longest:,} bytes")
        for part in others:
            yield b"".join(pending)
            pending = [part]
    yield b"".join(pending)


# ---- formats --------------------------------------------------------------------------------------------------------

TEXT = Format((".txt", ".md", ".rst", ".py"), _read_text)
FORMATS = (
    TEXT,
    Format((".jsonl", ".ndjson"), _read_rows),
    Format((".parquet",), _read_parquet, ("",)),
    Format((".html", ".htm"), web.read_page),
    Format((".warc", ".wet"), web.read_archive, ("", ".gz")),
)
READABLE = tuple(suffix for one in FORMATS for suffix in one.suffixes)
