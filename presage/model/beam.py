"""Beam search: the likeliest texts kept side by side, scored with a penalty on length (Wu et al. 2016, §7).

A text of n new tokens scores log P / ((5 + n) / 6) ** penalty; its end, where it has one, is among them. At every step
each of `width` open texts is continued by every token; of all continuations the likeliest are kept until `width` of
them are open. What ended, and what is open after the last step, competes by score. The GPT-3 report translates so with
width 4 and penalty 0.6 (§2.4); `beam_search` stops early only where no open text can win any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.decode import Written, advance, prefill
from presage.model.transformer import Transformer


class Steps(Protocol):
    """A model that texts are read into, token by token."""

    def begin(self, prompt: Sequence[int]) -> Tensor:
        """Read a prompt; logits of what comes next, [1, V]."""
        ...

    def go_on(self, parents: Sequence[int], texts: Sequence[Sequence[int]]) -> Tensor:
        """Row i is now row parents[i] and one more token, prompt and all in texts[i]; logits of the next, [B, V]."""
        ...


class Cached:
    """Steps of our Transformer through its cache; past the context as `decode.generate` goes on."""

    def __init__(self, model: Transformer, most: int) -> None:
        self.model, self.most = model, most

    def begin(self, prompt: Sequence[int]) -> Tensor:
        """Read a prompt, cut from the left to the context."""
        context = self.model.config.context_length
        kept = prompt[-context:]
        self.cache, logits = prefill(self.model, [kept], min(context, len(kept) + self.most))
        return logits

    def go_on(self, parents: Sequence[int], texts: Sequence[Sequence[int]]) -> Tensor:
        """Rows picked from the cache, and one token more."""
        newest = torch.tensor([text[-1] for text in texts], device=self.cache.lengths.device)
        self.cache.keep(torch.tensor(parents, device=newest.device))
        with torch.no_grad():
            return advance(self.model, self.cache, [list(text) for text in texts], newest)


def score(logprob: float, tokens: int, penalty: float) -> float:
    """What a text of so many new tokens is worth."""
    return float(logprob / ((5 + tokens) / 6) ** penalty)


def beam_search(
    steps: Steps,
    prompt: Sequence[int],
    most: int,
    *,
    width: int = 4,
    penalty: float = 0.6,
    stop_ids: Collection[int] = (),
    ends: Callable[[list[int]], bool] = lambda ids: False,
) -> Written:
    """The continuation of highest score, of at most `most` ids. A text ends with one of stop_ids or where `ends` says.

    Raises ConfigError for a width below 1 or a penalty below 0, which would let a text win by being short for itself.
    """
    if width < 1 or penalty < 0:
        raise ConfigError(f"width {width} and penalty {penalty} must be at least 1 and 0", where="beam search")
    best, worth = Written([], 0.0, False), -math.inf
    texts, sums, logits = [list[int]()], [0.0], steps.begin(prompt)
    for number in range(1, most + 1):
        opened: list[tuple[int, list[int], float]] = []
        for parent, token, value in _continued(sums, logits, 2 * width):
            ids = [*texts[parent], token]
            ended = token in stop_ids or ends(ids)
            if (ended or number == most) and score(value, number, penalty) > worth:
                best, worth = Written(ids, value, ended), score(value, number, penalty)
            opened += [] if ended else [(parent, ids, value)]
            if len(opened) == width:
                break
        reachable = max((score(value, most, penalty) for *_, value in opened), default=-math.inf)
        if number == most or reachable <= worth:
            break
        texts, sums = [ids for _, ids, _ in opened], [value for *_, value in opened]
        logits = steps.go_on([parent for parent, *_ in opened], [[*prompt, *ids] for ids in texts])
    return best


def _continued(sums: list[float], logits: Tensor, first: int) -> Iterator[tuple[int, int, float]]:
    """(row, token, log P of both) of every continuation, the likeliest first; `first` of them are looked up at once."""
    values = (logits.double().log_softmax(-1).cpu() + torch.tensor(sums, dtype=torch.float64)[:, None]).flatten()
    seen, upto = 0, min(first, len(values))
    while seen < len(values):
        top = values.topk(upto)
        for value, place in list(zip(top.values.tolist(), top.indices.tolist(), strict=True))[seen:]:
            yield place // logits.shape[1], place % logits.shape[1], value
        seen, upto = upto, min(2 * upto, len(values))
