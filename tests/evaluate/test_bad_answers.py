"""Models that answer badly: nothing, no number, too few or too many. Said or counted; what was answered stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import PresageError
from presage.data.verbs import Completion, Decoding, Generation, Likelihood
from presage.evaluate.runner import Runner
from presage.infer import opening
from presage.tasks.methods.chain_of_thought import ChainOfThought
from presage.tasks.methods.choice import by_letter
from presage.tasks.methods.free import Free
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.letters import by_generation
from presage.tasks.methods.match import Match
from presage.tasks.methods.perplexity import Perplexity
from presage.tasks.methods.rubric import Classification
from presage.tasks.task import Execute, Task, ToJudge
from tests.evaluate.test_runner import Outside
from tests.evaluate.toy_eval import examine, library
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, Given, capitals

GRADED = Classification("Is {answer} right?", ("Yes", "No"), (1.0, 0.0), "classify")


# ---- nothing written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["empty", "blank"])
@pytest.mark.parametrize(
    "task",
    [
        by_generation(capitals()),
        by_generation(by_letter(capitals())),
        capitals(method=Free()),
        capitals(method=Match("includes")),
        capitals(method=Match("json")),
        capitals(method=ChainOfThought()),
    ],
    ids=["letter", "letter-shown", "free", "includes", "json", "chain-of-thought"],
)
def test_an_empty_answer_is_wrong_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Task, text: str
) -> None:
    library(monkeypatch, capitals(data=Given(tuple(CAPITALS)), method=task.method, template=task.template))
    made = examine(tmp_path / "eval", ToyModel(write=lambda prompt, sample: text))
    row = made.read_table("tasks")[0]
    assert (float(row["value"]), row["n"], row["invalid"]) == (0.0, "8", "8")


def test_a_judge_that_says_nothing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, capitals(method=Judged(GRADED)))
    monkeypatch.setattr(opening, "open_model", lambda spec, **settings: ToyModel())
    made = examine(tmp_path / "eval", ToyModel(write=lambda prompt, sample: "Paris"), judge="hf:judge")
    row = made.read_table("tasks")[0]
    assert (float(row["value"]), row["invalid"]) == (0.0, "8")


# ---- no number, or not as many as were asked for ---------------------------------------------------------------------


class Bad(ToyModel):
    """From the fourth example on what it answers is spoiled."""

    def __init__(self, spoil: Any) -> None:
        super().__init__()
        self.spoil = spoil

    def _bad(self, requests: Any, answers: list[Any]) -> list[Any]:
        return self.spoil(answers) if any("Spain" in str(one) for one in requests) else answers

    def loglikelihood(self, requests: Any) -> Any:
        return self._bad(requests, super().loglikelihood(requests))

    def rolling_loglikelihood(self, texts: Any) -> Any:
        return self._bad(texts, super().rolling_loglikelihood(texts))

    def generate(self, requests: Any) -> Any:
        return self._bad(requests, super().generate(requests))


NAN = float("nan")
CHOICE = capitals()
WHOLE = capitals(
    method=Perplexity(),
    data=Given(tuple(type(one)(one.id, one.question, fields={"words": 3, "bytes": 9}) for one in CAPITALS)),
)
WRITING = capitals(method=Free())


@pytest.mark.parametrize(
    ("task", "spoil", "what"),
    [
        (CHOICE, lambda found: [Likelihood(NAN, 1, False), *found[1:]], "toy: gives a log-probability of nan"),
        (WHOLE, lambda found: [Likelihood(NAN, 1, False), *found[1:]], "toy: gives a log-probability of nan"),
        (WRITING, lambda found: [[Completion("x", NAN, 1, "stop")], *found[1:]], "toy: gives a log-probability of nan"),
        (CHOICE, lambda found: found[1:], "toy: gives 5 answers to 6 requests"),
        (CHOICE, lambda found: [*found, *found], "toy: gives 12 answers to 6 requests"),
        (WHOLE, lambda found: [], "toy: gives 0 answers to 3 requests"),
        (WRITING, lambda found: found[1:], "toy: gives 2 answers to 3 requests"),
        (WRITING, lambda found: [[], *found[1:]], "toy: writes 0 texts where 1 were asked for"),
        (WRITING, lambda found: [found[0] * 2, *found[1:]], "toy: writes 2 texts where 1 were asked for"),
    ],
    ids=["nan", "nan-whole", "nan-written", "few", "many", "none-whole", "few-written", "empty", "more-samples"],
)
def test_a_bad_answer_is_one_clear_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: Task, spoil: Any, what: str
) -> None:
    library(monkeypatch, task)
    with pytest.raises(PresageError) as caught:
        examine(tmp_path / "eval", Bad(spoil))
    assert str(caught.value).startswith(what) and "\n" not in str(caught.value)
    assert (tmp_path / "eval/samples.jsonl").read_bytes().count(b"\n") == 3, "the part before it is kept"
    made = examine(tmp_path / "eval", ToyModel(), resume=True)
    assert [row["id"] for row in made.rows("samples.jsonl")] == [one.id for one in CAPITALS]
    assert made.digest == examine(tmp_path / "whole", ToyModel()).digest


def test_a_judge_or_a_sandbox_that_leaves_something_out_is_named() -> None:
    class Mute(ToyModel):
        def generate(self, requests: Any) -> Any:
            return [[] for _ in requests]

    class Lost:
        def check(self, programs: Any) -> list[Any]:
            return []

    asked = Outside(ToJudge(Generation("grade this", Decoding())))
    with pytest.raises(PresageError, match="the judge: writes 0 texts where 1 were asked for"):
        Runner(ToyModel(), judge=Mute(name="the judge")).run(asked, CAPITALS[:1], [""])
    program = Outside(Execute("7", "def f(): ...", "f", ""))
    with pytest.raises(PresageError, match="the sandbox: gives 0 answers to 1 requests"):
        Runner(ToyModel(), sandbox=Lost()).run(program, CAPITALS[:1], [""])
