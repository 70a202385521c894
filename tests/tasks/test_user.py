"""Tasks of one's own: what is found under a name, how files are read, and every line that cannot be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, DataError, PresageError
from presage.data.verbs import Generation, Message
from presage.evaluate.runner import Exchange, Runner
from presage.tasks import user_rows
from presage.tasks.library import find
from presage.tasks.methods.choice import Choice
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.match import Match
from presage.tasks.readers.rows import Row
from presage.tasks.shots import Shots
from presage.tasks.task import Task
from presage.tasks.user import JUDGED, find_task
from tests.toy_model import ToyModel

CHOICE: dict[str, Any] = {"question": "Capital of Norway?", "options": ["Bergen", "Oslo"], "answer": 1}
QUESTION: dict[str, Any] = {"question": "River of Vienna?", "answers": ["Danube", "Donau"]}
TEXT: dict[str, Any] = {"input": "2 + 2 =", "ideal": "4"}
CHAT: dict[str, Any] = {
    "input": [{"role": "system", "content": "A number."}, {"role": "user", "content": "2 + 2?"}],
    "ideal": ["4", "four"],
}


def write(folder: Path, *rows: object, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def run(
    task: Task, model: ToyModel, shots: int = 0, judge: ToyModel | None = None, data: Path = Path()
) -> list[Exchange]:
    examples = task.data.examples(data, 0)
    drawn = Shots(task, task.data.pool(data, 0) or examples, shots, 0)
    return Runner(model, judge).run(task.method, examples, [drawn.context(one) for one in examples])


def prompts(model: ToyModel) -> list[Any]:
    return [one.prompt for one in model.asked if isinstance(one, Generation)]


# ---- names -----------------------------------------------------------------------------------------------------------


def test_a_name_is_the_librarys() -> None:
    assert find_task("arc_challenge") == find("arc_challenge")
    with pytest.raises(ConfigError, match=r"unknown task 'arc_chalenge'.*did you mean 'arc_challenge'"):
        find_task("arc_chalenge")


@pytest.mark.parametrize(
    ("rows", "spec", "name", "method"),
    [
        ([CHOICE], "", "mine", Choice("per_token")),
        ([CHOICE], ":letter", "mine_letter", Choice("letter")),
        ([QUESTION], "", "mine", "exact"),
        ([QUESTION], ":includes", "mine_includes", "includes"),
        ([{"question": "Q?", "answer": "A"}], "", "mine", "exact"),
        ([TEXT], "", "mine", "match"),
        ([CHAT], ":json", "mine_json", "json"),
        ([{"sample": CHAT["input"]}], "", "mine", "match"),
    ],
)
def test_the_first_row_says_what_a_file_is(
    tmp_path: Path, rows: list[object], spec: str, name: str, method: object
) -> None:
    task = find_task(f"{write(tmp_path, *rows)}{spec}")
    assert task.name == name
    assert task.method == method or (isinstance(task.method, Match) and task.method.rule == method)
    assert task.data.files(Path("/nowhere")) == [tmp_path / "mine.jsonl"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("none.jsonl", "none.jsonl: cannot be read: No such file"),
        ("mine.jsonl:includs", "no grader 'includs'.*did you mean 'includes'"),
        ("mine.jsonl:letter", "no grader 'letter'.*known: exact, fuzzy, includes, json, match"),
        ("mine.jsonl:none.md", "none.md: cannot be read: No such file"),
        ("choice.jsonl:rubric.md", "multiple choice is graded without a judge"),
        ("choice.jsonl:match", "no grader 'match'"),
        ("arc_challenge.jsonl", "a task of the library is called 'arc_challenge'.*rename the file"),
        ("empty.jsonl", "holds no examples"),
        ("none.py:TASK", "none.py: no such file"),
    ],
)
def test_what_is_unknown_is_said(tmp_path: Path, spec: str, says: str) -> None:
    write(tmp_path, QUESTION)
    write(tmp_path, CHOICE, name="choice.jsonl")
    write(tmp_path, QUESTION, name="arc_challenge.jsonl")
    write(tmp_path, "", "  ", name="empty.jsonl")
    with pytest.raises(PresageError, match=says) as caught:
        find_task(f"{tmp_path}/{spec}")
    assert "\n" not in str(caught.value)


# ---- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not JSON"),
        ('{"question": NaN}', "not JSON"),
        ("[]", "a JSON list, not an object"),
        ("{}", "no example: it has no keys"),
        ({"prompt": "x"}, "no example: it has prompt.*question, options, answer"),
        ({"question": "x"}, "no example: it has question"),
        ({"input": "x"}, "no example: it has input"),
        ({**CHOICE, "question": ""}, "question: an empty text"),
        ({**CHOICE, "question": 3}, "question: 3 is no text"),
        ({**CHOICE, "options": ["one"]}, "2 to 26 texts"),
        ({**CHOICE, "options": ["one", 2]}, "2 to 26 texts"),
        ({**CHOICE, "options": {"A": "one"}}, "options: {'A': 'one'} is no list"),
        ({**CHOICE, "options": ["Oslo", "Oslo"]}, "appears twice"),
        ({**CHOICE, "answer": 2}, "no option is '2'"),
        ({**CHOICE, "answer": -1}, "no option is '-1'"),
        ({**CHOICE, "answer": "C"}, "no option is 'C'"),
        ({**CHOICE, "answer": True}, "answer: True is no whole number or text"),
        ({**CHOICE, "answer": None}, "answer: null is no whole number or text"),
        ({**CHOICE, "options": ["B", "A"], "answer": "A"}, "two options may be meant by 'A'"),
        ({**CHOICE, "id": ""}, "id: an empty text"),
        ({**CHOICE, "id": 1.5}, "id: 1.5 is no whole number or text"),
        ({**CHOICE, "category": 3}, "category: 3 is no text"),
        ({**CHOICE, "question": "\ud800"}, "half a surrogate"),
        ({**QUESTION, "answers": []}, r"answers: \[\] is not a list of 1 or more texts"),
        ({**QUESTION, "answers": ["x", ""]}, "answers: an empty text"),
        ({**QUESTION, "answers": 3}, "answers: 3 is no text or list"),
        ({**TEXT, "ideal": ""}, "ideal: an empty text"),
        ({**TEXT, "ideal": [1]}, "ideal: 1 is no text"),
        ({**TEXT, "input": []}, "a chat without turns"),
        ({**TEXT, "input": ["x"]}, "no text as its 'content'"),
        ({**TEXT, "input": [{"role": "user", "content": ["x"]}]}, "no text as its 'content'"),
        ({**TEXT, "input": [{"role": "tool", "content": "x"}]}, "the role 'tool'"),
        ({**TEXT, "input": [{"role": ["user"], "content": "x"}]}, r"the role \['user'\]"),
        ({**TEXT, "input": [{"role": {"a": 1}, "content": "x"}]}, "the role {'a': 1}"),
        ({"sample": []}, "no text as its 'content'"),
        ({"sample": [{"role": "assistant", "content": "x"}]}, "a chat without turns"),
    ],
    ids=str,
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        find_task(str(write(tmp_path, "", row))).data.examples(Path(), 0)
    assert "mine.jsonl:2" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["more", "question", "options", "answer"])
@pytest.mark.parametrize("levels", [300, 480, 700, 950, 2000])
def test_a_value_nested_too_deeply_is_refused_or_not_looked_at(tmp_path: Path, levels: int, key: str) -> None:
    nested = "[" * levels + "]" * levels
    text = json.dumps({**CHOICE, key: "NESTED"}).replace('"NESTED"', nested)
    try:
        task = find_task(str(write(tmp_path, text)))
        task.data.examples(Path(), 0)
    except DataError as error:
        assert str(error).startswith(f"{tmp_path}/mine.jsonl:1: ")
        assert len(str(error)) < 300
    else:
        assert key == "more"


def test_what_can_be_read_and_not_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some Pythons read values nested more deeply than they write."""
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    monkeypatch.setattr(user_rows, "json_lines", lambda file: [Row("mine.jsonl:1", "mine.jsonl:1", {"more": nested})])
    monkeypatch.setattr(user_rows, "source", lambda path, whole: None)
    with pytest.raises(DataError, match=r"mine\.jsonl:1: a value nested too deeply"):
        list(user_rows.user_rows(Path("mine.jsonl")))


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, QUESTION)
    path.write_bytes(path.read_bytes() + b'{"question": "\xff"}\n')
    with pytest.raises(DataError, match=r"mine\.jsonl:2: not UTF-8"):
        find_task(str(path)).data.examples(Path(), 0)


@pytest.mark.parametrize("other", [CHOICE, TEXT], ids=["choice", "sample"])
def test_a_file_holds_one_kind_of_row(tmp_path: Path, other: object) -> None:
    task = find_task(str(write(tmp_path, QUESTION, other)))
    with pytest.raises(DataError, match=r"mine\.jsonl:2: a row without question and answer among others"):
        task.data.examples(Path(), 0)


def test_an_id_that_appears_twice_is_named(tmp_path: Path) -> None:
    task = find_task(str(write(tmp_path, {**QUESTION, "id": "a"}, {**QUESTION, "id": "a"})))
    with pytest.raises(DataError, match=r"mine\.jsonl:2: the id 'a' appears twice"):
        task.data.examples(Path(), 0)


def test_examples_are_named_after_their_line_or_as_they_say(tmp_path: Path) -> None:
    path = write(tmp_path, {**QUESTION, "id": 7}, "", QUESTION)
    assert [one.id for one in find_task(str(path)).data.examples(Path(), 0)] == ["7", "mine.jsonl:3"]


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, QUESTION)
    packed = tmp_path / "mine.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    task = find_task(f"{packed}:includes")
    assert task.name == "mine_includes"
    assert task.data.examples(Path(), 0)[0].targets == ("Danube", "Donau")


# ---- asked -----------------------------------------------------------------------------------------------------------


def test_multiple_choice_is_asked_with_shots_of_its_file(tmp_path: Path) -> None:
    task = find_task(str(write(tmp_path, CHOICE, {**CHOICE, "question": "And of Peru?", "options": ["Lima", "Cuzco"]})))
    model = ToyModel(logprob=lambda prompt, text: 0.0 if text == " Oslo" else -9.0)
    [first, _] = run(task, model, shots=1)
    assert first.graded.scores == {"accuracy": 1.0}
    context = "Question: And of Peru?\nAnswer: Cuzco\n\nQuestion: Capital of Norway?\nAnswer:"
    assert [one.prompt for one, _ in first.asked] == [context] * 2  # type: ignore[union-attr]


def test_by_letter_the_options_are_shown(tmp_path: Path) -> None:
    model = ToyModel()
    [found] = run(find_task(f"{write(tmp_path, CHOICE)}:letter"), model)
    shown = "Question: Capital of Norway?\nA. Bergen\nB. Oslo\nAnswer:"
    assert [(one.prompt, one.text) for one, _ in found.asked] == [(shown, " A"), (shown, " B")]  # type: ignore[union-attr]


def test_questions_are_answered_on_a_line(tmp_path: Path) -> None:
    model = ToyModel(write=lambda prompt, sample: " the Donau.\nQ: and more")
    [found] = run(find_task(str(write(tmp_path, QUESTION))), model)
    assert (found.graded.scores, found.graded.answer) == ({"accuracy": 1.0}, "the Donau.")
    assert prompts(model) == ["Q: River of Vienna?\nA:"]


def test_samples_of_openai_evals_run_as_they_are(tmp_path: Path) -> None:
    model = ToyModel(write=lambda prompt, sample: "4, I think")
    for sample in (TEXT, CHAT):
        [found] = run(find_task(str(write(tmp_path, sample))), model)
        assert found.graded.scores == {"accuracy": 1.0}
    assert prompts(model) == ["2 + 2 =", (Message("system", "A number."), Message("user", "2 + 2?"))]


@pytest.mark.parametrize(
    ("first", "second", "says"), [(TEXT, CHAT, "a chat among texts"), (CHAT, TEXT, "a text among chats")]
)
def test_texts_and_chats_are_not_mixed(tmp_path: Path, first: object, second: object, says: str) -> None:
    """Not in a file, and not between a file and its shots: neither could be shown in the other's context."""
    with pytest.raises(DataError, match=rf"mine\.jsonl:2: {says}"):
        find_task(str(write(tmp_path, first, second))).data.examples(Path(), 0)
    write(tmp_path, second, name="mine.shots.jsonl")
    with pytest.raises(DataError, match=rf"mine\.shots\.jsonl:1: {says}"):
        find_task(str(write(tmp_path, first))).data.pool(Path(), 0)


def test_shots_of_a_chat_stand_before_its_last_turn(tmp_path: Path) -> None:
    shot = {"sample": [{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}]}
    write(tmp_path, shot, name="mine.shots.jsonl")
    task, model = find_task(str(write(tmp_path, CHAT))), ToyModel()
    assert [path.name for path in task.data.files(Path())] == ["mine.jsonl", "mine.shots.jsonl"]
    run(task, model, shots=1)
    [prompt] = prompts(model)
    assert [(one.role, one.content) for one in prompt] == [
        ("system", "A number."),
        ("user", "1 + 1?"),
        ("assistant", "2"),
        ("user", "2 + 2?"),
    ]


def test_a_judge_in_place_of_a_grader(tmp_path: Path) -> None:
    (tmp_path / "rubric.md").write_text(
        "Is {answer} right for {question}, as {reference} is?\n- A (1): yes\n- B (0): no"
    )
    task = find_task(f"{write(tmp_path, QUESTION)}:rubric.md")
    judge = ToyModel(write=lambda prompt, sample: "A\nbecause")
    [found] = run(task, ToyModel(write=lambda prompt, sample: "Donau"), judge=judge)
    assert isinstance(task.method, Judged)
    assert (task.name, found.graded.scores) == ("mine_rubric", {"score": 1.0})
    assert prompts(judge)[0].startswith("Is Donau right for River of Vienna?, as Danube or Donau is?")
    assert task.version == JUDGED == 2
    assert task.version == 2


def test_a_sample_brings_its_own_texts_for_the_judge(tmp_path: Path) -> None:
    spec = {"prompt": "{criteria}: {completion}", "choice_strings": "12345", "choice_scores": "from_strings"}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    path = write(tmp_path, {**TEXT, "criteria": "Clarity"})
    judge = ToyModel(write=lambda prompt, sample: "So:\n4")
    [found] = run(
        find_task(f"{path}:{tmp_path / 'spec.json'}"), ToyModel(write=lambda prompt, sample: "four"), judge=judge
    )
    assert found.graded.scores == {"score": 4.0}
    assert prompts(judge)[0].startswith("Clarity: four\n")
