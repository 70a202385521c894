"""Images among tokens: an id below zero is a place for a token of an image, and the embedding goes there.

Id -1 - k is row k of a table of image tokens. No text yields such an id and no vocabulary has to grow for it; equal ids
are equal embeddings, so whatever compares prompts by their ids (common beginnings read once) stays right with images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.config import ModelConfig
from presage.model.transformer import Transformer
from presage.model.vision import Vision

AT_ONCE = 32
"""Images encoded together where nothing is learned."""


def places(first: int, count: int) -> list[int]:
    """The ids of rows first … first+count-1."""
    return list(range(-1 - first, -1 - first - count, -1))


def spliced(model: Transformer, tokens: Tensor, table: Tensor) -> Tensor:
    """Ids [B, T] and image tokens [P, D] -> embeddings [B, T, D]. Raises ConfigError for an id beyond the table."""
    seen = tokens < 0
    x: Tensor = model.embed(tokens.clamp(min=0))
    if not bool(seen.any()):
        return x
    rows = -1 - tokens[seen]
    if int(rows.max()) >= len(table):
        raise ConfigError(f"a place for image token {int(rows.max())}, and {len(table)} of them")
    return x.index_put((seen,), table[rows].to(x.dtype))


def check_count(tokens: Tensor, table: Tensor) -> None:
    """Raise ConfigError unless there is one place for each image token, and one token for each place."""
    count = int((tokens < 0).sum())
    if count != len(table):
        raise ConfigError(f"{count} places for image tokens, and {len(table)} of them")


def eyes(model: Transformer) -> Vision:
    """The model's encoder. Raises ConfigError for a model that reads text alone."""
    if model.vision is None:
        raise ConfigError("this model reads text alone", hint="give a run of `presage vision`")
    return model.vision


class Seeing:
    """A model and a table of image tokens, as one model whose ids may be places of the table.

    It is what decoding and scoring ask of a Transformer; they know nothing of images.
    """

    def __init__(self, model: Transformer, table: Tensor) -> None:
        self.model, self.table = model, table
        self.trunk, self.states, self.logits, self.blocks = model.trunk, model.states, model.logits, model.blocks
        self.head, self.scored, self.eval, self.train = model.head, model.scored, model.eval, model.train
        self.rotary, self.position_embed = model.rotary, model.position_embed
        self.embed = _Table(model, table)

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    @property
    def training(self) -> bool:
        return self.model.training

    def hidden(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Ids [B, T] -> the states [B, T, D] the head reads."""
        return self.trunk(self.embed(tokens), torch.arange(tokens.shape[1], device=tokens.device), mask)

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.logits(self.hidden(tokens))


class _Table:
    """Called like an embedding."""

    def __init__(self, model: Transformer, table: Tensor) -> None:
        self.model, self.table = model, table

    @property
    def weight(self) -> Tensor:
        return self.model.embed.weight

    @property
    def images(self) -> int:
        """Rows of the table."""
        return len(self.table)

    def __call__(self, tokens: Tensor) -> Tensor:
        return spliced(self.model, tokens, self.table)


@torch.no_grad()
def seeing(model: Transformer, images: Sequence[np.ndarray]) -> Transformer:
    """The model with the tokens of these images, in their order, behind ids below zero."""
    vision = eyes(model)
    parts = [vision(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
    return cast(Transformer, Seeing(model, torch.cat(parts) if parts else vision(())))
