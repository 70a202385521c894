"""JSON as it is written: what Python's reader takes beyond it is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from presage.core.errors import DataError

_HALF = re.compile("[\ud800-\udfff]")


def read_json(text: str, where: str | Path) -> Any:
    """The value of a JSON text. Raises DataError, also for NaN and the infinities."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}", where=where) from None


def half_surrogate(text: str) -> bool:
    """Whether half a surrogate pair is in it, which JSON can spell and no file can hold as UTF-8."""
    return _HALF.search(text) is not None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
