"""What is put together has to belong together: models that write, and text in the ids that they read."""

from __future__ import annotations

from pathlib import Path

from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.data.loader import Split, Tokens
from presage.data.vocabulary import check_ids
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


def check_length(length: int, model: Transformer, where: str = "context_length") -> None:
    """Raises ConfigError for more positions than the model was trained on."""
    most = model.config.context_length
    if length > most:
        raise ConfigError(f"{length} tokens, and the model was trained on {most} at most", where=where)
