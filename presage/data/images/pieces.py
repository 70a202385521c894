"""How many pieces a file of an image is cut into, counted before a decoder sees it.

Decoders take time for every piece however small it is (some for each times all before it), and every scan of a JPEG is
a pass over the whole picture: ten megabytes can hold work for hours. The formats' own specifications say how to
walk them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from presage.core.errors import DataError

MOST_PIECES = 20_000
MOST_GIF_BLOCKS = 2_000
"""Of 255 bytes at most, before the first frame: Pillow copies all earlier ones for each."""
MOST_SCANS = 64
"""Of a JPEG; ten are usual."""

_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd8])")
_EOI, _SOS = 0xD9, 0xDA
_GIF_HEAD, _GIF_FRAME, _GIF_EXTENSION = 13, 0x2C, 0x21


def check_pieces(kind: str, data: bytes, where: object) -> None:
    """Raises DataError for a file cut into more pieces than any honest one."""
    walk, most = _WALKS[kind]
    found = list(islice(walk(data), most + 1))
    if len(found) > most:
        raise DataError(f"a {kind} in more than {most:,} pieces", where=where)
    if kind == "JPEG" and found.count(_SOS) > MOST_SCANS:
        raise DataError(f"a JPEG of more than {MOST_SCANS} scans", where=where)


def _png(data: bytes) -> Iterator[int]:
    """Where its chunks begin, up to the last."""
    place = 8
    while place < len(data) and data[place + 4 : place + 8] != b"IEND":
        yield place
        place += 12 + int.from_bytes(data[place : place + 4], "big")


def _jpeg(data: bytes) -> Iterator[int]:
    """Its markers up to the end of the first picture."""
    place = 2
    while (found := _MARKER.search(data, place)) and found[1][0] != _EOI:
        yield found[1][0]
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")


def _gif(data: bytes) -> Iterator[int]:
    """Where the blocks of its extensions begin, up to the first frame."""
    place = _GIF_HEAD
    if data[10:11] and data[10] & 0x80:
        place += 3 << ((data[10] & 7) + 1)
    inside = False
    while place < len(data) and (inside or data[place] != _GIF_FRAME):
        yield place
        step = 1 + data[place] if inside else 1 + (data[place] == _GIF_EXTENSION)
        inside = data[place] != 0 if inside else data[place] == _GIF_EXTENSION
        place += step


def _none(data: bytes) -> Iterator[int]:
    return iter(())


_WALKS: dict[str, tuple[Callable[[bytes], Iterator[int]], int]] = {
    "PNG": (_png, MOST_PIECES),
    "JPEG": (_jpeg, MOST_PIECES),
    "GIF": (_gif, MOST_GIF_BLOCKS),
    "WEBP": (_none, 0),
}
