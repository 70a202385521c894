"""A study of who wrote what: quizzes, what a person is told, and what becomes of the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind

from presage.align.label_book import Book
from presage.align.label_study import WORDS, Answer, Guess, Item, Studying, read_answers, read_items, study
from presage.core.errors import ConfigError, DataError
from tests.align.labelled import ask, rows, serving

ITEMS = [Item(f"s{n}", f"human {n}", f"model {n}", f"control {n}", f"title {n}") for n in range(8)]


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "items.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def shown(quiz: int, who: str = "Ada", items: list[Item] = ITEMS) -> dict[str, str]:
    sheet = Studying(items, who, quiz)
    return {id: sheet.shown(id)["text"] for id in sheet.ids}


# ---- items -----------------------------------------------------------------------------------------------------------


def test_of_several_outputs_the_nearest_in_length_is_taken(tmp_path: Path) -> None:
    row = {"human": "one two three", "machine": ["one", "a b c d", "x " * 20], "control": "bad", "prompt": "t"}
    (found,) = read_items(file_of(tmp_path, row))
    assert (found.machine, found.control, found.prompt) == ("a b c d", "bad", "t")
    assert found.id


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"machine": "m"}, "items.jsonl:2: no 'human'"),
        ({"human": "h"}, "items.jsonl:2: no 'machine'"),
        ({"human": "h", "machine": []}, "items.jsonl:2: machine: "),
        ({"human": "h", "machine": 3}, "items.jsonl:2: machine: 3 is no text or list"),
        ({"human": "h", "machine": "m"}, "items.jsonl:2: some items have a control text, some have none"),
        ({"id": "a", "human": "h", "machine": "m"}, "items.jsonl:2: the id 'a' appears twice"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_items(file_of(tmp_path, {"id": "a", "human": "h", "machine": "m", "control": "c"}, row))


# ---- quizzes ---------------------------------------------------------------------------------------------------------


def test_four_quizzes_half_of_the_items_each_way() -> None:
    found = [shown(quiz) for quiz in (1, 2, 3, 4)]
    writers = [{text.split()[0] for text in one.values()} for one in found]
    assert sorted(map(sorted, writers)) == [["control", "human"]] * 2 + [["human", "model"]] * 2
    for one in found:
        assert sum(text.startswith("human") for text in one.values()) == 4
    with_model = [one for one, who in zip(found, writers, strict=True) if "model" in who]
    for id in with_model[0]:
        assert {one[id].split()[0] for one in with_model} == {"human", "model"}


def test_without_control_texts_there_are_two() -> None:
    plain = [Item(one.id, one.human, one.machine) for one in ITEMS]
    assert {text.split()[0] for quiz in (1, 2) for text in shown(quiz, items=plain).values()} == {"human", "model"}
    with pytest.raises(ConfigError, match=r"--quiz 3.*1 to 2"):
        Studying(plain, "Ada", 3)


def test_a_quiz_is_drawn_by_the_name_and_the_order_too() -> None:
    people = [Studying(ITEMS, f"person {n}") for n in range(400)]
    counts = [sum(one.quiz == quiz for one in people) for quiz in (1, 2, 3, 4)]
    assert all(abs(count - 100) < 35 for count in counts)  # four deviations of 8.7
    assert len({tuple(one.ids) for one in people}) > 300
    assert Studying(ITEMS, "person 3").ids == people[3].ids


def test_the_page_is_not_told_who_wrote_it() -> None:
    sheet = Studying(ITEMS, "Ada", 1)
    told = sheet.shown(sheet.ids[0])
    assert set(told) == {"prompt", "text", "scale"}
    assert [words for _, words in told["scale"]] == list(WORDS)
    assert [value for value, _ in told["scale"]] == [1, 2, 3, 4, 5]


# ---- a session -------------------------------------------------------------------------------------------------------


def test_a_session_by_real_requests(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    with serving(Book(Studying(ITEMS, "Ada"), out)) as server:
        _, state, _ = ask(server, "state")
        assert state["kind"] == "study"
        while state["task"] is not None:
            said = 1 if state["task"]["text"].startswith("human") else 5
            _, state, _ = ask(server, "save", {"turn": state["turn"], "answer": {"answer": said}})
    assert len(rows(out)) == 8
    answers = read_answers(out)
    assert all((one.guess.answer == 5) == one.guess.machine for one in answers)
    found = study(answers)
    assert [one.accuracy for one in (found.model.people or found.control.people)] == [1.0]
    again = Book(Studying(ITEMS, "Ada"), out)
    assert again.state()["task"] is None
    again.close()


@pytest.mark.parametrize("said", [0, 6, None, True, "3", 2.5, 1.0, [1]])
def test_what_is_not_on_the_scale(said: object) -> None:
    with pytest.raises(DataError, match="not on the scale"):
        Studying(ITEMS, "Ada").line("s0", {"answer": said}, "2024-05-01")


def test_who_began_with_one_quiz_goes_on_with_it(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    out.write_bytes(Studying(ITEMS, "Ada", 2).line("s0", {"answer": 3}, "2024-05-01"))
    with pytest.raises(DataError, match="Ada began with quiz 2"):
        Book(Studying(ITEMS, "Ada", 3), out)
    changed = [Item(one.id, one.human + "!", one.machine + "!", one.control + "!") for one in ITEMS]
    with pytest.raises(DataError, match="'s0' is of another text here"):
        Book(Studying(changed, "Ada", 2), out)
    Book(Studying(ITEMS, "Ben", 3), out).close()


# ---- results ---------------------------------------------------------------------------------------------------------


def answers_of(who: str, right: int, wrong: int, control: bool = False) -> list[Answer]:
    said = [5] * right + [1] * wrong
    return [Answer(Guess(who, f"s{n}", True, one), control) for n, one in enumerate(said)]


def test_the_t_test_is_scipys() -> None:
    given = [*answers_of("A", 5, 5), *answers_of("B", 6, 4), *answers_of("C", 4, 6)]
    given += [*answers_of("D", 9, 1, True), *answers_of("E", 8, 2, True)]
    found = study(given)
    expected = ttest_ind([0.9, 0.8], [0.5, 0.6, 0.4])
    assert (found.against.t, found.against.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert found.against.difference == pytest.approx(0.35)
    assert (found.model.accuracy.value, found.control.accuracy.value) == (pytest.approx(0.5), pytest.approx(0.85))
    assert study(given, ["C"]).model.left_out == 1
    with pytest.raises(DataError, match=r"nobody is called 'Z'.*A, B, C, D, E"):
        study(given, ["Z"])
    with pytest.raises(DataError, match="nobody is left"):
        study(given, ["A", "B", "C", "D", "E"])


@pytest.mark.parametrize("change", [{"answer": 6}, {"machine": 1}, {"control": "no"}, {"who": ""}, {"id": None}])
def test_answers_that_cannot_be_read(tmp_path: Path, change: dict[str, Any]) -> None:
    row = {"id": "s0", "who": "Ada", "machine": True, "control": False, "answer": 3}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps(row | change) + "\n")
    with pytest.raises(DataError, match=r"a[.]jsonl:2"):
        read_answers(path)
