"""A model laid out for decoding, where products have few rows. In fewer bits it is faster, and not quite the same.

f32: weights lie as they are read, inputs by outputs, which takes half the time for 4 to 16 rows, and gives each of two
rows and more the same bits.
int8: weights by output, in steps of their largest over 127; what they are multiplied with by token, likewise, at the
time (Dettmers et al. 2022, without their outliers). The sums are whole numbers, hence exact: a token's result does not
depend on others. bf16: both rounded to bfloat16, sums in fp32, which pays where the processor has AMX.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presage.model.transformer import Transformer

Weights = Literal["f32", "bf16", "int8"]
STEPS = 127
TINY = 1e-12
ROWS = (*range(1, 21), 24, 32, 48, 64, 128, 256)


class FloatLinear(nn.Module):
    """A linear layer's product in fp32; [..., K] -> [..., N]."""

    weight: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().float().t().contiguous())
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        out = torch.mm(rows, self.weight) if self.bias is None else torch.addmm(self.bias, rows, self.weight)
        return out.view(*x.shape[:-1], -1)


class Int8Linear(nn.Module):
    """A linear layer's product in int8; [..., K] -> [..., N]."""

    weight: Tensor
    step: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        step = linear.weight.abs().amax(1).clamp(min=TINY) / STEPS
        self.register_buffer("weight", (linear.weight / step[:, None]).round().to(torch.int8).contiguous())
        self.register_buffer("step", step)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        step = rows.abs().amax(1, keepdim=True).clamp_(min=TINY).div_(STEPS)
        sums = torch._int_mm((rows / step).round_().to(torch.int8), self.weight.t())
        out = sums.float().mul_(step).mul_(self.step)  # in place: new pages cost more than products
        out = out if self.bias is None else out.add_(self.bias)
        return out.view(*x.shape[:-1], -1)


class BFloat16Linear(nn.Module):
    """A linear layer's product in bfloat16; [..., K] -> [..., N] in fp32."""

    weight: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.register_buffer("weight", linear.weight.detach().bfloat16())
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        out = F.linear(x.bfloat16(), self.weight).float()
        return out if self.bias is None else out + self.bias


_LAYERS = (nn.Linear, FloatLinear, Int8Linear, BFloat16Linear)


_measured: dict[tuple[type[nn.Module], torch.Size, int], int] = {}


def least_rows(model: Transformer) -> tuple[int, int]:
    """From how many rows on a product of the model gives each row the same bits; and from how many it is computed with
    so many. Measured with the model's own layers, each shape once in a process: an AMD EPYC's fp32 takes 4 to 12, a
    Xeon's 16 for weights as they are trained and 2 for `lighter` ones; of the former, 16 rows cost little more than 8
    (1.07 ms, 1.02)."""
    if model.head.weight.device.type != "cpu":
        return 16, 8
    layers = [layer for block in model.blocks for layer in block.modules() if isinstance(layer, _LAYERS)]
    threads = torch.get_num_threads()
    shapes = {(type(layer), layer.weight.shape, threads): layer for layer in [*layers, model.head]}
    with torch.no_grad():
        _measured.update({shape: _least(layer) for shape, layer in shapes.items() if shape not in _measured})
    least = max(2, *(_measured[shape] for shape in shapes))
    return least, max(2, least // 2)


def _least(layer: nn.Module) -> int:
    """The first of ROWS from which on what some rows give is what they give among the most."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    inputs = weight.shape[0] if isinstance(layer, FloatLinear) else weight.shape[1]
    x = torch.randn(ROWS[-1], inputs, generator=torch.Generator().manual_seed(0))
    whole = layer(x)
    other = [n for n in ROWS if not (torch.equal(layer(x[:n]), whole[:n]) and torch.equal(layer(x[-n:]), whole[-n:]))]
    last: int = max(other, default=0)
    first: int = next(n for n in ROWS if n > last)
    return first


def lighter(model: Transformer, weights: Weights) -> Transformer:
    """A copy for decoding whose blocks and head compute in `weights`; embeddings, norms, attention and an image
    encoder stay as they are."""
    kind = {"f32": FloatLinear, "bf16": BFloat16Linear, "int8": Int8Linear}[weights]
    with torch.no_grad():
        light = copy.deepcopy(model).eval()
        for block in light.blocks:
            for parent in list(block.modules()):
                for name, child in list(parent.named_children()):
                    if isinstance(child, nn.Linear):
                        setattr(parent, name, kind(child))
        light.head = kind(light.head)  # type: ignore[assignment]
    return light
