"""Perplexity of documents: their whole log-probability over the canonical units of the original text.

"Total log-probability of the dataset over the number of canonical units" (GPT-2 report, §3.1): words, characters or
bytes of the text as it was published, not of what the model was shown, so that tokenizers can be compared; what it was
shown must then be an invertible rewriting of the original.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from presage.data.verbs import Likelihood, Rolling
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps

_LARGEST = 700.0  # exp of more is no float


def _nats_per(unit: str, graded: Sequence[Graded]) -> float:
    nats, units = (float(sum(one.extra[key] for one in graded)) for key in ("nats", unit))
    return nats / units


def word_perplexity(metric: str, graded: Sequence[Graded]) -> float:
    """exp(nats / words), both summed over documents."""
    return math.exp(min(_LARGEST, _nats_per("words", graded)))


def byte_perplexity(metric: str, graded: Sequence[Graded]) -> float:
    """exp(nats / bytes), both summed over documents."""
    return math.exp(min(_LARGEST, _nats_per("bytes", graded)))


def bits_per_byte(metric: str, graded: Sequence[Graded]) -> float:
    """nats / (bytes * log 2), both summed over documents."""
    return _nats_per("bytes", graded) / math.log(2)


_WORDS = Metric("word_perplexity", "lower", word_perplexity)
_BYTES = Metric("byte_perplexity", "lower", byte_perplexity)
_BITS = Metric("bits_per_byte", "lower", bits_per_byte)


@dataclass(frozen=True)
class Perplexity:
    """Rolls over the example's question; its fields "words" and "bytes" count the original text.

    A document's own scores are its own perplexities; the task's are over all words and bytes, not means of these.
    """

    needs = LIKELIHOOD
    takes_shots = False
    metrics = (_WORDS, _BYTES, _BITS)

    def examine(self, example: Example, context: str) -> Steps:
        """Roll over the document."""
        answers: list[Likelihood] = yield [Rolling(example.question)]
        one = answers[0]
        counts = {unit: int(example.fields[unit]) for unit in ("words", "bytes")}
        extra = {"nats": -one.logprob, "tokens": one.tokens, "truncated": one.truncated, **counts}
        alone = [Graded({}, "", extra)]
        return Graded({metric.name: metric.aggregate(metric.name, alone) for metric in self.metrics}, "", extra)
