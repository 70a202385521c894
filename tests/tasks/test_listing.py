"""`presage tasks`: everything that can be asked is listed, in lines that a terminal shows whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presage import cli
from presage.tasks.library import families, find, tasks
from presage.tasks.library.listing import METHODS, SCORINGS, areas, forms, how
from tests.imports import ROOT


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["tasks", *words]) == 0
    return capsys.readouterr().out


def test_every_task_and_family_is_listed_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys).splitlines()
    assert max(map(len, lines)) <= 80
    names = {line.split(" (")[0].strip() for line in lines if line.startswith("  ") and line[2] != " "}
    assert names == {*tasks(), *forms()}
    assert {one.form for one in families().values()} | {"exam:FILE.json"} <= names


def test_every_kind_says_what_it_asks_and_every_method_how() -> None:
    assert [task.name for area in areas() for task in area.tasks] == [*tasks()]
    for area in areas():
        assert area.asks
        for task in area.tasks:
            assert how(task.method)
            assert type(task.method).__name__ in METHODS, "and not its docstring"
    assert {type(task.method).__name__ for task in tasks().values()} == {*METHODS}


def test_scorings_of_choices_are_told_apart() -> None:
    letter, divided = how(find("arc_challenge_letter").method), how(find("arc_challenge").method)
    assert (letter, divided) == (SCORINGS["letter"], SCORINGS["unconditional"])
    assert how(find("winogrande").method) != how(find("winogrande_full").method)
    assert len(set(SCORINGS.values())) == len(SCORINGS)


@pytest.mark.parametrize("name", [name for name in tasks() if name.endswith("_letter")])
def test_what_is_asked_by_letter_does_not_say_another_scoring(name: str) -> None:
    assert "unconditional" not in find(name).source
    assert find(name).source != find(name.removesuffix("_letter")).source


def test_as_json_with_examples(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rows = {row["task"]: row for row in json.loads(listed(capsys, "--json", "--data", str(tmp_path)))}
    assert set(rows) == {*tasks(), *forms()}
    assert rows["two_digit_addition"]["examples"] > 0
    assert rows["mmlu"]["examples"].startswith("no file")
    assert rows["mmlu"] | {"examples": ""} == {
        "task": "mmlu",
        "asks": next(area.asks for area in areas() if find("mmlu") in area.tasks),
        "shots": 5,
        "method": SCORINGS["letter"],
        "source": find("mmlu").source,
        "examples": "",
    }


def test_the_page_names_every_family() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for one in families().values():
        assert f"`{one.name}:" in page
    assert "`exam:FILE.json`" in page
