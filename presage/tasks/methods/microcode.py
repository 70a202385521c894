"""Microcode problems: completed n times, graded by our own interpreter, counted as pass@k. Needs no sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from presage.data.microcode import Case, Problem
from presage.data.verbs import Completion, Decoding
from presage.tasks.methods.program import Sampled, count
from presage.tasks.microcode import STOP, function_body, grade, stem
from presage.tasks.task import NO_NEEDS, Example, Steps

SAMPLED = Decoding(max_tokens=48, stops=(*STOP, "\ndef"), temperature=0.6)


@dataclass(frozen=True)
class Microcode(Sampled):
    """Complete `samples` times at one temperature, grade, count."""

    samples: int = 8
    decoding: Decoding = SAMPLED
    needs = NO_NEEDS

    def examine(self, example: Example, context: str) -> Steps:
        """Write n times, grade each different function once."""
        answers: list[list[Completion]] = yield [self.asked(example, context)]
        problem = problem_of(example.fields)
        bodies = [function_body(one.text) for one in answers[0]]
        passes = {body: grade(problem, body, prompt=stem(problem)) for body in dict.fromkeys(bodies)}
        return count(answers[0], [passes[body] for body in bodies], self.ks)


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
