"""What is put together has to belong together: models that write, and text in the ids that they read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, CorruptError
from presage.core.run import RunDir
from presage.data.loader import Split, Tokens
from presage.model.transformer import Transformer
from presage.model.weights import REWARD, load_run


def reward_model(path: Path, vocabulary: Path) -> Transformer:
    """The model of a finished run of `presage reward` that reads the ids of `vocabulary`. Raises ConfigError."""
    RunDir.open(path, REWARD)
    model, own = load_run(path)
    check_ids(vocabulary, own, path)
    return model


def training_text(path: Path, vocabulary: Path) -> Split:
    """The training tokens of a run of shards that is in the ids of `vocabulary`. Raises ConfigError."""
    tokens = Tokens(path)
    check_ids(vocabulary, tokens.tokenizer_path, path)
    return tokens.split("train")


def check_ids(vocabulary: Path, other: Path, where: Path) -> None:
    """Raises ConfigError, naming `where`, if two tokenizer.json do not give the same ids to the same texts."""
    if vocabulary.read_bytes() != other.read_bytes() and _read(vocabulary) != _read(other):
        hint = "it has to be made with the tokenizer of the model"
        raise ConfigError(f"its tokenizer is not that of {vocabulary.parent.parent}", where=where, hint=hint)


def check_length(length: int, model: Transformer, where: str = "context_length") -> None:
    """Raises ConfigError for more positions than the model was trained on."""
    most = model.config.context_length
    if length > most:
        raise ConfigError(f"{length} tokens, and the model was trained on {most} at most", where=where)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise CorruptError("not readable as JSON", where=path) from None
