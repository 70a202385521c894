"""The next ids of some rows, each drawn in its own way, and what was likely in their places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.core.seeds import stream
from presage.infer.engine.asks import Ask, Ranked
from presage.model.sampling import Sampling, pick

NOTHING = "no id is allowed to come next"


@dataclass
class Chooser:
    """Of one request: what it has written, and its stream of chance, one number a new id."""

    ask: Ask
    vocab_size: int
    sampling: Sampling = field(init=False)
    counts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sampling = self.ask.draw.sampling()
        wrong = next((one for one in self.ask.draw.logit_bias if not 0 <= one < self.vocab_size), None)
        if wrong is not None:
            raise ConfigError(f"id {wrong} is not in the vocabulary of {self.vocab_size}", where="logit_bias")
        self._stream = stream(self.ask.draw.seed, "sample")

    def chance(self) -> float:
        """What the next id is drawn by, in [0, 1): row 0 of presage.model.sampling.Draws with this seed."""
        return float(self._stream.random())

    def changed(self, logits: Tensor, written: Sequence[int]) -> Tensor:
        """Logits [V] with biases and penalties, without what is not allowed. Raises ConfigError where nothing is."""
        draw = self.ask.draw
        if draw.logit_bias:
            logits = logits.index_add(0, _ids(draw.logit_bias), torch.tensor(list(draw.logit_bias.values())).to(logits))
        if self.counts and (draw.presence_penalty or draw.frequency_penalty):
            taken = [draw.presence_penalty + draw.frequency_penalty * count for count in self.counts.values()]
            logits = logits.index_add(0, _ids(self.counts), -torch.tensor(taken).to(logits))
        allowed = self.ask.allowed(written) if self.ask.allowed else None
        if allowed is None:
            return logits
        if not bool(allowed.any()):
            raise ConfigError(NOTHING, where="allowed")
        return logits.masked_fill(~allowed.to(logits.device), float("-inf"))

    def plain(self) -> bool:
        """Whether `changed` changes nothing."""
        draw = self.ask.draw
        return not (draw.logit_bias or draw.presence_penalty or draw.frequency_penalty or self.ask.allowed)

    def wrote(self, one: int) -> None:
        """Count a new id."""
        self.counts[one] = self.counts.get(one, 0) + 1


def _ids(of: Iterable[int]) -> Tensor:
    return torch.tensor(list(of))


def drawn(logits: Tensor, choosers: Sequence[Chooser]) -> list[int]:
    """One id for each row of logits [B, V]; rows that are drawn alike are drawn together.

    Raises RunError where logits are no numbers.
    """
    groups: dict[Sampling, list[int]] = {}
    for row, chooser in enumerate(choosers):
        groups.setdefault(chooser.sampling, []).append(row)
    found = [0] * len(choosers)
    for sampling, rows in groups.items():
        chance = torch.tensor([choosers[row].chance() for row in rows], dtype=torch.float64)
        part = logits if len(rows) == len(choosers) else logits[rows]
        for row, one in zip(rows, pick(part, chance.to(logits.device), sampling).tolist(), strict=True):
            found[row] = one
    return found


def ranked(logs: Tensor, count: int) -> Ranked:
    """The most probable ids of log-probabilities [V]; of equals the lowest first."""
    count = min(count, len(logs))
    if count == 0:
        return ()
    least = logs.topk(count).values[-1]
    ids = (logs >= least).nonzero().flatten().tolist()
    pairs = sorted(((one, float(logs[one])) for one in ids), key=lambda pair: (-pair[1], pair[0]))
    return tuple(pairs[:count])
