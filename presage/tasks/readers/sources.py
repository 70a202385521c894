"""Public files as texts: alone, or members of an archive.

Every file may be compressed (.gz, .xz, .zst); text is strict UTF-8. What is wrong is said with file and line.
"""

from __future__ import annotations

import fnmatch
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import DataError
from presage.core.strict import utf8
from presage.data.documents import COMPRESSIONS, read_bytes

LARGEST_MEMBER = 1 << 28  # bytes of a file in an archive, unpacked


@dataclass(frozen=True)
class Source:
    """A text file, or a member of an archive: the place that errors name, the name that its rows' ids begin with."""

    where: str
    name: str
    text: str

    @property
    def stem(self) -> str:
        """The name up to its first dot."""
        return self.name.split(".")[0]


def text_of(path: Path) -> str:
    """A file of UTF-8 text, decompressed. Raises DataError naming the line that is not."""
    return utf8(read_bytes(path), path)


def source(path: Path, *, whole: bool = False) -> Source:
    """A text file. Its name is without the suffix of a compression, unless it is to be whole.

    Shots and the order of options are drawn by ids, which begin with this name: a task keeps the form it began with.
    """
    packed = next((suffix for suffix in COMPRESSIONS if path.name.endswith(suffix)), "")
    return Source(str(path), path.name if whole else path.name.removesuffix(packed), text_of(path))


def sources(path: Path, pattern: str) -> list[Source]:
    """The members of an archive whose names fit, or a file that lies beside it."""
    return members(path, pattern) if path.suffix == ".zip" else [source(path)]


def members(path: Path, pattern: str) -> list[Source]:
    """The texts in an archive (.zip) whose names fit, in order of their names. Raises DataError where none does."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            names = sorted(name for name in archive.namelist() if _wanted(name, pattern))
            found = [_member(archive, name, f"{path}:{name}") for name in names]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"not a whole .zip file: {error}", where=path) from None
    if not found:
        raise DataError(f"holds no file {pattern}", where=path)
    return found


def _wanted(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern) and not name.startswith("__MACOSX")


def _member(archive: zipfile.ZipFile, name: str, where: str) -> Source:
    if archive.getinfo(name).file_size > LARGEST_MEMBER:
        raise DataError(f"more than {LARGEST_MEMBER:,} bytes unpacked", where=where)
    return Source(where, name.rpartition("/")[2], utf8(archive.read(name), where))
