"""Whose tokenizer.json a run reads by, and whether two give the same ids to the same texts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.run import RunDir


def tokenizer_of(run: Path) -> Path:
    """The tokenizer.json of a run: its own copy, or that of the shards it was trained on. Raises RunError for none."""
    places = [run / "artifacts" / "tokenizer.json"]
    if (run / "config.json").is_file():
        shards = RunDir(run).read_object("config.json").get("config", {}).get("shards")
        places += [Path(os.path.normpath(run / shards)) / "artifacts" / "tokenizer.json"] if shards else []
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise RunError("the model's tokenizer is not there", where=places[-1], hint="keep a run beside its shards")
    return found


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
