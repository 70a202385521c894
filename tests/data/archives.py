"""Pages and archives of the web, made by hand, and what is read of them."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from presage.data.documents import Bad, Document, Limits, read_file


def html(text: str) -> bytes:
    return f"<html><body><main><p>{text}</p></main></body></html>".encode()


def http(body: bytes, kind: str = "text/html", status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}\r\n".encode() + body


def record(body: bytes, address: str = "", kind: str = "response", length: object = None, extra: str = "") -> bytes:
    extra += "Content-Type: application/http; msgtype=response\r\n" if kind == "response" else ""
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\n" + (f"WARC-Target-URI: {address}\r\n" if address else "") + extra
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body + b"\r\n\r\n"


def page(number: int, size: int = 0) -> bytes:
    """A record with a page; its filling is noise, so that compression does not shrink it."""
    noise = random.Random(number).randbytes(size // 2).hex()
    return record(http(html(f"Text number {number}.") + f"<!-- {noise} -->".encode()), f"https://a.org/{number}")


def good(number: int) -> Document:
    return Document("s", f"https://a.org/{number}", f"Text number {number}.")


def make(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def read(path: Path, **limits: Any) -> list[Document | Bad]:
    return list(read_file("s", path, path.name, Limits(**limits)))


def only_bad(path: Path, **limits: Any) -> Bad:
    items = read(path, **limits)
    assert len(items) == 1 and isinstance(items[0], Bad), items
    return items[0]


Pack = Callable[[list[bytes]], bytes]
PACKED: dict[str, Pack] = {
    ".warc": b"".join,
    ".warc.gz": lambda records: b"".join(map(gzip.compress, records)),
    "-whole.warc.gz": lambda records: gzip.compress(b"".join(records)),
}
