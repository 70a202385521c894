"""GPT-1's input transformations (paper §3.3, Fig. 1): structured inputs as sequences that a language model can read.

| form | sequences |
| :-- | :-- |
| classification | [start] text [extract] |
| entailment | [start] premise [delim] hypothesis [extract] |
| similarity | [start] a [delim] b [extract] and [start] b [delim] a [extract] |
| choice | of every answer k: [start] context [delim] answer_k [extract] |

The three marks are tokens of their own beyond the vocabulary. A text after a mark other than the first is encoded with
a blank before it, as words stand inside a text. Parts that do not fit the context lose their ends, the longer one
first (the released code cuts each at half the context); of choices all lose the same of their context.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from presage.align.finetune_data import Form, Item, Label
from presage.core.errors import ConfigError
from presage.data.bpe import Tokenizer

MARKS = 3
LEAST_CONTEXT = 8
GROUP_TOKENS = 512  # of sequences computed together, filling included: of like length, so that little is filled


@dataclass(frozen=True)
class Marks:
    """Ids of the start, delimiter and extract tokens: the three after the vocabulary."""

    start: int
    delimiter: int
    extract: int

    @classmethod
    def after(cls, vocabulary: int) -> Marks:
        """Those of a model whose own tokens are 0 … vocabulary-1."""
        return cls(vocabulary, vocabulary + 1, vocabulary + 2)


@dataclass(frozen=True)
class Encoded:
    """An item as sequences of ids, with how many tokens of its texts did not fit."""

    sequences: tuple[tuple[int, ...], ...]
    label: Label
    cut: int = 0

    @property
    def longest(self) -> int:
        """Tokens of its longest sequence."""
        return max(map(len, self.sequences))


def encode(items: Iterable[Item], form: Form, tokenizer: Tokenizer, marks: Marks, context: int) -> list[Encoded]:
    """Every item in its form. Raises ConfigError for a context without room for anything."""
    if context < LEAST_CONTEXT:
        raise ConfigError(f"a context of {context} tokens has no room", where="context", hint=f">= {LEAST_CONTEXT}")
    return [_FORMS[form](item, tokenizer, marks, context) for item in items]


def shared_room(first: int, second: int, room: int) -> tuple[int, int]:
    """How much of two lengths is kept in `room`: all if it fits, else the longer one gives until they are equal."""
    half = room // 2
    if first + second <= room:
        return first, second
    if second <= half:
        return room - second, second
    if first <= half:
        return first, room - first
    return room - half, half


def _single(item: Item, tokenizer: Tokenizer, marks: Marks, context: int) -> Encoded:
    ids = tokenizer.encode(item.parts[0])
    kept = ids[: context - 2]
    return Encoded(((marks.start, *kept, marks.extract),), item.label, len(ids) - len(kept))


def _pair(item: Item, tokenizer: Tokenizer, marks: Marks, context: int) -> Encoded:
    return _joined(item, [item.parts], tokenizer, marks, context)


def _both(item: Item, tokenizer: Tokenizer, marks: Marks, context: int) -> Encoded:
    return _joined(item, [item.parts, item.parts[::-1]], tokenizer, marks, context)


def _joined(item: Item, pairs: Sequence[tuple[str, ...]], tokenizer: Tokenizer, marks: Marks, context: int) -> Encoded:
    encoded = [(tokenizer.encode(first), tokenizer.encode(f" {second}")) for first, second in pairs]
    kept = [shared_room(len(first), len(second), context - MARKS) for first, second in encoded]
    return _marked(item, encoded, kept, marks)


def _choice(item: Item, tokenizer: Tokenizer, marks: Marks, context: int) -> Encoded:
    asked = tokenizer.encode(item.parts[0])
    answers = [tokenizer.encode(f" {choice}") for choice in item.choices]
    first, second = shared_room(len(asked), max(map(len, answers)), context - MARKS)
    encoded = [(asked, answer) for answer in answers]
    return _marked(item, encoded, [(first, min(second, len(answer))) for answer in answers], marks)


def _marked(
    item: Item,
    encoded: Sequence[tuple[list[int], list[int]]],
    kept: Sequence[tuple[int, int]],
    marks: Marks,
) -> Encoded:
    """Sequences of two parts, each cut to what is kept of it."""
    sequences = tuple(
        (marks.start, *first[:a], marks.delimiter, *second[:b], marks.extract)
        for (first, second), (a, b) in zip(encoded, kept, strict=True)
    )
    cut = sum(len(first) + len(second) - a - b for (first, second), (a, b) in zip(encoded, kept, strict=True))
    return Encoded(sequences, item.label, cut)


_FORMS = {"classification": _single, "entailment": _pair, "similarity": _both, "choice": _choice}


# ---- batches --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """Some items as tensors. Of S sequences of B items, filled on the right to T tokens:

    tokens [S, T]; lengths [S]; owner [S], the item that a sequence is of; slot [S], which of its sequences it is;
    candidates [B], how many each item has; labels [B].
    """

    tokens: Tensor
    lengths: Tensor
    owner: Tensor
    slot: Tensor
    candidates: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def batch(items: Sequence[Encoded], filling: int = 0) -> Batch:
    """Tensors of items; `filling` stands after the end of a sequence, where nothing that counts can see it."""
    sequences = [sequence for item in items for sequence in item.sequences]
    tokens = np.full((len(sequences), max(map(len, sequences))), filling, np.int64)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    counts = [len(item.sequences) for item in items]
    return Batch(
        torch.from_numpy(tokens),
        torch.tensor([len(sequence) for sequence in sequences]),
        torch.tensor([owner for owner, count in enumerate(counts) for _ in range(count)]),
        torch.tensor([slot for count in counts for slot in range(count)]),
        torch.tensor(counts),
        torch.tensor([item.label for item in items]),
    )


def grouped(items: Sequence[Encoded], most: int = GROUP_TOKENS) -> list[list[int]]:
    """Places of items in groups of like length that have at most `most` tokens each, filled; an item is never split."""
    order = sorted(range(len(items)), key=lambda place: (items[place].longest, place))
    groups: list[list[int]] = []
    rows = 0
    for place in order:
        rows += len(items[place].sequences)
        if not groups or rows * items[place].longest > most:
            groups.append([])
            rows = len(items[place].sequences)
        groups[-1].append(place)
    return groups
