"""Rows of a file of JSON lines, each with the place that an error about it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import half_surrogate, read_json
from presage.data.documents import read_bytes


@dataclass(frozen=True)
class Row:
    """An object of JSON, and the file and line it stands in."""

    where: str
    value: dict[str, Any]

    def need(self, name: str, kind: type | UnionType) -> Any:
        """The value of a key. Raises DataError if it is missing or of another kind, or a text without content."""
        if name not in self.value:
            raise DataError(f"no '{name}'", where=self.where)
        value = self.value[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(f"'{name}' is a JSON {_name(value)}", where=self.where)
        if isinstance(value, str) and not value.strip():
            raise DataError(f"'{name}' is empty", where=self.where)
        return value


def json_rows(path: Path) -> Iterator[Row]:
    """The objects of a file, which may be compressed, blank lines aside. Raises DataError naming file and line."""
    data = read_bytes(path)
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield _row(line, f"{path}:{number}")


def _row(line: bytes, where: str) -> Row:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=where) from None
    value = read_json(text, where)
    if not isinstance(value, dict):
        raise DataError(f"a JSON {_name(value)}, not an object", where=where)
    if _has_half(value):
        raise DataError("half a surrogate pair in a text", where=where)
    return Row(where, value)


def _has_half(value: Any) -> bool:
    if isinstance(value, str):
        return half_surrogate(value)
    inner = value.items() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_half(one) for pair in inner for one in (pair if isinstance(pair, tuple) else (pair,)))


_NAMES = ((dict, "object"), (list, "list"), (str, "text"), (type(None), "null"))


def _name(value: Any) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), type(value).__name__)
