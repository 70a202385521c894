"""JSON read so that every object and list knows the line it begins on: for errors that name the place."""

from __future__ import annotations

import json
from json import decoder, scanner
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.tasks.readers.sources import text_of


class Node:
    """A value of a JSON file, the file, its line, and the keys that lead to it."""

    def __init__(self, value: Any, path: Path, line: int, keys: str, lines: dict[int, int]) -> None:
        self.value, self.path, self.line, self.keys, self._lines = value, path, line, keys, lines

    @property
    def where(self) -> str:
        """file:line: keys"""
        return f"{self.path}:{self.line}" + (f": {self.keys}" if self.keys else "")

    def error(self, what: str, hint: str | None = None) -> DataError:
        """An error at this place."""
        return DataError(what, where=self.where, hint=hint)

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def at(self, key: str) -> Node:
        """The value of a key. Raises DataError where there is none."""
        if key not in self.value:
            raise self.error(f"no '{key}'")
        return self._child(self.value[key], f"{self.keys}.{key}".lstrip("."))

    def items(self) -> list[Node]:
        """The entries of a list. Raises DataError for anything else."""
        if not isinstance(self.value, list):
            raise self.error(f"{kind_of(self.value)}, not a list")
        return [self._child(value, f"{self.keys}[{i}]") for i, value in enumerate(self.value)]

    def only(self, *keys: str) -> Node:
        """This node, an object with no other key. Raises DataError."""
        if not isinstance(self.value, dict):
            raise self.error(f"{kind_of(self.value)}, not an object")
        unknown = sorted(set(self.value) - set(keys))
        if unknown:
            raise self.error(f"unknown key '{unknown[0]}'", f"known: {', '.join(keys)}")
        return self

    def text(self) -> str:
        """A text that is not blank. Raises DataError."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(f"{kind_of(self.value)}, not a text that says something")
        return self.value

    def number(self, least: float | None = None) -> float:
        """A number, no less than `least`. Raises DataError."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error(f"{kind_of(self.value)}, not a number")
        if abs(self.value) > 1e100 or (least is not None and self.value < least):
            raise self.error(f"{self.value:g} is out of range", None if least is None else f"{least:g} or more")
        return float(self.value)

    def _child(self, value: Any, keys: str) -> Node:
        return Node(value, self.path, self._lines.get(id(value), self.line), keys, self._lines)


def read_nodes(path: Path) -> Node:
    """The whole file. Raises DataError, also for NaN, the infinities, and a key that appears twice."""
    text, reader = text_of(path), _Lined(path)
    try:
        value = reader.decode(text)
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}") from None
    except RecursionError:
        raise DataError("nested too deeply", where=path) from None
    return Node(value, path, 1, "", reader.lines)


class _Lined(json.JSONDecoder):
    """A decoder that notes on which line each object and list begins, by the identity of what it makes."""

    def __init__(self, path: Path) -> None:
        super().__init__(parse_constant=self._refuse, object_pairs_hook=self._once)
        self.path = path
        self.lines: dict[int, int] = {}
        self._kept: list[Any] = []  # an identity is one only as long as its owner lives
        self.parse_object = self._noted(decoder.JSONObject)  # type: ignore[attr-defined]
        self.parse_array = self._noted(decoder.JSONArray)  # type: ignore[attr-defined]
        self.scan_once = scanner.py_make_scanner(self)  # type: ignore[attr-defined]

    def _noted(self, parse: Any) -> Any:
        def noting(start: tuple[str, int], *arguments: Any) -> Any:
            value, end = parse(start, *arguments)
            self.lines[id(value)] = start[0].count("\n", 0, start[1]) + 1
            self._kept.append(value)
            return value, end

        return noting

    def _refuse(self, constant: str) -> Any:
        raise DataError(f"not JSON: {constant}", where=self.path)

    def _once(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise DataError(f"the key '{twice}' appears twice in one object", where=self.path)
        return found


def kind_of(value: Any) -> str:
    """A value's kind, in words."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list",
             dict: "an object", type(None): "null"}  # fmt: skip
    return "an empty text" if isinstance(value, str) and not value.strip() else names[type(value)]
