"""Biases that a Hugging Face class has and the model has not."""

from __future__ import annotations

import pytest
import torch

from presage.core.errors import ConfigError
from presage.model.hf_tensors import tensors_from_hf, tensors_to_hf
from presage.model.weights import model_tensors
from tests.model.shapes import CONFIGS, lively

CONFIG = CONFIGS["qwen3-bias"]
IDLE = [f"model.layers.{layer}.self_attn.o_proj.bias" for layer in range(CONFIG.n_layers)]


def test_the_output_of_qwen3s_attention_has_a_bias_that_stays_at_zero() -> None:
    theirs = tensors_to_hf(model_tensors(lively(CONFIG)), CONFIG)
    assert [theirs[name].shape for name in IDLE] == [(CONFIG.d_model,)] * CONFIG.n_layers
    assert not any(theirs[name].any() for name in IDLE)
    assert theirs["model.layers.0.self_attn.q_proj.bias"].any()
    plain = CONFIGS["qwen3"]
    assert not any("bias" in name for name in tensors_to_hf(model_tensors(lively(plain)), plain))


def test_one_that_is_not_zero_is_refused() -> None:
    theirs = tensors_to_hf(model_tensors(lively(CONFIG)), CONFIG)
    theirs[IDLE[1]] = torch.full((CONFIG.d_model,), 1e-3)
    with pytest.raises(ConfigError, match=rf"{IDLE[1]}' is not zero"):
        tensors_from_hf(theirs, CONFIG)
