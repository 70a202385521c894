"""Whether two tokenizer.json give the same ids to the same texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, CorruptError


def check_ids(vocabulary: Path, other: Path, where: Path) -> None:
    """Raises ConfigError, naming `where`, if two tokenizer.json do not give the same ids to the same texts."""
    if vocabulary.read_bytes() != other.read_bytes() and _read(vocabulary) != _read(other):
        hint = "it has to be made with the tokenizer of the model"
        raise ConfigError(f"its tokenizer is not that of {vocabulary.parent.parent}", where=where, hint=hint)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise CorruptError("not readable as JSON", where=path) from None
