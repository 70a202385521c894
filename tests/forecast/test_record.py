"""The record of a ledger as a run: what the ledger says, and nothing from a ledger that is not sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir
from presage.forecast import ledger as ledgers
from presage.forecast import record
from tests.forecast.lab import capability, lines, sealed, write
from tests.stage import check_stage


def test_the_stage_contract(ledger: Path) -> None:
    run = check_stage(record, record.Config(), ledger.parent, kills=1)
    assert run.config(record.Config).ledger == Path("../ledger.jsonl")


def test_it_says_what_the_ledger_says(ledger: Path, tmp_path: Path) -> None:
    run, told = record.run(record.Config(), tmp_path / "record"), ledgers.record(ledgers.read(ledger))
    assert {name: entry["value"] for name, entry in run.results().items()} == {
        name: value for name, value in told.items() if name not in ("metrics", "forecasts")
    }
    rows = run.read_table("ledger")
    assert [(row["number"], row["inside"], row["actual"]) for row in rows] == [
        ("1", "True", "2.02"), ("3", "False", "4.5"), ("5", "", "")]  # fmt: skip
    assert set(rows[0]) == set(told["forecasts"][0]), "no column is forgotten"
    assert [(row["metric"], row["missed"]) for row in run.read_table("metrics")] == [("val/bpb", "1")]


def test_pass_rates_have_rows_and_a_summary_of_their_own(tmp_path: Path) -> None:
    forecast = sealed(tmp_path / "f", capability=capability(0.5))
    ledgers.append_seal(tmp_path / "ledger.jsonl", forecast.path)
    run = record.run(record.Config(), tmp_path / "record")
    metrics = ["val/bpb", "capability/all", "capability/hard"]
    assert [row["metric"] for row in run.read_table("metrics")] == metrics
    assert [row["beside"] for row in run.read_table("ledger")] == ["False", "True", "True"]
    assert (run.value("sealed"), run.value("median_error_percent")) == (1, None)


def test_no_ledger_or_a_broken_one_leaves_no_run(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"none\.jsonl: cannot be read"):
        record.run(record.Config(ledger=Path("../none.jsonl")), tmp_path / "record")
    entries = lines(ledger)
    entries[1]["what"]["actual"] = 2.0
    write(ledger, entries)
    with pytest.raises(CorruptError, match="the chain is broken: entry 2"):
        record.run(record.Config(), tmp_path / "record")
    assert not (tmp_path / "record").exists()


def test_a_folder_with_ledger_and_record_can_be_moved(ledger: Path, tmp_path: Path) -> None:
    record.run(record.Config(), tmp_path / "record")
    assert str(tmp_path) not in (tmp_path / "record/config.json").read_text()
    assert RunDir.open(tmp_path / "record", "record").problems() == []
