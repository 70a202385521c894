"""What readers share: rows of JSON lines or of one JSON document, each with the place to name when it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from presage.core.errors import DataError
from presage.core.strict import half_surrogate, read_json, utf8
from presage.data.documents import read_bytes

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A JSON object of a file: its name in the file ("test.jsonl:17"), where it lies, and what it holds."""

    id: str
    where: str
    value: dict[str, Any]

    def text(self, *keys: str) -> str:
        """The text of the first of these keys that is there. Raises DataError where none is, or it is not text."""
        return self.of(str, *keys)

    def of(self, kind: type[T], *keys: str) -> T:
        """The value of the first of these keys that is there, of a kind. Raises DataError."""
        key = next((key for key in keys if key in self.value), None)
        if key is None:
            raise DataError(f"no key '{keys[0]}'", where=self.where, hint=f"the keys are {', '.join(self.value)}")
        value = self.value[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(f"'{key}' is {type(value).__name__}, not {kind.__name__}", where=self.where)
        if isinstance(value, str) and half_surrogate(value):
            raise DataError(f"half a surrogate pair in '{key}'", where=self.where)
        return value

    def number(self, key: str) -> float:
        """A number, or text that spells one."""
        value = self.value.get(key)
        try:
            return float(str(value))
        except ValueError:
            raise DataError(f"'{key}' is no number", where=self.where) from None

    def texts(self, *keys: str) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        key = next((key for key in keys if isinstance(self.value.get(key), str)), None)
        found = [self.value[key]] if key else self.of(list, *keys)
        if not found or not all(isinstance(one, str) for one in found):
            raise DataError(f"'{keys[0]}' is not a list of texts", where=self.where)
        return tuple(found)


def text_of(path: Path) -> str:
    """A file of UTF-8 text, decompressed. Raises DataError naming the line that is not."""
    return utf8(read_bytes(path), path)


def json_lines(path: Path) -> Iterator[Row]:
    """The objects of a file of JSON lines; blank lines are left out. Raises DataError naming the line."""
    found = False
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if line.strip():
            found = True
            yield _row(path, number, read_json(line, f"{path}:{number}"))
    if not found:
        raise DataError("holds no rows", where=path)


def json_rows(path: Path, *keys: str) -> list[Row]:
    """The objects of a JSON document that is a list, or that holds one below the first of `keys` it has."""
    value = read_json(text_of(path), path)
    key = next((key for key in keys if isinstance(value, dict) and key in value), None)
    return rows_in(path, value[key] if key else value)


def rows_in(path: Path, found: Any, name: str = "") -> list[Row]:
    """A list inside a document as rows, numbered from 1 after `name`."""
    if not isinstance(found, list) or not found:
        raise DataError(f"{name or 'the document'} is not a list of objects", where=path)
    return [_row(path, f"{name}{number}", one) for number, one in enumerate(found, 1)]


def any_rows(path: Path, *keys: str) -> list[Row]:
    """Rows of JSON lines or of one JSON document, whichever the name says."""
    return list(json_lines(path)) if ".jsonl" in path.name or ".ndjson" in path.name else json_rows(path, *keys)


def _row(path: Path, place: int | str, value: Any) -> Row:
    if not isinstance(value, dict):
        raise DataError(f"a JSON {type(value).__name__}, not an object", where=f"{path}:{place}")
    return Row(f"{path.name}:{place}", f"{path}:{place}", value)


def one_of(paths: Sequence[Path]) -> Path:
    """The only file of several patterns. Raises DataError where two fit."""
    if len(paths) > 1:
        names = ", ".join(str(path) for path in paths[:2])
        raise DataError(f"{len(paths)} files fit: {names}", hint="name the folder that holds one of them")
    return paths[0]
