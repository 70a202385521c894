"""A model whose products are computed in fewer bits: faster to decode, and no longer quite the same model.

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
        step = rows.abs().amax(1, keepdim=True).clamp(min=TINY) / STEPS
        sums = torch._int_mm((rows / step).round().to(torch.int8), self.weight.t())
        out = sums.float() * step * self.step
        out = out if self.bias is None else out + self.bias
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


def lighter(model: Transformer, weights: Weights) -> Transformer:
    """A copy for decoding whose blocks and head compute in `weights`; embeddings, norms, attention and an image
    encoder stay as they are. f32: the model itself."""
    if weights == "f32":
        return model
    kind = {"int8": Int8Linear, "bf16": BFloat16Linear}[weights]
    with torch.no_grad():
        light = copy.deepcopy(model).eval()
        for block in light.blocks:
            for parent in list(block.modules()):
                for name, child in list(parent.named_children()):
                    if isinstance(child, nn.Linear):
                        setattr(parent, name, kind(child))
        light.head = kind(light.head)  # type: ignore[assignment]
    return light
