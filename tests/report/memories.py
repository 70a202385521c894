"""What may stand beside a chain about memorisation: the comparison of a tiny model's samples with what it read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presage.core.run import RunDir
from presage.evaluate import memorisation
from presage.train import pretrain
from tests.tiny import make_shards, tiny_run


def add(root: Path) -> None:
    """root/memorisation, of a model in root/lab."""
    make_shards(root / "lab")
    pretrain.run(tiny_run(root / "lab" / "shards", steps=200), root / "lab" / "run")
    compare(root, root / "memorisation")


def compare(root: Path, out: Path, **changes: Any) -> RunDir:
    """What the model in root/lab writes."""
    values = {"run": root / "lab" / "run", "prompts": 7, "prompt_tokens": 12, "new_tokens": 90, "top_k": 2} | changes
    return memorisation.run(memorisation.Config.model_validate(values), out)
