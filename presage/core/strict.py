"""Text and JSON as they are written: what Python's readers take beyond it is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from presage.core.errors import DataError

MOST_DIGITS = 18
_HALF = re.compile("[\ud800-\udfff]")


def read_json(text: str, where: str | Path) -> Any:
    """The value of a JSON text. Raises DataError, also for NaN and the infinities."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}", where=where) from None


def utf8(data: bytes, where: str | Path) -> str:
    """Bytes as UTF-8 text, a mark at its beginning aside. Raises DataError naming the line that is not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=f"{where}:{line}") from None


def utf8_line(data: bytes, where: str | Path) -> str:
    """A line as UTF-8 text, a mark at its beginning aside. Raises DataError; `where` names the line."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=where) from None


def whole_number(text: str) -> int | None:
    """The whole number from 0 that digits spell; None for anything else, and for more digits than a count has."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def half_surrogate(text: str) -> bool:
    """Whether half a surrogate pair is in it, which JSON can spell and no file can hold as UTF-8."""
    return _HALF.search(text) is not None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
