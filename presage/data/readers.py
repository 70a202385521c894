"""What all readers share: documents, bad rows, limits, and the bytes of a file that may be compressed."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import zstandard

COMPRESSIONS = (".gz", ".xz", ".zst")
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
    """Bytes after decompression. A longer document is cut into pieces, a longer file is refused.

    page_bytes: a page of HTML and a record of a web archive; a longer one is refused, an archive may have any size.
    """

    document_bytes: int = 1 << 24
    file_bytes: int = 1 << 32
    text_key: str = "text"
    page_bytes: int = 1 << 24


LIMITS = Limits()


class Refused(Exception):
    """Why a file or line is bad; becomes a `Bad` row."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason, self.place = reason, place


Reader = Callable[[str, Path, str, str, Limits], Iterator[Document | Bad]]
"""(source, location, name, compression suffix or "", limits) -> documents; raises Refused for a whole file."""


def split_text(text: bytes | bytearray, limit: int) -> Iterator[bytes]:
    """Pieces of at most `limit` bytes, cut after a newline where there is one, never inside a UTF-8 character."""
    start = 0
    while len(text) - start > limit:
        end = text.rfind(b"\n", start + limit // 2, start + limit) + 1 or start + limit
        end -= next((back for back in range(4) if text[end - back] & 0xC0 != 0x80), 0)
        yield bytes(text[start:end])
        start = end
    yield bytes(text[start:])


# ---- bytes -----------------------------------------------------------------------------------------------------------


def joined(parts: Iterator[bytes]) -> bytearray:
    """All parts in one."""
    data = bytearray()  # grows in place: a file of a gigabyte is held once
    for part in parts:
        data += part
    return data


def blocks(location: Path, compression: str, limit: int) -> Iterator[bytes]:
    """The file's bytes, decompressed; refuses a truncated or damaged archive and more than `limit` bytes."""
    total = 0
    try:
        with OPENERS[compression](location) as file:
            reader = _zst_blocks(file) if compression == ".zst" else iter(lambda: file.read(_BLOCK), b"")
            for block in reader:
                total += len(block)
                if total > limit:
                    raise Refused(f"more than {limit:,} bytes{' when decompressed' if compression else ''}")
                yield block
    except EOFError:
        raise Refused("the compressed file ends early", f"after {total:,} bytes of text") from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise Refused(f"damaged {compression} file: {error}", f"after {total:,} bytes of text") from None


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


OPENERS: dict[str, Callable[[Path], Any]] = {"": _open_plain, ".zst": _open_plain, ".gz": gzip.open, ".xz": lzma.open}
