"""One example asked of a model without weights, for tests of methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from presage.data.verbs import Completion, Generation, Likelihood
from presage.evaluate.runner import Runner
from presage.tasks.task import Example, Execute, Graded, Method, Verdict
from tests.toy_model import ToyModel


@dataclass
class TokenModel(ToyModel):
    """A toy whose tokens are what `split` makes of the whole text, the prompt's of the prompt's; `greedy(token)`."""

    split: Callable[[str], list[str]] = list
    greedy: Callable[[str], bool] = lambda token: True

    def _likelihood(self, prompt: str, text: str) -> Likelihood:
        tokens = self.split(prompt + text)[len(self.split(prompt)) :]
        logprob = sum(self.logprob("", token) for token in tokens)
        return Likelihood(logprob, len(tokens), all(self.greedy(token) for token in tokens))


@dataclass
class ScoredModel(ToyModel):
    """A toy whose completions have the log-probabilities and numbers of tokens that `score` says."""

    score: Callable[[str], tuple[float | None, int | None]] = lambda text: (-1.0, 1)

    def _completion(self, request: Generation, sample: int) -> Completion:
        text = super()._completion(request, sample).text
        return Completion(text, *self.score(text), "stop")


class Sandboxed:
    """Passes a program whose source the rule passes; keeps what it was asked."""

    def __init__(self, rule: Callable[[str], bool]) -> None:
        self.rule, self.asked = rule, []  # type: ignore[var-annotated]

    def check(self, programs: Sequence[Execute]) -> list[Verdict]:
        self.asked += programs
        return [Verdict(self.rule(one.source), "passed" if self.rule(one.source) else "failed") for one in programs]


def examine(method: Method, example: Example, context: str, model: ToyModel, **others: Any) -> Graded:
    """What became of one example."""
    return Runner(model, **others).run(method, [example], [context])[0].graded


def examine_all(method: Method, examples: Sequence[Example], model: ToyModel, **others: Any) -> list[Graded]:
    """What became of examples whose questions are their contexts."""
    run = Runner(model, **others).run(method, examples, [one.question for one in examples])
    return [exchange.graded for exchange in run]


def writes(text: str) -> ToyModel:
    """A model that always writes the same."""
    return ToyModel(write=lambda prompt, sample: text)
