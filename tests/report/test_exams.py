"""The section on exams: bars in order, with intervals and facts, and a table that says what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presage.core.run import RunDir
from presage.evaluate.exam import COLUMNS
from presage.report import examination, exams
from presage.report.blocks import Picture, Table
from presage.report.facts import Sources
from tests.report.conftest import AnyConfig


def row(exam: str, title: str, lower: float | None, **more: Any) -> dict[str, Any]:
    band = {} if lower is None else {
        "percentile_lower": lower, "percentile_upper": min(100.0, lower + 3), "percentile_lo": max(0.0, lower - 9),
        "percentile_hi": min(100.0, lower + 8)}  # fmt: skip
    values = {"exam": exam, "title": title, "score": 161, "score_stderr": 1.83, "max": 180, "quoted": 161, "n": 1009,
              "invalid": 3}  # fmt: skip
    return dict.fromkeys(COLUMNS) | values | band | more


def write(folder: Path, model: str, rows: list[dict[str, Any]]) -> Path:
    with RunDir.create(folder, "eval", AnyConfig()) as run:
        run.result("model", model)
        run.table("exams", rows, list(COLUMNS))
        run.finish()
    return folder


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("exams")
    clean = {"clean_score": 159, "clean_stderr": 2.5, "quoted": 159, "contaminated": 41}
    one = [row("gre", "GRE-like quantitative", 12), row("lsat", "LSAT", 82.4, **clean), row("sat", "SAT Math", 0),
           row("gaokao", "Gaokao", None)]  # fmt: skip
    two = [row("lsat", "LSAT", 40.1), row("bar", "Bar", 90), row("gre", "GRE-like quantitative", 100)]
    return Sources({"a": write(folder / "a", "first", one), "b": write(folder / "b", "second", two), "c": None})


ROLES = ("a", "b", "c")


def test_exams_stand_in_the_order_of_the_first_models_percentiles(sources: Sources) -> None:
    assert exams.ordered(sources, ROLES) == ["lsat", "gre", "sat", "bar"]
    assert exams.ordered(sources, ("b",)) == ["gre", "bar", "lsat"]


def test_the_chart_has_a_fact_for_every_bar_and_interval(sources: Sources) -> None:
    figure = exams.chart(sources, ("a", "b"))
    assert figure is not None
    keys = sorted((fact.run, fact.key) for fact in figure.marks.values())
    bars = [("a", i) for i in (0, 1, 2)] + [("b", i) for i in (0, 1, 2)]
    assert keys == sorted((run, f"{i}.{name}") for run, i in bars for name in ("percentile_lower", "percentile_hi"))
    for drawn in (figure.wide, figure.narrow):
        assert drawn.count("data-fact=") >= len(keys)
        for text in ("LSAT", "SAT Math", "Bar", "first", "second", ">82<", ">100<"):
            assert text in drawn
        assert "Gaokao" not in drawn


def test_the_section(sources: Sources) -> None:
    assert exams.given(sources, ROLES)
    picture, first, second, _ = exams.section(sources, ROLES).blocks
    assert isinstance(picture, Picture)
    assert "for first and second" in str(picture.caption)
    assert isinstance(first, Table)
    assert isinstance(second, Table)
    assert (first.caption, len(first.rows), len(second.rows)) == ("Exams: first", 4, 3)
    cells = [[str(cell).replace("\N{NO-BREAK SPACE}", " ") for cell in line] for line in first.rows]
    assert cells[1] == ["LSAT", "161 ± 1.8", "180", "82.4 to 85.4", "159 ± 2.5", "159", "1,009", "41", "3"]
    assert cells[3] == ["Gaokao", "161 ± 1.8", "180", "no table", "–", "161", "1,009", "not checked", "3"]


def test_without_percentiles_there_is_no_chart_and_without_exams_no_section(tmp_path: Path) -> None:
    bare = Sources({"a": write(tmp_path / "a", "m", [row("gaokao", "Gaokao", None)])})
    assert exams.chart(bare, ("a",)) is None
    assert [block.kind for block in exams.section(bare, ("a",)).blocks] == ["table", "items"]
    empty = Sources({"a": write(tmp_path / "b", "m", []), "b": None})
    assert not exams.given(empty, ("a", "b"))
    assert exams.section(empty, ("a", "b")).blocks[0].kind == "items"


def test_the_same_again(sources: Sources) -> None:
    once, again = (exams.chart(sources, ("a", "b")) for _ in range(2))
    assert once is not None
    assert again is not None
    assert (once.wide, once.narrow) == (again.wide, again.narrow)


def test_a_run_that_does_not_name_its_model_is_called_by_its_role(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "a", "eval", AnyConfig()) as run:
        run.table("exams", [row("lsat", "LSAT", 82.4)], list(COLUMNS))
        run.finish()
    assert examination.model(Sources({"a": tmp_path / "a"}), "a") == "a"
