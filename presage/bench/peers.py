"""Other systems that do the same, where they are installed; nothing of presage needs them."""

from __future__ import annotations

import importlib.util
from typing import Any

from presage.model.config import ModelConfig


def gpt2_of_transformers(config: ModelConfig) -> Any | None:
    """transformers' model of a GPT-2 shape with random weights in fp32; None where it is not installed."""
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import GPT2Config, GPT2LMHeadModel

    shape: dict[str, Any] = {
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "n_layer": config.n_layers,
        "n_embd": config.d_model,
        "n_head": config.n_heads,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
    }
    model: Any = GPT2LMHeadModel(GPT2Config(**shape))
    return model.eval()
