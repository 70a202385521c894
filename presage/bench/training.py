"""Full steps of training: forward, backward, clipping and the optimizer, on random tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from presage.bench.figures import Action, Figure, Machine, beside, rates
from presage.bench.peers import gpt2_of_transformers
from presage.model.config import ModelConfig, gpt2, qwen3
from presage.model.transformer import build
from presage.train.optim import OptimConfig, Optimizer, clip_gradients
from presage.train.pretrain import next_token_loss

VOCAB, CONTEXT, LAYERS = 1024, 256, 6


@dataclass(frozen=True)
class Shape:
    """A width, its heads, and sequences of a batch."""

    width: int
    heads: int
    batch: int

    def qwen3(self) -> ModelConfig:
        """Our own block."""
        return qwen3(VOCAB, CONTEXT, LAYERS, self.width, n_heads=self.heads, n_kv_heads=self.heads)

    def gpt2(self) -> ModelConfig:
        """GPT-2's, which transformers has, too."""
        shape = {"n_layers": LAYERS, "d_model": self.width, "d_ff": 4 * self.width, "d_head": self.width // self.heads}
        heads = {"n_heads": self.heads, "n_kv_heads": self.heads}
        return gpt2(vocab_size=VOCAB, context_length=CONTEXT).model_copy(update=shape | heads)


SHAPES = (Shape(192, 3, 16), Shape(512, 8, 8), Shape(768, 12, 8))


def figures(machine: Machine) -> Iterator[Figure]:
    """Of several widths, in the precision that is faster here; beside transformers in fp32 and AdamW, as it ships."""
    for shape in SHAPES:
        ours = {"Qwen3, Muon": (shape.qwen3(), "muon"), "GPT-2, AdamW": (shape.gpt2(), "adamw")}
        systems = {name: _ours(model, kind, shape.batch, machine) for name, (model, kind) in ours.items()}
        theirs = _theirs(shape, machine)
        found = rates(systems | ({"peer": theirs} if theirs else {}), machine)
        lines = [_line(shape, name, model, found[name], machine) for name, (model, _) in ours.items()]
        yield lines[0]
        yield from beside(lines[1:], "transformers, fp32", found.get("peer"))


def _line(shape: Shape, name: str, model: ModelConfig, rate: float, machine: Machine) -> Figure:
    share = rate * model.flops_per_token() / machine.matmul if machine.matmul else None
    what = f"{LAYERS} layers of {shape.width}, {model.n_params / 1e6:.1f} M parameters, {name}"
    return Figure("training", what, rate, "tokens/s", share, f"matmul in {machine.device.dtype}")


def _batch(batch: int, machine: Machine) -> tuple[Tensor, Tensor]:
    ids = torch.randint(VOCAB, (batch, CONTEXT + 1), generator=torch.Generator().manual_seed(0))
    return ids[:, :-1].to(machine.device.device), ids[:, 1:].to(machine.device.device)


def _ours(config: ModelConfig, kind: Any, batch: int, machine: Machine) -> Action:
    model = build(config, 0).to(machine.device.device)
    optimizer, data, steps = Optimizer(model, OptimConfig(kind=kind)), _batch(batch, machine), 0

    def step() -> float:
        nonlocal steps
        steps += 1
        with machine.device.autocast():
            loss, count = next_token_loss(model, data)
        loss.backward()  # type: ignore[no-untyped-call]
        torch._foreach_div_([p.grad for p in optimizer.named.values() if p.grad is not None], count)
        clip_gradients(optimizer.gradients(), 1.0)
        with machine.device.autocast():
            optimizer.step(1e-3, steps)
        optimizer.zero_grad()
        return float(count)

    return step


def _theirs(shape: Shape, machine: Machine) -> Action | None:
    model = gpt2_of_transformers(shape.gpt2())
    if model is None:
        return None
    model = model.to(machine.device.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    x, _ = _batch(shape.batch, machine)

    def step() -> float:
        model(x, labels=x).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(x.numel())

    return step
