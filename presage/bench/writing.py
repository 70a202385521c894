"""Decoding and reading prompts, by a model of GPT-2's shape with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from presage.bench.figures import Action, Figure, Machine, beside, rates
from presage.bench.peers import gpt2_of_transformers
from presage.infer.engine.asks import Ask, Draw
from presage.infer.engine.batcher import Batcher, written
from presage.infer.engine.lighter import Weights, lighter
from presage.model.config import ModelConfig, gpt2
from presage.model.transformer import Transformer, build

PROMPT, NEW, ROWS = 32, 24, (1, 16)
LONG = 512
"""Tokens of a prompt that is only read."""
LIVELY = 0.1
"""The spread of embeddings: no two ids are nearly as probable, as of a model that was trained."""
BYTES: dict[Weights, int] = {"f32": 4, "int8": 1}


def _model(machine: Machine) -> Transformer:
    config = gpt2().model_copy(update={"dropout": 0.0})
    model = build(config, 0)
    with torch.no_grad():
        model.embed.weight.normal_(0, LIVELY, generator=torch.Generator().manual_seed(1))
    return model.eval().to(machine.device.device)


def decoding(machine: Machine) -> Iterator[Figure]:
    """New tokens a second, alone and sixteen at once; the share is of reading the weights for every step."""
    model = _model(machine)
    theirs = gpt2_of_transformers(model.config)
    kinds: tuple[Weights, ...] = ("f32", "int8") if machine.device.device == "cpu" else ("f32",)
    light = {kind: lighter(model, kind) for kind in kinds}
    for rows in ROWS:
        prompts = _prompts(model.config, rows, PROMPT)
        systems: dict[str, Action] = {kind: _written(one, prompts) for kind, one in light.items()}
        peer = {"peer": _generated(theirs.to(machine.device.device), prompts)} if theirs else {}
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


def _written(model: Transformer, prompts: Tensor) -> Action:
    def write() -> float:
        engine = Batcher(model, rows=len(prompts), kept=0)
        return float(sum(len(one.ids) for one in written(engine, [Ask(p, NEW, Draw(0.0)) for p in prompts.tolist()])))

    return write


def _generated(theirs: Any, prompts: Tensor) -> Action:
    def write() -> float:
        mask, new = torch.ones_like(prompts), {"max_new_tokens": NEW, "min_new_tokens": NEW}
        out = theirs.generate(prompts, attention_mask=mask, do_sample=False, pad_token_id=0, **new)
        return float(out.numel() - prompts.numel())

    return write


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
