"""Drawing the next token: temperature, top-k, nucleus, and a stream of chance for every row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from presage.core.config import Config
from presage.core.errors import RunError
from presage.core.seeds import derive, stream

NOT_FINITE = "gives no finite log-probabilities"
DAMAGED = "its weights hold NaN or infinity: take an earlier checkpoint"


class Sampling(Config):
    """How a next token is drawn: temperature, then top-k, then top-p, as in GPT-2's code, then min-p."""

    temperature: float = Field(default=1.0, ge=0)
    """0 takes the most probable token."""
    top_k: int | None = Field(default=None, gt=0)
    """Keep the k most probable tokens, and any equal to the k-th."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Keep the fewest most probable tokens whose mass reaches p (Holtzman et al. 2020: the token that crosses p
    stays; GPT-2's own code drops it)."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Keep the tokens at least this share as probable as the most probable one (Nguyen et al. 2024)."""


def pick(logits: Tensor, chance: Tensor, sampling: Sampling) -> Tensor:
    """One id per row, [B], of logits [B, V]: the inverse of the distribution function at chance [B] in [0, 1).

    Raises RunError where a row's logits are no distribution.
    """
    most = logits.amax(dim=-1, keepdim=True)
    if not bool(most.isfinite().all()):
        raise RunError(NOT_FINITE, where="the model", hint=DAMAGED)
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    lower = logits.double() - most  # so that the smallest temperature leaves the most probable finite
    logits = _keep_top_k(lower / sampling.temperature, sampling.top_k)
    kept = _keep_min_p(_keep_top_p(logits.softmax(dim=-1), sampling.top_p), sampling.min_p)
    cumulative = kept.cumsum(dim=-1)
    total = cumulative[:, -1:]
    # Strictly below the total: the id found is the first whose sum exceeds this, so its probability is not zero.
    aim = torch.minimum(chance.double()[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, aim, right=True).squeeze(1)


def _keep_top_k(logits: Tensor, k: int | None) -> Tensor:
    if k is None or k >= logits.shape[-1]:
        return logits
    least = logits.topk(k, dim=-1).values[:, -1:]
    return logits.masked_fill(logits < least, float("-inf"))


def _keep_top_p(probabilities: Tensor, p: float | None) -> Tensor:
    if p is None or p >= 1:
        return probabilities
    ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    return torch.zeros_like(probabilities).scatter_(1, ids, ordered.masked_fill(before >= p, 0.0))


def _keep_min_p(probabilities: Tensor, p: float | None) -> Tensor:
    if p is None:
        return probabilities
    return probabilities.masked_fill(probabilities < p * probabilities.amax(dim=-1, keepdim=True), 0.0)


def row_seeds(seed: int, rows: int) -> list[int]:
    """The seeds from which `generate` draws its rows when it is given one number."""
    return [derive(seed, "generate", row) for row in range(rows)]


class Draws:
    """Streams of chance of some rows: one number per new token, the same whatever the most that may be written.

    Numbers are drawn as they are asked for, so that nothing is as large as the most tokens that a caller allows.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._streams = [stream(seed, "sample") for seed in seeds]
        self._block, self._first = torch.empty(len(seeds), 0, dtype=torch.float64), 0

    def at(self, number: int, rows: Sequence[int]) -> Tensor:
        """[len(rows)] float64 in [0, 1): what new token `number` of each of these rows is drawn by. Asked in order."""
        while number >= self._first + self._block.shape[1]:
            self._first += self._block.shape[1]
            self._block = torch.stack([torch.from_numpy(one.random(_BLOCK)) for one in self._streams])
        return self._block[list(rows), number - self._first]


_BLOCK = 256
