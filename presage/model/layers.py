"""Norms, positions and MLPs. Shapes: B batch, T tokens, H heads, E d_head, D d_model, F d_ff."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presage.model.config import ModelConfig
from presage.model.fused import rms_norm, rotate
from presage.model.rope import rotary_tables


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last dimension (Zhang & Sennrich 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class LayerNorm(nn.LayerNorm):
    """Mean and variance over the last dimension, gain and bias (GPT-1 to GPT-3)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__(width, eps=eps)


def build_norm(config: ModelConfig, width: int) -> nn.Module:
    """The config's norm over `width` features."""
    return {"rms": RMSNorm, "layer": LayerNorm}[config.norm](width, config.norm_eps)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), gate and up in one matmul (Shazeer 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.d_model, 2 * config.d_ff, bias=config.bias)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * up)
        return out


class GELU(nn.Module):
    """down(gelu(up(x))), the tanh approximation of GPT-1 and GPT-2."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.d_model, config.d_ff, bias=config.bias)
        self.down = nn.Linear(config.d_ff, config.d_model, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(F.gelu(self.up(x), approximate="tanh"))
        return out


def build_mlp(config: ModelConfig) -> nn.Module:
    """The config's MLP, [B, T, D] -> [B, T, D]."""
    return {"swiglu": SwiGLU, "gelu": GELU}[config.mlp](config)


class Rotary(nn.Module):
    """Rotates pairs (i, i + E/2) of each head by position * theta^(-2i/E) (Su et al. 2021, the GPT-NeoX layout)."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        cos, sin = rotary_tables(config.context_length, config.d_head, config.rope_theta, config.rope_scaling)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """x [B, T, H, E], positions [T] or [B, T]: the same shape, rotated."""
        return rotate(x, self.cos[positions].unsqueeze(-2), self.sin[positions].unsqueeze(-2))
