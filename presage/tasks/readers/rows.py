"""Rows of public files with the place each stands at, and the few things that readers ask of a row."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.core.strict import half_surrogate, read_json
from presage.tasks.readers.sources import Source, source
from presage.tasks.task import Example

LONGEST_CELL = 1 << 24
LONGEST_LITERAL = 1 << 20
_LINES = re.compile(r"\.(?:jsonl|ndjson)(?:\.|$)")
_KINDS = {str: "text", int: "whole number", list: "list", dict: "object"}


@dataclass(frozen=True)
class Row:
    """An object of JSON or a line of a table: its file and line, the file's name and line, and what it holds.

    Whatever asks for several keys takes the first that is there. Errors name file, line and key.
    """

    where: str
    id: str
    value: Mapping[str, Any]

    def get(self, *keys: str) -> Any:
        """A value. Raises DataError where there is none."""
        return self.value[self._key(keys)]

    def of(self, kind: type | UnionType, *keys: str) -> Any:
        """A value of a kind; True is no number. Raises DataError, also for half a surrogate pair."""
        key = self._key(keys)
        value, kinds = self.value[key], get_args(kind) or (kind,)
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = " or ".join(_KINDS[one] for one in kinds)
            raise DataError(f"{shown(value)} is no {wanted}", where=f"{self.where}: {key}")
        if isinstance(value, str) and half_surrogate(value):
            raise DataError("half a surrogate pair", where=f"{self.where}: {key}")
        return value

    def text(self, *keys: str) -> str:
        """A text that says something; `of(str, ...)` may be empty. Raises DataError."""
        key = self._key(keys)
        return checked(self.value[key], f"{self.where}: {key}")

    def name(self, *keys: str) -> str:
        """A text that says something, or a whole number, as text. Raises DataError."""
        key = self._key(keys)
        return checked(str(self.of(int | str, key)), f"{self.where}: {key}")

    def texts(self, key: str, least: int = 2) -> tuple[str, ...]:
        """A list of texts. Raises DataError where there are fewer than `least`, or one is empty."""
        found = self.get(key)
        if not isinstance(found, list) or len(found) < least:
            raise DataError(f"{shown(found)} is not a list of {least} or more texts", where=f"{self.where}: {key}")
        return tuple(checked(text, f"{self.where}: {key}") for text in found)

    def one_or_more(self, *keys: str) -> tuple[str, ...]:
        """A text alone, or a list of at least one; none is empty. Raises DataError."""
        key = self._key(keys)
        return (self.text(key),) if isinstance(self.of(str | list, key), str) else self.texts(key, 1)

    def number(self, key: str) -> float:
        """A number, or a text that spells one. Raises DataError."""
        value = self.get(key)
        try:
            return float(str(value))
        except ValueError:
            raise DataError(f"{shown(value)} is no number", where=f"{self.where}: {key}") from None

    def one_of(self, key: str, known: Sequence[Any]) -> int:
        """The place of a value among those it can have; True is not 1. Raises DataError."""
        value = self.get(key)
        for place, one in enumerate(known):
            if type(one) is type(value) and one == value:
                return place
        raise DataError(f"{shown(value)} is none of {', '.join(map(repr, known))}", where=f"{self.where}: {key}")

    def _key(self, keys: Sequence[str]) -> str:
        found = next((key for key in keys if key in self.value), None)
        if found is None:
            raise DataError(f"no '{keys[0]}'", where=self.where, hint=f"there are {', '.join(self.value) or 'no keys'}")
        return found


def checked(text: Any, where: str) -> str:
    """A text that says something and can be written. Raises DataError."""
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{shown(text)} is no text" if text != "" else "an empty text", where=where)
    if half_surrogate(text):
        raise DataError("half a surrogate pair", where=where)
    return text


def shown(value: Any) -> str:
    """A value as an error shows it."""
    return "null" if value is None else f"{value!r:.60}"


# ---- files ----------------------------------------------------------------------------------------------------------


def lines(file: Source) -> Iterator[Row]:
    """Lines that are not empty, each as {"line": text}."""
    for number, line in enumerate(file.text.split("\n"), 1):
        if line.strip():
            yield Row(f"{file.where}:{number}", f"{file.name}:{number}", {"line": line.rstrip("\r")})


def json_lines(file: Source) -> Iterator[Row]:
    """Objects, one a line."""
    for row in lines(file):
        yield _object(row.where, row.id, read_json(row.value["line"], row.where))


def json_list(file: Source, *keys: str) -> Iterator[Row]:
    """Objects of a list, which is the file, or what the file's object has under the first of `keys` that it has."""
    whole = read_json(file.text, file.where)
    key = next((key for key in keys if isinstance(whole, dict) and key in whole), None)
    found = whole if key is None else whole[key]
    if not isinstance(found, list):
        place = f"a list, nor an object with a list '{keys[0]}'" if keys else "a list"
        raise DataError(f"not {place}", where=file.where)
    for number, entry in enumerate(found, 1):
        yield _object(f"{file.where}:{number}", f"{file.name}:{number}", entry)


def json_rows(path: Path, *keys: str) -> list[Row]:
    """Objects of a file, one at least: of JSON lines or of a JSON list, as its name says. Ids have its whole name."""
    file = source(path, whole=True)
    found = list(json_lines(file) if _LINES.search(path.name) else json_list(file, *keys))
    if not found:
        raise DataError("holds no rows", where=path)
    return found


def rows_in(path: Path, found: Any, name: str) -> list[Row]:
    """A list inside a row, one object at least, numbered from 1 after `name`."""
    if not isinstance(found, list) or not found:
        raise DataError(f"{name} is not a list of objects", where=path)
    return [_object(f"{path}:{name}{n}", f"{path.name}:{name}{n}", one) for n, one in enumerate(found, 1)]


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
        kind = "null" if value is None else _KINDS.get(type(value), type(value).__name__)
        raise DataError(f"a JSON {kind}, not an object", where=where)
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
