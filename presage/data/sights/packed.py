"""The files that sets come in, with limits: zip archives of pictures, and texts and arrays compressed as a whole."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from presage.core.errors import DataError
from presage.core.strict import read_json, utf8
from presage.data.documents import json_lines, read_bytes
from presage.data.images.parts import Picture

MOST_MEMBER = 10_000_000
"""Bytes of one file in an archive."""
MOST_WHOLE = 200_000_000
"""Bytes of a file decompressed as a whole."""
SPLITS = ("train", "test")
_KINDS: Mapping[type, str] = {str: "a text", list: "a list", dict: "an object"}


def check_split(split: str, where: object, known: Sequence[str] = SPLITS) -> None:
    """Raises DataError for a split that there is not."""
    if split not in known:
        raise DataError(f"no split '{split[:40]}'", where=where, hint=f"has {', '.join(known)}")


def the_file(folder: Path, name: str) -> Path:
    """A file of a set. Raises DataError saying which is missing where."""
    path = folder / name
    if not path.is_file():
        raise DataError(f"no {name} here", where=folder, hint="it belongs to the set; see its PROVENANCE.txt")
    return path


class Zipped:
    """A zip archive of small files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = the_file(folder, name)
        try:
            self._archive = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DataError(f"not a zip archive: {error}", where=self.path) from None
        self.names = [name for name in self._archive.namelist() if not name.endswith("/")]

    def read(self, name: str) -> bytes:
        """A file in it. Raises DataError for one that is missing, damaged or too large."""
        where = f"{self.path}: {name[:80]}"
        try:
            with self._archive.open(name) as file:
                data = file.read(MOST_MEMBER + 1)
        except KeyError:
            raise DataError("not in the archive", where=where) from None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"damaged: {error}", where=where) from None
        if len(data) > MOST_MEMBER:
            raise DataError(f"more than {MOST_MEMBER:,} bytes", where=where)
        return data

    def picture(self, name: str) -> Picture:
        """A file in it as the picture that it is."""
        return Picture(self.read(name))


def read_whole(folder: Path, name: str, most: int = MOST_WHOLE) -> bytes:
    """A file of a set, decompressed by its suffix. Raises DataError."""
    return read_bytes(the_file(folder, name), most)


def json_value(folder: Path, name: str) -> Any:
    """The JSON value that a file holds."""
    return read_json(utf8(read_whole(folder, name), folder / name), folder / name)


def json_rows(folder: Path, name: str, keys: Mapping[str, type]) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines. Raises DataError naming the line that lacks one of `keys`, of its type."""
    return [_row(row, where, keys) for where, row in json_lines(the_file(folder, name), MOST_WHOLE)]


def _row(row: Any, where: str, keys: Mapping[str, type]) -> dict[str, Any]:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), kind) for key, kind in keys.items()):
        wanted = ", ".join(f'"{key}" ({_KINDS[kind]})' for key, kind in keys.items())
        raise DataError(f"not an object with {wanted}", where=where)
    return row


def as_png(values: np.ndarray) -> Picture:
    """uint8 [height, width] or [height, width, 3] as a picture."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return Picture(file.getvalue())
