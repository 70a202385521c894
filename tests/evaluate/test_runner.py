"""Conversations in lockstep: steps of different length, every kind of request, one call a verb and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from presage.core.errors import ConfigError
from presage.data.verbs import Continuation, Decoding, Generation, Rolling
from presage.evaluate.executing import Executing
from presage.evaluate.runner import Runner, parts
from presage.tasks.sandbox import Sandbox
from presage.tasks.task import LIKELIHOOD, NO_NEEDS, Example, Execute, Graded, Metric, Steps, ToJudge, Verdict
from tests.toy_model import ToyModel


@dataclass(frozen=True)
class Countdown:
    """Asks as many times as the question says, then for a likelihood."""

    metrics = (Metric("steps"),)
    needs = LIKELIHOOD

    def examine(self, example: Example, context: str) -> Steps:
        written = []
        for number in range(int(example.question)):
            ((completion,),) = yield [Generation(f"{context}{number}", Decoding(samples=1))]
            written.append(completion.text)
        likelihood, whole = yield [Continuation(context, "x"), Rolling("text")]
        return Graded({"steps": float(len(written))}, " ".join(written), {"nats": likelihood.logprob + whole.logprob})


def test_conversations_of_unequal_length_are_batched_step_by_step() -> None:
    calls: list[int] = []

    class Counting(ToyModel):
        def generate(self, requests: Any) -> Any:
            calls.append(len(requests))
            return super().generate(requests)

    examples = [Example(f"e{n}", str(n)) for n in (2, 0, 3, 1)]
    model = Counting(write=lambda prompt, sample: prompt.upper())
    found = Runner(model).run(Countdown(), examples, [f"p{i}-" for i in range(4)])
    assert [one.example.id for one in found] == ["e2", "e0", "e3", "e1"]
    assert [one.graded.scores["steps"] for one in found] == [2, 0, 3, 1]
    assert found[2].graded.answer == "P2-0 P2-1 P2-2"
    assert calls == [3, 2, 1]
    assert [len(one.asked) for one in found] == [4, 2, 5, 3]
    assert found[1].graded.extra == {"nats": -5.0, "truncated": 0}


@dataclass(frozen=True)
class Outside:
    """Asks whoever is not the model."""

    request: Any
    metrics = (Metric("passed"),)
    needs = NO_NEEDS

    def examine(self, example: Example, context: str) -> Steps:
        (answer,) = yield [self.request]
        return Graded({"passed": 1.0}, str(answer))


class Passing:
    def check(self, programs: Any) -> list[Verdict]:
        return [Verdict(True, "passed", one.id) for one in programs]


def test_the_judge_and_the_sandbox_answer_for_themselves() -> None:
    judge = ToyModel(write=lambda prompt, sample: "judged")
    model = ToyModel(write=lambda prompt, sample: "model")
    asked = Outside(ToJudge(Generation("grade this")))
    (found,) = Runner(model, judge=judge).run(asked, [Example("1", "?")], [""])
    assert "judged" in found.graded.answer
    assert not model.asked
    program = Outside(Execute("7", "def f(): ...", "f", "assert f() is None"))
    (found,) = Runner(model, sandbox=Passing()).run(program, [Example("1", "?")], [""])
    assert "detail='7'" in found.graded.answer


def test_a_program_may_have_several_functions() -> None:
    class Box:
        def check(self, programs: Any) -> list[Any]:
            seen.extend(one.entries for one in programs)
            return []

    seen: list[Any] = []
    Executing(cast(Sandbox, Box())).check([Execute("1", "", "f", "", more_entries=("g",)), Execute("2", "", "f", "")])
    assert seen == [("f", "g"), ("f",)]


def test_a_missing_judge_or_sandbox_is_named() -> None:
    with pytest.raises(ConfigError, match="--judge"):
        Runner(ToyModel()).run(Outside(ToJudge(Generation("?"))), [Example("1", "?")], [""])
    with pytest.raises(ConfigError, match="no sandbox is open"):
        Runner(ToyModel()).run(Outside(Execute("7", "", "f", "")), [Example("1", "?")], [""])


def test_parts_lose_nothing() -> None:
    assert [list(part) for part in parts(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
