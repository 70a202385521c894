"""A task asked with several numbers of shots: tables of exams, languages and dated facts, each row once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.evaluate import asking
from presage.evaluate import run as stage
from presage.recipes import examination
from presage.tasks.exam.model import Exam, Fixed, Linear, Points, Section, exam_tasks
from presage.tasks.task import Example
from presage.tasks.translated import PREFIX
from tests.evaluate.toy_eval import examine, library
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, Given, capitals


def _takes(prompt: str, text: str) -> float:
    """The first option that is shown no solved example before, the second after some."""
    right = text.strip() in {one.options[0] for one in CAPITALS if one.question in prompt.rpartition("Question: ")[2]}
    return -1.0 if right == (prompt.count("Question: ") == 1) else -2.0


# ---- languages -------------------------------------------------------------------------------------------------------


def languages(out: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[list[Any], list[Any]]:
    library(monkeypatch, *(capitals(name=f"{PREFIX}{code}") for code in ("fr", "de", "en")))
    made = examine(out, ToyModel(logprob=_takes), *(f"{PREFIX}{name}" for name in names))
    rows = [(row["language"], row["name"], float(row["value"])) for row in made.read_table("languages")]
    counts = [(row["name"], row["above"], row["of"]) for row in made.read_table("baselines") if "random" in row["name"]]
    return rows, counts


def test_a_language_asked_twice_counts_once_above_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, counts = languages(tmp_path / "eval", monkeypatch, "fr@0", "fr@2", "de@0", "en@0", "en@2")
    assert rows == [
        ("de", "German @0", 1.0),
        ("en", "English @0", 1.0),
        ("fr", "French @0", 1.0),
        ("en", "English @2", 0.0),
        ("fr", "French @2", 0.0),
    ]
    assert counts == [("random @0", "2", "2"), ("random @2", "0", "1")]


def test_languages_asked_once_each_stand_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, counts = languages(tmp_path / "eval", monkeypatch, "fr@2", "de@0", "en")
    assert rows == [("de", "German", 1.0), ("en", "English", 1.0), ("fr", "French", 0.0)]
    assert counts == [("random", "1", "2")]


# ---- exams -----------------------------------------------------------------------------------------------------------

WORKED = Example("w", "Worked?", ("yes", "no"), 0, fields={"explanation": "It is."})
QUESTIONS = tuple(Example(f"q{i}", f"Question {i}?", ("yes", "no"), 0) for i in range(4))
PARTS = tuple(Section(name, "choice", Fixed(QUESTIONS, (WORKED,)), shots=1) for name in ("one", "two"))
EXAM = Exam("toy", 1, "A toy", "tests", PARTS, Points())
GRADED = replace(EXAM, name="other", title="Another", scale=Linear(0, 100))


def _writes(prompt: str, sample: int) -> str:
    """Right only after a worked example, and in one question of four without."""
    knows = "Worked?" in prompt or "Question 0?" in prompt
    return ("A]" if knows else "B]") if prompt.endswith("[") else " I see."


def exams(out: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> list[tuple[str, str, float, str]]:
    library(monkeypatch, *exam_tasks(EXAM), *exam_tasks(GRADED))
    known = {f"exam:{one.name}": one for one in (EXAM, GRADED)}
    monkeypatch.setattr(asking, "exam_of", known.get)
    monkeypatch.setattr(asking, "exam_named", lambda name: known[name])
    made = stage.run(
        stage.Config(model="toy", tasks=examination.asked_of(names)), out, model=ToyModel(write=_writes)
    )  # fmt: skip
    return [(row["exam"], row["title"], float(row["score"]), row["n"]) for row in made.read_table("exams")]


def test_an_exam_sat_with_several_numbers_of_shots_has_a_row_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = exams(tmp_path / "eval", monkeypatch, "exam:toy@0", "exam:toy@1", "exam:other@1")
    assert found == [("toy@0", "A toy @0", 2.0, "8"), ("toy@1", "A toy @1", 8.0, "8"), ("other", "Another", 100.0, "8")]


def test_an_exam_sat_once_has_its_name_and_a_section_more_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exams(tmp_path / "a", monkeypatch, "exam:toy@0") == [("toy", "A toy", 2.0, "8")]
    found = exams(tmp_path / "b", monkeypatch, "exam:toy", "exam:toy:one@0")
    assert found == [("toy", "A toy", 8.0, "8")]


# ---- dated facts -----------------------------------------------------------------------------------------------------

END = "2021-09-30"
DAYS = ("2019-01-01", "2021-09-29", "2021-09-30", "2021-10-01", "2023-05-05", "2024-02-29", "2020-02-29", "2022-01-01")
FACTS = tuple(replace(one, category=day, group="") for one, day in zip(CAPITALS, DAYS, strict=True))


def dated(out: Path, *names: str, end: str | None = END) -> RunDir:
    return examine(out, ToyModel(logprob=_knows_old), *names, corpus_end=end)


def _knows_old(prompt: str, text: str) -> float:
    """A model of what was known by the end, and of one fact later."""
    asked = next(one for one in FACTS if one.question in prompt.rpartition("Question: ")[2])
    knows = asked.category <= END or asked.category == "2024-02-29"
    return -1.0 if (text.strip() == asked.options[0]) == knows else -2.0


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, capitals(name="dated_facts", data=Given(FACTS)), capitals())


def test_facts_are_told_apart_by_the_end_and_its_own_day_is_before(facts: None, tmp_path: Path) -> None:
    made = dated(tmp_path / "eval", "capitals", "dated_facts")
    rows = {row["period"]: (row["end"], row["n"], float(row["accuracy"])) for row in made.read_table("dated")}
    assert rows == {"before": (END, "4", 1.0), "after": (END, "4", 0.25), "after - before": (END, "8", -0.75)}


def test_facts_asked_with_several_numbers_of_shots_are_each_told_apart(facts: None, tmp_path: Path) -> None:
    made = dated(tmp_path / "eval", "dated_facts", "dated_facts@0", "dated_facts@3")
    found = [(row["period"], row["n"], float(row["accuracy"])) for row in made.read_table("dated")]
    once = [("before", "4", 1.0), ("after", "4", 0.25), ("after - before", "8", -0.75)]
    assert found == [(f"{period}{mark}", n, value) for mark in ("", " @0", " @3") for period, n, value in once]


def test_without_an_end_or_without_facts_there_is_no_such_table(facts: None, tmp_path: Path) -> None:
    assert not (dated(tmp_path / "a", "dated_facts", end=None).path / "tables/dated.csv").exists()
    assert not (dated(tmp_path / "b", "capitals").path / "tables/dated.csv").exists()


BAD = ["yesterday", "2021-02-30", "2021-13-01", "2021", "30.09.2021", "2021-9-3", "0", "864000", "2021-09-30T12:00:00",
       "2021-09-30T00:00:00", " 2021-09-30"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("verb", ["eval", "examine"])
def test_a_day_that_is_none_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, text: str
) -> None:
    tasks = ["--tasks", "dated_facts"] if verb == "eval" else []
    code = cli.main([verb, "hf:none", *tasks, "--corpus-end", text, "--out", str(tmp_path / "out"), "--quiet"])
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (2, "", 1), said.err
    assert "corpus_end" in said.err and "2026-01-31" in said.err
    assert not (tmp_path / "out").exists()


def test_a_config_with_an_end_is_read_back(tmp_path: Path) -> None:
    given = {"model": "toy", "tasks": [{"task": "dated_facts"}], "corpus_end": END}
    config = stage.Config.parse(given)
    assert stage.Config.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="corpus_end"):
        stage.Config.parse(given | {"corpus_end": 0})
