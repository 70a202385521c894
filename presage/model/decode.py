"""Decoding: a key-value cache, batched generation and log-probabilities. Twins of the full forward pass.

The cache has one slot per position, and slot s of a row holds that row's token s. Rows of unequal length therefore
need no padding mask: a query at position p may attend to the slots up to p, which are all its own. Slots behind a
row's end hold leftovers of padding until its next tokens overwrite them; no query can see them.

The context. A prompt longer than context_length keeps its last context_length tokens. A row that has filled the
context goes on from its last context_length // 2 tokens, read anew from position 0 (with RoPE as with learned
positions the cached keys would be at the wrong places). So every new token sees at least half a context and at most
a whole one, and what it sees depends on its own row only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.attention import Extending
from presage.model.losses import CHUNK_ELEMENTS
from presage.model.prefixes import common, pays
from presage.model.sampling import Draws, Sampling, pick, row_seeds
from presage.model.transformer import Transformer


class KVCache(Extending):
    """Keys and values of the tokens so far, [B, G, S, E] per layer, allocated once."""

    def __init__(self, n_layers: int, rows: int, slots: int, device: torch.device) -> None:
        self.rows, self.slots = rows, slots
        self.lengths = torch.zeros(rows, dtype=torch.int64, device=device)
        """[B]: tokens held by each row, which is also the position of its next one."""
        self._keys: list[Tensor | None] = [None] * n_layers
        self._values: list[Tensor | None] = [None] * n_layers
        self._queries = torch.zeros(rows, 0, dtype=torch.int64, device=device)
        self._row = torch.arange(rows, device=device)[:, None]

    def place(self, count: int) -> tuple[Tensor, Tensor]:
        """Where the next `count` tokens of every row go: their positions [B, T] and causal mask [B, 1, T, S]."""
        self._queries = self.lengths[:, None] + torch.arange(count, device=self.lengths.device)
        used = int(self._queries.max()) + 1
        self._slot = torch.arange(used, device=self.lengths.device)
        return self._queries, (self._slot <= self._queries[:, :, None]).unsqueeze(1)

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        return self._write(self._keys, layer, keys), self._write(self._values, layer, values)

    def band(self, width: int) -> Tensor:
        distance = self._queries[:, :, None] - self._slot
        return ((distance >= 0) & (distance < width)).unsqueeze(1)

    def advance(self, counts: Tensor | int) -> None:
        """Count the tokens just written; [B] when the call was padded and rows hold fewer."""
        self.lengths = self.lengths + counts

    def keep(self, rows: Tensor) -> None:
        """Hold these rows in their order, [B'], and no others; one named several times becomes as many."""
        self.lengths, self.rows = self.lengths[rows], len(rows)
        self._row = torch.arange(len(rows), device=self.lengths.device)[:, None]
        self._keys = [None if t is None else t[rows] for t in self._keys]
        self._values = [None if t is None else t[rows] for t in self._values]

    def adopt(self, rows: Tensor, other: KVCache) -> None:
        """Replace these rows by those of a cache with as many rows and no more slots."""
        self.lengths[rows] = other.lengths
        for own, new in zip(self._keys + self._values, other._keys + other._values, strict=True):
            if own is not None and new is not None:
                own[rows, :, : other.slots] = new

    def _write(self, store: list[Tensor | None], layer: int, new: Tensor) -> Tensor:
        held = store[layer]
        if held is None:  # only now is the dtype known: autocast gives keys and values their own
            held = store[layer] = new.new_zeros(self.rows, new.shape[1], self.slots, new.shape[3])
        held[self._row, :, self._queries] = new.transpose(1, 2)
        return held[:, :, : len(self._slot)]


@torch.no_grad()
def prefill(model: Transformer, sequences: Sequence[Sequence[int]], slots: int) -> tuple[KVCache, Tensor]:
    """A cache of `slots` holding the sequences (none empty), and the logits [B, V] of each one's next token.

    Equal sequences are read once, and so is a long beginning that all share.
    """
    rows = {row: number for number, row in enumerate(dict.fromkeys(map(tuple, sequences)))}
    cache, logits = _read(model, list(rows), slots)
    if len(rows) == len(sequences):
        return cache, logits
    places = torch.tensor([rows[tuple(sequence)] for sequence in sequences], device=logits.device)
    cache.keep(places)
    return cache, logits[places]


def _read(model: Transformer, rows: Sequence[tuple[int, ...]], slots: int) -> tuple[KVCache, Tensor]:
    (shared,) = common([min(rows), max(rows)])
    if pays(shared, len(rows)):
        cache, _ = _read(model, [rows[0][:shared]], slots)
        cache.keep(torch.zeros(len(rows), dtype=torch.int64, device=cache.lengths.device))
    else:
        shared, cache = 0, KVCache(model.config.n_layers, len(rows), slots, _device(model))
    tokens, counts = pad([row[shared:] for row in rows], _device(model))
    positions, mask = cache.place(tokens.shape[1])
    hidden = model.trunk(model.embed(tokens), positions, mask if shared else None, cache)  # None: plain causal
    cache.advance(counts)
    last = hidden[torch.arange(len(counts), device=tokens.device), counts - 1]
    return cache, model.logits(last)


@torch.no_grad()
def step(model: Transformer, cache: KVCache, tokens: Tensor) -> Tensor:
    """Feed one more token per row, [B]; returns the logits [B, V] of the next."""
    positions, mask = cache.place(1)
    hidden = model.trunk(model.embed(tokens[:, None]), positions, mask, cache)
    cache.advance(1)
    return model.logits(hidden[:, 0])


@dataclass(frozen=True)
class Written:
    """New ids, and their log P in nats under the model as it is: temperature 1, nothing cut off.

    ended: by a stop, which is its last id, or as `ends` said; otherwise max_new_tokens were written.
    """

    ids: list[int]
    logprob: float
    ended: bool


Ends = Callable[[int, list[int]], bool]
"""Whether the text that goes on from prompt i ends with these new ids."""


def generate(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | Sequence[int] = 0,
    stop_ids: Collection[int] = (),
    eot: int | None = None,
    batch_size: int = 64,
) -> list[list[int]]:
    """Continue each prompt by at most max_new_tokens ids; returns the new ids only, in the order of the prompts.

    A row ends with the first id of `stop_ids` or `eot`, which is kept as its last. An empty prompt begins from `eot`.
    `seed` is one number, from which prompt i draws by `row_seeds(seed, …)[i]`, or one number per prompt. A row depends
    on its prompt and seed, never on the other rows or on batch_size, as far as rounding goes: the same product in
    another batch may differ in its last bit. Raises ConfigError for ids outside the vocabulary.
    """
    sampling = Sampling.parse({"temperature": temperature, "top_k": top_k, "top_p": top_p}, where="generate")
    starts = [_start(prompt, eot, i) for i, prompt in enumerate(prompts)]
    stops = frozenset(stop_ids) | ({eot} if eot is not None else set())
    seeds = row_seeds(seed, len(prompts)) if isinstance(seed, int) else list(seed)
    written = write(model, starts, max_new_tokens, sampling, seeds, stop_ids=stops, batch_size=batch_size)
    return [one.ids for one in written]


def write(
    model: Transformer,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    sampling: Sampling,
    seeds: Sequence[int],
    *,
    stop_ids: Collection[int] = (),
    ends: Ends | None = None,
    batch_size: int = 64,
) -> list[Written]:
    """As `generate`, with each row's log P, and with rows that also end where `ends` says. No prompt may be empty."""
    context = model.config.context_length
    starts = [_known(model, list(prompt), f"prompt {i}")[-context:] for i, prompt in enumerate(prompts)]
    if len(seeds) != len(prompts):
        raise ConfigError(f"{len(seeds)} seeds for {len(prompts)} prompts", where="generate")
    stops = frozenset(stop_ids)

    def over(row: int, ids: list[int]) -> bool:
        return ids[-1] in stops or (ends is not None and ends(row, ids))

    order = sorted(range(len(prompts)), key=lambda i: (len(starts[i]), starts[i]))
    results = [Written([], 0.0, False) for _ in prompts]
    with evaluating(model):
        for first in range(0, len(order) if max_new_tokens > 0 else 0, batch_size):
            part = order[first : first + batch_size]
            draws, texts = Draws([seeds[i] for i in part]), [starts[i] for i in part]
            new = _write(model, texts, max_new_tokens, draws, sampling, lambda row, ids: over(part[row], ids))  # noqa: B023
            for i, written in zip(part, new, strict=True):
                results[i] = written
    return results


def _write(
    model: Transformer, starts: list[list[int]], steps: int, draws: Draws, sampling: Sampling, over: Ends
) -> list[Written]:
    """One batch of at most `steps`. `active` lists the rows that the cache holds; finished ones leave it by halves."""
    context = model.config.context_length
    texts, active = [list(start) for start in starts], list(range(len(starts)))
    done, sums = [False] * len(starts), [0.0] * len(starts)
    cache, logits = prefill(model, texts, min(context, max(map(len, texts)) + steps))
    for number in range(steps):
        picked = pick(logits, draws.at(number, active).to(logits.device), sampling)
        values, _ = _score_rows(logits.float(), picked)
        for row, token, value in zip(active, picked.tolist(), values.tolist(), strict=True):
            if not done[row]:
                texts[row].append(token)
                sums[row] += value
                done[row] = over(row, texts[row][len(starts[row]) :])
        left = [i for i, row in enumerate(active) if not done[row]]
        if not left or number == steps - 1:
            break
        if len(left) <= len(active) // 2:
            cache.keep(torch.tensor(left, device=picked.device))
            active, picked = [active[i] for i in left], picked[left]
        logits = advance(model, cache, [texts[row] for row in active], picked)
    pairs = zip(texts, starts, sums, done, strict=True)
    return [Written(text[len(start) :], total, ended) for text, start, total, ended in pairs]


def advance(model: Transformer, cache: KVCache, texts: list[list[int]], tokens: Tensor) -> Tensor:
    """Logits after the newest tokens; rows whose slots are all taken begin again from half a context."""
    context = model.config.context_length
    full = (cache.lengths >= context).nonzero().flatten()
    if not len(full):
        return step(model, cache, tokens)
    fresh, fresh_logits = prefill(model, [texts[i][-max(1, context // 2) :] for i in full.tolist()], cache.slots)
    cache.lengths[full] = 0  # any free slot will do for this step, which does not count for them
    logits = step(model, cache, tokens)
    cache.adopt(full, fresh)
    logits[full] = fresh_logits
    return logits


def logprobs(model: Transformer, sequences: Sequence[Sequence[int]], *, batch_tokens: int = 8192) -> list[Tensor]:
    """log p of each token given all before it, in nats: per sequence of length T a float32 tensor [T - 1] on the CPU.

    Sequences are sorted by length and batched up to batch_tokens. Raises ConfigError for one longer than the context.
    """
    return [values for values, _ in score(model, sequences, batch_tokens=batch_tokens)]


def score(
    model: Transformer, sequences: Sequence[Sequence[int]], *, batch_tokens: int = 8192
) -> list[tuple[Tensor, Tensor]]:
    """As `logprobs`, with a second tensor [T - 1]: True where the token is also the most probable one."""
    checked = [_fitting(model, sequence, i) for i, sequence in enumerate(sequences)]
    order = sorted((i for i, s in enumerate(checked) if len(s) > 1), key=lambda i: len(checked[i]), reverse=True)
    results = [(torch.empty(0), torch.empty(0, dtype=torch.bool)) for _ in checked]
    with evaluating(model), torch.no_grad():
        while order:
            rows = max(1, batch_tokens // len(checked[order[0]]))
            part, order = order[:rows], order[rows:]
            values, best = _score(model, [checked[i] for i in part])
            for i, value, is_best in zip(part, values, best, strict=True):
                count = len(checked[i]) - 1
                results[i] = value[:count].clone(), is_best[:count].clone()
    return results


def _score(model: Transformer, sequences: list[list[int]]) -> tuple[Tensor, Tensor]:
    tokens, _ = pad(sequences, _device(model))
    hidden = model.hidden(tokens[:, :-1]).flatten(0, 1)
    rows = max(1, CHUNK_ELEMENTS // model.config.vocab_size)
    parts = zip(torch.split(hidden, rows), torch.split(tokens[:, 1:].flatten(), rows), strict=True)
    scored = [_score_rows(model.logits(h).float(), target) for h, target in parts]
    shape = (len(sequences), -1)
    values, best = (torch.cat(column).view(shape).cpu() for column in zip(*scored, strict=True))
    return values, best


def _score_rows(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    picked = logits.gather(1, targets[:, None]).squeeze(1)
    return picked - logits.logsumexp(dim=1), logits.argmax(dim=1) == targets


def pad(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of ids filled up with 0 on the right, [B, T], and their lengths [B]."""
    counts = torch.tensor([len(s) for s in sequences])
    tokens = torch.zeros(len(sequences), int(counts.max()), dtype=torch.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = torch.tensor(sequence)
    return tokens.to(device), counts.to(device)


def _start(prompt: Sequence[int], eot: int | None, index: int) -> list[int]:
    if not prompt and eot is None:
        raise ConfigError("an empty prompt", where=f"prompt {index}", hint="give eot, from which an empty one begins")
    return list(prompt) or [eot or 0]


def _fitting(model: Transformer, sequence: Sequence[int], index: int) -> list[int]:
    ids, most = _known(model, list(sequence), f"sequence {index}"), model.config.context_length + 1
    if len(ids) > most:
        hint = f"cut it into windows of at most {most}: the last token is predicted, not read"
        raise ConfigError(f"{len(ids)} tokens do not fit the context", where=f"sequence {index}", hint=hint)
    return ids


def _known(model: Transformer, ids: list[int], where: str) -> list[int]:
    known = known_ids(model)
    wrong = next((i for i in ids if i not in known), None)
    if wrong is not None:
        raise ConfigError(f"id {wrong} is not in the vocabulary of {model.config.vocab_size}", where=where)
    return ids


def known_ids(model: Transformer) -> range:
    """The vocabulary, and below zero the places of what image tokens there are (presage.model.splice)."""
    return range(-getattr(model.embed, "images", 0), model.config.vocab_size)


def _device(model: Transformer) -> torch.device:
    return model.embed.weight.device


@contextlib.contextmanager
def evaluating(model: Transformer) -> Iterator[None]:
    """Without dropout; the mode is put back afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
