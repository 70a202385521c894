"""A language model without weights, for tests: likelihoods from a rule, completions from a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from presage.data.verbs import Completion, Continuation, Generation, Likelihood


@dataclass
class ToyModel:
    """logprob(prompt, text) is the rule, write(prompt, sample) the completion. Tokens are bytes; `asked` is kept."""

    logprob: Callable[[str, str], float] = lambda prompt, text: -1.0 * len(text.encode())
    write: Callable[[str, int], str] = lambda prompt, sample: ""
    has_likelihood: bool = True
    has_beams: bool = True
    asked: list[object] = field(default_factory=list)
    name: str = "toy"

    def identity(self) -> dict[str, str | int | float | bool | None]:
        return {"backend": "toy"}

    def loglikelihood(self, requests: Sequence[Continuation]) -> list[Likelihood]:
        self.asked += requests
        return [self._likelihood(request.prompt, request.text) for request in requests]

    def rolling_loglikelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        self.asked += texts
        return [self._likelihood("", text) for text in texts]

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        self.asked += requests
        return [[self._completion(one, i) for i in range(one.decoding.samples)] for one in requests]

    def _likelihood(self, prompt: str, text: str) -> Likelihood:
        return Likelihood(self.logprob(prompt, text), len(text.encode()), False)

    def _completion(self, request: Generation, sample: int) -> Completion:
        prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content
        text = self.write(prompt, sample)
        ends = [place for stop in request.decoding.stops if (place := text.find(stop)) >= 0]
        return Completion(text[: min(ends)] if ends else text, -float(len(text)), len(text), "stop")
