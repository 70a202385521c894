"""Answers compared with texts: by the rules of OpenAI Evals, against a naive twin, and by tables."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data.verbs import Decoding, Generation, Message
from presage.evaluate.runner import Runner
from presage.tasks.methods.chat import as_prompt, as_text, chat_template
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.match import Match, Rule, same_json
from presage.tasks.methods.rubric import Classification
from presage.tasks.task import Example, Graded, Method, Template
from tests.toy_model import ToyModel


def grade(method: Method, answer: str, *targets: str, judge: str = "") -> Graded:
    model, grader = ToyModel(write=lambda prompt, sample: answer), ToyModel(write=lambda prompt, sample: judge)
    [found] = Runner(model, grader).run(method, [Example("1", "Q?", targets=targets)], ["Q: Q?\nA:"])
    return found.graded


@pytest.mark.parametrize(
    ("rule", "answer", "targets", "right"),
    [
        ("match", "Paris is it", ["Paris"], True),
        ("match", " \nParis", ["Paris"], True),
        ("match", "It is Paris", ["Paris"], False),
        ("match", "paris", ["Paris"], False),
        ("match", "Rome", ["Paris", "Ro"], True),
        ("includes", "It is Paris.", ["Paris"], True),
        ("includes", "It is paris.", ["Paris"], False),
        ("includes", "Paris", [" Paris "], True),
        ("fuzzy", "The city of PARIS!", ["paris"], True),
        ("fuzzy", "Paris", ["the city of Paris"], True),
        ("fuzzy", "", ["Paris"], False),
        ("fuzzy", "the", ["a"], True),
        ("fuzzy", "Rome", ["Paris"], False),
        ("json", '{"b": [1, 2.0], "a": null}', ['{"a": null, "b": [1, 2]}'], True),
        ("json", "[2, 1]", ["[1, 2]"], False),
        ("json", "true", ["1"], False),
        ("json", '{"a": true}', ['{"a": 1}'], False),
        ("json", "Paris", ["Paris"], False),
        ("json", '"Paris"', ['"Rome"', '"Paris"'], True),
        ("exact", "The Paris.", ["paris"], True),
        ("exact", "Paris, France", ["Paris"], False),
        ("exact", "", ["Paris"], False),
    ],
)
def test_what_is_right(rule: Rule, answer: str, targets: list[str], right: bool) -> None:
    assert grade(Match(rule), answer, *targets).scores["accuracy"] == float(right)


@pytest.mark.parametrize(("rule", "answer"), [("match", ""), ("match", " \n"), ("json", "{"), ("json", "[" * 100_000)])
def test_an_answer_that_says_nothing_is_invalid(rule: Rule, answer: str) -> None:
    found = grade(Match(rule), answer, '"Paris"')
    assert (found.scores["accuracy"], found.extra["invalid"]) == (0.0, True)
    assert grade(Match("match"), "Rome", "Paris").extra["invalid"] is False


def bare(text: str) -> str:
    """The normalisation of the research sheet, written out."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(word for word in kept.split() if word not in ("a", "an", "the"))


@given(answer=st.text("aAn the.,x", max_size=12), target=st.text("aAn the.,x", min_size=1, max_size=12))
def test_fuzzy_is_one_in_the_other(answer: str, target: str) -> None:
    one, other = bare(answer), bare(target)
    expected = one == other if not one or not other else one in other or other in one
    assert grade(Match("fuzzy"), answer, target).scores["accuracy"] == float(expected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(one=JSON, other=JSON)
def test_json_is_equal_when_its_sorted_text_is(one: Any, other: Any) -> None:
    texts = [json.dumps(value, sort_keys=True) for value in (one, other)]
    assert same_json(json.dumps(one), json.dumps(other, indent=1)) == (texts[0] == texts[1])


def test_samples_are_averaged() -> None:
    model = ToyModel(write=lambda prompt, sample: ["Paris", "Rome", "Paris", ""][sample])
    method = Match("match", Decoding(9, temperature=1.0, samples=4))
    [found] = Runner(model).run(method, [Example("1", "Q?", targets=("Paris",))], ["Q?"])
    assert found.graded.scores == {"accuracy": 0.5}
    assert found.graded.extra["answers"] == ["Paris", "Rome", "Paris", ""]


def test_samples_depend_on_the_example_alone() -> None:
    model = ToyModel()
    for names in (["a", "b"], ["b"]):
        examples = [Example(name, "Q?", targets=("x",)) for name in names]
        Runner(model).run(Match(), examples, ["Q?"] * len(examples))
    seeds = [one.seed for one in model.asked if isinstance(one, Generation)]
    assert seeds[1] == seeds[2] != seeds[0]


# ---- conversations ---------------------------------------------------------------------------------------------------

HEAD = [{"role": "system", "content": 'Say "yes".\n\n[]'}]
TURNS = [{"role": "user", "content": "Is it?"}]
CHAT = Example("1", "Is it?", targets=("Yes",), fields={"head": HEAD, "turns": TURNS})
SHOT = Example("2", "Was it?", targets=("It was.",), fields={"head": [], "turns": [{"role": "user", "content": "Ü?"}]})


def test_a_conversation_survives_its_context() -> None:
    template = chat_template(Template(lambda example: example.question, lambda example: "!"))
    parts = [template.header(CHAT), template.ask(SHOT) + template.answer(SHOT), template.ask(CHAT)]
    assert as_prompt(CHAT, template.separator.join(parts)) == (
        Message("system", 'Say "yes".\n\n[]'),
        Message("user", "Ü?"),
        Message("assistant", "It was."),
        Message("user", "Is it?"),
    )


def test_an_example_without_turns_is_a_text() -> None:
    template = chat_template(Template(lambda example: example.question, lambda example: " yes"))
    example = Example("1", "Is it?", targets=("Yes",))
    assert (template.header(example), template.ask(example), template.answer(example)) == ("", "Is it?", " yes")
    assert as_prompt(example, "[1] is it?") == "[1] is it?"


def test_a_judge_reads_a_conversation_with_its_speakers() -> None:
    assert as_text(CHAT) == '[system]\nSay "yes".\n\n[]\n\n[user]\nIs it?'
    assert as_text(SHOT) == "Ü?"
    assert as_text(Example("1", "Is it?")) == "Is it?"


# ---- judges ----------------------------------------------------------------------------------------------------------

JUDGE = Classification("Q {input} A {completion} R {ideal}", ("Yes", "No"), (1.0, 0.0), "classify")


@pytest.mark.parametrize(("reply", "score", "invalid"), [("Yes", 1.0, False), ("No", 0.0, False), ("hm", 0.0, True)])
def test_a_judge_decides(reply: str, score: float, invalid: bool) -> None:
    found = grade(Judged(JUDGE), "It is.", "Yes", judge=reply)
    assert (found.scores, found.answer, found.extra["invalid"]) == ({"score": score}, "It is.", invalid)


def test_the_judge_is_asked_about_every_sample() -> None:
    model = ToyModel(write=lambda prompt, sample: f"answer {sample}")
    judge = ToyModel(write=lambda prompt, sample: "Yes" if "answer 1" in prompt else "No")
    [found] = Runner(model, judge).run(
        Judged(JUDGE, Decoding(9, temperature=1.0, samples=4)), [Example("1", "Q?", targets=("R",))], ["Q?"]
    )
    assert found.graded.scores == {"score": 0.25}
    assert [str(one.prompt).split("\n")[0] for one in judge.asked if isinstance(one, Generation)] == [
        f"Q Q? A answer {i} R R" for i in range(4)
    ]
