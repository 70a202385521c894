"""What is asked of the engine, and what it answers, id by id."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.sampling import Sampling

Allowed = Callable[[Sequence[int]], Tensor | None]
"""The ids that may follow these new ones: a mask [V], True where allowed; None for any."""
Ends = Callable[[Sequence[int]], bool]
"""Whether these new ids end the text."""
Finish = Literal["stop", "length", "cancelled", "error"]
Ranked = tuple[tuple[int, float], ...]
"""Ids with their log P, the most probable first."""


@dataclass(frozen=True)
class Draw:
    """How new ids are drawn. The penalties are OpenAI's: of what was written so far, each id's presence, and each
    time it came, taken off its logit; `logit_bias` is added to it. All of it comes before the temperature."""

    temperature: float = 1.0
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int = 0

    def sampling(self) -> Sampling:
        """The part that is the same for many. Raises ConfigError for values that are none."""
        shape = {"temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p}
        numbers = (self.presence_penalty, self.frequency_penalty, *self.logit_bias.values())
        if not all(map(math.isfinite, numbers)):
            raise ConfigError("penalties and biases must be finite numbers", where="draw")
        return Sampling.parse(shape, where="draw")


@dataclass(frozen=True)
class Ask:
    """One sequence to continue by at most `most` ids. Ids below zero are places of tokens of `images`, which are
    uint8 [H, W, 3] on the model's grid (presage.model.splice). top: with log P of every new id, and the `top` most
    probable at its place; prompt_top: also at the prompt's."""

    ids: Sequence[int]
    most: int
    draw: Draw = Draw()
    stop_ids: frozenset[int] = frozenset()
    ends: Ends | None = None
    images: Sequence[np.ndarray] = ()
    top: int | None = None
    prompt_top: bool = False
    allowed: Allowed | None = None


@dataclass(frozen=True)
class Event:
    """A new id of the request `key`, or its end, or both. logprob: nats under the model as it is, at temperature 1.

    prompt: with the first id, where asked for: log P of each id of the prompt but its first, and what else was likely.
    """

    key: int
    id: int | None
    logprob: float = math.nan
    top: Ranked = ()
    finish: Finish | None = None
    prompt: tuple[tuple[float, Ranked], ...] | None = None
    trouble: str = ""
    """What went wrong, of an end by error."""
