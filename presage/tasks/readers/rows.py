"""Rows of public files with the place each stands at, and the few things that readers ask of a row.

Every file may be compressed (.gz, .xz, .zst); text is strict UTF-8. What is wrong is said with file and line.
"""

from __future__ import annotations

import ast
import csv
import fnmatch
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.core.strict import half_surrogate, read_json, utf8
from presage.data.documents import COMPRESSIONS, read_bytes
from presage.tasks.task import Example

LONGEST_CELL = 1 << 24
LARGEST_MEMBER = 1 << 28  # bytes of a file in an archive, unpacked
LONGEST_LITERAL = 1 << 20


@dataclass(frozen=True)
class Source:
    """A text file, or a member of an archive. name is without the suffix of a compression."""

    where: str
    name: str
    text: str

    @property
    def stem(self) -> str:
        """The name up to its first dot."""
        return self.name.split(".")[0]


@dataclass(frozen=True)
class Row:
    """An object of JSON or a line of a table. id is the file's name and the line or entry."""

    where: str
    id: str
    value: Mapping[str, Any]

    def text(self, key: str) -> str:
        """A text that is not empty. Raises DataError."""
        return checked(self.get(key), f"{self.where}: {key}")

    def texts(self, key: str, least: int = 2) -> tuple[str, ...]:
        """A list of texts. Raises DataError where there are fewer than `least`, or one is empty."""
        found = self.get(key)
        if not isinstance(found, list) or len(found) < least:
            raise DataError(f"{found!r:.60} is not a list of {least} or more texts", where=f"{self.where}: {key}")
        return tuple(checked(text, f"{self.where}: {key}") for text in found)

    def one_of(self, key: str, known: Sequence[Any]) -> int:
        """The place of a value among those it can have; True is not 1. Raises DataError."""
        value = self.get(key)
        for place, one in enumerate(known):
            if type(one) is type(value) and one == value:
                return place
        raise DataError(f"{value!r:.60} is none of {', '.join(map(repr, known))}", where=f"{self.where}: {key}")

    def get(self, key: str) -> Any:
        """A value. Raises DataError where there is none."""
        if key not in self.value:
            raise DataError(f"no '{key}'", where=self.where, hint=f"there are {', '.join(self.value)}")
        return self.value[key]


def checked(text: Any, where: str) -> str:
    """A text that says something and can be written. Raises DataError."""
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{text!r:.60} is no text" if text != "" else "an empty text", where=where)
    if half_surrogate(text):
        raise DataError("half a surrogate pair", where=where)
    return text


# ---- files ----------------------------------------------------------------------------------------------------------


def source(path: Path) -> Source:
    """A text file."""
    name = next((path.name.removesuffix(c) for c in COMPRESSIONS if path.name.endswith(c)), path.name)
    return Source(str(path), name, utf8(read_bytes(path), path))


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


# ---- rows -----------------------------------------------------------------------------------------------------------


def lines(file: Source) -> Iterator[Row]:
    """Lines that are not empty, each as {"line": text}."""
    for number, line in enumerate(file.text.split("\n"), 1):
        if line.strip():
            yield Row(f"{file.where}:{number}", f"{file.name}:{number}", {"line": line.rstrip("\r")})


def json_lines(file: Source) -> Iterator[Row]:
    """Objects, one a line."""
    for row in lines(file):
        yield _object(row.where, row.id, read_json(row.value["line"], row.where))


def json_list(file: Source, key: str | None = None) -> Iterator[Row]:
    """Objects of a list, which is the file, or what the file's object has under `key`."""
    whole = read_json(file.text, file.where)
    found = whole.get(key) if key is not None and isinstance(whole, dict) else whole
    if not isinstance(found, list):
        place = "a list" if key is None else f"an object with a list '{key}'"
        raise DataError(f"not {place}", where=file.where)
    for number, entry in enumerate(found, 1):
        yield _object(f"{file.where}:{number}", f"{file.name}:{number}", entry)


def table(
    file: Source, columns: Sequence[str] | None = None, delimiter: str = ",", *, quoted: bool = True
) -> Iterator[Row]:
    """Lines of a table by its columns: those named, or those of its first line."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(
        io.StringIO(file.text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names, begins = list(columns or []), 1
    try:
        for cells in reader:
            where, begins = f"{file.where}:{begins}", reader.line_num + 1
            if not names:
                names = [name.strip() for name in cells]
            elif cells:
                yield _line(where, f"{file.name}:{where.rpartition(':')[2]}", names, cells)
    except csv.Error as error:
        raise DataError(f"not a table: {error}", where=f"{file.where}:{begins}") from None


def _line(where: str, id: str, names: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(names):
        raise DataError(f"{len(cells)} cells, not {len(names)}", where=where, hint=f"columns: {', '.join(names)}")
    return Row(where, id, dict(zip(names, cells, strict=True)))


def _object(where: str, id: str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"a JSON {type(value).__name__}, not an object", where=where)
    return Row(where, id, value)


def literal(text: str, where: str) -> Any:
    """A value spelled as Python or JSON spell it; parsed as data, never run. Raises DataError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text if len(text) <= LONGEST_LITERAL else "")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise DataError(f"{text!r:.60} is no value", where=where) from None


def shuffled(example: Example) -> Example:
    """The same with its options in an order drawn by its id: for files whose right option always comes first."""
    order = [int(place) for place in stream(0, "options", example.id).permutation(len(example.options))]
    answer = None if example.answer is None else order.index(example.answer)
    return replace(example, options=tuple(example.options[place] for place in order), answer=answer)


def some(paths: Sequence[Path], rows: Iterator[Any]) -> list[Any]:
    """All there are. Raises DataError where there is none."""
    found = list(rows)
    if not found:
        raise DataError("holds no examples", where=paths[0] if paths else None)
    return found
