"""Frequencies of rotary positions, and the two ways in which published models stretch them to longer contexts.

RoPE turns pair i of a head by position * theta^(-2i/E) (Su et al. 2021). Llama 3.1 and YaRN leave fast pairs as they
are, slow down slow ones by `factor`, and go over smoothly between them.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from presage.core.config import Config


class _Stretch(Config):
    factor: float = Field(ge=1)
    original: int = Field(gt=0)
    """The context that the model was trained on before."""


class Llama3(_Stretch):
    """Llama 3.1's: pairs are told apart by how often they turn within the original context."""

    kind: Literal["llama3"] = "llama3"
    low: float = Field(default=1.0, gt=0)
    """Turns below which a pair is slowed down in full."""
    high: float = Field(default=4.0, gt=0)
    """Turns above which it is left alone."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        return self

    @property
    def height(self) -> float:
        """What cos and sin are multiplied by."""
        return 1.0

    def stretched(self, frequency: Tensor, theta: float) -> Tensor:
        """The frequencies in place of `frequency` [E/2]."""
        turns = self.original * frequency / (2 * math.pi)
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return kept * frequency + (1 - kept) * frequency / self.factor


class Yarn(_Stretch):
    """YaRN (Peng et al. 2023): a ramp over the pairs, and longer queries and keys."""

    kind: Literal["yarn"] = "yarn"
    slow: float = Field(default=1.0, gt=0)
    fast: float = Field(default=32.0, gt=0)
    attention: float | None = Field(default=None, gt=0)
    """What cos and sin are multiplied by; None: 0.1 ln(factor) + 1 (§3.4)."""

    @property
    def height(self) -> float:
        """What cos and sin are multiplied by."""
        return 0.1 * math.log(self.factor) + 1 if self.attention is None else self.attention

    def stretched(self, frequency: Tensor, theta: float) -> Tensor:
        """The frequencies in place of `frequency` [E/2]. The ramp's ends are whole pairs, as in every engine."""
        width = 2 * len(frequency)
        fast, slow = (
            width * math.log(self.original / (turns * 2 * math.pi)) / (2 * math.log(theta))
            for turns in (self.fast, self.slow)
        )
        first, last = max(math.floor(fast), 0), min(math.ceil(slow), width - 1)
        pairs = torch.arange(len(frequency), dtype=frequency.dtype)
        moved = ((pairs - first) / (last - first or 0.001)).clamp(0, 1)
        return (1 - moved) * frequency + moved * frequency / self.factor


Stretch = Annotated[Llama3 | Yarn, Field(discriminator="kind")]


def rotary_tables(
    length: int, d_head: int, theta: float, stretch: Llama3 | Yarn | None = None
) -> tuple[Tensor, Tensor]:
    """cos and sin of position times frequency, each [length, d_head / 2]."""
    frequency = frequencies(d_head, theta, stretch)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    height = stretch.height if stretch else 1.0
    return (angles.cos() * height).float(), (angles.sin() * height).float()


def frequencies(d_head: int, theta: float, stretch: Llama3 | Yarn | None = None) -> Tensor:
    """Radians a position of each pair, fp64 [d_head / 2]."""
    plain = theta ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return stretch.stretched(plain, theta) if stretch else plain
