"""Two turns judged: what model and judge are asked, how ratings and verdicts are read, and the public files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Generation, Message
from presage.evaluate.runner import Exchange, Runner
from presage.tasks.library import find
from presage.tasks.library.dialogue import conversations
from presage.tasks.methods.dialogue import Paired, Rated, read_rating, read_verdict, won
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Method
from tests.imports import ROOT
from tests.toy_model import ToyModel

PUBLIC = ROOT.parent / "shared" / "data" / "align" / "instruction_sft"
QUESTION = {"question_id": 1, "category": "writing", "turns": ["Write a line.", "Now in capitals."]}
RIGHT = {"question_id": 2, "category": "math", "turns": ["2 + 2?", "And + 1?"]}
ANSWER = {"question_id": 2, "choices": [{"turns": ["4", "5"]}]}


def examine(
    method: Method, example: Example, write: Callable[[str], str], judge: Callable[[str], str]
) -> tuple[Exchange, list[Generation], list[str]]:
    """The exchange, what the model was asked, and what the judge was asked."""
    model = ToyModel(write=lambda prompt, sample: write(prompt))
    grader = ToyModel(write=lambda prompt, sample: judge(prompt))
    [exchange] = Runner(model, grader).run(method, [example], [example.fields["turns"][0]])
    return exchange, list(model.asked), [str(one.prompt) for one in grader.asked]  # type: ignore[arg-type, attr-defined]


def example(**fields: object) -> Example:
    return Example("7", "q", category="writing", fields={"turns": ["Write a line.", "Now in capitals."], **fields})


def test_the_second_turn_is_asked_after_the_first_answer() -> None:
    method = Rated(temperatures=(("writing", 0.7),))
    exchange, asked, judged = examine(method, example(), str.upper, lambda text: "Good. [[7]]")
    assert [one.prompt for one in asked] == [
        (Message("user", "Write a line."),),
        (Message("user", "Write a line."), Message("assistant", "WRITE A LINE."), Message("user", "Now in capitals.")),
    ]
    assert {one.decoding.temperature for one in asked} == {0.7}
    assert asked[0].seed != asked[1].seed
    assert exchange.graded.scores == {"rating": 7.0, "rating_1": 7.0, "rating_2": 7.0}
    assert exchange.graded.answer == "NOW IN CAPITALS."
    assert "NOW IN CAPITALS." not in judged[0]
    assert "first answer" in judged[0]
    assert "second answer" in judged[1]
    assert "NOW IN CAPITALS." in judged[1]


def test_ratings_are_averaged_and_one_that_cannot_be_read_is_the_lowest() -> None:
    judge = lambda text: "none" if "second answer" in text else "[[9]]"  # noqa: E731
    exchange, _, _ = examine(Rated(), example(), str.upper, judge)
    assert exchange.graded.scores == {"rating": 5.0, "rating_1": 9.0, "rating_2": 1.0}
    assert exchange.graded.extra["invalid"] is True


def test_a_reference_is_shown_as_far_as_the_turn_that_is_judged() -> None:
    _, _, judged = examine(Rated(), example(reference=["one", "two"]), str.upper, lambda text: "[[5]]")
    assert "[REFERENCE]\none" in judged[0]
    assert "[REFERENCE]\ntwo" not in judged[0]
    assert "[REFERENCE]\ntwo" in judged[1]


def test_what_is_answered_is_never_a_place_in_the_prompt() -> None:
    _, _, judged = examine(Rated(), example(), lambda text: "{shown} {which} {0}", lambda text: "[[5]]")
    assert "{shown} {which} {0}" in judged[0]


@pytest.mark.parametrize(
    ("reply", "rating"),
    [
        ("[[7]]", 7.0),
        ("Of [[10]] points: [[ 8.5 ]]", 8.5),
        ("[[7/10]]", 7.0),
        ("[7]", None),
        ("7", None),
        ("[[11]]", None),
        ("[[0]]", None),
        ("[[-3]]", None),
        ("[[]]", None),
        ("", None),
    ],
)
def test_ratings_are_read(reply: str, rating: float | None) -> None:
    assert read_rating(reply) == rating


@pytest.mark.parametrize(
    ("reply", "verdict"), [("[[A]]", "A"), ("not [[A]] but [[B]]", "B"), ("[[C]]", "C"), ("A", None), ("[[D]]", None)]
)
def test_verdicts_are_read(reply: str, verdict: str | None) -> None:
    assert read_verdict(reply) == verdict


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ("A", "B", 1.0),
        ("B", "A", 0.0),
        ("A", "A", 0.5),
        ("B", "B", 0.5),
        ("C", "C", 0.5),
        ("A", "C", 0.5),
        ("C", "A", 0.5),
        (None, None, 0.0),
        (None, "B", 0.5),
        ("A", None, 0.5),
        (None, "C", 0.5),
    ],
)
def test_a_pair_is_won_in_both_orders_or_not_at_all(first: str | None, second: str | None, score: float) -> None:
    assert won(first, second) == score


@pytest.mark.parametrize(("prefers", "score"), [("GOOD", 1.0), ("poor", 0.0), ("first", 0.5)])
def test_both_orders_are_judged(prefers: str, score: float) -> None:
    def judge(text: str) -> str:
        good_is_first = text.index("GOOD") < text.index("poor")
        return "[[A]]" if prefers == "first" or good_is_first == (prefers == "GOOD") else "[[B]]"

    exchange, _, judged = examine(Paired(), example(baseline=["poor", "poor"]), lambda text: "GOOD", judge)
    assert exchange.graded.scores == {"win_rate": score}
    assert len(judged) == 2
    assert exchange.graded.extra["invalid"] is False


def test_without_a_judge_it_says_so() -> None:
    with pytest.raises(ConfigError, match="--judge"):
        Runner(ToyModel()).run(Rated(), [example()], ["Write a line."])


# ---- files -----------------------------------------------------------------------------------------------------------


def write(folder: Path, *rows: object, name: str = "question.jsonl") -> Path:
    (folder / "mt_bench").mkdir(exist_ok=True)
    path = folder / "mt_bench" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_questions_find_their_references(tmp_path: Path) -> None:
    write(tmp_path, {**QUESTION, "reference": ["straightforward", ""]}, RIGHT)
    write(tmp_path, ANSWER, name="reference_answer/gpt-4.jsonl")
    alone, right = find("mt_bench").data.examples(tmp_path, 0)
    assert (alone.id, alone.category, alone.fields["reference"]) == ("1", "writing", [])
    assert (right.fields["turns"], right.fields["reference"]) == (["2 + 2?", "And + 1?"], ["4", "5"])
    [pair] = find("mt_bench_pairs").data.examples(tmp_path, 0)
    assert (pair.id, pair.fields["baseline"]) == ("2", ["4", "5"])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", ":2: not JSON"),
        ("[]", ":2: a JSON list, not an object"),
        ({}, ":2: no 'question_id'"),
        ({**QUESTION, "question_id": None}, ":2: question_id: null is no whole number or text"),
        ({**QUESTION, "question_id": True}, ":2: question_id: True is no whole number or text"),
        ({**QUESTION, "category": ""}, ":2: category: an empty text"),
        ({**QUESTION, "turns": ["one"]}, ":2: 'turns' does not hold two turns"),
        ({**QUESTION, "turns": ["one", 2]}, ":2: 'turns' does not hold two turns"),
        (RIGHT, ":2: no reference answer to question 2"),
        ({"question_id": 2, "choices": []}, ":2: 'choices' does not hold two turns"),
        (QUESTION, "appears twice"),
    ],
    ids=str,
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(DataError, match=says):
        conversations([write(tmp_path, QUESTION, row)])


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="MT-Bench (../shared/data/align/instruction_sft) is not here")
def test_the_public_files() -> None:
    task = find("mt_bench")
    examples = task.data.examples(PUBLIC, 0)
    categories = {one.category: sum(other.category == one.category for other in examples) for one in examples}
    assert set(categories.values()) == {10}
    assert len(categories) == 8
    assert sum(bool(one.fields["reference"]) for one in examples) == 30
    assert len(find("mt_bench_pairs").data.examples(PUBLIC, 0)) == 30
    shots = Shots(task, [], 0, 0)
    contexts = [shots.context(one) for one in examples]
    judge = ToyModel(write=lambda prompt, sample: f"[[{1 + len(prompt) % 10}]]")
    found = Runner(ToyModel(write=lambda prompt, sample: prompt[::-1]), judge).run(task.method, examples, contexts)
    assert len(found) == 80
    assert all(1 <= one.graded.scores["rating"] <= 10 for one in found)


def test_a_temperature_that_is_set_is_every_categorys() -> None:
    method = Rated(temperatures=(("writing", 0.7),))
    assert method.decoded(max_tokens=9).temperatures == method.temperatures
    assert method.decoded(temperature=0.3).temperatures == ()
    with pytest.raises(ConfigError, match="one answer"):
        method.decoded(samples=2)
