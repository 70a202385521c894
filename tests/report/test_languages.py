"""The section on languages: bars in order of score, baselines as data, a count for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.run import RunDir
from presage.evaluate.languages import COLUMNS
from presage.report import languages
from presage.report.blocks import Picture, Table
from presage.report.facts import Sources
from tests.report.conftest import AnyConfig

SCORES = (("te", "Telugu", 0.30), ("en", "English", 0.62), ("is", "Icelandic", 0.41))


def write(folder: Path, *, baselines: bool = True) -> Sources:
    with RunDir.create(folder, "eval", AnyConfig()) as run:
        rows = [(code, name, 100, value, 0.02, value - 0.04, value + 0.04) for code, name, value in SCORES]
        run.table("languages", [dict(zip(COLUMNS, row, strict=True)) for row in rows])
        if baselines:
            one = {"name": "random", "value": 0.25, "stderr": None, "source": "four options", "above": 2, "surely": 2,
                   "of": 2}  # fmt: skip
            run.table("baselines", [one, one | {"name": "older", "value": 0.5, "above": 0, "surely": 0}])
        run.finish()
    return Sources({"exams": folder})


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return write(tmp_path_factory.mktemp("languages") / "run")


def test_the_chart_is_sorted_and_every_mark_is_a_fact(sources: Sources) -> None:
    figure = languages.chart(sources)
    places = [figure.wide.index(name) for name in ("English", "Icelandic", "Telugu")]
    assert len(set(places)) == 3
    heights = [figure.wide.index(f">{share}<") for share in ("62 %", "41 %", "30 %")]
    assert heights == sorted(heights)
    keys = {(fact.file, fact.key) for fact in figure.marks.values()}
    assert keys == {(languages.LANGUAGES, f"{i}.{end}") for i in range(3) for end in ("value", "hi")} | {
        (languages.BASELINES, f"{i}.value") for i in range(2)
    }
    assert "random 25 %" in figure.narrow


def test_the_section(sources: Sources) -> None:
    picture, table = languages.section(sources).blocks
    assert isinstance(picture, Picture)
    assert isinstance(table, Table)
    assert [str(cell) for cell in table.rows[0]] == ["random", "25 %", "2", "2", "2", "four options"]


def test_without_baselines_there_are_no_lines_and_without_languages_no_section(tmp_path: Path) -> None:
    bare = write(tmp_path / "bare", baselines=False)
    assert [block.kind for block in languages.section(bare).blocks] == ["picture"]
    assert not languages.given(Sources({"exams": None}))
    assert languages.given(bare)


def test_languages_and_baselines_without_a_value_are_left_out(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "eval", "eval", AnyConfig()) as run:
        row = {"language": "xx", "name": "Missing", "n": 1, "value": None, "stderr": None, "lo": None, "hi": None}
        run.table("languages", [row, row | {"language": "de", "name": "German", "value": 0.5, "lo": 0.4, "hi": 0.6}])
        run.table("baselines", [{"name": "none", "value": None}, {"name": "US$ and $US", "value": 0.25}])
        run.finish()
    figure = languages.chart(Sources({"exams": tmp_path / "eval"}))
    assert {fact.key for fact in figure.marks.values()} == {"1.value", "1.hi"}
