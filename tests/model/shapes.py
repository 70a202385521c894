"""Small models of every family, with weights that make no two tokens alike (a zero head would)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from torch import Tensor

from presage.model import weights
from presage.model.config import GPT2_SIZES, ModelConfig, gpt1, gpt2, gpt3, qwen3
from presage.model.rope import Llama3, Yarn
from presage.model.transformer import Transformer, build

VOCAB, CONTEXT = 61, 24
TEXT = "The cat sat on the mat. The dog sat on the log. " * 3
SMALL = {"n_layers": 3, "d_model": 32, "n_heads": 2, "n_kv_heads": 2, "d_head": 16, "d_ff": 48, "dropout": 0.0}


def shrunk(config: ModelConfig, **changes: object) -> ModelConfig:
    return ModelConfig.parse(config.model_dump() | SMALL | changes)


CONFIGS: dict[str, ModelConfig] = {
    "qwen3": qwen3(VOCAB, CONTEXT, 3, 32, n_heads=2, n_kv_heads=2, d_head=16),
    "qwen3-gqa": qwen3(VOCAB, CONTEXT, 2, 48, n_heads=4, n_kv_heads=2, d_head=8, tie_embeddings=True),
    "llama": qwen3(VOCAB, CONTEXT, 2, 32, n_heads=4, n_kv_heads=1, d_head=8, qk_norm=False, bias=True),
    "qwen2": qwen3(VOCAB, CONTEXT, 2, 32, n_heads=4, n_kv_heads=2, d_head=8, qk_norm=False, qkv_bias=True),
    "qwen3-bias": qwen3(VOCAB, CONTEXT, 2, 32, n_heads=4, n_kv_heads=2, d_head=8, qkv_bias=True),
    "gpt1": shrunk(gpt1(VOCAB, CONTEXT), d_ff=128),
    "gpt2": shrunk(gpt2("124M", VOCAB, CONTEXT)),
    "gpt3": shrunk(gpt3("125M", VOCAB, CONTEXT, band=5), n_layers=4),
}


def stretched(name: str, scaling: Llama3 | Yarn, **changes: object) -> ModelConfig:
    """One of them that reads rotary positions stretched."""
    return CONFIGS[name].model_copy(update={"rope_scaling": scaling} | changes)


PRESETS: dict[str, ModelConfig] = {
    "gpt1": gpt1(),
    **{f"gpt2-{size}": gpt2(size) for size in GPT2_SIZES},
    "gpt3-125M": gpt3("125M"),
    "qwen3": qwen3(4096, 256, 4, 192),
}


def lively(config: ModelConfig, seed: int = 0) -> Transformer:
    """A model in which every parameter matters: gains, biases and head are random, too."""
    model = build(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.1 if parameter.ndim == 1 else 0.4 if name.startswith(("head", "embed")) else 0.15
            parameter.add_(torch.randn(parameter.shape, generator=generator) * spread)
    return model.eval()


def random_tokens(rows: int, length: int, seed: int = 0, vocab_size: int = VOCAB) -> Tensor:
    return torch.randint(vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


def make_run(folder: Path, model: Transformer, tokenizer: Path, step: int = 0) -> Path:
    """A run directory as far as load_run looks at it."""
    place = folder / "checkpoints" / f"{step:08d}"
    place.mkdir(parents=True)
    weights.write_tensors(place / "model.safetensors", weights.model_tensors(model))
    weights.write_manifest(place)
    (folder / "config.json").write_text(
        json.dumps({"stage": "pretrain", "schema": 1, "config": {"model": model.config.model_dump(), "shards": "../s"}})
    )
    (folder.parent / "s" / "artifacts").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tokenizer, folder.parent / "s" / "artifacts" / "tokenizer.json")
    return folder
