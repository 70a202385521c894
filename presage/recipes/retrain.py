"""From a finished run to what contamination was worth to it: a clean corpus, the same training on it, both compared.

The twin differs from the run in one thing, the documents that hold items: tokenizer, config, seed and number of tokens
are the run's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.config import Config
from presage.core.errors import ConfigError, RunError
from presage.core.parents import parent_of
from presage.core.run import RunDir, note, sha256
from presage.data import shards
from presage.data.items import read_items
from presage.evaluate import cleaned, worth
from presage.evaluate.contamination import METHODS
from presage.model.weights import MODEL_FILE, checkpoint, verified
from presage.train import pretrain


def run(
    items: Path, trained: Path, out: Path, *, methods: Sequence[str] = tuple(METHODS), seed: int = 0
) -> tuple[RunDir, RunDir | None]:
    """(the cleaned corpus, the comparison) in OUT/{corpus,shards,twin,worth}; no comparison where no item is flagged.

    Finished stages in `out` are kept and unfinished ones go on. Raises RunError when `out` holds the stages of another
    run or other items, or a parent of the run has changed; ConfigError for a run that began from a checkpoint.
    """
    read_items(items)
    model = RunDir.open(trained, "pretrain")
    verified(checkpoint(model.path), MODEL_FILE)  # damage would be noticed when the twin has been paid for
    config = model.config(pretrain.Config)
    if config.branch is not None:
        raise ConfigError(
            "began from a checkpoint that saw the whole corpus: training it again from there would not be clean",
            where=trained,
            hint="retrain the run that it branched from",
        )
    tokens = parent_of(model, "shards", config.shards)
    made = tokens.config(shards.Config)
    corpus = parent_of(tokens, "corpus", made.corpus)
    without = cleaned.Config(
        corpus=corpus.path, items=items, items_sha256=sha256(items), methods=tuple(methods), seed=seed
    )
    clean = _stage(cleaned, without, out / "corpus")
    if not clean.value("items/flagged"):
        return clean, None
    note(f"presage: {clean.value('removed/documents')} documents left out; the twin is trained without them")
    tokenizer = parent_of(tokens, "tokenizer", made.tokenizer)
    twin_tokens = made.model_copy(update={"corpus": clean.path, "tokenizer": tokenizer.path})
    encoded = _stage(shards, twin_tokens, out / "shards")
    # The promise was about the run: the twin has none.
    again = config.model_copy(update={"shards": encoded.path, "forecast": None})
    twin = _stage(pretrain, again, out / "twin")
    return clean, _stage(worth, worth.Config(run=model.path, twin=twin.path, cleaned=clean.path), out / "worth")


def _stage(stage: Any, config: Config, out: Path) -> RunDir:
    """Run a stage, go on with it, or take it as it is. RunError when it was begun with another config."""
    if not (out / "DONE").is_file():
        finished: RunDir = stage.run(config, out, resume=(out / "config.json").is_file())
        return finished
    kept = RunDir.open(out)
    changed = [key for key in kept.changed(config) if key != "items"]  # the same items may go by another name
    if changed:
        name = changed[0].removesuffix("_sha256")
        raise RunError(f"holds what was made for another {name}", where=out, hint="choose another --out")
    for role, path in config.parents().items():
        parent_of(kept, role, path)
    return kept
