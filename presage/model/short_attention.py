"""Causal self-attention for short contexts on a CPU, with its backward pass written out.

PyTorch's CPU kernel walks over small tiles to spare memory. Up to a few hundred tokens the weights fit, and products of
whole matrices are two to four times as fast in bf16 (benchmarks/attention.py). A few blocks of queries, each with the
keys up to its end, leave out most of what causality hides. Shapes: B batch, H heads, T tokens, E d_head.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

SHORTEST, LONGEST = 16, 512
"""Tokens for which this is used."""
ONE_BLOCK, BLOCKS = 128, 4


def is_short(q: Tensor, k: Tensor) -> bool:
    """Whether `short_attention` is for these: on a CPU, as many keys as queries, few of both; whatever the batch."""
    return q.device.type == "cpu" and q.shape == k.shape and SHORTEST <= q.shape[2] <= LONGEST


def short_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """[B, H, T, E] each -> [B, H, T, E]; softmax(q k^T / sqrt(E)) v under the causal mask, in autocast's precision.

    Scores are fp32, as in PyTorch's kernel: without QK-norm they grow to where bf16 is off by whole eighths.
    """
    kind = q.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else q.dtype
    out: Tensor = _ShortAttention.apply(q.to(dtype), k.to(dtype), v.to(dtype))  # type: ignore[no-untyped-call]
    return out


class _ShortAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        shape, scale = q.shape, q.shape[-1] ** -0.5
        q, k, v = (part.reshape(-1, *shape[2:]) for part in (q, k, v))
        wide = torch.promote_types(q.dtype, torch.float32)
        hidden, q_wide, k_wide = _hidden(shape[2], wide, q.device), q.to(wide), k.to(wide)
        out, weights = torch.empty_like(q), []
        for start, end in _blocks(shape[2]):
            with torch.autocast(q.device.type, enabled=False):
                scores = torch.baddbmm(hidden[start:end, :end], q_wide[:, start:end], k_wide[:, :end].mT, alpha=scale)
            weights.append(torch.softmax(scores, dim=-1).to(q.dtype))
            out[:, start:end] = torch.bmm(weights[-1], v[:, :end])
        ctx.save_for_backward(q, k, v, *weights)
        return out.view(shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v, *weights = ctx.saved_tensors
        shape, scale = grad.shape, grad.shape[-1] ** -0.5
        grad = grad.reshape(q.shape)
        d_q, d_k, d_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (start, end), weight in zip(_blocks(shape[2]), weights, strict=True):
            here = grad[:, start:end]
            d_v[:, :end] += torch.bmm(weight.mT, here)
            d_weight = torch.bmm(here, v[:, :end].mT)
            d_scores = torch._softmax_backward_data(d_weight, weight, -1, weight.dtype)
            d_q[:, start:end] = torch.bmm(d_scores, k[:, :end]).mul_(scale)
            d_k[:, :end] += torch.bmm(d_scores.mT, q[:, start:end]).mul_(scale)
        return d_q.view(shape), d_k.view(shape), d_v.view(shape)


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    """[start, end) of each block of queries."""
    size = length if length <= ONE_BLOCK else math.ceil(length / BLOCKS)
    return ((start, min(start + size, length)) for start in range(0, length, size))


def _hidden(length: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[T, T]: minus infinity where the key comes after the query, else 0."""
    return torch.full((length, length), -math.inf, dtype=dtype, device=device).triu(1)
