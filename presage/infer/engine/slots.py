"""Keys and values of the rows at work, a slot each, and of prompts read before, which others may begin with.

A pass reads any number of new tokens of any number of rows, one after another in one row of embeddings [1, M, D];
attention is computed row by row, or for all rows that read one token together. What a token's query finds does not
depend, to the last bit, on what else is in the pass: a prompt is attended to in blocks of BLOCK at fixed places, the
keys of single tokens up to a multiple of ALIGNED, of which the rest is masked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from presage.model.attention import attend

BLOCK = 32
"""Tokens of a prompt that attend together; what is shared between prompts are whole blocks."""
ALIGNED = 16
"""A kernel's result for a key depends on how many keys there are, unless they are a multiple of this."""
WASTE, SHORT = 0.5, 256
"""Single tokens attend together while of the keys they all are shown at most this share of their own, and so many for
each besides, are others': as many cost about what a call costs."""
GROWTH = 2
FIRST = 128


class Feed(NamedTuple):
    """So many tokens more of the row in `slot`, which holds `start` so far."""

    slot: int
    start: int
    tokens: int


class _Part(NamedTuple):
    """Tokens `places` of a pass, at the positions `queries` [T, 1] of their slot, are shown its first `end` keys."""

    slot: int
    places: slice
    end: int
    queries: Tensor


class Slots:
    """[rows, G, S, E] a layer for keys and for values; S grows up to the context. Implements KeyValueStore."""

    def __init__(self, n_layers: int, rows: int, context: int, device: torch.device) -> None:
        self.rows, self.context, self.device = rows, context, device
        self._held: list[tuple[Tensor, Tensor] | None] = [None] * n_layers
        self._length = 0
        self._feeds: tuple[Feed, ...] = ()

    def begin(self, feeds: Sequence[Feed]) -> Tensor:
        """What the next pass reads; returns the positions of its tokens, [1, M]."""
        self._grow(max(feed.start + feed.tokens for feed in feeds))
        self._feeds = tuple(feeds)
        places = [np.arange(feed.start, feed.start + feed.tokens) for feed in feeds]
        owners = np.repeat([feed.slot for feed in feeds], [feed.tokens for feed in feeds])
        self._place = torch.from_numpy(np.concatenate(places)).to(self.device)
        self._owner = torch.from_numpy(owners).to(self.device)
        self._offsets = np.cumsum([0, *(feed.tokens for feed in feeds)]).tolist()
        self._singles = self._together()
        self._blocks = list(self._apart())
        return self._place[None]

    def attended(self, layer: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, band: int | None) -> Tensor:
        """[1, H, M', E]: of the tokens of `begin`, and of M' - M behind them that only fill up the pass."""
        keys, values = self._store(layer, k)
        count = len(self._place)
        keys[self._owner, :, self._place] = k[0, :, :count].transpose(0, 1)
        values[self._owner, :, self._place] = v[0, :, :count].transpose(0, 1)
        out = q.new_zeros(q.shape)
        if self._singles is not None:
            spots, end, queries = self._singles
            shown = _visible(queries, end, band)
            found = attend(
                q[0, :, spots].transpose(0, 1).unsqueeze(2),
                keys[: len(spots), :, :end],
                values[: len(spots), :, :end],
                shown,
            )
            out[0, :, spots] = found.squeeze(2).transpose(0, 1)
        for slot, part, end, queries in self._blocks:
            shown = _visible(queries, end, band)
            out[:, :, part] = attend(q[:, :, part], keys[slot, None, :, :end], values[slot, None, :, :end], shown)
        return out

    def _apart(self) -> Iterator[_Part]:
        """What attends row by row, in blocks at fixed places."""
        for feed, offset in zip(self._feeds, self._offsets, strict=False):
            first, last = feed.start, feed.start + feed.tokens
            while first < last and (feed.tokens > 1 or self._singles is None):
                upto = min(last, (first // BLOCK + 1) * BLOCK)
                part = slice(offset + first - feed.start, offset + upto - feed.start)
                queries = torch.arange(first, upto, device=self.device)[:, None]
                yield _Part(feed.slot, part, _aligned(upto), queries)
                first = upto

    def _together(self) -> tuple[Tensor, int, Tensor] | None:
        """The single tokens, where they are those of the first slots: their places in the pass, how many keys they are
        shown, and their positions [rows, 1, 1, 1]; None where attending together wastes too much."""
        singles = {
            feed.slot: (offset, feed)
            for feed, offset in zip(self._feeds, self._offsets, strict=False)
            if feed.tokens == 1
        }
        slots = sorted(singles)
        if slots != list(range(len(slots))):
            return None
        lengths = [singles[slot][1].start + 1 for slot in slots]
        if not lengths or max(lengths) * len(lengths) > (1 + WASTE) * sum(lengths) + SHORT * len(lengths):
            return None
        end = _aligned(max(lengths))
        spots = torch.tensor([singles[slot][0] for slot in slots], device=self.device)
        return spots, end, torch.tensor(lengths, device=self.device)[:, None, None, None] - 1

    def copied(self, slot: int, length: int) -> list[tuple[Tensor, Tensor]]:
        """The first `length` keys and values of a slot, [G, length, E] a layer."""
        return [(k[slot, :, :length].clone(), v[slot, :, :length].clone()) for k, v in self._layers()]

    def put(self, slot: int, held: Sequence[tuple[Tensor, Tensor]], length: int) -> None:
        """The first `length` of these into a slot."""
        self._grow(length)
        for layer, (k, v) in enumerate(held):
            keys, values = self._store(layer, k[None])
            keys[slot, :, :length], values[slot, :, :length] = k[:, :length], v[:, :length]

    def move(self, source: int, target: int, length: int) -> None:
        """A row from one slot to another."""
        for k, v in self._layers():
            k[target, :, :length], v[target, :, :length] = k[source, :, :length], v[source, :, :length]

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        return [held for held in self._held if held is not None]

    def _store(self, layer: int, like: Tensor) -> tuple[Tensor, Tensor]:
        held = self._held[layer]
        if held is None:  # only now are dtype and heads known
            shape = (self.rows, like.shape[1], self._length, like.shape[3])
            held = self._held[layer] = (like.new_zeros(shape), like.new_zeros(shape))
        return held

    def _grow(self, length: int) -> None:
        if length <= self._length:
            return
        self._length = _aligned(min(max(length, FIRST, GROWTH * self._length), max(length, self.context)))
        for layer, held in enumerate(self._held):
            if held is not None:
                self._held[layer] = (_longer(held[0], self._length), _longer(held[1], self._length))


def _visible(queries: Tensor, end: int, band: int | None) -> Tensor:
    """Which of the first `end` keys positions [..., 1] see: those up to their own, of which the last `band`."""
    places = torch.arange(end, device=queries.device)
    return places <= queries if band is None else (places <= queries) & (places > queries - band)


def _aligned(length: int) -> int:
    return -(-length // ALIGNED) * ALIGNED


def _longer(held: Tensor, length: int) -> Tensor:
    longer = held.new_zeros(*held.shape[:2], length, held.shape[3])
    longer[:, :, : held.shape[2]] = held
    return longer


class Kept:
    """Keys and values of prompts that were read, up to so many tokens in all; the longest unused go first."""

    def __init__(self, tokens: int) -> None:
        self.room, self.tokens = tokens, 0
        self._held: OrderedDict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = OrderedDict()

    def longest(self, ids: Sequence[int]) -> tuple[int, list[tuple[Tensor, Tensor]]]:
        """How many tokens of a kept prompt these ids begin with, and its keys and values."""
        length, best = max(((shared(kept, ids), kept) for kept in self._held), default=(0, ()))
        if not length:
            return 0, []
        self._held.move_to_end(best)
        return length, self._held[best]

    def keep(self, ids: Sequence[int], slots: Slots, slot: int) -> None:
        """Hold the whole blocks of a prompt that a slot has read."""
        key = tuple(ids[: len(ids) // BLOCK * BLOCK])
        if not key or len(key) > self.room or any(kept[: len(key)] == key for kept in self._held):
            return
        for shorter in [kept for kept in self._held if key[: len(kept)] == kept]:
            self._drop(shorter)
        self._held[key] = slots.copied(slot, len(key))
        self.tokens += len(key)
        while self.tokens > self.room:
            self._drop(next(iter(self._held)))

    def _drop(self, key: tuple[int, ...]) -> None:
        del self._held[key]
        self.tokens -= len(key)


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Tokens of whole blocks that two begin with alike."""
    if list(one[:BLOCK]) != list(other[:BLOCK]):
        return 0
    most = min(len(one), len(other))
    same = np.asarray(one[:most]) == np.asarray(other[:most])
    alike = most if same.all() else int(np.argmin(same))
    return alike // BLOCK * BLOCK
