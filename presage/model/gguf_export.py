"""A run's model as a GGUF file, for llama.cpp and what is built on it: GPT-2, Llama, Qwen2 and Qwen3, exactly.

llama.cpp's Llama turns neighbours (2i, 2i + 1) where ours and its Qwen turn (i, i + E/2): rows are put in that order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from presage.core.errors import ConfigError, RunError
from presage.data.bpe import Tokenizer
from presage.model import gguf
from presage.model.config import ModelConfig
from presage.model.hf_framing import GENERATION, end_ids, framing, template_of
from presage.model.huggingface import family_of
from presage.model.model_card import UNKNOWN
from presage.model.rope import Llama3, frequencies
from presage.model.weights import load_writer, model_tensors

ARCHITECTURES = ("llama", "qwen2", "qwen3", "gpt2")
PRE = {"gpt2": "gpt-2", "cl100k": "llama-bpe", "qwen2": "qwen2"}
"""Our split patterns: those of llama.cpp that divide a text alike. benchmarks/exchange.py counts where they do not."""
_NORMAL, _CONTROL, _UNUSED = 1, 3, 5
_WHOLE = {
    "embed": "token_embd",
    "position_embed": "position_embd",
    "norm": "output_norm",
    "head": "output",
}
_BLOCK = {
    "attention_norm": "attn_norm",
    "attention.out": "attn_output",
    "attention.q_norm": "attn_q_norm",
    "attention.k_norm": "attn_k_norm",
    "mlp_norm": "ffn_norm",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}
Values = dict[str, gguf.Value]


def export_gguf(
    run: Path | str, out: Path | str, kind: str = "f32", step: int | None = None, *, licence: str = UNKNOWN
) -> list[str]:
    """Write a run's model and its tokenizer; returns the tensors that a file of this kind keeps in fp32 against it.

    kind: f32, bf16 or q8_0, of matrices; vectors and learned positions stay fp32, and for q8_0 also matrices whose rows
    are not of whole blocks. Raises ConfigError for a model or a tokenizer that llama.cpp has not, RunError when `out`
    is there; either way nothing is written.
    """
    out = Path(out)
    if out.exists():
        raise RunError("already there", where=out, hint="choose another name")
    model, file = load_writer(run, step)
    config = model.config
    values = _head(Path(run), config, kind, licence) | _shape(config)
    values |= _vocabulary(Tokenizer.load(file), config, file) | _framed(Path(run), file, config)
    wanted = gguf.KINDS[kind]
    tensors = {
        name: (tensor, _kind_of(name, tensor, wanted)) for name, tensor in _tensors(model_tensors(model), config)
    }
    gguf.write(out, values, tensors)
    matrices = {name: used for name, (tensor, used) in tensors.items() if tensor.ndim == 2 and name != _POSITIONS}
    return [name for name, used in matrices.items() if used is not wanted]


def _kind_of(name: str, tensor: Tensor, wanted: gguf.Kind) -> gguf.Kind:
    small = tensor.ndim == 1 or name == _POSITIONS or tensor.shape[-1] % wanted.block
    return gguf.F32 if small else wanted


_POSITIONS = "position_embd.weight"

# ---- named values ---------------------------------------------------------------------------------------------------


def architecture(config: ModelConfig) -> str:
    """What llama.cpp calls this model. Raises ConfigError naming what it has not."""
    name = family_of(config)
    wrong = []
    if name not in ARCHITECTURES:
        wrong.append(f"{name} (it has {', '.join(ARCHITECTURES)})")
    if config.vision:
        wrong.append("an encoder of images (presage export --to hf writes it beside the trunk)")
    if isinstance(config.rope_scaling, Llama3) and name != "llama":
        wrong.append(f"the rope scaling of Llama 3 in {name}")
    if config.rope_scaling and getattr(config.rope_scaling, "attention", None):
        wrong.append("a YaRN attention factor other than its own")
    if wrong:
        raise ConfigError(f"llama.cpp has not: {'; '.join(wrong)}")
    return name


def _head(run: Path, config: ModelConfig, kind: str, licence: str) -> Values:
    return {
        "general.architecture": architecture(config),
        "general.type": "model",
        "general.name": run.resolve().name,
        "general.license": licence,
        "general.file_type": gguf.KINDS[kind].file,
        "general.quantization_version": 2,
    }


def _shape(config: ModelConfig) -> Values:
    norm = "layer_norm_rms_epsilon" if config.norm == "rms" else "layer_norm_epsilon"
    values: Values = {
        "context_length": config.context_length,
        "embedding_length": config.d_model,
        "block_count": config.n_layers,
        "feed_forward_length": config.d_ff,
        "attention.head_count": config.n_heads,
        "attention.head_count_kv": config.n_kv_heads,
        f"attention.{norm}": config.norm_eps,
        "vocab_size": config.vocab_size,
    }
    if config.position == "rope":
        values |= {
            "attention.key_length": config.d_head,
            "attention.value_length": config.d_head,
            "rope.dimension_count": config.d_head,
            "rope.freq_base": float(config.rope_theta),
        }
    yarn = config.rope_scaling
    if yarn and not isinstance(yarn, Llama3):
        values |= {
            "rope.scaling.type": "yarn",
            "rope.scaling.factor": float(yarn.factor),
            "rope.scaling.original_context_length": yarn.original,
            "rope.scaling.yarn_beta_fast": float(yarn.fast),
            "rope.scaling.yarn_beta_slow": float(yarn.slow),
        }
    return {f"{architecture(config)}.{key}": value for key, value in values.items()}


def _vocabulary(tokenizer: Tokenizer, config: ModelConfig, file: Path) -> Values:
    """Tokens in the printable stand-ins of GPT-2's bytes; ids that the model has and the tokenizer not are unused."""
    if tokenizer.n_vocab > config.vocab_size:
        what = f"{tokenizer.n_vocab} tokens, and the model has {config.vocab_size}"
        raise ConfigError(what, where=file)
    state = json.loads(tokenizer.to_json())["model"]
    names = {index: token for token, index in state["vocab"].items()} | {i: t for t, i in tokenizer.specials.items()}
    control = set(tokenizer.specials.values())
    kinds = [_CONTROL if i in control else _NORMAL if i in names else _UNUSED for i in range(config.vocab_size)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": PRE[tokenizer.pattern],
        "tokenizer.ggml.tokens": [names.get(i, f"[PAD{i}]") for i in range(config.vocab_size)],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in state["merges"]],
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
    }


def _framed(run: Path, file: Path, config: ModelConfig) -> Values:
    texts = framing(run, file, config)
    ids = json.loads(texts[GENERATION])
    begin, ends, template = end_ids(ids.get("bos_token_id")), end_ids(ids.get("eos_token_id")), template_of(texts, run)
    named: Values = dict(zip(("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"), ends, strict=False))
    named |= {"tokenizer.ggml.bos_token_id": begin[0]} if begin else {}
    return named | ({"tokenizer.chat_template": template} if template else {})


# ---- tensors --------------------------------------------------------------------------------------------------------


def _tensors(ours: dict[str, Tensor], config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    """Under llama.cpp's names and in its order of rows, fp32."""
    neighbours = architecture(config) == "llama"
    if isinstance(config.rope_scaling, Llama3):
        plain = frequencies(config.d_head, config.rope_theta)
        yield "rope_freqs.weight", (plain / frequencies(config.d_head, config.rope_theta, config.rope_scaling)).float()
    for name, tensor in ours.items():
        module, _, kind = name.rpartition(".")
        if module in _WHOLE:
            yield f"{_WHOLE[module]}.{kind}", tensor.float()
        elif module.startswith("blocks."):
            _, layer, part = module.split(".", 2)
            for theirs, value in _block(part, tensor.float(), config, neighbours):
                yield f"blk.{layer}.{theirs}.{kind}", value


def _block(part: str, tensor: Tensor, config: ModelConfig, neighbours: bool) -> Iterator[tuple[str, Tensor]]:
    if part in _BLOCK:
        yield _BLOCK[part], tensor
    elif part == "mlp.gate_up":
        yield from zip(("ffn_gate", "ffn_up"), tensor.chunk(2), strict=True)
    elif config.position == "learned":
        yield "attn_qkv", tensor
    else:
        queries, keys = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
        q, k, v = torch.split(tensor, [queries, keys, keys])
        turned = (_as_neighbours(q, config.d_head), _as_neighbours(k, config.d_head)) if neighbours else (q, k)
        yield from zip(("attn_q", "attn_k", "attn_v"), (*turned, v), strict=True)


def _as_neighbours(tensor: Tensor, width: int) -> Tensor:
    """Rows of each head from (i, i + E/2) to (2i, 2i + 1)."""
    return tensor.reshape(-1, 2, width // 2, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)
