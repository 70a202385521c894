"""Low-rank adaptation: a frozen matrix W and a trained product, W + (alpha / rank) B A (Hu et al. 2021, section 4.1).

A begins at random and B at zero, so a model that has just been adapted computes what it did before. Merged, it is a
plain Transformer again; a checkpoint holds W, A and B under the matrix's own name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from presage.core.config import Config
from presage.core.seeds import derive
from presage.model.transformer import Transformer

A, B = "lora_a", "lora_b"


class Lora(Config):
    """Which share of each matrix inside the blocks is trained; everything else stays as it is."""

    rank: int = Field(default=8, gt=0)
    alpha: float = Field(default=16.0, gt=0)

    @property
    def scale(self) -> float:
        """What the product is multiplied by."""
        return self.alpha / self.rank


class LoraLinear(nn.Linear):
    """A linear layer whose weight is frozen, and the product that is trained beside it."""

    def __init__(self, linear: nn.Linear, lora: Lora, generator: torch.Generator) -> None:
        super().__init__(linear.in_features, linear.out_features, linear.bias is not None, device="meta")
        self.weight, self.bias, self.scale = linear.weight, linear.bias, lora.scale
        fresh = torch.empty(lora.rank, linear.in_features)
        bound = 1 / math.sqrt(linear.in_features)
        self.lora_a = nn.Parameter(fresh.uniform_(-bound, bound, generator=generator).to(linear.weight.device))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, lora.rank, device=linear.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in] -> [..., out]."""
        low = F.linear(F.linear(x, self.lora_a), self.lora_b)
        return F.linear(x, self.weight, self.bias) + self.scale * low


def adapt(model: Transformer, lora: Lora, seed: int) -> None:
    """Freeze a model, and put a product beside every matrix of its blocks."""
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(derive(seed, "lora"))
    for parent in [module for module in model.blocks.modules() if not isinstance(module, nn.Linear)]:
        for name, linear in list(parent.named_children()):
            if isinstance(linear, nn.Linear):
                setattr(parent, name, LoraLinear(linear, lora, generator))


def merged(tensors: Mapping[str, Tensor], lora: Lora) -> dict[str, Tensor]:
    """The tensors of the plain Transformer that computes the same."""
    plain = {name: tensor for name, tensor in tensors.items() if not name.endswith((A, B))}
    for name in [name for name in tensors if name.endswith(A)]:
        matrix = name.removesuffix(A)
        product = tensors[matrix + B].float() @ tensors[name].float()
        plain[f"{matrix}weight"] = (plain[f"{matrix}weight"].float() + lora.scale * product).to(tensors[name].dtype)
    return plain
