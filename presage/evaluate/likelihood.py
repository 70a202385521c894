"""How likely a base model finds a text: bits per byte, the score of an item that needs no answer (lower is better).

A text begins after <|endoftext|>, as a document does in training. One longer than the context is rolled over: windows
of a whole context, each half a context further on, score the tokens that no window before them did, so that every
token sees at least half a context of its own text, or all of the text before it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from presage.core.errors import DataError
from presage.core.files import atomic_write
from presage.data.bpe import Tokenizer
from presage.data.items import Item
from presage.model.scoring import continuations
from presage.model.transformer import Transformer
from presage.model.weights import load_run
from presage.model.windows import pieces

BITS = 1 / math.log(2)
BATCH_TOKENS = 8192


class Judge:
    """A model with its tokenizer, asked how likely texts are."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer) -> None:
        self.model, self.tokenizer = model, tokenizer

    @classmethod
    def of_run(cls, run: Path | str, step: int | None = None) -> Judge:
        """The model of a run at its newest checkpoint, or at `step`. Raises RunError or CorruptError."""
        model, vocabulary = load_run(run, step)
        return cls(model, Tokenizer.load(vocabulary))

    def bits_per_byte(self, texts: Sequence[str]) -> list[float]:
        """-log2 P of each text over its bytes in UTF-8. Raises DataError for an empty one."""
        return self.continuations([("", text) for text in texts])

    def continuations(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """[(prompt, continuation)] -> bits per byte of each continuation given its prompt, encoded apart from it."""
        heads = [[self.tokenizer.eot, *ids] for ids in self.tokenizer.encode_batch([prompt for prompt, _ in pairs])]
        tails = self.tokenizer.encode_batch([text for _, text in pairs])
        nats = token_nats(self.model, [head + tail for head, tail in zip(heads, tails, strict=True)])
        sizes = [len(text.encode()) for _, text in pairs]
        if 0 in sizes:
            raise DataError("an empty text has no bits per byte", where=f"text {sizes.index(0)}")
        sums = (float(values[len(head) - 1 :].sum()) for values, head in zip(nats, heads, strict=True))
        return [BITS * total / size for total, size in zip(sums, sizes, strict=True)]


def token_nats(
    model: Transformer, sequences: Sequence[Sequence[int]], *, batch_tokens: int = BATCH_TOKENS
) -> list[np.ndarray]:
    """-log P of every token but the first, in nats: float64 [length - 1] for each sequence, however long.

    All windows of all sequences are sorted by length and batched together, up to `batch_tokens` a batch.
    """
    cuts = [pieces(sequence, model.config.context_length) for sequence in sequences]
    scored = iter(continuations(model, [pair for some in cuts for pair in some], batch_tokens=batch_tokens))
    values = ([next(scored)[0].double().numpy() for _ in some] for some in cuts)
    return [-np.concatenate([np.empty(0), *some]) for some in values]


def score_items(run: Path | str, items: Sequence[Item]) -> dict[str, float]:
    """{id: bits per byte of the item's text} under a run's model."""
    scores = Judge.of_run(run).bits_per_byte([item.text for item in items])
    return {item.id: score for item, score in zip(items, scores, strict=True)}


def score_lines(scores: dict[str, float]) -> Iterable[str]:
    """The lines of a score file: {"id", "score", "better"}, one an item."""
    rows = ({"id": name, "score": score, "better": "lower"} for name, score in scores.items())
    return (json.dumps(row, ensure_ascii=False) for row in rows)


def write_scores(path: Path, scores: dict[str, float]) -> None:
    """A score file, whole or not at all."""
    with atomic_write(path) as file:
        file.writelines(line.encode() + b"\n" for line in score_lines(scores))
