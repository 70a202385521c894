"""Exams in files: what is read, and the line and keys of every fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError, DataError
from presage.tasks.exam.model import Chart, Fixed, Knots, Linear, Points, TableFile, exam_tasks
from presage.tasks.exam.places import read_nodes
from presage.tasks.exam.reader import read_exam
from presage.tasks.library.exams import EXAMS, TASKS, exam_named
from presage.tasks.shots import Shots

EXAM: dict[str, Any] = {
    "name": "driving",
    "title": "Driving test",
    "version": 2,
    "source": "made up",
    "scale": {"rule": "linear", "low": 0, "high": 50, "step": 5},
    "percentiles": [
        {"file": "driving.csv"},
        {"file": "ap.csv", "form": "shares", "only": {"Exam": "Biology"}},
    ],
    "sections": [
        {
            "name": "signs",
            "kind": "choice",
            "points": 2,
            "weight": 30,
            "wrong": -0.5,
            "blank": 0,
            "letter": "explanation",
            "shots": [{"question": "Red?", "options": ["go", "stop"], "answer": "B", "explanation": "By law."}],
            "questions": [
                {"question": "Green?", "options": ["go", "stop"], "answer": "A", "image": "a.png", "group": "lights"},
                {"id": "x", "question": "Amber?", "options": ["go", "stop", "wait"], "answer": "C", "points": 4},
            ],
        },
        {
            "name": "essay",
            "kind": "free",
            "rubric": "Be fair.",
            "shots": [{"question": "Why stop?", "essay": "To live."}],
            "questions": [{"question": "Why go?", "answer": "To arrive."}],
        },
    ],
}


def written(folder: Path, exam: Any) -> Path:
    path = folder / "driving.json"
    path.write_text(exam if isinstance(exam, str) else json.dumps(exam, indent=1))
    return path


def test_everything_is_read(tmp_path: Path) -> None:
    exam = read_exam(written(tmp_path, EXAM))
    assert (exam.name, exam.title, exam.version, exam.folder) == ("driving", "Driving test", 2, tmp_path)
    assert exam.scale == Linear(0, 50, 5)
    assert exam.percentiles == (
        TableFile("driving.csv"),
        TableFile("ap.csv", form="shares", only=(("Exam", "Biology"),)),
    )
    signs, essay = exam.sections
    assert (signs.points, signs.weight, signs.wrong, signs.blank, signs.shots) == (2, 30, -0.5, 0, 1)
    assert (essay.rubric, essay.weight, essay.blank) == ("Be fair.", None, None)
    assert isinstance(signs.data, Fixed)
    first, second = signs.data.questions
    assert (first.id, second.id, first.group, first.answer, second.answer) == ("1", "x", "lights", 0, 2)
    assert dict(first.fields) == {"image": "a.png"}
    assert dict(second.fields) == {"points": 4.0}
    assert isinstance(essay.data, Fixed)
    assert essay.data.questions[0].targets == ("To arrive.",)
    assert [task.name for task in exam_tasks(exam)] == ["exam:driving:signs", "exam:driving:essay"]


@pytest.mark.parametrize(
    ("scale", "found"),
    [
        ({"rule": "points"}, Points()),
        ({"rule": "points", "total": 150}, Points(150)),
        ({"rule": "knots", "pairs": [[0, 120], [99, 180]]}, Knots(((0, 120), (99, 180)))),
        ({"rule": "chart", "file": "c.csv", "value": "scaled"}, Chart(TableFile("c.csv", "score", "scaled"))),
    ],
)
def test_scales(tmp_path: Path, scale: dict[str, Any], found: object) -> None:
    assert read_exam(written(tmp_path, EXAM | {"scale": scale})).scale == found


def put(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(exam: dict[str, Any]) -> None:
        holder: Any = exam
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = value

    return change


def drop(*keys: str | int) -> Callable[[dict[str, Any]], None]:
    def change(exam: dict[str, Any]) -> None:
        holder: Any = exam
        for key in keys[:-1]:
            holder = holder[key]
        del holder[keys[-1]]

    return change


SIGNS, ASKED = ("sections", 0), ("sections", 0, "questions", 1)
FAULTS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "no name": (drop("name"), ":1: no 'name'"),
    "a name with a blank": (put("name", value="a b"), "name: 'a b' is no name"),
    "an unknown key": (put("titel", value="x"), ":1: unknown key 'titel'"),
    "no section": (put("sections", value=[]), "sections: no section"),
    "sections of one name": (put("sections", 1, "name", value="signs"), "sections[1].name: 'signs' appears twice"),
    "an unknown kind": (put(*SIGNS, "kind", value="oral"), "sections[0].kind: 'oral' is unknown"),
    "no question": (put(*SIGNS, "questions", value=[]), "sections[0].questions: no question"),
    "a letter too far": (put(*ASKED, "answer", value="D"), "questions[1].answer: 'D' is no letter of an option"),
    "a letter that is a number": (put(*ASKED, "answer", value=2), "questions[1].answer: a number, not a text"),
    "one option": (put(*ASKED, "options", value=["go"]), "questions[1].options: 1 options"),
    "an empty option": (put(*ASKED, "options", 1, value=" "), "questions[1].options[1]: an empty text"),
    "a question that is a text": (put(*ASKED, value="Amber?"), "questions[1]: a text, not an object"),
    "no points": (put(*ASKED, "points", value=0), "questions[1].points: 0 is not positive"),
    "points as text": (put(*ASKED, "points", value="2"), "questions[1].points: a text, not a number"),
    "points true": (put(*ASKED, "points", value=True), "questions[1].points: true or false, not a number"),
    "two questions of one id": (put("sections", 0, "questions", 0, "id", value="x"), "[1].id: 'x' appears twice"),
    "no explanation": (drop("sections", 0, "shots", 0, "explanation"), "shots[0]: no 'explanation'"),
    "no rubric": (drop("sections", 1, "rubric"), "sections[1].questions[0]: no rubric"),
    "an unknown rule": (put("scale", "rule", value="cubic"), "scale.rule: unknown rule 'cubic'"),
    "a scale that falls": (put("scale", "high", value=-1), "scale: low 0 is not below high -1"),
    "knots that fall": (put("scale", value={"rule": "knots", "pairs": [[0, 9], [1, 8]]}), "raw scores must rise"),
    "a knot of three": (put("scale", value={"rule": "knots", "pairs": [[0, 9, 1]]}), "scale.pairs[0]: 3 numbers"),
    "an unknown form": (put("percentiles", 0, "form", value="x"), "percentiles[0].form: unknown form 'x'"),
    "half a pair": (put(*ASKED, "question", value="\ud800"), "questions[1]: half a surrogate pair"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_by_their_keys(tmp_path: Path, fault: str) -> None:
    exam = copy.deepcopy(EXAM)
    change, what = FAULTS[fault]
    change(exam)
    with pytest.raises(DataError) as error:
        read_exam(written(tmp_path, exam))
    assert what in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'driving.json'}:")


def test_an_id_may_not_be_the_number_of_a_question_without_one(tmp_path: Path) -> None:
    exam = copy.deepcopy(EXAM)
    exam["sections"][0]["questions"][1]["id"] = "1"
    with pytest.raises(DataError, match=r"questions\[0\]: no id, and its number '1' is another question's id"):
        read_exam(written(tmp_path, exam))


def test_the_line_is_that_of_the_object(tmp_path: Path) -> None:
    exam = copy.deepcopy(EXAM)
    exam["sections"][0]["questions"][1]["answer"] = "Z"
    path = written(tmp_path, exam)
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if '"id": "x"' in text) - 1
    with pytest.raises(DataError, match=rf"driving\.json:{line}: sections\[0\]\.questions\[1\]\.answer: 'Z'"):
        read_exam(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"name": "a",\n "name": "b"}', "the key 'name' appears twice"),
        ('{"name": NaN}', "not JSON: NaN"),
        ('{\n"name": "a",\n}', r"driving\.json:\d: not JSON"),
        ("[]", ":1: a list, not an object"),
        ("[" * 100_000, "nested too deeply"),
        ("", "not JSON"),
    ],
    ids=range(6),
)
def test_what_is_no_exam(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_exam(written(tmp_path, text))


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(VALUES)
def test_nodes_are_what_json_says(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("nodes") / "x.json"
    path.write_text(json.dumps(value))
    assert read_nodes(path).value == value


@given(st.sampled_from(["name", "scale", "sections", "percentiles", "version", "title"]), VALUES)
def test_any_value_is_read_or_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: Any
) -> None:
    path = written(tmp_path_factory.mktemp("any"), EXAM | {key: value})
    try:
        read_exam(path)
    except DataError as error:
        assert str(path) in str(error)


# ---- exams of public files -------------------------------------------------------------------------------------------

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"


def test_exams_by_name(tmp_path: Path) -> None:
    assert exam_named("exam:lsat").name == exam_named("lsat").name == "lsat"
    assert exam_named(f"exam:{written(tmp_path, EXAM)}").name == "driving"
    with pytest.raises(ConfigError, match="did you mean 'lsat'"):
        exam_named("exam:lsta")
    assert len({task.name for task in TASKS}) == len(TASKS) == sum(len(exam.sections) for exam in EXAMS)


@pytest.mark.parametrize("task", [task for task in TASKS if "_choice" not in task.name], ids=lambda task: task.name)
def test_public_exams_are_read(task: Any) -> None:
    if not SHARED.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    examples, pool = task.data.examples(SHARED, 0), task.data.pool(SHARED, 0)
    assert len({one.id for one in examples}) == len(examples) >= 9
    assert len(pool) == task.shots
    assert not {one.question for one in examples} & {one.question for one in pool}
    shots = Shots(task, pool, task.shots, 0)
    assert all(shots.of(one) == pool for one in examples)  # none shares a passage with a worked example
    assert task.data.files(SHARED)
