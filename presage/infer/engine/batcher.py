"""Continuous batching: requests come and go while others are written, and none changes what another gets.

A step reads one token of every row that is written and up to `chunk` tokens of prompts, in one pass, and draws a new
id for every row that has been read to its end. Prompts that begin alike share what was read (slots.py).

The slow twin is presage.model.decode.write: the same ids, to rounding.

At temperature 0, in fp32 on a CPU, a request gets the same ids alone and in any company. Its attention has the same
shapes whatever else is in a pass, and a product gives each row the same bits from some number of rows on (lighter.py).
Fewer are computed as they are, which is faster and differs in the last bits; where these could decide between two ids,
all that the row holds is read once more with so many rows. `steady` computes everything so: then log P, too, are the
same to the bit.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from presage.core.errors import ConfigError, PresageError, RunError
from presage.infer.engine.asks import Ask, Event, Finish, Ranked
from presage.infer.engine.drawing import Chooser, drawn, ranked
from presage.infer.engine.lighter import least_rows
from presage.infer.engine.slots import BLOCK, Feed, Kept, Slots, shared
from presage.model.decode import Written, known_ids
from presage.model.splice import eyes, spliced
from presage.model.transformer import Transformer

NEAR = 1e-3
"""Of the larger of 1 and the highest logit: nearer to it than this, a second one may owe its place to rounding."""


@dataclass(eq=False)
class _Row:
    """A request at work. `ids`: the prompt and what was written; `begin`: where what its slot holds begins."""

    key: int
    ask: Ask
    chooser: Chooser
    ids: list[int]
    tags: list[int]
    """As `ids`, with images' tokens by what is on them: what compares prompts."""
    table: Tensor | None
    begin: int = 0
    read: int = 0
    """Tokens from `begin` on that the slot holds."""
    opened: bool = False
    prompt: list[tuple[float, Ranked]] = field(default_factory=list)

    @property
    def unread(self) -> int:
        return len(self.ids) - self.begin - self.read

    @property
    def written(self) -> list[int]:
        return self.ids[len(self.ask.ids) :]


class Batcher:
    """rows: requests written at once; chunk: tokens of prompts read in a step; kept: tokens of prompts that are kept
    for others that begin with them, by default four contexts. Not for several threads: see runner.py."""

    def __init__(
        self, model: Transformer, *, rows: int = 16, chunk: int = 256, kept: int | None = None, steady: bool = False
    ) -> None:
        self.model, self.most_rows, self.chunk = model, rows, max(BLOCK, chunk // BLOCK * BLOCK)
        self.least, few = least_rows(model)
        self.few = 0 if steady else few
        self.context = model.config.context_length
        self.device = model.embed.weight.device
        self.slots = Slots(model.config.n_layers, rows, self.context, self.device)
        self.kept = Kept(4 * self.context if kept is None else kept)
        self.rows: list[_Row] = []
        """At work; each is in the slot of its number."""
        self._waiting: deque[_Row] = deque()
        self._dropped: set[int] = set()
        self._next = 0
        self.tokens_read = self.tokens_written = self.tokens_shared = self.settled = 0

    # ---- asking ------------------------------------------------------------------------------------------------

    def submit(self, ask: Ask) -> int:
        """The key of a new request. Raises ConfigError for what cannot be asked of this model."""
        if not ask.ids:
            raise ConfigError("an empty prompt", where="the engine", hint="begin with the end-of-text id")
        if ask.most < 1:
            raise ConfigError(f"{ask.most} new ids", where="the engine", hint="ask for one at least")
        ids = list(ask.ids)
        table, tags = self._seen(ask)
        known = range(-len(table), self.model.config.vocab_size) if table is not None else known_ids(self.model)
        wrong = next((one for one in ids if one not in known), None)
        if wrong is not None:
            size = self.model.config.vocab_size
            raise ConfigError(f"id {wrong} is not in the vocabulary of {size}", where="the engine")
        row = _Row(self._next, ask, Chooser(ask, self.model.config.vocab_size), ids, tags, table)
        row.begin = max(0, len(ids) - self.context)
        self._next += 1
        self._waiting.append(row)
        return row.key

    def cancel(self, key: int) -> None:
        """Its slot is free at the next step; a key that is over is nothing."""
        self._dropped.add(key)

    def abandoned(self) -> list[int]:
        """The keys of the rows at work, which it drops: after a step that raised."""
        keys = [row.key for row in self.rows]
        self.rows.clear()
        return keys

    @property
    def waiting(self) -> int:
        """Requests without a slot."""
        return len(self._waiting)

    @property
    def active(self) -> int:
        """Requests at work."""
        return len(self.rows)

    @property
    def idle(self) -> bool:
        """Whether a step would do nothing."""
        return not self._waiting and not self.rows

    # ---- a step ------------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def step(self) -> list[Event]:
        """What is new: one id of every row that was read to its end. Raises what the model raises."""
        events = self._cleared()
        while self._waiting and len(self.rows) < self.most_rows:
            self.rows.append(self._waiting.popleft())
        feeds = self._planned()
        if not feeds:
            return events
        fed = [(self.rows[feed.slot], feed) for feed in feeds]
        hidden = self._pass(self.slots, fed, self.few)
        for row, feed in fed:
            row.read += feed.tokens
            self.tokens_read += feed.tokens
        return events + self._answers(feeds, hidden)

    def _cleared(self) -> list[Event]:
        dropped, self._dropped = self._dropped, set()
        if not dropped:
            return []
        gone = [row for row in (*self.rows, *self._waiting) if row.key in dropped]
        for row in gone:
            self._release(row) if row in self.rows else self._waiting.remove(row)
        return [Event(row.key, None, finish="cancelled") for row in gone]

    def _release(self, row: _Row) -> None:
        """Its slot goes to the last row, so that the rows at work stay in the first slots."""
        slot, last = self.rows.index(row), len(self.rows) - 1
        if slot != last:
            self.slots.move(last, slot, self.rows[last].read)
            self.rows[slot] = self.rows[last]
        self.rows.pop()

    def _planned(self) -> list[Feed]:
        """What each row reads: the next id, or as much of its prompt as is left of the chunk, in whole blocks."""
        left, feeds, reading = self.chunk, [], list[_Row]()
        for slot, row in enumerate(self.rows):
            if row.read == 0 and row.unread > BLOCK:
                if any(self._alike(row, other) > row.read for other in reading):
                    continue  # what they share is read in this pass and taken over in the next
                self._begin(row, slot)
            count = row.unread
            if count > 1:
                whole = (row.read + left) // BLOCK * BLOCK - row.read
                count = count if count <= left else max(0, whole)
                left -= count
                reading.append(row)
            if count:
                feeds.append(Feed(slot, row.read, count))
        return feeds

    def _alike(self, row: _Row, other: _Row) -> int:
        return shared(_prompt(row), _prompt(other)) if _shares(row) and _shares(other) else 0

    def _begin(self, row: _Row, slot: int) -> None:
        """Take over what another prompt has in common: at most all but the last token."""
        if not _shares(row):
            return
        wanted = _prompt(row)[: row.unread - 1]
        length, held = self.kept.longest(wanted)
        sources = [(min(shared(_prompt(other), wanted), other.read // BLOCK * BLOCK), n) for n, other in
                   enumerate(self.rows) if other is not row and _shares(other)]  # fmt: skip
        best, source = max(sources, default=(0, 0))
        if best > length:
            self.slots.move(source, slot, best)
        elif length:
            self.slots.put(slot, held, length)
        row.read = max(best, length)
        self.tokens_shared += row.read

    def _pass(self, slots: Slots, fed: Sequence[tuple[_Row, Feed]], few: int) -> Tensor:
        """States of the tokens fed, [M, D]."""
        positions = slots.begin([feed for _, feed in fed])
        ids = [row.ids[row.begin + feed.start : row.begin + feed.start + feed.tokens] for row, feed in fed]
        filling = self._filling(sum(map(len, ids)), few)
        tokens = torch.tensor([*(one for some in ids for one in some), *[0] * filling], device=self.device)
        x = self._embedded(tokens, fed)
        positions = torch.cat([positions, positions.new_zeros(1, filling)], dim=1)
        return self.model.trunk(x[None], positions, None, slots)[0]

    def _embedded(self, tokens: Tensor, fed: Sequence[tuple[_Row, Feed]]) -> Tensor:
        """[M, D]; each row's places of image tokens are those of its own images."""
        if all(row.table is None for row, _ in fed):
            out: Tensor = self.model.embed(tokens)
            return out
        sizes = [feed.tokens for _, feed in fed]
        *parts, filling = torch.split(tokens, [*sizes, len(tokens) - sum(sizes)])
        tables = [row.table for row, _ in fed]
        found = [
            self.model.embed(part) if table is None else spliced(self.model, part, table)
            for part, table in zip(parts, tables, strict=True)
        ]
        return torch.cat([*found, self.model.embed(filling)])

    def _answers(self, feeds: Sequence[Feed], hidden: Tensor) -> list[Event]:
        ends = np.cumsum([feed.tokens for feed in feeds]).tolist()
        self._read_prompts(feeds, hidden)
        done = [(self.rows[feed.slot], end - 1) for feed, end in zip(feeds, ends, strict=True)
                if not self.rows[feed.slot].unread]  # fmt: skip
        if not done:
            return []
        for row, _ in done:
            if not row.opened and _shares(row):
                self.kept.keep(_prompt(row), self.slots, self.rows.index(row))
        logits = self._logits(hidden[[place for _, place in done]], self.few)
        return self._drawn([row for row, _ in done], logits)

    def _drawn(self, rows: list[_Row], logits: Tensor) -> list[Event]:
        events, fine, bent = list[Event](), list[int](), dict[int, Tensor]()
        for number, row in enumerate(rows):
            try:
                bent[number] = row.chooser.changed(logits[number], row.written)
                fine.append(number)
            except PresageError as error:
                events.append(self._failed(row, error))
        if not fine:
            return events
        plain = not events and all(row.chooser.plain() for row in rows)
        rows = [rows[number] for number in fine]
        logits, changed = (logits, logits) if plain else (logits[fine], torch.stack([bent[n] for n in fine]))
        self._settle(rows, changed)
        picked = drawn(changed, [row.chooser for row in rows])
        total = logits.logsumexp(dim=-1)
        triples = zip(rows, picked, logits, total, strict=True)
        return events + [self._event(row, one, values, norm) for row, one, values, norm in triples]

    def _settle(self, rows: Sequence[_Row], logits: Tensor) -> None:
        """Put the logits of a steady reading where the most probable id is in doubt, and is what is asked for."""
        greedy = [n for n, row in enumerate(rows) if row.chooser.sampling.temperature == 0]
        if not self.few or not greedy or logits.shape[1] < 2:
            return
        part = logits if len(greedy) == len(rows) else logits[greedy]
        best, where = part.max(dim=1, keepdim=True)
        second = part.scatter_(1, where, float("-inf")).amax(dim=1)
        part.scatter_(1, where, best)
        best = best.squeeze(1)
        for number in (best - second < NEAR * best.abs().clamp(min=1)).nonzero().flatten().tolist():
            row = rows[greedy[number]]
            logits[greedy[number]] = row.chooser.changed(self._steadily(row), row.written)
            self.settled += 1

    def _steadily(self, row: _Row) -> Tensor:
        """The logits [V] behind all that a row holds, read once more by itself."""
        slots, read = Slots(self.model.config.n_layers, 1, self.context, self.device), 0
        while read < row.read:
            feed = Feed(0, read, min(self.chunk, row.read - read))
            hidden = self._pass(slots, [(row, feed)], 0)
            read += feed.tokens
        return self._logits(hidden[feed.tokens - 1 : feed.tokens], 0)[0]

    def _event(self, row: _Row, one: int, logits: Tensor, norm: Tensor) -> Event:
        """norm: log of the sum of exponentials of the logits [V]."""
        row.ids.append(one)
        row.tags.append(one)
        row.chooser.wrote(one)
        self.tokens_written += 1
        prompt = tuple(row.prompt) if row.ask.prompt_top and not row.opened else None
        row.opened = True
        finish = self._finish(row, one)
        top = ranked(logits - norm, row.ask.top) if row.ask.top else ()
        if finish:
            self._release(row)
        elif row.read == self.context:  # the slot is full: go on from half a context, read anew
            row.begin, row.read = len(row.ids) - max(1, self.context // 2), 0
        return Event(row.key, one, float(logits[one] - norm), top, finish, prompt)

    def _finish(self, row: _Row, one: int) -> Finish | None:
        if one in row.ask.stop_ids or (row.ask.ends is not None and row.ask.ends(row.written)):
            return "stop"
        return "length" if len(row.ids) - len(row.ask.ids) >= row.ask.most else None

    def _failed(self, row: _Row, error: PresageError) -> Event:
        self._release(row)
        return Event(row.key, None, finish="error", trouble=str(error))

    def _logits(self, states: Tensor, few: int) -> Tensor:
        """[B, V] in fp32."""
        filled = torch.cat([states, states.new_zeros(self._filling(len(states), few), states.shape[1])])
        return self.model.logits(filled)[: len(states)].float()

    def _filling(self, rows: int, few: int) -> int:
        """How many rows to compute besides."""
        return self.least - rows if few <= rows < self.least else 0

    def _read_prompts(self, feeds: Sequence[Feed], hidden: Tensor) -> None:
        """log P of prompts that were asked for, of the ids that follow the tokens just read."""
        offset = 0
        for feed in feeds:
            row = self.rows[feed.slot]
            if row.ask.prompt_top and not row.opened:
                logs = self._logits(hidden[offset : offset + feed.tokens], self.few).log_softmax(dim=-1)
                first = row.begin + feed.start
                for place, one in enumerate(row.ids[first + 1 : first + feed.tokens + 1]):
                    row.prompt.append(
                        (float(logs[place, one]) if one >= 0 else 0.0, ranked(logs[place], row.ask.top or 0))
                    )
            offset += feed.tokens

    def _seen(self, ask: Ask) -> tuple[Tensor | None, list[int]]:
        """Tokens of a request's images, and its ids with those of images by what they show."""
        if not ask.images:
            return None, list(ask.ids)
        with torch.inference_mode():  # each by itself: what it gives depends on no other
            parts = [eyes(self.model)([image]) for image in ask.images]
        digests = [_digest(image) for image in ask.images]
        names = [digest - place for digest, part in zip(digests, parts, strict=True) for place in range(len(part))]
        tags = [one if one >= 0 or -1 - one >= len(names) else names[-1 - one] for one in ask.ids]
        return torch.cat(parts), tags


def _shares(row: _Row) -> bool:
    """Whether its prompt may begin with what another read: not where all of its log P are asked for."""
    return not row.ask.prompt_top and not row.begin


def _prompt(row: _Row) -> list[int]:
    return row.tags[: len(row.ask.ids)]


def _digest(image: np.ndarray) -> int:
    """A number far below all ids."""
    found = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).digest()
    return -(1 << 20) - int.from_bytes(found[:5], "big") * (1 << 20)


def written(batcher: Batcher, asks: Sequence[Ask]) -> list[Written]:
    """All of these, in their order. Raises what a request was ended by."""
    keys = {batcher.submit(ask): number for number, ask in enumerate(asks)}
    found = [Written([], 0.0, False) for _ in asks]
    while not batcher.idle:
        for event in batcher.step():
            if event.id is None:
                raise RunError(event.trouble, where="the engine")
            number = keys[event.key]
            so_far = found[number]
            so_far.ids.append(event.id)
            found[number] = Written(so_far.ids, so_far.logprob + event.logprob, event.finish == "stop")
    return found
