"""nanoGPT as a named peer. Nothing of it is in this project: its model comes from a checkout that a user gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError
from presage.model.config import ModelConfig, gpt2

NAME = "nanoGPT"
LEARNING_RATE = 6e-4
WEIGHT_DECAY = 0.1
BETAS = (0.9, 0.95)
GRAD_CLIP = 1.0
"""The defaults of its train.py."""


def gpt2_block(vocab_size: int, context: int, n_layers: int, width: int, n_heads: int, *, bias: bool) -> ModelConfig:
    """GPT-2's block in the peer's proportions: tied head, learned positions, MLP four times as wide."""
    shape = {"n_layers": n_layers, "d_model": width, "n_heads": n_heads, "n_kv_heads": n_heads, "bias": bias}
    sizes = {"d_head": width // n_heads, "d_ff": 4 * width}
    return ModelConfig.parse(gpt2(vocab_size=vocab_size, context_length=context).model_dump() | shape | sizes)


def heads_that_fit(width: int, wanted: int) -> int:
    """The most heads, up to `wanted`, that divide the width: the peer has no separate head width."""
    return max(h for h in range(1, wanted + 1) if width % h == 0)


def checkout(path: str | None) -> str | None:
    """The absolute path of a checkout. ConfigError when there is no model.py in it."""
    if path is None:
        return None
    if not (Path(path) / "model.py").is_file():
        raise ConfigError("no model.py here", where=path, hint=f"--nanogpt takes the folder of a {NAME} checkout")
    return str(Path(path).resolve())


def load(path: str, shape: ModelConfig) -> Any:
    """The peer's own GPT class from `path`/model.py, built in our shape."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", Path(path) / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = module.GPTConfig(
        block_size=shape.context_length,
        vocab_size=shape.vocab_size,
        n_layer=shape.n_layers,
        n_head=shape.n_heads,
        n_embd=shape.d_model,
        dropout=0.0,
        bias=shape.bias,
    )
    return module.GPT(settings)
