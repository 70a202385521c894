"""Beginnings that many rows share: which of them are worth reading once, and their keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from presage.model.attention import Extending, causal_mask
from presage.model.transformer import Transformer

LEAST_SHARED, LEAST_SAVED = 16, 256
"""A beginning is read apart from this many tokens on, and if that saves so many in all. benchmarks/evaluation_speed.py
--crossover measures: 8 tokens do not pay for the extra call, 16 do. The sum keeps small groups in large batches."""


def pays(tokens: int, rows: int) -> bool:
    """Whether so many tokens that so many rows begin with are worth a call of their own."""
    return tokens >= LEAST_SHARED and (rows - 1) * tokens >= LEAST_SAVED


@dataclass
class Branch:
    """Rows first … end - 1 of a sorted list, which share `upto` tokens; those in `branches` share more."""

    first: int
    end: int
    upto: int
    branches: list[Branch] = field(default_factory=list)

    def direct(self) -> Iterator[int]:
        """The rows in no branch of this one."""
        place = self.first
        for branch in self.branches:
            yield from range(place, branch.first)
            place = branch.end
        yield from range(place, self.end)


def plan(heads: Sequence[Sequence[int]]) -> Branch:
    """What to read once, of heads that are sorted and differ: a tree, whose root shares nothing.

    Of every head at least its last token is left to be read by itself.
    """
    root = Branch(0, len(heads), 0)
    above = [root]
    for first, end, upto in sorted(_intervals(common(heads)), key=lambda found: (found[0], -found[1])):
        while first >= above[-1].end:
            above.pop()
        if pays(upto - above[-1].upto, end - first):
            branch = Branch(first, end, upto)
            above[-1].branches.append(branch)
            above.append(branch)
    return root


def common(heads: Sequence[Sequence[int]]) -> list[int]:
    """How many tokens each head shares with the next, less than all of either."""
    found = []
    for one, other in pairwise(heads):
        most = min(len(one), len(other)) - 1
        pairs = enumerate(zip(one[:most], other[:most], strict=True))
        found.append(next((place for place, (a, b) in pairs if a != b), most))
    return found


def _intervals(common: list[int]) -> Iterator[tuple[int, int, int]]:
    """(first, end, shared tokens) of every longest run of heads that share so many; runs nest, none overlap else."""
    open_runs: list[tuple[int, int]] = []
    for place, shared in enumerate([*common, 0]):
        first = place
        while open_runs and open_runs[-1][0] > shared:
            upto, first = open_runs.pop()
            yield first, place + 1, upto
        if shared and (not open_runs or open_runs[-1][0] < shared):
            open_runs.append((shared, first))


class Prefix:
    """Keys and values of tokens read once, [1, G, P, E] a layer. Begin with `Prefix()`, of no tokens."""

    def __init__(self, layers: Sequence[tuple[Tensor, Tensor]] = (), length: int = 0) -> None:
        self.layers, self.length = list(layers), length

    def extended(self, model: Transformer, ids: Sequence[int]) -> Prefix:
        """This one and `ids` after it."""
        device = model.embed.weight.device
        upto = self.length + len(ids)
        positions = torch.arange(self.length, upto, device=device)[None]
        store = Beside(self, positions)
        mask = causal_mask(len(ids), upto, device) if self.length else None
        model.trunk(model.embed(torch.tensor([list(ids)], device=device)), positions, mask, store)
        return Prefix(store.seen, upto)


class Beside(Extending):
    """What rows at `positions` [B, T] attend to: a prefix that all share, and their own."""

    def __init__(self, prefix: Prefix, positions: Tensor) -> None:
        self.prefix, self.positions = prefix, positions
        self.seen: list[tuple[Tensor, Tensor]] = []
        """Keys and values of each layer, the prefix's included."""

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The prefix's keys and values, then these."""
        if self.prefix.length:
            before = (held.expand(len(keys), -1, -1, -1) for held in self.prefix.layers[layer])
            keys, values = (torch.cat(pair, dim=2) for pair in zip(before, (keys, values), strict=True))
        self.seen.append((keys, values))
        return keys, values

    def band(self, width: int) -> Tensor:
        before = torch.arange(self.prefix.length, device=self.positions.device).expand(len(self.positions), -1)
        distance = self.positions[:, :, None] - torch.cat([before, self.positions], dim=1)[:, None, :]
        return ((distance >= 0) & (distance < width)).unsqueeze(1)
