"""Multiple choice by likelihood: every scoring against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from presage.evaluate.runner import Runner
from presage.tasks.methods.choice import Choice, Scoring, by_letter, lettered, plain
from presage.tasks.task import Example
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, capitals

EXAMPLE = Example("1", "Capital of France?", ("Paris", "Berlin, of course"), 0)
LOGPROBS = {" Paris": -6.0, " Berlin, of course": -9.0, " A": -2.0, " B": -0.5}
BARE = {" Paris": -2.0, " Berlin, of course": -8.0}


def _logprob(prompt: str, text: str) -> float:
    return BARE[text] if prompt == "Answer:" else LOGPROBS[text]


@pytest.mark.parametrize(
    ("scoring", "scores", "picked"),
    [
        ("sum", [-6.0, -9.0], 0),
        ("per_token", [-6.0 / 6, -9.0 / 18], 1),
        ("per_byte", [-6.0 / 6, -9.0 / 18], 1),
        ("unconditional", [-4.0, -1.0], 1),
        ("letter", [-2.0, -0.5], 1),
    ],
)
def test_every_scoring(scoring: Scoring, scores: list[float], picked: int) -> None:
    model = ToyModel(logprob=_logprob)
    (found,) = Runner(model).run(Choice(scoring), [EXAMPLE], ["Question: Capital of France?\nAnswer:"])
    assert found.graded.extra["option_scores"] == pytest.approx(scores)
    assert found.graded.extra["picked"] == picked
    assert found.graded.scores == {"accuracy": float(picked == 0)}
    assert found.graded.answer == EXAMPLE.options[picked]
    shares = [math.exp(LOGPROBS[text]) for text in ((" A", " B") if scoring == "letter" else list(LOGPROBS)[:2])]
    assert found.graded.extra["probabilities"] == pytest.approx([share / sum(shares) for share in shares])


def test_the_first_of_equal_options_is_the_answer() -> None:
    (found,) = Runner(ToyModel(logprob=lambda prompt, text: -1.0)).run(Choice("sum"), [EXAMPLE], ["?"])
    assert found.graded.extra["picked"] == 0


def test_templates_show_options_only_by_letter() -> None:
    assert plain().ask(EXAMPLE) == "Question: Capital of France?\nAnswer:"
    assert plain().answer(EXAMPLE) == " Paris"
    assert lettered().ask(EXAMPLE) == "Capital of France?\nA. Paris\nB. Berlin, of course\nAnswer:"
    assert lettered().answer(EXAMPLE) == " A"


def test_by_letter_changes_prompt_and_method_together() -> None:
    task = by_letter(capitals())
    assert task.method == Choice("letter")
    assert "\nA. " in task.template.ask(CAPITALS[0])
    assert task.template.answer(CAPITALS[0]) == " A"
