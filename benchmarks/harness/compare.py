"""Two examinations of the same examples beside each other: what was asked, what was answered, what it scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from presage.data.verbs import Continuation, Generation, Rolling
from presage.evaluate.runner import Exchange

CLOSE = 1e-3
"""Nats by which log-probabilities may differ, plus a millionth of themselves: sums of float32 in another order."""

Answer = float | str
"""log P in nats, or the text that was written."""


@dataclass(frozen=True)
class Outcome:
    """One example: {(prompt, text asked about): answer} in the order asked, and the score by metric."""

    answers: Mapping[tuple[str, str], Answer]
    scores: Mapping[str, float]

    @property
    def best(self) -> int:
        """The place of the likeliest text, the first of equals."""
        return int(np.argmax([value for value in self.answers.values() if isinstance(value, float)]))


@dataclass(frozen=True)
class Difference:
    """Something that is not the same on both sides."""

    example: int
    what: str
    theirs: str
    ours: str


@dataclass(frozen=True)
class Comparison:
    """Everything found about one task."""

    items: int
    same_prompts: int
    same_answers: int
    farthest: float
    """The greatest difference of two log-probabilities of the same request, in nats."""
    differences: tuple[Difference, ...]


def theirs_of(samples: Sequence[Mapping[str, Any]], metrics: Mapping[str, str]) -> list[Outcome]:
    """lm_eval's samples, under our names of the metrics; a sample a filter becomes one outcome an example."""
    by_example: dict[int, list[Mapping[str, Any]]] = {}
    for sample in samples:
        by_example.setdefault(sample["doc_id"], []).append(sample)
    return [_theirs(some, metrics) for _, some in sorted(by_example.items())]


def _theirs(samples: Sequence[Mapping[str, Any]], metrics: Mapping[str, str]) -> Outcome:
    answers: dict[tuple[str, str], Answer] = {}
    for arguments, responses in zip(samples[0]["arguments"], samples[0]["resps"], strict=True):
        response = responses[0]
        answers[_request(arguments)] = response if isinstance(response, str) else float(np.ravel(response)[0])
    scores = {
        ours: float(sample[name.partition(",")[0]])
        for sample in samples
        for name, ours in metrics.items()
        if name.endswith(f",{sample['filter']}") and isinstance(sample[name.partition(",")[0]], float | int)
    }
    return Outcome(answers, scores)


def _request(arguments: Sequence[Any]) -> tuple[str, str]:
    """(context, continuation); (document,) is a text after nothing; (context, options) asks for what follows."""
    if len(arguments) == 1:
        return "", str(arguments[0])
    return str(arguments[0]), arguments[1] if isinstance(arguments[1], str) else ""


def ours_of(exchanges: Sequence[Exchange], metrics: Mapping[str, str]) -> list[Outcome]:
    """What a Runner returned."""
    known = set(metrics.values())
    return [
        Outcome(dict(_asked(one)), {name: score for name, score in one.graded.scores.items() if name in known})
        for one in exchanges
    ]


def _asked(exchange: Exchange) -> Iterator[tuple[tuple[str, str], Answer]]:
    for request, answer in exchange.asked:
        if isinstance(request, Continuation):
            yield (request.prompt, request.text), answer.logprob
        elif isinstance(request, Rolling):
            yield ("", request.text), answer.logprob
        elif isinstance(request, Generation):
            yield (str(request.prompt), ""), answer[0].text


def compare(theirs: Sequence[Outcome], ours: Sequence[Outcome], items: Sequence[str]) -> Comparison:
    """Example by example. `items` are the metrics whose scores are compared one by one."""
    found: list[Difference] = []
    same_prompts = same_answers = 0
    farthest = 0.0
    for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        prompts = [*_prompts(number, one, other)]
        answers = [*_answers(number, one, other)]
        scores = [*_scores(number, one, other, items)]
        found += [*prompts, *answers, *scores]
        same_prompts += not prompts
        same_answers += not answers and not scores
        farthest = max(farthest, _farthest(one, other))
    return Comparison(len(theirs), same_prompts, same_answers, farthest, tuple(found))


def _prompts(number: int, one: Outcome, other: Outcome) -> Iterator[Difference]:
    missing = [key for key in one.answers if key not in other.answers]
    added = [key for key in other.answers if key not in one.answers]
    for place, key in enumerate(missing[:1]):
        theirs, ours = "|".join(key), "|".join(added[place]) if place < len(added) else ""
        first = next((i for i, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b), len(ours))
        cut = slice(max(0, first - 20), first + 40)
        yield Difference(number, f"text asked, from character {first}", repr(theirs[cut]), repr(ours[cut]))


def _answers(number: int, one: Outcome, other: Outcome) -> Iterator[Difference]:
    for key, value in one.answers.items():
        mine = other.answers.get(key)
        if isinstance(value, str) and isinstance(mine, str) and value != mine:
            first = next((i for i, (a, b) in enumerate(zip(value, mine, strict=False)) if a != b), 0)
            cut = slice(max(0, first - 20), first + 40)
            yield Difference(number, f"text written, from character {first}", repr(value[cut]), repr(mine[cut]))
        elif isinstance(value, float) and isinstance(mine, float) and abs(value - mine) > _tolerance(value):
            yield Difference(number, f"log P of {key[1][:30]!r}", f"{value:.5f}", f"{mine:.5f}")
    if len(one.answers) > 1 and [*one.answers] == [*other.answers] and one.best != other.best:
        yield Difference(number, "likeliest option", str(one.best), str(other.best))


def _scores(number: int, one: Outcome, other: Outcome, items: Sequence[str]) -> Iterator[Difference]:
    for name in items:
        if abs(one.scores[name] - other.scores[name]) > CLOSE:
            yield Difference(number, name, f"{one.scores[name]:.4f}", f"{other.scores[name]:.4f}")


def _tolerance(value: float) -> float:
    return CLOSE + 1e-6 * abs(value)


def _farthest(one: Outcome, other: Outcome) -> float:
    pairs = [(value, other.answers.get(key)) for key, value in one.answers.items()]
    return max((abs(a - b) for a, b in pairs if isinstance(a, float) and isinstance(b, float)), default=0.0)
