"""The datasheet: every table that the corpus wrote, and none of what it did not do."""

from __future__ import annotations

from pathlib import Path

from presage.core.run import RunDir
from presage.report import datasheet
from presage.report.blocks import Table
from presage.report.facts import Fact, Sources
from tests.report.conftest import AnyConfig, Told


def tables(s: Sources) -> dict[str, Table]:
    return {block.caption: block for block in datasheet.blocks(s) if isinstance(block, Table)}


def shown(table: Table) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in table.rows]


def test_every_table_of_the_corpus(plain: Told) -> None:
    found = tables(Sources({"corpus": plain.chain.root / "corpus"}))
    assert shown(found["What every rule removed"]) == [
        ["python-docs", "word_count", "words", "50", "100,000", "2,310", "990 kB", "3.46 %", "2,400",
         "Rae et al. 2021"],
        ["python-docs", "near_copies", "words", "–", "–", "2,310", "990 kB", "3.46 %", "2,400", "Rae et al. 2021"],
    ]  # fmt: skip
    assert str(found["What every rule removed"].note).count("not searched for") == 1, "a rule that is off has no zeros"
    assert shown(found["What was changed and kept"]) == [["python-docs", "redacted/email", "41"]]
    assert shown(found["Examples of what was removed"])[0][-1] == "3.10"
    assert [row[3] for row in shown(found["Mixture"])] == ["1", "2.5"]
    assert shown(found["Languages, as identified"]) == [["python-docs", "en", "24.0 MB", "98 %"]]
    sources = found["Sources"]
    assert "dates" in sources.columns and "about" not in sources.columns
    assert [str(cell) for cell in sources.rows[1][:3]] == ["own", "–", "–"]
    facts = [cell for table in found.values() for row in table.rows for cell in row if isinstance(cell, Fact)]
    assert facts and all(fact.digest and fact.file.startswith("tables/") for fact in facts)


def test_a_corpus_that_only_has_sources(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "corpus", "corpus", AnyConfig()) as run:
        run.table("sources", [{"source": "a", "kind": "files"}])
        run.finish()
    assert list(tables(Sources({"corpus": run.path}))) == ["Sources"]


def test_a_corpus_without_tables_says_so(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "corpus", "corpus", AnyConfig()) as run:
        run.finish()
    text = "".join(str(block) for block in datasheet.blocks(Sources({"corpus": run.path})))
    assert "tables/sources.csv" in text and "missing" in text
