"""Readers for the web: pages (.html) and archives of them (.warc and .wet, ISO 28500). Nothing is ever fetched.

Of an archive these records are read: responses with status 200 and HTML, by their main text, and conversions to plain
text (Common Crawl's WET files), as they are. Requests, metadata, redirects, images and so on are passed over.

The path of such a document is the page's address. The split hashes paths, so all captures of a page, in whichever
archives they lie, fall on one side; the number of a record would scatter them over both, and a held-out page would have
been trained on. A record without an address is `file#number`. Bad rows name the file, the record and its byte.

An archive is read in constant memory, one record at a time, whatever its size. What is damaged is left out and reading
goes on: in a .gz at the next member (a record is compressed by itself, as the standard's annex asks), else at the next
line that begins a record. A record is believed once the next one begins where it ends.
"""

from __future__ import annotations

import importlib
import io
import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from presage.core.errors import DataError
from presage.data.pages import main_text
from presage.data.readers import Bad, Document, Limits, Refused, blocks, joined, split_text

MOST_DAMAGES = 1000  # of one file, so that looking for the next record cannot go on for ever
_HTML = ("text/html", "application/xhtml+xml")
_BLOCK = 1 << 16
_MEMBER = b"\x1f\x8b\x08"
_HEAD = b"WARC/"


def read_page(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    """The main text of a page of HTML."""
    _need(name, "resiliparse")
    page = joined(blocks(location, compression, limits.page_bytes))
    yield from _documents(source, name, main_text(bytes(page)), limits)


def read_archive(source: str, location: Path, name: str, compression: str, limits: Limits) -> Iterator[Document | Bad]:
    """The pages of a web archive, in its order."""
    _need(name, "fastwarc", "resiliparse")
    with open(location, "rb") as file:
        yield from _Archive(source, name, file, _Member if compression else _Plain, limits).read()


def _need(name: str, *libraries: str) -> None:
    """Raises DataError where a library is not installed."""
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError:
            hint = f"pip install {' '.join(libraries)}"
            raise DataError(f"reading pages of the web needs {library}", where=name, hint=hint) from None


def _documents(source: str, path: str, text: str, limits: Limits) -> list[Document | Bad]:
    return [Document(source, path, piece.decode()) for piece in split_text(text.encode(), limits.document_bytes)]


# ---- archives -------------------------------------------------------------------------------------------------------


class _Archive:
    """One archive while it is read."""

    def __init__(self, source: str, name: str, file: IO[bytes], kind: type[_Part], limits: Limits) -> None:
        self._source, self._name, self._file, self._kind, self._limits = source, name, file, kind, limits
        self._number = 0  # of the record that is being read, from 1

    def read(self) -> Iterator[Document | Bad]:
        """Its pages, and a bad row for each damage and each page that cannot be read."""
        start: int | None = 0
        damages = 0
        while start is not None:
            part = self._kind(self._file, start)
            yield from self._read_part(part)
            damages += part.damaged
            if damages > MOST_DAMAGES:
                raise Refused(f"damaged in more than {MOST_DAMAGES:,} places; the rest is left out", f"byte {start}")
            start = part.next_start()
        if self._number == 0:
            raise Refused("an archive without records")

    def _read_part(self, part: _Part) -> Iterator[Document | Bad]:
        from fastwarc.warc import ArchiveIterator

        before = self._number
        held: list[Document | Bad] = []  # of the last record, until the next one begins where it ends
        try:
            for record in ArchiveIterator(part, parse_http=False, stream_detect=False):
                yield from held
                self._number += 1
                part.record, part.least = record.stream_pos, record.stream_pos + record.content_length
                held = self._outcome(part, record)
            if part.given < part.least:
                raise _Damaged("it ends early")
        except (OSError, _Damaged) as error:
            part.damaged = True
            self._number = max(self._number, before + 1)
            held = [self._bad(part, f"damaged record: {error}")]
        yield from held

    def _outcome(self, part: _Part, record: Any) -> list[Document | Bad]:
        try:
            text = _RECORDS.get(record.headers.get("WARC-Type"), _pass_over)(record, self._limits.page_bytes)
        except Refused as refused:
            return [self._bad(part, refused.reason)]
        address = (record.headers.get("WARC-Target-URI") or "").strip("<> ") or f"{self._name}#{self._number}"
        return [] if text is None else _documents(self._source, address, text, self._limits)

    def _bad(self, part: _Part, reason: str) -> Bad:
        return Bad(self._source, self._name, f"record {self._number} (byte {part.place})", reason)


class _Damaged(Exception):
    """Compressed bytes that cannot be read on."""


class _Part(io.RawIOBase):
    """A stretch of an archive that is read in one go; a stream for fastwarc.

    start: its first byte in the file. In bytes of the stream: record, where the last record that was read begins;
    least, how many there must be for it to be whole; given, how many there were.
    """

    record = least = given = 0
    damaged = False
    _tail = b""

    def __init__(self, file: IO[bytes], start: int) -> None:
        super().__init__()
        self._file, self.start = file, start
        file.seek(start)

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes; none at the end. Raises _Damaged."""
        block = self._read(size if size > 0 else _BLOCK)
        self.given += len(block)
        if not block and self._ends_in_header():
            raise _Damaged("it ends early")
        self._tail = block if len(block) >= _BLOCK else (self._tail + block)[-_BLOCK:]
        return block

    def _ends_in_header(self) -> bool:
        """A header that is cut at the end is passed over by fastwarc."""
        last = self._tail.rpartition(b"\n\r\n")[2]
        return bool(last) and last.startswith(_HEAD[: len(last)])

    @abstractmethod
    def _read(self, size: int) -> bytes:
        """Up to `size` bytes of the stream."""

    def tell(self) -> int:
        """fastwarc asks once, before it reads."""
        return 0

    @property
    @abstractmethod
    def place(self) -> int:
        """The byte of the file where the last record begins, as near as it is known."""

    @abstractmethod
    def next_start(self) -> int | None:
        """Where in the file to read on after this part; None at the end."""


class _Plain(_Part):
    """An archive as it is: one part, unless a record is damaged."""

    def _read(self, size: int) -> bytes:
        return self._file.read(size)

    @property
    def place(self) -> int:
        return self.start + self.record

    def next_start(self) -> int | None:
        lines = _places(self._file, self.place, b"\n" + _HEAD) if self.damaged else iter(())
        return next((at + 1 for at in lines), None)


class _Member(_Part):
    """A member of a .gz: one record, as archives should be written, or any number."""

    def __init__(self, file: IO[bytes], start: int) -> None:
        super().__init__(file, start)
        self._decoder = zlib.decompressobj(wbits=31)

    def _read(self, size: int) -> bytes:
        while not self._decoder.eof:
            data = self._decoder.unconsumed_tail or self._file.read(_BLOCK)
            try:
                read = self._decoder.decompress(data, size)
            except zlib.error as error:
                raise _Damaged(str(error)) from None
            if read:
                return read
            if not data and not self._decoder.eof:
                raise _Damaged("the compressed bytes end early")
        return b""

    @property
    def place(self) -> int:
        return self.start

    def next_start(self) -> int | None:
        if self._decoder.eof and not self.damaged:
            end = self._file.tell() - len(self._decoder.unused_data)
            return end if end < self._file.seek(0, io.SEEK_END) else None
        return next((at for at in _places(self._file, self.start + 1, _MEMBER) if self._begins_record(at)), None)

    def _begins_record(self, at: int) -> bool:
        """The three bytes that begin a member also come about by chance."""
        try:
            return _Member(self._file, at).read(len(_HEAD)) == _HEAD
        except _Damaged:
            return False


def _places(file: IO[bytes], start: int, mark: bytes) -> Iterator[int]:
    """Where in the file the mark stands, from `start` on."""
    whole = _BLOCK + len(mark) - 1
    block = bytes(whole)
    while len(block) == whole:
        file.seek(start)
        block = file.read(whole)
        at = block.find(mark)
        while at >= 0:
            yield start + at
            at = block.find(mark, at + 1)
        start += _BLOCK


# ---- records --------------------------------------------------------------------------------------------------------


def _conversion(record: Any, limit: int) -> str | None:
    kind = record.headers.get("Content-Type") or "text/plain"
    if not kind.lower().startswith("text/plain"):
        return None
    body = _body(record, limit)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"not UTF-8: {error.reason} at byte {error.start} of the text") from None
    if "\0" in text:
        raise Refused("a NUL byte: not text")
    return text


def _response(record: Any, limit: int) -> str | None:
    if not record.is_http:
        return None
    try:
        record.parse_http()
    except OSError as error:
        raise Refused(f"not an HTTP response: {error}") from None
    if record.http_headers.status_code is None:
        raise Refused("not an HTTP response")
    if record.http_headers.status_code != 200 or (record.http_content_type or "").lower() not in _HTML:
        return None
    body = _body(record, limit)
    for header in ("Transfer-Encoding", "Content-Encoding"):
        body = _decoded(body, (record.http_headers.get(header) or "").strip().lower(), limit)
    return main_text(body, record.http_charset)


def _body(record: Any, limit: int) -> bytes:
    if record.content_length > limit:
        raise Refused(f"a record of more than {limit:,} bytes")
    body = _all(record.reader, limit)
    if len(body) < record.content_length:
        raise _Damaged("it ends early")
    return body


def _decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without a transfer or content encoding. Many crawlers store it decoded and keep the header."""
    from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader

    decoders: dict[str, Callable[[io.BytesIO], Any]] = {
        "chunked": ChunkedReader,
        "gzip": GzipReader,
        "x-gzip": GzipReader,
        "deflate": lambda stream: GzipReader(stream, zlib=True),
        "br": BrotliReader,
    }
    if encoding in ("", "identity") or body.lstrip().startswith(b"<"):
        return body
    if encoding not in decoders:
        raise Refused(f"its encoding '{encoding}' is not read")
    try:
        return _all(decoders[encoding](io.BytesIO(body)), limit)
    except OSError as error:
        raise Refused(f"its encoding is not {encoding}: {error}") from None


def _all(reader: Any, limit: int) -> bytes:
    """All that a stream holds; raises Refused if that is more than `limit` bytes."""
    found = bytearray()
    while block := reader.read(limit + 1 - len(found)):
        found += block
        if len(found) > limit:
            raise Refused(f"a page of more than {limit:,} bytes")
    return bytes(found)


_RECORDS: dict[str, Callable[[Any, int], str | None]] = {"response": _response, "conversion": _conversion}
"""By WARC-Type: a record and the most bytes it may have to its text, None where it is passed over; raises Refused."""


def _pass_over(record: Any, limit: int) -> None:
    return None
