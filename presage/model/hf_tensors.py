"""Which of our tensors are which of Hugging Face's: GPT-1, GPT-2, Llama, Qwen2 and Qwen3.

RoPE needs no permutation: ours pairs (i, i + E/2) as Hugging Face does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.config import ModelConfig
from presage.model.huggingface import FAMILIES, Family, family_of


@dataclass(frozen=True)
class Rule:
    """One tensor of ours is theirs side by side along the first axis, transposed where theirs is a Conv1D."""

    ours: str
    theirs: tuple[str, ...]
    sizes: tuple[int, ...] = ()
    transposed: bool = False

    def to_hf(self, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Ours to (their name, their part)."""
        parts = torch.split(tensor, list(self.sizes)) if self.sizes else (tensor,)
        for name, part in zip(self.theirs, parts, strict=True):
            yield name, (part.T if self.transposed else part).contiguous()

    def from_hf(self, tensors: dict[str, Tensor], where: object) -> Tensor:
        """Theirs, taken out of `tensors`, to ours in fp32. Raises ConfigError naming a missing or misshapen one."""
        missing = next((name for name in self.theirs if name not in tensors), None)
        if missing:
            raise ConfigError(f"tensor '{missing}' is missing", where=where)
        parts = [tensors.pop(name) for name in self.theirs]
        wrong = next((n for n, p in zip(self.theirs, parts, strict=True) if not p.is_floating_point()), None)
        if wrong:
            raise ConfigError(f"tensor '{wrong}' is quantised, which is not supported", where=where)
        if self.sizes and tuple(map(len, parts)) != self.sizes:
            found = [len(part) for part in parts]
            raise ConfigError(f"{', '.join(self.theirs)} have {found} rows, not {list(self.sizes)}", where=where)
        parts = [part.float().T if self.transposed else part.float() for part in parts]
        return (torch.cat(parts) if len(parts) > 1 else parts[0]).contiguous()


def rules(config: ModelConfig) -> Iterator[Rule]:
    """Every tensor of the model, head included unless it is tied."""
    family = FAMILIES[family_of(config)]
    kinds = ("weight", "bias") if config.norm == "layer" else ("weight",)
    for ours, theirs in family.names.items():
        for kind in kinds if ours == "norm" else ("weight",):
            yield Rule(f"{ours}.{kind}", (f"{family.prefix}{theirs}.{kind}",))
    if not config.tie_embeddings:
        yield Rule("head.weight", ("lm_head.weight",))
    block = _gpt_block if config.norm == "layer" else _llama_block
    for layer in range(config.n_layers):
        yield from block(config, f"blocks.{layer}.", f"{family.layers}{layer}.")


def _gpt_block(config: ModelConfig, ours: str, theirs: str) -> Iterator[Rule]:
    for norm, name in (("attention_norm", "ln_1"), ("mlp_norm", "ln_2")):
        for kind in ("weight", "bias"):
            yield Rule(f"{ours}{norm}.{kind}", (f"{theirs}{name}.{kind}",))
    for linear, name in (
        ("attention.qkv", "attn.c_attn"),
        ("attention.out", "attn.c_proj"),
        ("mlp.up", "mlp.c_fc"),
        ("mlp.down", "mlp.c_proj"),
    ):
        yield Rule(f"{ours}{linear}.weight", (f"{theirs}{name}.weight",), transposed=True)
        yield Rule(f"{ours}{linear}.bias", (f"{theirs}{name}.bias",))


def _llama_block(config: ModelConfig, ours: str, theirs: str) -> Iterator[Rule]:
    norms = {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    qk = {"attention.q_norm": "self_attn.q_norm", "attention.k_norm": "self_attn.k_norm"}
    for norm, name in (norms | qk if config.qk_norm else norms).items():
        yield Rule(f"{ours}{norm}.weight", (f"{theirs}{name}.weight",))
    queries, keys = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    attention, mlp = f"{theirs}self_attn.", f"{theirs}mlp."
    for kind in ("weight", "bias") if config.bias or config.qkv_bias else ("weight",):
        heads = tuple(f"{attention}{which}_proj.{kind}" for which in "qkv")
        yield Rule(f"{ours}attention.qkv.{kind}", heads, (queries, keys, keys))
    for kind in ("weight", "bias") if config.bias else ("weight",):
        yield Rule(f"{ours}attention.out.{kind}", (f"{attention}o_proj.{kind}",))
        halves = (f"{mlp}gate_proj.{kind}", f"{mlp}up_proj.{kind}")
        yield Rule(f"{ours}mlp.gate_up.{kind}", halves, (config.d_ff, config.d_ff))
        yield Rule(f"{ours}mlp.down.{kind}", (f"{mlp}down_proj.{kind}",))


def _idle_biases(config: ModelConfig) -> list[str]:
    """Qwen3's attention has biases everywhere or nowhere; of ours the output has none, and its stay at zero."""
    layers = config.n_layers if config.qk_norm and config.qkv_bias else 0
    return [f"{FAMILIES['qwen3'].layers}{layer}.self_attn.o_proj.bias" for layer in range(layers)]


def tensors_to_hf(tensors: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Our tensors (tied head left out) under their names and layouts, fp32."""
    theirs = {name: part for rule in rules(config) for name, part in rule.to_hf(tensors[rule.ours].float())}
    return theirs | {name: torch.zeros(config.d_model) for name in _idle_biases(config)}


def tensors_from_hf(tensors: dict[str, Tensor], config: ModelConfig, where: object = None) -> dict[str, Tensor]:
    """Their tensors under our names, fp32. Raises ConfigError naming a missing, unknown or quantised tensor."""
    family = FAMILIES[family_of(config)]
    left = _with_prefix({name: t for name, t in tensors.items() if not _BUFFER.search(name)}, family.prefix)
    if config.tie_embeddings:
        _drop_tied_head(left, family, where)
    for name in _idle_biases(config):
        if name in left and left.pop(name).any():
            raise ConfigError(f"tensor '{name}' is not zero: a bias that this model does not have", where=where)
    ours = {rule.ours: rule.from_hf(left, where) for rule in rules(config)}
    if left:
        raise ConfigError(f"tensor '{min(left)}' is not one of this model's", where=where)
    return ours


# Causal masks and RoPE frequencies, which old files hold beside the weights; both follow from the config.
_BUFFER = re.compile(r"\.attn\.(bias|masked_bias)$|\.rotary_emb\.inv_freq$")


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """GPT-1's and GPT-2's published files are of the trunk alone, without its prefix."""
    if any(name.startswith(prefix) for name in tensors):
        return tensors
    return {name if name.startswith("lm_head.") else prefix + name: t for name, t in tensors.items()}


def _drop_tied_head(tensors: dict[str, Tensor], family: Family, where: object) -> None:
    head, embed = tensors.pop("lm_head.weight", None), tensors.get(f"{family.prefix}{family.names['embed']}.weight")
    if head is not None and embed is not None and not torch.equal(head, embed):
        raise ConfigError("tied embeddings, but lm_head.weight differs from the embedding", where=where)
