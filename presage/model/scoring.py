"""log P of continuations, fast: logits where they are needed, prompts read once, common beginnings read once.

Many questions are asked of one prompt (the options of a multiple choice), and many prompts begin alike (the examples
of a few-shot header). Requests of one prompt share a row: the prompt, then every continuation, each of which sees the
prompt and itself and stands at the positions right after the prompt. Rows that begin alike are read from the keys and
values of that beginning, which was read once (prefixes.py decides where that pays). `naive_continuations` is the
definition.

The last token of a continuation is predicted and never read, so options of one token cost nothing but their prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.decode import evaluating, known_ids
from presage.model.losses import CHUNK_ELEMENTS
from presage.model.prefixes import Beside, Branch, Prefix, plan
from presage.model.transformer import Transformer

Head = tuple[int, ...]
Tail = tuple[int, ...]
Scored = tuple[Tensor, Tensor]
"""log P of every token of a continuation, float32 [T] in nats, and whether it was the most probable, bool [T]."""

BATCH_TOKENS = 4096
LEAST_FILLED, SHORT = 0.75, 16
"""A row that fills less of a batch's width than this, by more than so many tokens, waits for shorter company."""
ROW_TOKENS = 128
"""Continuations of one prompt go on another row beyond this many tokens, unless the prompt is longer."""


@dataclass(frozen=True)
class _Row:
    """A prompt with some of its continuations, none of them empty."""

    head: Head
    tails: tuple[Tail, ...]
    read: int
    """Tokens of the head that the prefix holds."""

    @property
    def length(self) -> int:
        return len(self.head) - self.read + sum(len(tail) - 1 for tail in self.tails)

    @property
    def forks(self) -> bool:
        """Whether tokens of it may not see all that stand before them."""
        return sum(len(tail) > 1 for tail in self.tails) > 1


@torch.no_grad()
def naive_continuations(model: Transformer, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Scored]:
    """The definition: each request alone, every logit of it."""
    found = []
    with evaluating(model):
        for head, tail in pairs:
            seen, targets = [*head, *tail[:-1]], torch.tensor(tail, dtype=torch.int64)
            logits = model(torch.tensor([seen], device=model.embed.weight.device))[0, len(head) - 1 :]
            values = logits[: len(tail)].float().log_softmax(-1).cpu()
            found.append((values[range(len(tail)), targets], values.argmax(-1) == targets))
    return found


def continuations(
    model: Transformer,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    batch_rows: int = 1 << 30,
    batch_tokens: int = BATCH_TOKENS,
    share: bool = True,
) -> list[Scored]:
    """log P of every (prompt, continuation), in nats, on the CPU. No prompt may be empty; a continuation may.

    A batch holds at most batch_rows prompts and, unless one row is longer, batch_tokens tokens. share=False reads
    every prompt from its own beginning. Raises ConfigError for a pair that does not fit the context, which holds the
    prompt and all of the continuation but its last token, and for ids outside the vocabulary.
    """
    keys = [(tuple(head), tuple(tail)) for head, tail in pairs]
    for number, key in enumerate(keys):
        _check(model, *key, where=f"request {number}")
    groups: dict[Head, list[Tail]] = {}
    for head, tail in dict.fromkeys(key for key in keys if key[1]):
        groups.setdefault(head, []).append(tail)
    found = {key: (torch.empty(0), torch.empty(0, dtype=torch.bool)) for key in keys}
    with evaluating(model), torch.no_grad():
        for prefix, rows in _read(model, sorted(groups), groups, share):
            for batch in _batches(rows, batch_rows, batch_tokens):
                found |= _score(model, prefix, batch)
    return [found[key] for key in keys]


def _read(
    model: Transformer, heads: list[Head], groups: dict[Head, list[Tail]], share: bool
) -> Iterator[tuple[Prefix, list[_Row]]]:
    """Rows together with the prefix that they go on from, which is read on the way."""

    def walk(branch: Branch, prefix: Prefix) -> Iterator[tuple[Prefix, list[_Row]]]:
        if branch.upto:
            prefix = prefix.extended(model, heads[branch.first][prefix.length : branch.upto])
        rows = [row for i in branch.direct() for row in _rows(heads[i], groups[heads[i]], prefix.length)]
        yield prefix, rows
        for further in branch.branches:
            yield from walk(further, prefix)

    return walk(plan(heads) if share else Branch(0, len(heads), 0), Prefix())


def _rows(head: Head, tails: list[Tail], read: int) -> Iterator[_Row]:
    """A prompt's continuations, as many on a row as ROW_TOKENS says."""
    most = max(ROW_TOKENS, len(head) - read)
    part: list[Tail] = []
    taken = 0
    for tail in tails:
        if part and taken + len(tail) - 1 > most:
            yield _Row(head, tuple(part), read)
            part, taken = [], 0
        part.append(tail)
        taken += len(tail) - 1
    yield _Row(head, tuple(part), read)


def _batches(rows: list[_Row], most_rows: int, most_tokens: int) -> Iterator[list[_Row]]:
    """Rows of about one length together, the longest first; those that fork apart from those that need no mask."""
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda row: (row.forks, row.length), reverse=True):
        longest = batch[0].length if batch else row.length
        unlike = batch and (row.forks != batch[0].forks or row.length < LEAST_FILLED * longest - SHORT)
        if unlike or len(batch) == most_rows or (batch and (len(batch) + 1) * longest > most_tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _score(model: Transformer, prefix: Prefix, rows: list[_Row]) -> dict[tuple[Head, Tail], Scored]:
    """One batch: its hidden states, then logits at the positions that are asked about."""
    device = model.embed.weight.device
    width = rows[0].length
    tokens, positions, segments = (torch.from_numpy(table).to(device) for table in _tables(rows, width))
    mask = _mask(segments, prefix.length) if prefix.length or rows[0].forks else None
    store = None if mask is None else Beside(prefix, positions)
    spots, owners, targets = _wanted(rows, width)
    states = model.states(model.embed(tokens), positions, mask, store, torch.from_numpy(spots).to(device))
    values, best = _values(model, states, owners, targets)
    found: dict[tuple[Head, Tail], Scored] = {}
    place = 0
    for row in rows:
        for tail in row.tails:
            part = slice(place, place + len(tail))
            found[row.head, tail] = values[part].clone(), best[part].clone()
            place += len(tail)
    return found


def _tables(rows: list[_Row], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, positions and segments (0 the prompt and what fills a row up, 1 … its continuations), each [B, T]."""
    tables = np.zeros((3, len(rows), width), np.int64)
    for row, (ids, places, segments) in zip(rows, tables.swapaxes(0, 1), strict=True):
        end = len(row.head) - row.read
        ids[:end], places[:end] = row.head[row.read :], np.arange(row.read, len(row.head))
        for number, tail in enumerate(row.tails, 1):
            start, end = end, end + len(tail) - 1
            ids[start:end], segments[start:end] = tail[:-1], number
            places[start:end] = np.arange(len(row.head), len(row.head) + len(tail) - 1)
    return tables[0], tables[1], tables[2]


def _mask(segments: Tensor, before: int) -> Tensor:
    """[B, 1, T, P + T]: all of the prefix, then what stands before in the prompt or in the same continuation."""
    width = segments.shape[1]
    own = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    own &= torch.ones(width, width, dtype=torch.bool, device=segments.device).tril()
    return torch.cat([own.new_ones(len(own), width, before), own], dim=2).unsqueeze(1)


def _wanted(rows: list[_Row], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions whose logits are needed [N] (of the flattened batch); of each target [M] its position's number, and id.

    Targets are those of each continuation in turn. The first of all continuations of a row is seen from one position.
    """
    spots: list[int] = []
    owners: list[int] = []
    for number, row in enumerate(rows):
        last = number * width + len(row.head) - row.read - 1
        first, end = len(spots), last + 1
        spots.append(last)
        for tail in row.tails:
            start, end = end, end + len(tail) - 1
            owners += [first, *range(len(spots), len(spots) + len(tail) - 1)]
            spots += range(start, end)
    targets = [token for row in rows for tail in row.tails for token in tail]
    return np.array(spots), np.array(owners), np.array(targets)


def _values(model: Transformer, states: Tensor, owners: np.ndarray, targets: np.ndarray) -> tuple[Tensor, Tensor]:
    """log p of each target at its position and whether it is the most probable there, by chunks of states [N, D]."""
    order = np.argsort(owners, kind="stable")
    chunk = max(1, CHUNK_ELEMENTS // model.config.vocab_size)
    values, best = torch.empty(len(targets)), torch.empty(len(targets), dtype=torch.bool)
    for first in range(0, len(states), chunk):
        low, high = np.searchsorted(owners[order], [first, first + chunk])
        part = order[low:high]
        logits = model.logits(states[first : first + chunk]).float()
        rows, ids = (torch.from_numpy(of[part]).to(logits.device) for of in (owners - first, targets))
        values[part] = (logits[rows, ids] - logits.logsumexp(dim=1)[rows]).cpu()
        best[part] = (logits.argmax(dim=1)[rows] == ids).cpu()
    return values, best


def _check(model: Transformer, head: Head, tail: Tail, where: str) -> None:
    config = model.config
    if not head:
        raise ConfigError("an empty prompt", where=where)
    if len(head) + len(tail) - 1 > config.context_length:
        raise ConfigError(f"{len(head)} + {len(tail)} tokens do not fit the context", where=where)
    low, high = min(min(head), min(tail, default=0)), max(max(head), max(tail, default=0))
    known = known_ids(model)
    if low not in known or high not in known:
        wrong = low if low not in known else high
        raise ConfigError(f"id {wrong} is not in the vocabulary of {config.vocab_size}", where=where)
