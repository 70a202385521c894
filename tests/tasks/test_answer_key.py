"""GPT-4's exam procedure: what is shown, what is asked, and how letters and points are read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.verbs import Decoding, Generation
from presage.evaluate.runner import Runner
from presage.tasks.exam.answer_key import HALF, AnswerKey, image_tag, key_template, part_share, read_letters
from presage.tasks.exam.free_response import FreeResponse, essay_template, read_points
from presage.tasks.exam.model import Exam, Fixed, Points, Section, exam_tasks
from presage.tasks.methods.free import ask
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Graded
from tests.toy_model import ToyModel


def example(name: str = "q", options: tuple[str, ...] = ("red", "green", "blue"), answer: int | None = 1,
            **fields: Any) -> Example:  # fmt: skip
    return Example(name, "What colour is grass?", options, answer, fields=MappingProxyType(fields))


SHOT = Example("s", "What colour is snow?", ("white", "black"), 0, fields={"explanation": "Snow reflects all light."})
SHOWN = """ANSWER KEY

Here are the answers for the problems in the exam.

Problem 1. What colour is snow?

Choose from the following options: [A] white [B] black
Explanation for Problem 1: Snow reflects all light.
The answer is therefore [A]

Problem 2. What colour is grass?

Choose from the following options: [A] red [B] green [C] blue
Explanation for Problem 2:"""


def context(asked: Example, shots: tuple[Example, ...] = (SHOT,)) -> tuple[Example, str]:
    section = Section("s", "choice", Fixed((asked,), shots), shots=len(shots))
    [task] = exam_tasks(Exam("e", 1, "E", "", (section,), Points()))
    assert (task.name, task.draw) == ("exam:e:s", "first")
    return asked, Shots(task, shots, task.shots, 0).context(asked)


def sit(method: AnswerKey, writes: dict[str, str], asked: Example | None = None) -> tuple[Graded, ToyModel]:
    """writes: {end of a prompt: completion}."""
    model = ToyModel(write=lambda prompt, _: next(text for end, text in writes.items() if prompt.endswith(end)))
    one, text = context(asked or example())
    return Runner(model).run(method, [one], [text])[0].graded, model


def test_the_template_is_the_published_one() -> None:
    assert context(example())[1] == SHOWN
    assert key_template().separator == "\n\n"


def test_a_question_has_the_number_after_the_shots_shown() -> None:
    section = Section("s", "choice", Fixed((example(),), (SHOT, replace(SHOT, id="b"))))
    [task] = exam_tasks(Exam("e", 1, "E", "", (section,), Points()))
    for k in (0, 1, 2):
        shown = Shots(task, section.data.pool(Path(), 0), k, 0).context(example())
        assert re.findall(r"Problem (\d)\.", shown) == [str(i) for i in range(1, k + 2)]


def test_an_explanation_then_the_letter() -> None:
    writes = {"Problem 2:": " Chlorophyll.\nThe answer is therefore [C]", "therefore [": "B] and more"}
    graded, model = sit(AnswerKey(points=3), writes)
    explain = ask(example(), SHOWN, Decoding(512, ("\nThe answer is therefore",), 0.3))
    letter = ask(example(), SHOWN + " Chlorophyll.\nThe answer is therefore [", Decoding(16, ("]",), 0.0))
    assert model.asked == [explain, letter]
    assert graded.scores == {"accuracy": 1.0, "points": 3.0}
    assert (graded.answer, graded.extra["picked"], graded.extra["invalid"]) == ("B", 1, False)
    assert graded.extra["explanation"] == " Chlorophyll."


def test_temperature_and_length_can_be_set_and_samples_cannot() -> None:
    for method in (AnswerKey(), FreeResponse()):
        changed = method.decoded(temperature=0.0, max_tokens=9).decoding
        assert changed == Decoding(9, method.decoding.stops, 0.0)
        with pytest.raises(ConfigError, match="an exam is sat once"):
            method.decoded(samples=3)


@pytest.mark.parametrize(
    ("written", "letter", "accuracy"),
    [
        (" Green.\nThe answer is therefore [B]\n\nProblem 3. And", "B", 1.0),
        (" Not [A]; it is [B].", "B", 1.0),
        (" Not [B]; it is [A].", "A", 0.0),
        (" It is green.", "", 0.0),
        (" [B]\nThe answer is therefore [C]", "C", 0.0),
    ],
)
def test_the_letter_from_the_explanation(written: str, letter: str, accuracy: float) -> None:
    graded, model = sit(AnswerKey(letter="explanation"), {"Problem 2:": written})
    assert len(model.asked) == 1
    assert (graded.answer, graded.scores["accuracy"]) == (letter, accuracy)
    assert graded.extra["invalid"] is (letter == "")


@pytest.mark.parametrize("letter", ["", "D", "AB", "green", "?", "1"])
def test_what_is_no_letter_of_an_option_is_invalid_and_wrong(letter: str) -> None:
    graded, _ = sit(AnswerKey(wrong=-0.25), {"Problem 2:": " So.", "therefore [": letter + "]"})
    assert graded.scores == {"accuracy": 0.0, "points": -0.25}
    assert graded.extra["invalid"] is True


def test_leaving_out_earns_what_the_rule_says() -> None:
    amc = AnswerKey(points=6, blank=1.5)
    for letter, points in (("B", 6.0), ("", 1.5), ("A", 0.0), ("x", 0.0)):
        graded, _ = sit(amc, {"Problem 2:": " So.", "therefore [": letter + "]"})
        assert graded.scores["points"] == points
        assert graded.extra["blank"] is (letter == "")
        assert graded.extra["invalid"] is (letter == "x")


def test_several_parts_share_the_points() -> None:
    asked = example(options=(), answer=None, letters=("B", "C", "A"), points=6.0)
    for letters, points in (("B, C, A", 6), ("BCA", 6), ("B, D, A", 4), ("B, C", 0)):
        graded, _ = sit(AnswerKey(), {"Problem 2:": " So.", "therefore [": letters + "]"}, asked)
        assert graded.scores["points"] == pytest.approx(points)
        assert graded.extra["invalid"] is (letters == "B, C")


def test_some_of_several_right_letters_earn_half() -> None:
    assert read_letters("A, C", ("AC",), ()) == ("AC",)
    assert [part_share(given, "AC") for given in ("AC", "A", "AB", "")] == [1.0, HALF, 0.0, HALF]
    assert part_share("A", "B") == 0.0


@given(st.text(max_size=12), st.integers(2, 5))
def test_any_reply_is_read_or_refused(reply: str, options: int) -> None:
    given_ = read_letters(reply, ("B",), ("o",) * options)
    assert given_ is None or (len(given_) == 1 and given_[0] in "ABCDE"[:options])


def test_an_image_is_a_tag_that_says_nothing() -> None:
    asked = example(image="parabola-opening-upwards.png")
    tag = image_tag(asked)
    assert tag.startswith("IMAGE: ")
    assert "parabola" not in tag
    assert f"Problem 2. {tag}What colour" in context(asked)[1]
    assert image_tag(example()) == ""


# ---- free response ---------------------------------------------------------------------------------------------------

ESSAY = Example("s", "Analytical Writing: Issue Essay\nIs snow good?", targets=("It is.",))
ASKED = Example("w", "Is grass good?", fields={"points": 6.0})


def written(essay: str, verdict: str, method: FreeResponse | None = None) -> tuple[Graded, ToyModel, ToyModel]:
    model, judge = ToyModel(write=lambda prompt, _: essay), ToyModel(write=lambda prompt, _: verdict)
    template = essay_template()
    shown = template.ask(ESSAY) + template.answer(ESSAY) + template.ask(ASKED)
    runner = Runner(model, judge)
    return runner.run(method or FreeResponse(rubric="Be kind."), [ASKED], [shown])[0].graded, model, judge


def test_the_writing_prompt_is_the_published_one() -> None:
    graded, model, judge = written("It is good.<|endofreply|>x", "5\nWell put.")
    assert model.asked == [
        ask(
            ASKED,
            "<|endofreply|>Analytical Writing: Issue Essay\nIs snow good?\nResponse:<|endofprompt|>It is."
            "<|endofreply|>Is grass good?\nResponse:<|endofprompt|>",
            Decoding(1024, ("<|endofreply|>",), 0.6),
        )
    ]
    [asked] = judge.asked
    assert isinstance(asked, Generation)
    assert "It is good.\nEND OF RESPONSE" in str(asked.prompt)
    assert "Be kind." in str(asked.prompt)
    assert "From 0 to 6 points." in str(asked.prompt)
    assert (asked.decoding.temperature, asked.decoding.samples) == (0.0, 1)
    assert graded.scores == {"accuracy": 5 / 6, "points": 5.0}


@pytest.mark.parametrize(
    ("verdict", "points", "invalid", "clamped"),
    [
        ("5", 5, False, False),
        ("\n4.5 / 6\nGood.", 4.5, False, False),
        ("Points: 3", 3, False, False),
        ("**2 points**", 2, False, False),
        ("9", 6, False, True),
        ("-3\nTerrible.", 0, False, True),
        ("four", 0, True, False),
        ("I would give 4 or 5", 0, True, False),
        ("4-5", 0, True, False),
        ("", 0, True, False),
    ],
)
def test_points_of_the_judge(verdict: str, points: float, invalid: bool, clamped: bool) -> None:
    graded, _, _ = written("Good.", verdict)
    assert graded.scores["points"] == points
    assert (graded.extra["invalid"], graded.extra["clamped"]) == (invalid, clamped)


def test_an_empty_response_is_not_judged() -> None:
    graded, _, judge = written("  \n", "6")
    assert judge.asked == []
    assert graded.extra["invalid"] is True
    assert graded.scores["points"] == 0


@given(st.floats(-20, 20).map(lambda x: round(x, 2)))
def test_points_are_read_as_they_are_written(points: float) -> None:
    assert read_points(f"{points:f}\nbecause") == pytest.approx(points)


def test_images_of_free_response_are_transcribed() -> None:
    asked = Example("w", "Describe it.", fields={"image": "x.png", "transcript": "A line from (0, 0) to (1, 1)."})
    assert essay_template().ask(asked).startswith("<|endofreply|>A line from (0, 0) to (1, 1).\nDescribe it.")
