"""The section on memorisation: there when a comparison is given, told by it alone, and else never thought of."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.report import render
from tests.report import memories
from tests.report.conftest import Told
from tests.report.reading import Element, listed
from tests.report.test_ability import SECTIONS, part, sections_of, words
from tests.report.test_steps import rows_of, told_of

TABLE = "Runs of eight words in the training text"


def section_of(told: Told) -> list[Element]:
    return part(told.page, "memorisation")


def test_the_section_stands_where_that_on_contamination_would_end(remembered: Told) -> None:
    place = SECTIONS.index("missed") + 1
    assert sections_of(remembered.page) == [*SECTIONS[:place], "memorisation", *SECTIONS[place:], "sources"]
    assert remembered.report.value("missing") == 0


def test_without_a_comparison_nothing_speaks_of_it(plain: Told) -> None:
    assert not [row for row in listed(plain.report) if row["run"] == "memorisation"]
    assert "memoris" not in (plain.report.path / "report.md").read_text(encoding="utf-8").lower()
    assert not (plain.report.path / "artifacts/memorisation-overlap.svg").exists()


def test_another_stage_is_refused(plain: Told, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a 'score' run, but a 'memorisation' run is needed"):
        told_of(tmp_path, memorisation=plain.chain.root / "score")


def test_both_distributions_are_told(remembered: Told) -> None:
    run = RunDir.open(remembered.chain.root / "memorisation")
    rows = {row[0]: row[1:] for row in rows_of(section_of(remembered), TABLE)}
    assert rows["texts"] == [str(run.value(f"{kind}/texts")) for kind in ("samples", "held_out")]
    assert len(rows) == 10
    shares = [run.value(f"{kind}/none") for kind in ("samples", "held_out")]
    caption = next(e for e in section_of(remembered) if e.tag == "figcaption")
    assert [f.text for f in caption.children][:2] == [f"{float(f'{100 * share:.3g}'):g} %" for share in shares]


def test_the_figure_has_a_line_and_a_mark_for_each(remembered: Told) -> None:
    drawn = [e for e in section_of(remembered) if e.tag == "g" and e.attributes.get("class") == "fact"]
    assert {e.attributes["data-key"] for e in drawn} == {"samples/none.value", "held_out/none.value"}
    figures = [e.attributes["class"] for e in section_of(remembered) if e.tag == "svg"]
    assert figures == ["fig wide", "fig narrow"]


def test_the_longest_run_of_each_kind_is_shown_on_both_sides(remembered: Told) -> None:
    rows = RunDir.open(remembered.chain.root / "memorisation").read_table("longest")
    first = list({row["kind"]: row for row in reversed(rows)}.values())[::-1]
    marks = [e.children[0].text for e in section_of(remembered) if e.tag == "mark"]
    assert marks == [row[side] for row in first for side in ("item_match", "document_match")]
    assert len(marks) == 4


def test_without_any_run_in_common_it_says_so(remembered: Told, tmp_path: Path) -> None:
    """Continuations of fewer than eight words: no share, no figure, nothing missing."""
    compared = memories.compare(remembered.chain.root, tmp_path / "short", prompts=2, new_tokens=8)
    report, page = told_of(tmp_path, memorisation=compared.path)
    rows = {row[0]: row[1:] for row in rows_of(part(page, "memorisation"), TABLE)}
    assert rows["longest run, words"] == ["below eight", "below eight"]
    assert rows["median text"] == ["–", "–"]
    assert not [row for row in listed(report) if row["run"] == "memorisation" and row["shown"] == "missing"]
    assert "The longest run" not in words(part(page, "memorisation"))
    assert not [e for e in part(page, "memorisation") if e.tag == "svg"]


def test_the_report_itself_is_the_same_again(remembered: Told, tmp_path: Path) -> None:
    again = render.run(remembered.chain.config(), tmp_path / "again")
    for name in ("report.html", "artifacts/memorisation-overlap.svg"):
        assert (again.path / name).read_bytes() == (remembered.report.path / name).read_bytes()
