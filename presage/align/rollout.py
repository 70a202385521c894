"""Rollouts: what a policy answers, and what policy, reference and value model make of every token of it.

A row is a prompt, the completion behind it, and filling on the right. Column t is the prediction of token t + 1, and
`mask` is True where that token is of the completion. All models read a row in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from presage.align.objectives import entropy, logprobs_of
from presage.core.seeds import derive
from presage.data.bpe import Tokenizer
from presage.infer.own import OwnEngine
from presage.model import decode
from presage.model.sampling import Sampling
from presage.model.transformer import Transformer

Ids = list[int]
READ_AT_ONCE = 8192
"""Tokens of prompts."""


@dataclass(frozen=True)
class Rollout:
    """A prompt and what was sampled behind it, the end of text included where it `ended`."""

    prompt: Ids
    completion: Ids
    ended: bool

    @property
    def ids(self) -> Ids:
        """Both."""
        return self.prompt + self.completion

    def text(self, tokenizer: Tokenizer) -> str:
        """What was said, without the template's blank in front."""
        return tokenizer.decode(self.completion[: len(self.completion) - self.ended]).removeprefix(" ")


def roll(
    model: Transformer, prompts: Sequence[Ids], most: int, temperature: float, seeds: Sequence[int], eot: int
) -> list[Rollout]:
    """One completion of every prompt, at most `most` ids; a row's depends on its prompt and seed alone."""
    engine = OwnEngine(model, batch_rows=max(1, len(prompts)), batch_tokens=READ_AT_ONCE)
    written = engine.write(prompts, most, Sampling(temperature=temperature), seeds, frozenset({eot}), _never)
    return [Rollout(list(prompt), one.ids, one.ended) for prompt, one in zip(prompts, written, strict=True)]


def _never(row: int, ids: Ids) -> bool:
    return False


def seeds_of(seed: int, step: int, count: int) -> list[int]:
    """A seed for every completion of a step."""
    return [derive(seed, "rollout", step, number) for number in range(count)]


@dataclass(frozen=True)
class Batch:
    """Some rollouts as tensors. tokens [B, T]; all else [B, T − 1], but for scores [B]: what a completion is worth."""

    tokens: Tensor
    mask: Tensor
    scores: Tensor
    old: Tensor
    reference: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def with_(self, **changes: Tensor) -> Batch:
        """A copy in which some are others."""
        return replace(self, **changes)


def batch_of(rollouts: Sequence[Rollout], scores: Sequence[float], device: torch.device) -> Batch:
    """Rollouts and their scores, with everything that a model has to say of them still 0."""
    tokens, counts = decode.pad([one.ids for one in rollouts], device)
    place = torch.arange(tokens.shape[1] - 1, device=device)
    begins = torch.tensor([len(one.prompt) for one in rollouts], device=device)
    mask = (place >= begins[:, None] - 1) & (place < counts[:, None] - 1)
    zero = torch.zeros(mask.shape, device=device)
    worth = torch.tensor(scores, dtype=torch.float32, device=device)
    return Batch(tokens, mask, worth, zero, zero, zero, zero, zero)


def spoken(model: Transformer, batch: Batch) -> tuple[Tensor, Tensor]:
    """log P [B, T − 1] of every token of the completions, 0 elsewhere, and the mean entropy of their distributions."""
    logits = model.logits(model.hidden(batch.tokens[:, :-1])[batch.mask])
    found = torch.zeros_like(batch.old)
    found[batch.mask] = logprobs_of(logits, batch.tokens[:, 1:][batch.mask])
    with torch.no_grad():
        spread = entropy(logits).mean() if len(logits) else torch.zeros(())
    return found, spread


def valued(model: Transformer, batch: Batch) -> Tensor:
    """What the value model expects at each of these places, [B, T − 1], 0 outside the completions."""
    values = model.scored(model.hidden(batch.tokens[:, :-1]))[..., 0]
    return torch.where(batch.mask, values, torch.zeros_like(values))
