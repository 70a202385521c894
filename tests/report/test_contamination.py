"""The section on contamination: there when a scan is given, told by it alone, and else never thought of."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.report import render
from tests.report import scans
from tests.report.conftest import Told
from tests.report.reading import Element, Page, listed
from tests.report.test_ability import SECTIONS, part, sections_of, words
from tests.report.test_steps import rows_of, told_of


def section_of(page: Page) -> list[Element]:
    return part(page, "contamination")


def runs_of(told: Told) -> tuple[RunDir, RunDir]:
    return RunDir.open(told.chain.root / "contamination"), RunDir.open(told.chain.root / "scores")


def test_the_section_stands_after_what_the_law_missed(scanned: Told) -> None:
    place = SECTIONS.index("missed") + 1
    assert sections_of(scanned.page) == [*SECTIONS[:place], "contamination", *SECTIONS[place:], "sources"]
    assert scanned.report.value("missing") == 0


def test_without_a_scan_nothing_speaks_of_it(plain: Told) -> None:
    assert not [row for row in listed(plain.report) if row["run"] in ("contamination", "scores")]
    assert "contamination" not in (plain.report.path / "report.md").read_text(encoding="utf-8").lower()


def test_another_stage_is_refused(plain: Told, tmp_path: Path) -> None:
    for role in ("contamination", "scores"):
        with pytest.raises(RunError, match=f"a 'score' run, but a '{role}' run is needed"):
            told_of(tmp_path, **{role: plain.chain.root / "score"})


def test_a_row_for_every_set_and_method(scanned: Told) -> None:
    run, _ = runs_of(scanned)
    rows = rows_of(section_of(scanned.page), "Items found in the corpus")
    assert [(row[0], row[2]) for row in rows] == [
        (name, f"GPT-{k}") for name in ("quiz", "microcode") for k in (4, 3, 2)
    ]
    for row in rows:
        at = f"{row[0]}/gpt{row[2][-1]}"
        counts = [f"{row[0]}/items", f"{at}/testable", f"{at}/untestable", f"{at}/flagged"]
        assert [row[1], *row[4:7]] == [str(run.value(name)) for name in counts]
    assert rows[0][4:8] == ["12", "1", "3", "25 %"]
    assert rows[4][3:] == ["–", "0", "9", "0", "–", "–"], "what cannot be tested has no share"


def test_the_contaminated_copy_is_found_whole(scanned: Told) -> None:
    said = [e for e in section_of(scanned.page) if e.text.startswith("Would it have seen them?")]
    assert [f.text for f in said[0].children][:3] == ["4", "4", "microcode"]
    rows = rows_of(section_of(scanned.page), "The contaminated copy")
    assert rows == [["GPT-4", "4", "4"], ["GPT-3", "0", "0"], ["GPT-2", "4", "4"]]


def test_planted_copies_are_told_edit_by_edit(scanned: Told) -> None:
    rows = rows_of(section_of(scanned.page), "Planted copies found, exact and edited")
    assert [row[:3] for row in rows if row[1] == "exact"] == [["quiz", "exact", "3"], ["microcode", "exact", "3"]]
    assert rows[0][-1] == "100 %"


def test_excerpts_have_what_both_share_marked(scanned: Told) -> None:
    run, _ = runs_of(scanned)
    hits = run.read_table("hits")
    first = list({row["item"]: row for row in reversed(hits)}.values())[::-1]
    marks = [e.children[0].text for e in section_of(scanned.page) if e.tag == "mark"]
    assert marks == [row[side] for row in first for side in ("item_match", "document_match")]
    assert len(marks) == 2 * len(scans.LEAKED)
    quotes = [e for e in section_of(scanned.page) if e.tag == "blockquote"]
    assert any(scans.NASTY in words(quote.children) for quote in quotes)
    markdown = (scanned.report.path / "report.md").read_text(encoding="utf-8")
    assert f"{first[0]['item_before']}⟦{first[0]['item_match']}⟧{first[0]['item_after']}" in markdown
    assert scans.NASTY in markdown


def test_without_a_flag_the_copy_shows_what_one_looks_like(tmp_path: Path) -> None:
    _, page = told_of(tmp_path, contamination=scans.scan_of(tmp_path / "chain", scans.MICROCODE).path)
    assert "No item is flagged" in words(section_of(page))
    marks = [e.children[0].text for e in section_of(page) if e.tag == "mark"]
    assert len(marks) == 2
    assert marks[0] == marks[1]


def test_scores_are_told_as_they_were_joined(scanned: Told) -> None:
    quiz = runs_of(scanned)[1].read_table("scores")[0]
    told = markdown_rows(scanned, "Scores, raw and clean")
    means = [f"{float(quiz[m]):.4g}\xa0±\xa0{float(quiz[f'{m}_stderr']):.2g}" for m in ("raw", "clean", "dirty")]
    assert told[0] == ["quiz", "13", "3 (23.1 %)", "1", *means, quiz["quote"]]
    assert told[1] == ["elsewhere", "1", "not checked", "–", "12.5\xa0±\xa00.25", "not checked", "–", "raw"]
    changes = markdown_rows(scanned, "What the contaminated items change")
    value, stderr = float(quiz["degradation_percent"]), float(quiz["degradation_percent_stderr"])
    assert changes[0][3] == f"{value:+.2f} %\xa0±\xa0{stderr:.2f} %".replace("-", "−")
    assert changes[1][1:] == ["lower", "–", "–", "–"]
    assert "elsewhere: not checked" in words(section_of(scanned.page))


def markdown_rows(told: Told, caption: str) -> list[list[str]]:
    """The rows of a table of report.md, where facts stand among words."""
    text = (told.report.path / "report.md").read_text(encoding="utf-8").partition(f"### {caption}\n\n")[2]
    return [line.strip("| ").split(" | ") for line in text.partition("\n\n")[0].splitlines()[2:]]


def test_what_clean_means_is_said(scanned: Told) -> None:
    said = words(section_of(scanned.page))
    assert "Clean means that no method" in said
    assert "Microcode is trained on by design" in said


def test_scores_alone_make_the_section_too(scanned: Told, tmp_path: Path) -> None:
    _, page = told_of(tmp_path, scores=scanned.chain.root / "scores")
    assert "Scores, raw and clean" in words(section_of(page))
    assert "Items found in the corpus" not in words(section_of(page))


def test_the_report_itself_keeps_the_stage_contract_with_them(scanned: Told, tmp_path: Path) -> None:
    again = render.run(scanned.chain.config(), tmp_path / "again")
    assert (again.path / "report.html").read_bytes() == (scanned.report.path / "report.html").read_bytes()
