"""Decoding and reading prompts, by a model of GPT-2's shape with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from presage.bench.figures import Action, Figure, Machine, beside, rates
from presage.bench.models import lively
from presage.bench.peers import gpt2_of_transformers
from presage.infer.engine.asks import Ask, Draw
from presage.infer.engine.batcher import Batcher, written
from presage.infer.engine.lighter import Weights, lighter
from presage.model.config import ModelConfig, gpt2
from presage.model.transformer import Transformer

PROMPT, NEW, ROWS, CHUNK = 32, 24, (1, 16), 4096
LONG = 512
"""Tokens of a prompt that is only read."""
BYTES: dict[Weights, int] = {"f32": 4, "int8": 1}


def _model(machine: Machine) -> Transformer:
    return lively(gpt2().model_copy(update={"dropout": 0.0})).to(machine.device.device)


def decoding(machine: Machine) -> Iterator[Figure]:
    """New tokens a second, alone and sixteen at once; the share is of reading the weights for every step."""
    model = _model(machine)
    theirs = gpt2_of_transformers(model.config)
    kinds: tuple[Weights, ...] = ("f32", "int8") if machine.device.device == "cpu" else ("f32",)
    light = {kind: lighter(model, kind) for kind in kinds}
    for rows in ROWS:
        prompts = _prompts(model.config, rows, PROMPT).to(machine.device.device)
        systems: dict[str, Action] = {kind: partial(write, one, prompts, NEW) for kind, one in light.items()}
        peer = {"peer": partial(generate, theirs.to(machine.device.device), prompts, NEW)} if theirs else {}
        found = rates({**systems, **peer}, machine)
        lines = [_line(model, kind, rows, found[kind], machine) for kind in kinds]
        yield from beside(lines[:1], "transformers", found.get("peer"))
        yield from lines[1:]


def _line(model: Transformer, kind: Weights, rows: int, rate: float, machine: Machine) -> Figure:
    size = model.config.n_params - model.config.context_length * model.config.d_model  # all but positions are read
    what = f"124 M parameters, {rows} at once, {kind}"
    return Figure("decoding", what, rate, "tokens/s", size * BYTES[kind] * rate / rows / machine.copy, "copying")


def _prompts(config: ModelConfig, rows: int, length: int) -> Tensor:
    return torch.randint(config.vocab_size, (rows, length), generator=torch.Generator().manual_seed(rows))


def write(model: Transformer, prompts: Tensor, new: int) -> int:
    """So many ids after each of prompts [B, T] by our engine, all at once; how many were written."""
    engine = Batcher(model, rows=len(prompts), chunk=CHUNK, kept=0)
    return sum(len(one.ids) for one in written(engine, [Ask(ids, new, Draw(0.0)) for ids in prompts.tolist()]))


def generate(theirs: Any, prompts: Tensor, new: int) -> int:
    """The same by a model of transformers."""
    mask, exactly = torch.ones_like(prompts), {"max_new_tokens": new, "min_new_tokens": new}
    out = theirs.generate(prompts, attention_mask=mask, do_sample=False, pad_token_id=0, **exactly)
    return int(out.numel() - prompts.numel())


def prefill(machine: Machine) -> Iterator[Figure]:
    """Tokens of one long prompt read a second."""
    model = _model(machine)
    theirs = gpt2_of_transformers(model.config)
    prompts = _prompts(model.config, 1, LONG).to(machine.device.device)

    def ours() -> float:
        with torch.inference_mode():
            model.logits(model.hidden(prompts)[:, -1])
        return float(prompts.numel())

    def peer() -> float:
        assert theirs is not None
        with torch.inference_mode():
            theirs(prompts, logits_to_keep=1)
        return float(prompts.numel())

    if theirs:
        theirs.to(machine.device.device)
    found = rates({"ours": ours} | ({"peer": peer} if theirs else {}), machine)
    flops = model.config.flops_forward(LONG) - 2 * model.config.vocab_size * model.config.d_model
    share = found["ours"] * flops / machine.matmul_float32 if machine.matmul_float32 else None
    what = f"124 M parameters, {LONG} tokens, f32"
    line = Figure("prefill", what, found["ours"], "tokens/s", share, "matmul in fp32")
    yield from beside([line], "transformers", found.get("peer"))
