"""Where a model looks: the weights with which one position attends to those before it, for pictures of it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.transformer import Block, PostNormBlock, Transformer


@torch.no_grad()
def attention_of_last(model: Transformer, tokens: Tensor) -> Tensor:
    """Ids [T] -> what the last position attends to, [layers, heads, T]; each row sums to 1.

    Raises ConfigError for a model with banded layers or norms behind its blocks, of which no pictures are drawn.
    """
    if model.config.band or any(isinstance(block, PostNormBlock) for block in model.blocks):
        raise ConfigError("no pictures of attention are drawn of banded or post-norm models")
    positions = torch.arange(len(tokens), device=tokens.device)
    x = model.embed(tokens[None])
    if model.config.position == "learned":
        x = x + model.position_embed(positions)  # type: ignore[misc]
    found = []
    for module in model.blocks:
        block = cast(Block, module)
        attention, normed = block.attention, block.attention_norm(x)
        q, k, _ = attention.projected(normed, positions, model.rotary)
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        scores = (q[0, :, -1:] @ k[0].mT)[:, 0] * q.shape[-1] ** -0.5
        found.append(scores.float().softmax(dim=-1))
        x = block(x, positions, model.rotary, None, None)
    return torch.stack(found)
