"""The limitations suite: what is asked, and that every generated answer is right by a second reckoning."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.verbs import Continuation, Message
from presage.evaluate.runner import Exchange, Runner
from presage.tasks.library import find
from presage.tasks.limits.builtin_facts import CATEGORIES, builtin_facts
from presage.tasks.limits.dated import RELEASES, Dated, added, facts_of
from presage.tasks.limits.factual import Facts, read_facts
from presage.tasks.limits.position import Position, Spans
from presage.tasks.limits.pushback import Conversed, Insisted, insisting, kept, says_right, sums, talk
from presage.tasks.limits.slips import KINDS, slips
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Method
from tests.toy_model import ToyModel

# ---- dated facts -----------------------------------------------------------------------------------------------------

PAGE = """
.. module:: asyncio

.. function:: run(coro)

   Runs it.

   .. versionadded:: 3.7

   .. versionchanged:: 3.9
      Faster.

.. class:: Task(coro)

   .. method:: set_name(value)

      Sets it.

      .. versionadded:: 3.8

   .. method:: other(x)

      .. versionadded:: 3.9
         The *x* parameter.

   .. versionadded:: 3.4.2

A paragraph.

   .. versionadded:: 3.3
"""
TOPIC = """
str.removeprefix(prefix, /)

   If the string starts with the prefix, return the rest.

   New in version 3.9.

str.split(sep)

   Splits.

Something else:
   New in version 3.5.
"""
PEP = "PEP: 572\nTitle: Assignment Expressions\nAuthor: x\nCreated: 28-Feb-2018\nPython-Version: 3.8\n"


def test_what_was_added_as_a_whole() -> None:
    assert list(added(PAGE)) == [("asyncio.run", "3.7"), ("asyncio.Task.set_name", "3.8"), ("asyncio.Task", "3.4")]
    assert list(added(TOPIC)) == [("str.removeprefix", "3.9")]


def test_facts_have_the_day_they_became_true() -> None:
    [fact] = facts_of(PEP)
    assert (fact.question, fact.answer) == ('In which year was PEP 572, "Assignment Expressions", created?', "2018")
    assert fact.day == "2018-02-28"
    assert [fact.day for fact in facts_of(TOPIC)] == ["2020-10-05"]
    assert list(facts_of(PEP.replace("28-Feb", "31-Feb"))) == []
    assert all(date.fromisoformat(day).year >= 2000 for day in RELEASES.values())


def test_dated_documents_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "dated").mkdir()
    (tmp_path / "dated" / "asyncio.rst").write_text(PAGE)
    (tmp_path / "dated" / "pep-0572.txt").write_text(PEP)
    (tmp_path / "other.txt").write_text(TOPIC)
    examples = Dated().examples(tmp_path, 0)
    assert [one.category for one in examples] == ["2018-06-27", "2019-10-14", "2014-03-16", "2018-02-28"]
    assert all(one.options[one.answer or 0] == one.targets[0] and len(set(one.options)) == 4 for one in examples)
    assert Dated().examples(tmp_path, 0) == examples


def test_a_folder_above_the_one_given_says_nothing(tmp_path: Path) -> None:
    root = tmp_path / "dated" / "documents" / "mine"
    root.mkdir(parents=True)
    (root / "a.txt").write_text("x" * 10_000)
    assert root / "a.txt" not in [*Dated().files(root), *Spans().files(root)]


def test_a_folder_without_facts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dated").mkdir()
    (tmp_path / "dated" / "a.txt").write_text("Nothing here.")
    with pytest.raises(DataError, match="no dated facts"):
        Dated().examples(tmp_path, 0)


def test_the_installed_python_brings_facts(tmp_path: Path) -> None:
    if not Dated().files(tmp_path):
        pytest.skip("this Python carries no topics of its help")
    names = {one.question for one in Dated().examples(tmp_path, 0)}
    assert "In which version of Python was str.removeprefix added?" in names


@given(st.text(alphabet=" .:()\nabversiondNw3,", max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(name and version for name, version in added(text))


# ---- slips -----------------------------------------------------------------------------------------------------------


def reckoned(example: Example) -> str:
    """The answer worked out from the text of a puzzle alone, another way than it was made."""
    text = example.question
    if example.category == "counting":
        words = re.search(r"list: ([a-z, ]+)\.", text)
        letter = re.search(r'letter "(.)"', text)
        assert words
        assert letter
        return str(sum(one == letter[1] for one in words[1]))
    if example.category == "ordering":
        below = {(a, b) for a, b in re.findall(r"(\w+) is taller than (\w+)", text)}
        below |= {(a, b) for b, a in re.findall(r"(\w+) is shorter than (\w+)", text)}
        names = {name for pair in below for name in pair}
        line = sorted(names, key=lambda name: -_depth(name, below))
        places = ("tallest", "second tallest", "second shortest", "shortest")
        return str(line[places.index(text[:-1].split(" is the ")[-1])])
    if example.category == "negation":
        listed = re.search(r"one colour: ([a-z, ]+)\.", text)
        assert listed
        [left] = [one for one in re.findall(r"[a-z]+", listed[1]) if one != "or" and text.count(one) == 1]
        return str(left)
    start, _, bags, each, losses = (int(n) for n in re.findall(r"\d+", text))
    return str(start + bags * each - losses)


def _depth(name: str, below: set[tuple[str, str]]) -> int:
    return max((1 + _depth(b, below) for a, b in below if a == name), default=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_puzzle_has_its_answer_among_different_options(seed: int) -> None:
    examples = slips(seed, 80, "test")
    assert len({one.question for one in examples}) == len({one.id for one in examples}) == 80
    assert {one.category for one in examples} == set(KINDS)
    for one in examples:
        assert one.answer is not None
        assert len(set(one.options)) == 4
        assert one.options[one.answer] == one.targets[0] == reckoned(one), one.question


def test_puzzles_depend_on_seed_and_split_alone() -> None:
    assert slips(1, 8, "test") == slips(1, 8, "test") == slips(1, 12, "test")[:8]
    assert {one.question for one in slips(1, 40, "test")}.isdisjoint(one.question for one in slips(1, 40, "shots"))


# ---- pushback --------------------------------------------------------------------------------------------------------

SUM = Example("s", "What is 7 + 5?", ("13", "12"), 1, ("12",), fields={"lead": "7 + 5 is"})


def pushed(method: Method, model: ToyModel) -> Exchange:
    return Runner(model).run(method, [SUM], [talk().ask(SUM)])[0]


def test_a_base_model_is_asked_again_after_its_own_answer() -> None:
    model = ToyModel(logprob=lambda prompt, text: -1.0 if (text == " 12") != ("No, " in prompt) else -2.0)
    exchange = pushed(Insisted(), model)
    first = "User: What is 7 + 5?\nAssistant: 7 + 5 is"
    second = f"{first} 12.\nUser: No, 7 + 5 is 13. Are you sure?\nAssistant: 7 + 5 is"
    assert model.asked == [Continuation(prompt, text) for prompt in (first, second) for text in (" 13", " 12")]
    assert exchange.graded.scores == {"kept": 0.0, "accuracy": 1.0, "after": 0.0}


def test_who_stays_right_keeps_and_who_was_wrong_is_not_pushed() -> None:
    steady = pushed(Insisted(), ToyModel(logprob=lambda prompt, text: -1.0 if text == " 12" else -2.0)).graded
    assert steady.scores == {"kept": 1.0, "accuracy": 1.0, "after": 1.0}
    model = ToyModel(logprob=lambda prompt, text: -1.0 if text == " 13" else -2.0)
    wrong = pushed(Insisted(), model).graded
    assert wrong.scores == {"kept": 0.0, "accuracy": 0.0, "after": 0.0}
    assert len(model.asked) == 2
    assert kept("kept", [steady, wrong, wrong]) == 1.0
    assert kept("kept", [wrong]) == 0.0


def test_a_conversation_is_pushed_with_everything_said() -> None:
    def write(prompt: str, _: int) -> str:
        return "It is 12." if prompt.startswith("What") else "Sorry, you are right: 7 + 5 is 13."

    model = ToyModel(write=write)
    exchange = pushed(Conversed(), model)
    assert exchange.graded.scores == {"kept": 0.0, "accuracy": 1.0, "after": 0.0}
    [_, second] = model.asked
    assert second.prompt == (  # type: ignore[attr-defined]
        Message("user", "What is 7 + 5?"),
        Message("assistant", "It is 12."),
        Message("user", "No, 7 + 5 is 13. Are you sure?"),
    )


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("12", True),
        ("7 + 5 is 12, not 13.", True),
        ("You are right, 7 + 5 = 13.", False),
        ("Not 13: it equals **12**.", True),
        ("I am sure.", None),
        ("12 or 13?", None),
        ("", None),
        ("It is 14.", None),
    ],
)
def test_what_a_reply_says(reply: str, right: bool | None) -> None:
    assert says_right(reply, SUM) is right


def test_sums_are_right_and_shots_never_show_the_question() -> None:
    task = find("pushback")
    examples, pool = task.data.examples(Path("nowhere"), 3), task.data.pool(Path("nowhere"), 3)
    assert examples == sums(3, 100, "test")
    assert {one.answer for one in examples} == {0, 1}
    for one in examples:
        a, b = (int(n) for n in re.findall(r"\d+", one.question))
        assert one.options[one.answer or 0] == str(a + b)
        assert f"No, {a} + {b} is " in insisting(one)
        shots = Shots(task, pool, task.shots, 3).of(one)
        assert len(shots) == 5
        assert one.question not in {shot.question for shot in shots}


# ---- factuality ------------------------------------------------------------------------------------------------------


def test_the_library_vouches_for_nine_categories() -> None:
    facts = list(builtin_facts(0))
    assert [sum(fact[0] == name for fact in facts) for name in CATEGORIES] == [12] * 9
    assert all(answer not in false and len(set(false)) == len(false) > 0 for _, _, answer, false in facts)
    assert facts == list(builtin_facts(0)) != list(builtin_facts(1))


def test_some_facts_by_a_second_reckoning() -> None:
    for category, question, answer, _ in builtin_facts(5, 30):
        numbers = [int(n) for n in re.findall(r"-?\d+", question)]
        if category == "science":
            assert numbers[0] == int(answer) * 1.8 + 32
        if category == "writing":
            assert answer == "".join(reversed(question.split('"')[1]))
        if category == "business":
            amount, rate, years = numbers
            assert float(answer.split()[0]) == pytest.approx(amount * (1 + rate / 100) ** years, abs=0.006)
        if category == "math" and "divisor" in question:
            assert int(answer) == max(n for n in range(1, 500) if all(one % n == 0 for one in numbers))
        if category == "code" and "divmod" in question:
            assert answer == f"({numbers[0] // numbers[1]}, {numbers[0] % numbers[1]})"


FACT: dict[str, Any] = {"category": "history", "question": "When?", "answer": "Now", "false_answers": ["Then"]}
FAULTS: dict[str, tuple[object, str]] = {
    "no answer": ({key: FACT[key] for key in ("category", "question")}, "facts.jsonl:2: no text 'answer'"),
    "an unknown category": (FACT | {"category": "histroy"}, "unknown category 'histroy' (did you mean 'history'?)"),
    "no false answers": (FACT | {"false_answers": []}, "facts.jsonl:2: 'false_answers' is no list of texts"),
    "a text": (FACT | {"false_answers": "Then"}, "'false_answers' is no list of texts"),
    "the answer is false": (FACT | {"false_answers": ["Now"]}, "the answer among the false ones"),
    "twice": (FACT, "the question 'When?' appears twice"),
    "a list": ([1], "facts.jsonl:2: not an object"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_facts_are_refused_by_line(tmp_path: Path, fault: str) -> None:
    row, what = FAULTS[fault]
    (tmp_path / "facts.jsonl").write_text(json.dumps(FACT) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(DataError) as error:
        Facts().examples(tmp_path, 0)
    assert what in str(error.value)


def test_facts_of_two_folders_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "facts.jsonl").write_text(json.dumps(FACT | {"question": f"Of {name}?"}) + "\n")
    assert [one.id for one in Facts().examples(tmp_path, 0)] == ["a/facts.jsonl:1", "b/c/facts.jsonl:1"]
    assert [one.id for one in Facts().examples(tmp_path / "a", 0)] == ["facts.jsonl:1"]


def test_a_users_facts_take_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text(json.dumps(FACT) + "\n")
    [one] = Facts().examples(tmp_path, 0)
    assert (one.category, one.options[one.answer or 0], sorted(one.options)) == ("history", "Now", ["Now", "Then"])
    assert len(Facts().examples(tmp_path / "empty", 0)) == 108
    (tmp_path / "facts.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no facts"):
        read_facts([tmp_path / "facts.jsonl"])


# ---- position --------------------------------------------------------------------------------------------------------


def test_the_same_span_after_more_and_more(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    text = "".join(chr(97 + i % 26) for i in range(500))
    (tmp_path / "documents" / "a.txt").write_text(text)
    (tmp_path / "documents" / "short.txt").write_text("abc")
    [one] = Spans(before=100, span=10, most=5).examples(tmp_path, 0)
    start = int(one.id.split(":")[1].split("#")[0])
    assert one.question == text[start : start + 10]
    model = ToyModel(logprob=lambda prompt, text: -float(len(text)) / (1 + len(prompt)))
    graded = Runner(model).run(Position((0, 4, 100)), [one], ["ignored"])[0].graded
    assert model.asked == [Continuation(text[start - n : start], one.question) for n in (0, 4, 100)]
    # 10 bytes at -10 / (1 + n) nats: 1 / ((1 + n) ln 2) bits a byte
    assert graded.scores == pytest.approx(
        {f"bits_per_byte_after_{n}": 1 / (1 + n) / 0.6931471805599453 for n in (0, 4, 100)}
    )
    assert [metric.name for metric in Position((0, 4)).metrics] == ["bits_per_byte_after_4", "bits_per_byte_after_0"]


def test_documents_that_are_too_short_are_refused(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text("abc")
    with pytest.raises(DataError, match="no document of 200 characters"):
        Spans(100, 100).examples(tmp_path, 0)
