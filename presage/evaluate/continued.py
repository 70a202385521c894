"""Openings of held-out documents, and what a model writes after them: as many tokens as the documents themselves have.

An opening begins after <|endoftext|>, as a document does in training.
"""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from presage.core.errors import DataError
from presage.core.seeds import derive, stream
from presage.data.bpe import Tokenizer
from presage.data.folding import BREAK, DROPPED, SPACE, codes_of
from presage.data.records import read_split
from presage.model.decode import generate
from presage.model.transformer import Transformer

HALF, LETTER = "\ufffd", "x"
"""What a character becomes that a cut goes through, and what it counts as: a part of its word."""


@dataclass(frozen=True)
class Opening:
    """A held-out document's first tokens: the prompt, and what follows it there. `ends`: nothing comes after that."""

    document: str
    prompt: list[int]
    rest: list[int]
    ends: bool


@dataclass(frozen=True)
class Continued:
    """What follows a prompt. `text` is as decoded; `own` are those of its words that are whole and its own."""

    prompt: str
    text: str
    ends: bool

    @property
    def own(self) -> str:
        return whole_words(self.prompt, self.text, self.ends)


def openings(
    corpus: Path, tokenizer: Tokenizer, count: int, prompt_tokens: int, new_tokens: int, seed: int
) -> list[Opening]:
    """Documents drawn at random from those of the val split that have prompt_tokens + new_tokens tokens, in its order.

    All of them where there are fewer than `count`. Raises DataError when there is none. One pass: every document draws
    a number, and of the long enough ones those with the lowest are kept.
    """
    chance = stream(seed, "memorisation", "openings")
    need, longest = prompt_tokens + new_tokens, 0
    kept: list[tuple[float, int, Opening]] = []  # a heap, the highest number first
    for number, ((_, name), pieces) in enumerate(groupby(read_split(corpus, "val"), lambda d: (d.source, d.path))):
        drawn = float(chance.random())
        if len(kept) == count and drawn > -kept[0][0]:
            continue
        ids = tokenizer.encode(next(pieces).text)
        longest = max(longest, len(ids))
        if len(ids) >= need:
            opening = Opening(name, ids[:prompt_tokens], ids[prompt_tokens:need], len(ids) == need)
            (heapq.heappush if len(kept) < count else heapq.heapreplace)(kept, (-drawn, number, opening))
    if not kept:
        raise DataError(
            f"no held-out document has {need} tokens; the longest has {longest}",
            where=corpus,
            hint="fewer --prompt-tokens or --new-tokens",
        )
    return [opening for _, _, opening in sorted(kept, key=lambda one: one[1])]


def held_out(openings: Iterable[Opening], tokenizer: Tokenizer) -> list[Continued]:
    """The documents' own continuations."""
    return [Continued(tokenizer.decode(o.prompt), tokenizer.decode(o.rest), o.ends) for o in openings]


def sampled(
    model: Transformer, tokenizer: Tokenizer, openings: Sequence[Opening], top_k: int, seed: int
) -> list[Continued]:
    """The model's: one of each prompt, at temperature 1. One that <|endoftext|> ends is shorter."""
    prompts = [[tokenizer.eot, *opening.prompt] for opening in openings]
    count = max(len(opening.rest) for opening in openings)
    with _one_thread():
        seed = derive(seed, "memorisation", "samples")
        new = generate(model, prompts, count, top_k=top_k, seed=seed, eot=tokenizer.eot)
    found = []
    for opening, ids in zip(openings, new, strict=True):
        ends = bool(ids) and ids[-1] == tokenizer.eot
        found.append(Continued(tokenizer.decode(opening.prompt), tokenizer.decode(ids[:-1] if ends else ids), ends))
    return found


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Small products are fastest so, and come out the same whatever the number of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def whole_words(before: str, text: str, ends: bool) -> str:
    """A text without the first word where that began before it, and without the last where that may go on after it.

    Words are runs of letters and digits, as presage.data.folding reads them.
    """
    codes = codes_of(text.replace(HALF, LETTER))
    gaps = np.flatnonzero((codes == BREAK) | (codes == SPACE)).tolist()
    seen = codes_of(before.replace(HALF, LETTER))
    seen = seen[seen != DROPPED]
    begun = len(seen) > 0 and seen[-1] > SPACE
    first = (gaps[0] if gaps else len(text)) if begun else 0
    after = len(text) if ends else (gaps[-1] if gaps else 0)
    return text[first:after]
