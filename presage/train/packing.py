"""Conversations in rows of one length, several to a row, none of which sees another.

A conversation of n ids takes n - 1 places: at each it reads an id and predicts the next. A row is filled first-fit;
what is left of it predicts nothing. Attention stays within a conversation and positions begin anew with each, so what a
conversation computes, and its gradient, is what it would be alone (tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from presage.model.losses import cross_entropy
from presage.model.transformer import Transformer

Example = tuple[Sequence[int], Sequence[bool]]
"""Ids of a text, and which of them are to be learned."""


class Rows(NamedTuple):
    """[N, T] each: ids read, ids to predict, how much they count (0: not at all), and which text of its row a place
    belongs to (from 1; 0 is filling)."""

    read: Tensor
    predicted: Tensor
    counted: Tensor
    text: Tensor

    def some(self, rows: Sequence[int], device: torch.device) -> Rows:
        """These rows, on a device."""
        return Rows(*(one[list(rows)].to(device) for one in self))


@dataclass(frozen=True)
class Packing:
    """Rows, and how many examples were too long for one."""

    rows: Rows
    too_long: int


def pack(examples: Sequence[Example], length: int) -> Packing:
    """Examples in rows of `length` places, in their order, each into the first row that has room for it."""
    fitting = [(ids, learned) for ids, learned in examples if 2 <= len(ids) <= length + 1]
    least = min((len(ids) - 1 for ids, _ in fitting), default=0)
    room: dict[int, int] = {}  # of the rows that something may still fit into
    rows: list[list[Example]] = []
    for ids, learned in fitting:
        need = len(ids) - 1
        place = next((row for row, left in room.items() if left >= need), len(rows))
        if place == len(rows):
            room[place] = length
            rows.append([])
        room[place] -= need
        rows[place].append((ids, learned))
        if room[place] < least:
            del room[place]
    table = np.zeros((4, len(rows), length), dtype=np.int64)
    for number, row in enumerate(rows):
        start = 0
        for text, (ids, learned) in enumerate(row, 1):
            end = start + len(ids) - 1
            for plane, values in enumerate((ids[:-1], ids[1:], learned[1:], [text] * (len(ids) - 1))):
                table[plane, number, start:end] = values
            start = end
    read, predicted, counted, texts = torch.from_numpy(table)
    return Packing(Rows(read, predicted, counted.float(), texts), len(examples) - len(fitting))


def shared(first: int, count: int, share: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sequences first … first+count-1 of two streams mixed evenly, a `share` of them of the second: (first, count) of
    each stream's own."""
    before, after = (int(np.floor(number * share)) for number in (first, first + count))
    return (first - before, count - (after - before)), (before, after - before)


def windows(batch: tuple[np.ndarray, np.ndarray], weight: float) -> Rows:
    """Windows of text (x, y), each a row of its own whose every token counts `weight`."""
    x, y = (torch.from_numpy(part) for part in batch)
    return Rows(x, y, torch.full_like(x, weight, dtype=torch.float32), torch.ones_like(x))


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of one after those of another."""
    return Rows(*(torch.cat(some) for some in zip(*parts, strict=True)))


def places(text: Tensor) -> tuple[Tensor, Tensor]:
    """Positions [N, T], from 0 in every text, and the mask [N, 1, T, T] of what each place may attend to."""
    index = torch.arange(text.shape[1], device=text.device).expand_as(text)
    begins = torch.ones_like(text, dtype=torch.bool)
    begins[:, 1:] = text[:, 1:] != text[:, :-1]
    positions = index - torch.where(begins, index, 0).cummax(dim=1).values
    same = text[:, :, None] == text[:, None, :]
    return positions, (same & (index[0][:, None] >= index[0])).unsqueeze(1)


def packed_loss(model: Transformer, rows: Rows) -> tuple[Tensor, float]:
    """Summed cross-entropy in nats of the places that count, and how much they count in all."""
    positions, mask = places(rows.text)
    hidden = model.trunk(model.embed(rows.read), positions, mask)
    return cross_entropy(hidden, model.head.weight, rows.predicted, rows.counted), float(rows.counted.sum())
