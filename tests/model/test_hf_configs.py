"""Foreign config.json files: what families and scalings are taken, and what is refused, by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from presage.core.errors import ConfigError
from presage.model.config import ModelConfig, qwen3
from presage.model.huggingface import config_from_hf, config_to_hf
from presage.model.rope import Llama3, Yarn, frequencies
from tests.model.shapes import CONFIGS

rope_utils = pytest.importorskip("transformers.modeling_rope_utils")
auto = pytest.importorskip("transformers.models.auto")

BASE: dict[str, Any] = {
    "hidden_act": "silu",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "vocab_size": 99,
    "rms_norm_eps": 1e-6,
}
QWEN2 = BASE | {"model_type": "qwen2", "use_mrope": False, "use_sliding_window": False, "sliding_window": 32}
LLAMA = BASE | {"model_type": "llama"}
SCALED = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 32}
LLAMA3 = SCALED | {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}


def test_a_published_qwen2_file() -> None:
    config = config_from_hf(QWEN2 | {"rope_theta": 1e6, "max_window_layers": 2, "tie_word_embeddings": True})
    assert config.qkv_bias and not config.bias and not config.qk_norm and config.tie_embeddings and config.d_head == 16
    assert config.rope_theta == 1e6


@pytest.mark.parametrize(
    ("rope", "ours"),
    [
        (LLAMA3, Llama3(factor=8, original=32)),
        (LLAMA3 | {"high_freq_factor": 2.0}, Llama3(factor=8, original=32, high=2)),
        (YARN, Yarn(factor=4, original=32)),
        (YARN | {"rope_type": "yarn", "beta_fast": 16, "truncate": True}, Yarn(factor=4, original=32, fast=16)),
        (YARN | {"attention_factor": 1.5}, Yarn(factor=4, original=32, attention=1.5)),
    ],
)
@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_scalings_are_transformers_own(rope: dict[str, Any], ours: Llama3 | Yarn, key: str) -> None:
    rope = rope | ({"rope_theta": 5e5} if key == "rope_parameters" else {})
    config = config_from_hf(LLAMA | {key: rope} | ({} if "rope_theta" in rope else {"rope_theta": 5e5}))
    assert config.rope_scaling == ours and config.rope_theta == 5e5
    assert config_from_hf(config_to_hf(config)) == config
    named = {name: value for name, value in config_to_hf(config).items() if name != "architectures"}
    theirs = auto.AutoConfig.for_model(**named)
    found, height = rope_utils.ROPE_INIT_FUNCTIONS[ours.kind](theirs)
    torch.testing.assert_close(frequencies(config.d_head, 5e5, ours).float(), found, rtol=1e-5, atol=0)
    assert height == pytest.approx(ours.height)


HOSTILE: list[tuple[dict[str, Any], str]] = [
    (QWEN2 | {"use_mrope": True}, "use_mrope=True is not supported"),
    (QWEN2 | {"use_sliding_window": True}, "use_sliding_window=True"),
    (QWEN2 | {"head_dim": 8}, "keys we cannot honour: head_dim=8"),
    (QWEN2 | {"attention_bias": True}, "keys we cannot honour: attention_bias=True"),
    (QWEN2 | {"hidden_size": 66}, "n_heads . d_head differs from d_model"),
    (QWEN2 | {"model_type": "qwen2_moe"}, "model_type 'qwen2_moe' is not supported"),
    (QWEN2 | {"layer_types": ["sliding_attention"]}, "sliding_attention"),
    (LLAMA | {"model_type": "mistral", "sliding_window": 8}, "model_type 'mistral'"),
    (LLAMA | {"partial_rotary_factor": 0.5}, "keys we cannot honour: partial_rotary_factor=0.5"),
    (LLAMA | {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
    (LLAMA | {"auto_map": {"AutoModel": "evil.py"}}, "keys we cannot honour: auto_map"),
    (LLAMA | {"pruned_heads": {"0": [1]}}, "pruned_heads"),
    (LLAMA | {"rope_scaling": {"type": "linear", "factor": 2.0}}, "linear.*is not supported"),
    (LLAMA | {"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "dynamic.*is not supported"),
    (LLAMA | {"rope_scaling": {"rope_type": "longrope", "short_factor": [1.0]}}, "longrope.*is not supported"),
    (LLAMA | {"rope_scaling": {"factor": 2.0}}, "rope_scaling=.*is not supported"),
    (LLAMA | {"rope_scaling": YARN | {"rope_type": "llama3"}}, "is not supported"),
    (LLAMA | {"rope_scaling": SCALED}, "missing key 'low_freq_factor', missing key 'high_freq_factor'"),
    (LLAMA | {"rope_scaling": LLAMA3 | {"mystery": 1}}, "llama3 that we cannot honour: mystery=1"),
    (LLAMA | {"rope_scaling": LLAMA3 | {"high_freq_factor": 1.0}}, "low 1.0 is not below high 1.0"),
    (LLAMA | {"rope_scaling": LLAMA3 | {"factor": 0}}, "greater than or equal to 1"),
    (LLAMA | {"rope_scaling": LLAMA3 | {"factor": True}}, "factor=True"),
    (LLAMA | {"rope_scaling": LLAMA3 | {"original_max_position_embeddings": -1}}, "greater than 0"),
    (LLAMA | {"rope_scaling": YARN | {"mscale": 0.7, "mscale_all_dim": 0.7}}, "mscale=0.7, mscale_all_dim=0.7"),
    (LLAMA | {"rope_scaling": YARN | {"truncate": False}}, "truncate=False"),
    (LLAMA | {"rope_scaling": {"type": "yarn", "factor": 4.0}}, "missing key 'original_max_position_embeddings'"),
    (LLAMA | {"rope_scaling": YARN, "rope_parameters": YARN}, "only one object"),
    (LLAMA | {"rope_scaling": [1]}, "only one object"),
    (LLAMA | {"rope_theta": 1.0, "rope_parameters": LLAMA3 | {"rope_theta": 2.0}}, "only one rope_theta"),
    (LLAMA | {"rope_parameters": {"full_attention": {"rope_theta": 1.0}}}, "is not supported"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE, ids=[message[:30] for _, message in HOSTILE])
def test_refused_by_name(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_from_hf(data)


def test_new_fields_stay_out_of_configs_that_have_none() -> None:
    """Seals hold digests of configs that were written before there were any."""
    plain = qwen3(300, 16, 1, 16).model_dump()
    assert "qkv_bias" not in plain and "rope_scaling" not in plain
    config = CONFIGS["qwen2"].model_copy(update={"rope_scaling": Yarn(factor=4, original=8)})
    assert config.model_dump()["qkv_bias"] is True and ModelConfig.from_json(config.to_json()) == config


def test_combinations_that_are_none() -> None:
    shape = CONFIGS["llama"].model_dump()
    with pytest.raises(ConfigError, match="bias has the biases of qkv_bias in it"):
        ModelConfig.parse(shape | {"qkv_bias": True})
    with pytest.raises(ConfigError, match="positions are learned"):
        ModelConfig.parse(CONFIGS["gpt2"].model_dump() | {"rope_scaling": {"kind": "yarn", "factor": 4, "original": 8}})
