"""Our configs and tensors in Hugging Face's terms, exactly or not at all: GPT-1, GPT-2, Llama, Qwen2 and Qwen3.

Configs are here, rotary positions in hf_rope.py, tensors in hf_tensors.py, files in exchange.py. A key of a foreign
config.json that is not in these tables is refused by name: it may change what the model computes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from presage.core.errors import ConfigError
from presage.model.config import ModelConfig
from presage.model.hf_errors import NotOurs
from presage.model.hf_rope import rope_from_hf, rope_to_hf

__all__ = ["FAMILIES", "Family", "NotOurs", "config_from_hf", "config_to_hf", "family_of"]

Condition = tuple[str, Callable[[ModelConfig], bool]]


# Keys of config.json that change no logit: bookkeeping, training, token ids that text is framed with, other heads.
INERT = frozenset(
    {
        *(
            "architectures",
            "model_type",
            "_name_or_path",
            "name_or_path",
            "transformers_version",
            "dtype",
            "torch_dtype",
        ),
        *(
            "bos_token_id",
            "eos_token_id",
            "pad_token_id",
            "unk_token_id",
            "predict_special_tokens",
            "is_encoder_decoder",
        ),
        *("attention_dropout", "attn_pdrop", "initializer_range", "gradient_checkpointing", "chunk_size_feed_forward"),
        *("use_cache", "output_past", "output_attentions", "output_hidden_states", "return_dict"),
        *("summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout"),
        *("id2label", "label2id", "problem_type", "task_specific_params", "return_dict_in_generate"),
        *("n_ctx", "sliding_window", "max_window_layers"),  # repeats n_positions; without effect unless switched on
    }
)

# Keys that say a feature is off, as published files do; any other value is refused.
OFF: dict[str, Any] = {"use_mrope": False, "pruned_heads": {}, "cross_attention_hidden_size": None}


@dataclass(frozen=True)
class Family:
    """One Hugging Face class and what of ours it computes."""

    architecture: str
    needs: dict[str, Any]
    """Our fields that must have these values."""
    keys: dict[str, str]
    """Key in config.json: our field."""
    absent: dict[str, Any]
    """What the class takes for a key that is not there; a key in neither is required."""
    fixed: dict[str, Any]
    """Keys that must have these values; written by export."""
    written: dict[str, Any]
    """Inert keys that export writes."""
    derived: Callable[[dict[str, Any]], dict[str, Any]]
    """Our fields that follow from those read, unless they were read."""
    conditions: tuple[Condition, ...]
    prefix: str
    names: dict[str, str]
    """Our module outside the blocks: theirs, below the prefix."""
    layers: str

    def obstacles(self, config: ModelConfig) -> list[str]:
        """Why this class cannot be this model; empty when it can."""
        wrong = [
            f"{field}={getattr(config, field)!r} (it has {value!r})"
            for field, value in self.needs.items()
            if getattr(config, field) != value
        ]
        return wrong + [text for text, holds in self.conditions if not holds(config)]


_HEADS: tuple[Condition, ...] = (
    ("n_kv_heads differs from n_heads", lambda c: c.n_kv_heads == c.n_heads),
    ("n_heads * d_head differs from d_model", lambda c: c.n_heads * c.d_head == c.d_model),
)
_GPT_NEEDS = {
    "norm": "layer",
    "position": "learned",
    "mlp": "gelu",
    "bias": True,
    "qk_norm": False,
    "qkv_bias": False,
    "band": None,
}
_GPT_KEYS = {
    "vocab_size": "vocab_size",
    "n_positions": "context_length",
    "n_layer": "n_layers",
    "n_embd": "d_model",
    "n_head": "n_heads",
    "layer_norm_epsilon": "norm_eps",
    "tie_word_embeddings": "tie_embeddings",
    "resid_pdrop": "dropout",
    "embd_pdrop": "dropout",
}
_GPT_ABSENT = {"layer_norm_epsilon": 1e-5, "tie_word_embeddings": True, "resid_pdrop": 0.1, "embd_pdrop": 0.1}
_LLAMA_NEEDS = {"norm": "rms", "block": "pre", "position": "rope", "mlp": "swiglu", "band": None}
_LLAMA_KEYS = {
    "vocab_size": "vocab_size",
    "max_position_embeddings": "context_length",
    "num_hidden_layers": "n_layers",
    "hidden_size": "d_model",
    "num_attention_heads": "n_heads",
    "num_key_value_heads": "n_kv_heads",
    "head_dim": "d_head",
    "intermediate_size": "d_ff",
    "rms_norm_eps": "norm_eps",
    "rope_theta": "rope_theta",
    "rope_scaling": "rope_scaling",
    "tie_word_embeddings": "tie_embeddings",
    "attention_bias": "bias",
    "mlp_bias": "bias",
}
_LLAMA_ABSENT = {
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000.0,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "attention_bias": False,
}
_LLAMA_NAMES = {"embed": "embed_tokens", "norm": "norm"}


def _gpt_derived(ours: dict[str, Any]) -> dict[str, Any]:
    width, heads = ours["d_model"], ours["n_heads"]
    return {"n_kv_heads": heads, "d_head": width // heads, "d_ff": 4 * width}


def _llama_derived(ours: dict[str, Any]) -> dict[str, Any]:
    return {"n_kv_heads": ours["n_heads"], "d_head": ours["d_model"] // ours["n_heads"]}


FAMILIES = {
    "qwen3": Family(
        architecture="Qwen3ForCausalLM",
        needs=_LLAMA_NEEDS | {"qk_norm": True, "bias": False},
        keys={key: field for key, field in _LLAMA_KEYS.items() if field != "bias"} | {"attention_bias": "qkv_bias"},
        absent=_LLAMA_ABSENT | {"head_dim": 128, "num_key_value_heads": 32},
        fixed={"hidden_act": "silu", "use_sliding_window": False},
        written={"attention_dropout": 0.0, "sliding_window": None, "use_cache": True},
        derived=_llama_derived,
        conditions=(),
        prefix="model.",
        names=_LLAMA_NAMES,
        layers="model.layers.",
    ),
    "llama": Family(
        architecture="LlamaForCausalLM",
        needs=_LLAMA_NEEDS | {"qk_norm": False, "qkv_bias": False},
        keys=_LLAMA_KEYS,
        absent=_LLAMA_ABSENT | {"mlp_bias": False, "head_dim": None, "num_key_value_heads": None},
        fixed={"hidden_act": "silu", "pretraining_tp": 1},
        written={"attention_dropout": 0.0, "use_cache": True},
        derived=_llama_derived,
        conditions=(("d_model is not a multiple of n_heads", lambda c: c.d_model % c.n_heads == 0),),
        prefix="model.",
        names=_LLAMA_NAMES,
        layers="model.layers.",
    ),
    "qwen2": Family(
        architecture="Qwen2ForCausalLM",
        needs=_LLAMA_NEEDS | {"qk_norm": False, "bias": False, "qkv_bias": True},
        keys={key: field for key, field in _LLAMA_KEYS.items() if field not in ("bias", "d_head")},
        absent=_LLAMA_ABSENT | {"num_key_value_heads": 32},
        fixed={"hidden_act": "silu", "use_sliding_window": False},
        written={"attention_dropout": 0.0, "sliding_window": None, "use_cache": True},
        derived=_llama_derived,
        conditions=_HEADS[1:],
        prefix="model.",
        names=_LLAMA_NAMES,
        layers="model.layers.",
    ),
    "gpt2": Family(
        architecture="GPT2LMHeadModel",
        needs=_GPT_NEEDS | {"block": "pre"},
        keys=_GPT_KEYS | {"n_inner": "d_ff"},
        absent=_GPT_ABSENT | {"n_inner": None},
        fixed={
            "activation_function": "gelu_new",
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "reorder_and_upcast_attn": False,
            "add_cross_attention": False,
        },
        written={"attn_pdrop": 0.0, "use_cache": True},
        derived=lambda ours: _gpt_derived(ours) | {"init": "gpt2"},
        conditions=_HEADS,
        prefix="transformer.",
        names={"embed": "wte", "position_embed": "wpe", "norm": "ln_f"},
        layers="transformer.h.",
    ),
    "openai-gpt": Family(
        architecture="OpenAIGPTLMHeadModel",
        needs=_GPT_NEEDS | {"block": "post"},
        keys=_GPT_KEYS,
        absent=_GPT_ABSENT,
        fixed={"afn": "gelu"},  # what this class calls gelu is the tanh approximation
        written={"attn_pdrop": 0.0},
        derived=lambda ours: _gpt_derived(ours) | {"init": "gpt1"},
        conditions=(*_HEADS, ("d_ff differs from 4 d_model", lambda c: c.d_ff == 4 * c.d_model)),
        prefix="transformer.",
        names={"embed": "tokens_embed", "position_embed": "positions_embed"},
        layers="transformer.h.",
    ),
}


def family_of(config: ModelConfig) -> str:
    """The model_type that is exactly this model. Raises ConfigError naming what no class has."""
    obstacles = {name: family.obstacles(config) for name, family in FAMILIES.items()}
    fewest = min(map(len, obstacles.values()))
    nearest = {name: wrong for name, wrong in obstacles.items() if len(wrong) == fewest}
    if fewest:
        texts = "; ".join(f"{name} but for {', '.join(wrong)}" for name, wrong in nearest.items())
        raise ConfigError(f"no Hugging Face class computes this model; it is {texts}")
    return next(iter(nearest))


def config_to_hf(config: ModelConfig) -> dict[str, Any]:
    """config.json of the class that is exactly this model. Raises ConfigError when there is none."""
    name = family_of(config)
    family = FAMILIES[name]
    shape = {key: getattr(config, field) for key, field in family.keys.items() if field != "rope_scaling"}
    shape |= rope_to_hf(config)
    head = {"architectures": [family.architecture], "model_type": name}
    return head | shape | family.fixed | family.written | {"torch_dtype": "float32"}


def config_from_hf(data: dict[str, Any], where: object = None) -> ModelConfig:
    """Our config of a Hugging Face config.json.

    Raises NotOurs naming every key that we cannot honour, and another ConfigError for a value that is none.
    """
    name = data.get("model_type")
    if not isinstance(name, str) or name not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise NotOurs(f"model_type {name!r:.60} is not supported", where=where, hint=f"supported: {known}")
    family, data = FAMILIES[name], _plain_layers(rope_from_hf(data, where), where)
    _check_keys(family, data, where)
    config = ModelConfig.parse(family.needs | _read_fields(family, data, where), where)
    if obstacles := family.obstacles(config):
        raise NotOurs(f"not a shape that {name} can have: {'; '.join(obstacles)}", where=where)
    return config


def _check_keys(family: Family, data: dict[str, Any], where: object) -> None:
    known = family.keys.keys() | family.fixed.keys() | INERT | OFF.keys()
    unknown = sorted(key for key, value in data.items() if key not in known and value is not None)
    if unknown:
        raise NotOurs(f"keys we cannot honour: {', '.join(f'{k}={data[k]!r:.60}' for k in unknown)}", where=where)
    for key, value in (OFF | family.fixed).items():
        if data.get(key, value) != value:
            raise NotOurs(f"{key}={data[key]!r:.60} is not supported, only {value!r}", where=where)


def _read_fields(family: Family, data: dict[str, Any], where: object) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    for key, field in family.keys.items():
        value = data.get(key, family.absent.get(key))
        if value is None and key not in family.absent:
            raise NotOurs(f"missing key '{key}'", where=where)
        if isinstance(value, bool) and field not in _SWITCHES:
            raise ConfigError(f"{key}={value} is no number", where=where)
        if ours.get(field, value) != value:
            others = " and ".join(k for k, f in family.keys.items() if f == field)
            raise NotOurs(f"{others} differ, which is not supported", where=where)
        ours |= {field: value} if value is not None else {}
    if not all(isinstance(ours[field], int) and ours[field] > 0 for field in ("d_model", "n_heads")):
        raise ConfigError("width and heads must be positive integers", where=where)
    return family.derived(ours) | ours


_SWITCHES = ("tie_embeddings", "bias", "qkv_bias")


def _plain_layers(data: dict[str, Any], where: object) -> dict[str, Any]:
    types = data.get("layer_types") or []
    if not isinstance(types, list) or any(one != "full_attention" for one in types):
        raise NotOurs(f"layer_types={types!r:.80} is not supported, only full_attention", where=where)
    return {key: value for key, value in data.items() if key != "layer_types"}
