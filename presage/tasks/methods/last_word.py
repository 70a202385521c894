"""LAMBADA: the last word of a passage.

| metric | what counts |
| :-- | :-- |
| accuracy | every token of the word was the likeliest: the model, read greedily, writes it |
| last_token_accuracy | its last token was, the tokens before it given. With GPT-2's BPE this is what the GPT-2 report's
  45.99 of its smallest model is matched by (46.89); accuracy by words gives 33 to 42 |
| perplexity | exp of the mean of -log P(word), per word |

A method sees no tokens, so the last one is found by asking: of the places where a word can be cut into all tokens but
one and one token, it is the place where log P(front) + log P(back | front) = log P(word). The chain rule holds only for
the tokens that the word was read as.

The stop-word filter (GPT-2 report, §3.3: last words are rarely stop-words) lets the model answer with the likeliest
word that is none. The report gives no list of them, so STOP_WORDS is ours; and since a likelihood of every word that
there is cannot be asked for, the model itself proposes: the greedy continuation and `samples` drawn ones, cut to their
first word. Among the words proposed the likeliest after the passage wins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presage.data.verbs import Completion, Continuation, Decoding, Likelihood
from presage.tasks.methods.free import ask
from presage.tasks.methods.stop_words import STOP_WORDS
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps

_CLOSE = 0.05
"""Nats by which the two sides of the chain rule may differ: rounding of another batch, in half precision too."""


def perplexity(metric: str, graded: Sequence[Graded]) -> float:
    """exp of the mean over examples; an example's own score is -log P in nats."""
    return math.exp(min(700.0, float(np.mean([one.scores[metric] for one in graded]))))


@dataclass(frozen=True)
class LastWord:
    """By likelihood. The example's first target is the word; last_token: also find its last token (more requests)."""

    last_token: bool = True
    needs = LIKELIHOOD

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """accuracy, perplexity, and where asked for last_token_accuracy."""
        more = (Metric("last_token_accuracy"),) if self.last_token else ()
        return (Metric("accuracy"), Metric("perplexity", "lower", perplexity), *more)

    def examine(self, example: Example, context: str) -> Steps:
        """The word's likelihood; where it was read wrong in several tokens, those of its parts."""
        word = f" {example.targets[0]}"
        answers: list[Likelihood] = yield [Continuation(context, word)]
        whole = answers[0]
        scores = {"accuracy": float(whole.greedy), "perplexity": -whole.logprob}
        extra = {"logprob": whole.logprob, "tokens": whole.tokens, "truncated": whole.truncated}
        if not self.last_token:
            return Graded(scores, example.targets[0] if whole.greedy else "", extra)
        last = None if whole.tokens > 1 and not whole.greedy else whole.greedy
        if last is None:
            fronts: list[Likelihood] = yield [Continuation(context, word[:cut]) for cut in _cuts(word)]
            places = [cut for cut, front in zip(_cuts(word), fronts, strict=True) if front.tokens == whole.tokens - 1]
            backs: list[Likelihood] = yield [Continuation(context + word[:cut], word[cut:]) for cut in places]
            last = _last(whole, [fronts[cut - _cuts(word).start] for cut in places], backs)
        scores["last_token_accuracy"] = float(bool(last))
        extra["last_token_unknown"] = last is None
        return Graded(scores, example.targets[0] if whole.greedy else "", extra)


def _cuts(word: str) -> range:
    """Where a word that begins with a blank can be cut: neither part is blank."""
    return range(2, len(word))


def _last(whole: Likelihood, fronts: Sequence[Likelihood], backs: Sequence[Likelihood]) -> bool | None:
    """Whether the last token was the likeliest, by the place that fits best; None where none satisfies the rule."""
    fits = [
        (abs(front.logprob + back.logprob - whole.logprob), back.greedy)
        for front, back in zip(fronts, backs, strict=True)
        if back.tokens == 1
    ]
    error, greedy = min(fits, default=(math.inf, False))
    return greedy if error < _CLOSE else None


# ---- the stop-word filter --------------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True)
class LastContentWord:
    """The likeliest proposed word that is no stop-word. Right where it is the example's target, whatever its case."""

    samples: int = 32
    top_k: int = 128
    max_tokens: int = 6
    needs = LIKELIHOOD

    metrics = (Metric("accuracy"), Metric("proposed"))
    """proposed: whether the right word was among those that the model wrote; accuracy cannot be higher."""

    def examine(self, example: Example, context: str) -> Steps:
        """Let the model propose words, then weigh them by likelihood."""
        drawn = Decoding(self.max_tokens, temperature=1.0, top_k=self.top_k, samples=self.samples)
        greedy = Decoding(self.max_tokens)
        answers: list[list[Completion]] = yield [ask(example, context, greedy), ask(example, context, drawn)]
        words = proposals([one.text for some in answers for one in some])
        likelihoods: list[Likelihood] = yield [Continuation(context, f" {word}") for word in words]
        order = sorted(zip(words, likelihoods, strict=True), key=lambda pair: -pair[1].logprob)
        answer = order[0][0] if order else ""
        right = example.targets[0].lower()
        scores = {
            "accuracy": float(answer.lower() == right),
            "proposed": float(right in [word.lower() for word in words]),
        }
        extra = {
            "candidates": {word: one.logprob for word, one in order[:10]},
            "truncated": max(one.truncated for some in answers for one in some),
            "invalid": not order,
        }
        return Graded(scores, answer, extra)


def proposals(texts: Sequence[str]) -> list[str]:
    """The first words of completions, each once, without stop-words; a word of which no end was written is left out."""
    found = []
    for text in texts:
        match = _WORD.search(text)
        if match and not text[: match.start()].strip(" \"'“‘(") and match.end() < len(text):
            found.append(match[0])
    return [word for word in dict.fromkeys(found) if word.lower().replace("’", "'") not in STOP_WORDS]
