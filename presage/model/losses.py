"""Next-token cross-entropy. The fast path never holds all logits: it fuses head, softmax and gradient by chunks."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK_ELEMENTS = 1 << 20  # logits held at once: about 4 MB in fp32, inside a core's share of cache


def cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum over tokens of -log p(target), in nats.

    hidden [..., D], head [V, D], targets [...] of ids, weights [...] (loss mask; None counts every token once).
    Twin of `naive_cross_entropy`, equal to rounding, in a fraction of the memory.
    """
    flat = hidden.reshape(-1, hidden.shape[-1])
    w = None if weights is None else weights.reshape(-1).to(torch.float32)
    loss: Tensor = _FusedCrossEntropy.apply(flat, head, targets.reshape(-1), w)  # type: ignore[no-untyped-call]
    return loss


def naive_cross_entropy(hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """The definition, for tests: all logits at once."""
    logits = (hidden @ head.T).float().flatten(0, -2)
    losses = F.cross_entropy(logits, targets.flatten(), reduction="none")
    return losses.sum() if weights is None else (losses * weights.flatten()).sum()


class _FusedCrossEntropy(torch.autograd.Function):
    """Forward computes the gradients too: d loss / d logits = softmax - onehot is at hand while a chunk is in cache."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def forward(ctx: Any, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        needs = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        kind = hidden.device.type  # products into a given place are not autocast's business
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
        head_cast = head.to(dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden) if needs else None
        d_head = torch.zeros_like(head, dtype=torch.float32) if needs else None
        rows = max(1, CHUNK_ELEMENTS // head.shape[0])
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            h, y = hidden[part].to(dtype), targets[part].unsqueeze(1)
            logits = (h @ head_cast.T).float()
            top = logits.amax(dim=1, keepdim=True)
            picked = logits.gather(1, y)
            exp = logits.sub_(top).exp_()
            norm = exp.sum(dim=1, keepdim=True)
            losses = norm.log() + top - picked
            w = None if weights is None else weights[part].unsqueeze(1)
            total += losses.sum() if w is None else (losses * w).sum()
            if d_hidden is None or d_head is None:
                continue
            grad = exp.div_(norm).scatter_add_(1, y, torch.full_like(picked, -1.0))
            grad = (grad if w is None else grad.mul_(w)).to(dtype)
            d_hidden[part] = grad @ head_cast
            d_head += grad.T @ h
        if needs:
            ctx.save_for_backward(d_hidden, d_head)
            ctx.head_dtype = head.dtype
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, None, None]:
        d_hidden, d_head = ctx.saved_tensors
        return d_hidden * grad_output.to(d_hidden.dtype), (d_head * grad_output).to(ctx.head_dtype), None, None
