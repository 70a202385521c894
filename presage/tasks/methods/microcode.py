"""Microcode problems: completed n times, graded by our own interpreter, counted as pass@k. Needs no sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from presage.core.errors import ConfigError
from presage.data.microcode import Case, Problem
from presage.data.verbs import Completion, Decoding
from presage.tasks.methods.free import ask, decoded
from presage.tasks.methods.program import count, ks_of, pass_metrics
from presage.tasks.microcode import STOP, function_body, grade, stem
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps

SAMPLED = Decoding(max_tokens=48, stops=(*STOP, "\ndef"), temperature=0.6)


@dataclass(frozen=True)
class Microcode:
    """Complete `samples` times at one temperature. Raises ConfigError where a k is larger than n."""

    samples: int = 8
    ks: tuple[int, ...] = (1,)
    decoding: Decoding = SAMPLED
    needs = NO_NEEDS

    def __post_init__(self) -> None:
        if max(self.ks) > self.samples or min(self.ks) < 1:
            raise ConfigError(f"pass@{max(self.ks)} of {self.samples} samples", hint="1 <= k <= n")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """pass@k for every k, and where there is a choice among samples, what choosing reaches."""
        return pass_metrics(self.ks, self.samples)

    def decoded(self, samples: int | None = None, **changes: Any) -> Microcode:
        """With other settings of decoding; with other samples, every k of 1, 10 and 100 that they allow. Raises
        ConfigError for several samples at temperature 0."""
        n = samples or self.samples
        decoding = decoded(self.decoding, n, **changes)
        return replace(self, samples=n, ks=ks_of(n) if samples else self.ks, decoding=decoding)

    def examine(self, example: Example, context: str) -> Steps:
        """Write n times, grade each different function once."""
        answers: list[list[Completion]] = yield [ask(example, context, replace(self.decoding, samples=self.samples))]
        problem = problem_of(example.fields)
        bodies = [function_body(one.text) for one in answers[0]]
        passes = {body: grade(problem, body, prompt=stem(problem)) for body in dict.fromkeys(bodies)}
        graded = count(answers[0], [passes[body] for body in bodies], self.ks)
        return Graded(graded.scores, graded.answer, graded.extra)


def example_of(problem: Problem) -> Example:
    """A problem as an example; its category is its level."""
    tests = [{"args": list(test.args), "expected": test.expected} for test in problem.tests]
    fields = {name: getattr(problem, name) for name in ("id", "family", "level", "prompt", "solution", "entry")}
    return Example(
        problem.id,
        problem.prompt,
        targets=(problem.solution,),
        category=f"level {problem.level}",
        group=problem.id.rpartition(":")[0],
        fields=fields | {"tests": tests},
    )


def problem_of(fields: Mapping[str, Any]) -> Problem:
    """The problem of an example's fields."""
    tests = tuple(Case(tuple(test["args"]), test["expected"]) for test in fields["tests"])
    return Problem(**{key: value for key, value in fields.items() if key != "tests"}, tests=tests)
