"""The ledger: what is entered, what is refused, writers at once, and how the record is printed."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import presage.cli.ledger
from presage import cli
from presage.core.errors import CorruptError, RunError, SealError
from presage.core.run import RunDir
from presage.forecast import ledger as ledgers
from tests.forecast.lab import capability, digest_of, lines, make_whole, relinked, scored, sealed, write
from tests.imports import ROOT

assert presage.cli.ledger  # adds its verb


# ---- what it holds --------------------------------------------------------------------------------------------------


def test_each_entry_holds_the_digest_of_the_one_before(kept: Path) -> None:
    entries = lines(kept)
    assert [(e["number"], e["kind"]) for e in entries] == [
        *((1, "seal"), (2, "score"), (3, "seal"), (4, "score"), (5, "seal"))
    ]
    assert [e["digest"] for e in entries] == [digest_of(e) for e in entries]
    assert [e["previous"] for e in entries] == [ledgers.GENESIS, *(e["digest"] for e in entries[:-1])]
    assert ledgers.problems(kept) == []
    assert ledgers.head(ledgers.read(kept)) == entries[-1]["digest"]


def test_an_entry_says_what_its_runs_say(kept: Path) -> None:
    first, second = lines(kept)[:2]
    forecast = RunDir.open(kept.parent / "f1" / "forecast")
    for key in ("point", "lo", "hi", "level", "metric", "unit", "extrapolation", "seal"):
        assert first["what"][key] == forecast.read_json("forecast.json")[key]
    assert first["what"]["compute"] == 4e14 and first["what"]["name"] == "seed 1" and first["what"]["late"] is False
    assert first["what"]["run"] == forecast.digest
    assert second["what"]["error_percent"] == pytest.approx(1.0) and second["what"]["inside"] is True
    assert second["what"]["target"] == RunDir.open(kept.parent / "f1" / "target").digest


def test_the_record_shows_misses_and_what_waits(kept: Path) -> None:
    record = ledgers.record(ledgers.read(kept))
    counts = {key: record[key] for key in ("entries", "sealed", "scored", "unscored", "inside", "missed", "late")}
    assert counts == {"entries": 5, "sealed": 3, "scored": 2, "unscored": 1, "inside": 1, "missed": 1, "late": 0}
    assert record["median_error_percent"] == pytest.approx((1.0 + 12.5) / 2)
    assert record["worst_error_percent"] == pytest.approx(12.5)
    assert record["expected_inside"] == pytest.approx(1.8)
    assert [row["inside"] for row in record["forecasts"]] == [True, False, None]
    assert ledgers.record([])["median_error_percent"] is None


def test_a_forecast_entered_after_its_target_began_is_marked(tmp_path: Path) -> None:
    run = sealed(tmp_path)
    scored(tmp_path, 2.0)
    assert ledgers.append_seal(tmp_path / "ledger.jsonl", run.path).what.model_dump()["late"] is True
    assert ledgers.record(ledgers.read(tmp_path / "ledger.jsonl"))["late"] == 1


def test_pass_rates_stand_beside_the_loss(tmp_path: Path) -> None:
    """Promised by the same seal, summed up apart: their errors are of another size."""
    file = tmp_path / "ledger.jsonl"
    run = sealed(tmp_path, capability=capability(3.0))
    entered = ledgers.append_seal(file, run.path).what.model_dump()
    assert [promise["metric"] for promise in entered["also"]] == ["capability/all", "capability/hard"]
    assert ledgers.record(ledgers.read(file))["metrics"]["capability/hard"]["unscored"] == 1
    ledgers.append_score(file, scored(tmp_path, 2.02, abilities={"all": 3.3, "hard": 6.0}).path)
    record = ledgers.record(ledgers.read(file))
    assert (record["sealed"], record["missed"], record["worst_error_percent"]) == (1, 0, pytest.approx(1.0))
    assert record["metrics"]["capability/all"]["inside"] == 1
    assert record["metrics"]["capability/hard"]["missed"] == 1
    assert record["metrics"]["capability/hard"]["median_error_percent"] == pytest.approx(100.0)
    entries = lines(file)
    entries[1]["what"]["also"]["capability/hard"]["inside"] = True
    write(file, relinked(entries))
    assert ledgers.problems(file)[0][1] == "entry 2: its error does not follow from what was promised"
    entries[1]["what"]["also"]["capability/other"] = entries[1]["what"]["also"].pop("capability/hard")
    write(file, relinked(entries))
    assert ledgers.problems(file)[0][1] == "entry 2: its error does not follow from what was promised"


# ---- refusals -------------------------------------------------------------------------------------------------------


def refused(ledger: Path, kind: type[Exception], message: str, act: Callable[[], object]) -> None:
    before = ledger.read_bytes()
    with pytest.raises(kind, match=message):
        act()
    assert ledger.read_bytes() == before
    assert not list(ledger.parent.glob(".*.lock"))


def test_what_is_not_entered(kept: Path, ledger: Path, tmp_path: Path) -> None:
    one, three = kept.parent / "f1", kept.parent / "f3"
    refused(ledger, SealError, "entered already, as entry 1", lambda: ledgers.append_seal(ledger, one / "forecast"))
    refused(ledger, SealError, "one line of text", lambda: ledgers.append_seal(ledger, one / "forecast", "a\nb"))
    new = sealed(tmp_path / "new", point=7.0)
    refused(ledger, SealError, "is not in this ledger", lambda: append_new_score(ledger, tmp_path / "new"))
    (new.path / "forecast.json").write_text("{}")
    refused(ledger, CorruptError, "content differs from DONE", lambda: ledgers.append_seal(ledger, new.path))
    refused(ledger, RunError, "a 'score' run, but a 'seal' run", lambda: ledgers.append_seal(ledger, one / "score"))
    assert three.exists()


def test_a_whole_run_whose_content_does_not_give_its_seal(ledger: Path, tmp_path: Path) -> None:
    new = sealed(tmp_path / "new", point=7.0)
    new.write_json("forecast.json", new.read_json("forecast.json") | {"point": 7.1})
    make_whole(new.path)
    refused(ledger, SealError, "does not give its seal", lambda: ledgers.append_seal(ledger, new.path))


def test_a_whole_score_without_its_results(ledger: Path, tmp_path: Path) -> None:
    sealed(tmp_path / "new", point=7.0)
    run = scored(tmp_path / "new", 7.1)
    (run.path / "result.json").unlink()
    make_whole(run.path)
    refused(ledger, CorruptError, "no 'actual' in it", lambda: ledgers.append_score(ledger, run.path))


def append_new_score(ledger: Path, folder: Path) -> ledgers.Entry:
    return ledgers.append_score(ledger, scored(folder, 7.1).path)


def test_a_second_score(kept: Path, ledger: Path) -> None:
    folder = kept.parent / "f2"
    before = ledger.read_bytes()
    assert ledgers.append_score(ledger, folder / "score").number == 4, "the same once more is the entry that is there"
    assert ledger.read_bytes() == before
    better = scored(folder, 4.0, name="better")
    refused(ledger, SealError, "entry 4 already scores", lambda: ledgers.append_score(ledger, better.path))


def test_a_score_of_another_promise(kept: Path, ledger: Path, tmp_path: Path) -> None:
    """The seal of an entered forecast, written into a score of a wider one."""
    sealed(tmp_path, point=6.0, hi=9.0)
    run = scored(tmp_path, 8.0)
    results = run.results()
    results["seal"]["value"] = lines(ledger)[4]["what"]["seal"]
    run.write_json("result.json", results)
    run.finish()
    refused(ledger, SealError, "another promise than was entered", lambda: ledgers.append_score(ledger, run.path))


def test_nothing_is_appended_to_a_broken_chain(ledger: Path, tmp_path: Path) -> None:
    new = sealed(tmp_path / "new", point=7.0)
    ledger.write_text(ledger.read_text().replace("seed 2", "seed 8"))
    refused(ledger, CorruptError, r"entry 3: its content does not give", lambda: ledgers.append_seal(ledger, new.path))


# ---- writers --------------------------------------------------------------------------------------------------------


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    runs = [sealed(tmp_path / f"f{i}", point=2.0 + i).path for i in range(8)]
    threads = [threading.Thread(target=ledgers.append_seal, args=(tmp_path / "ledger.jsonl", run)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = ledgers.read(tmp_path / "ledger.jsonl")
    assert sorted(e.what.model_dump()["point"] for e in entries) == [2.0 + i for i in range(8)]
    assert [p.name for p in tmp_path.glob("*ledger*")] == ["ledger.jsonl"]


def test_a_writer_that_waits_in_vain_says_so(ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = sealed(tmp_path / "new", point=7.0)
    monkeypatch.setattr(ledgers, "PATIENCE", 0.05)
    with ledgers._locked(ledger), pytest.raises(RunError, match="another process is writing to this ledger"):
        ledgers.append_seal(ledger, new.path)
    assert ledgers.append_seal(ledger, new.path).number == 6


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_writer_that_is_stopped_leaves_the_old_file(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blow: Any
) -> None:
    new, before = sealed(tmp_path / "new", point=7.0), ledger.read_bytes()

    def struck(*_: object) -> None:
        raise blow

    with monkeypatch.context() as patch:
        patch.setattr("presage.core.files.os.replace", struck)
        with pytest.raises((KeyboardInterrupt, RunError)):
            ledgers.append_seal(ledger, new.path)
    assert ledger.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ledger.jsonl", "new"]
    assert ledgers.append_seal(ledger, new.path).number == 6


@pytest.mark.parametrize("years", [(1971, 2090), (2090, 1971)])
def test_a_clock_that_jumps_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, years: tuple[int, int]
) -> None:
    class Clock(datetime):
        year_now = 0

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(cls.year_now, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(ledgers, "datetime", Clock)
    Clock.year_now = years[0]
    ledgers.append_seal(tmp_path / "ledger.jsonl", sealed(tmp_path).path)
    Clock.year_now = years[1]
    ledgers.append_score(tmp_path / "ledger.jsonl", scored(tmp_path, 2.0).path)
    entries = ledgers.read(tmp_path / "ledger.jsonl")
    assert [entry.date[:4] for entry in entries] == [str(year) for year in years]
    assert ledgers.problems(tmp_path / "ledger.jsonl") == []
    assert ledgers.record(entries)["inside"] == 1


# ---- the command line -----------------------------------------------------------------------------------------------


def test_the_record_is_printed(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = lines(kept)[-1]["digest"]
    assert cli.main(["forecast", "ledger", str(kept), "--head", lines(kept)[2]["digest"]]) == 0
    out = capsys.readouterr().out
    assert "val/bpb: sealed 3, scored 2, not scored 1" in out
    assert "inside their intervals 1 of 2 (1.8 expected at the stated levels), missed 1" in out
    assert "|error| median 6.75 %, worst 12.50 %" in out
    assert f"head {head}" in out and "only\na head published before shows that" in out
    assert "entries 1 to 3 of 5 are as they were when it was published" in out
    rows = [line.split()[0] for line in out.splitlines() if " entry " in line and line.startswith("  ")]
    assert rows == ["MISSED", "not", "inside"], "misses first"
    assert cli.main(["forecast", "ledger", str(kept), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["missed"] == 1 and record["head"] == head


def test_what_is_wrong_is_printed_with_its_exit_code(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["forecast", "ledger", str(ledger), "--head", "0" * 63 + "1"]) == 1
    said = capsys.readouterr()
    what = "the published head is not in this chain: it was rewritten, or cut short"
    assert (said.out, said.err) == ("", f"presage: {ledger}: {what}\n")
    assert cli.main(["forecast", "ledger", str(ledger), "--head", "abc"]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert said.err.startswith("presage: --head: 'abc' is no published head (64 hexadecimal digits")
    ledger.write_text(ledger.read_text().replace("seed 2", "seed 8"))
    for form in ((), ("--json",)):
        assert cli.main(["forecast", "ledger", str(ledger), *form]) == 1
        said = capsys.readouterr()
        assert "entry 3" in said.out and f"{ledger}:3" in said.err
    assert cli.main(["forecast", "ledger", str(tmp_path / "none.jsonl")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_an_empty_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "ledger.jsonl"
    empty.touch()
    assert cli.main(["forecast", "ledger", str(empty)]) == 0
    assert capsys.readouterr().out == f"{empty}: no entries yet, so no head to publish\n"
    assert cli.main(["forecast", "ledger", str(empty), "--head", "0" * 63 + "1"]) == 1
    said = capsys.readouterr()
    what = "the published head is not in this ledger, which has no entries"
    assert (said.out, said.err) == ("", f"presage: {empty}: {what}\n")


def test_runs_are_entered_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lab" / "ledger.jsonl"
    run = sealed(tmp_path)
    assert cli.main(["forecast", "ledger", str(file), "--add", str(run.path), "--name", "big one"]) == 0
    assert "big one" in capsys.readouterr().out
    score = scored(tmp_path, 2.5).path
    assert cli.main(["forecast", "ledger", str(file), "--add", str(score)]) == 0
    assert "MISSED" in capsys.readouterr().out
    assert cli.main(["forecast", "ledger", str(file), "--add", str(tmp_path / "target")]) == 2
    assert "a 'pretrain' run, but a ledger holds" in capsys.readouterr().err
    assert math.isclose(ledgers.record(ledgers.read(file))["worst_error_percent"], 25.0)


def test_reading_a_ledger_loads_no_torch(kept: Path) -> None:
    program = (
        "import sys\nfrom presage import cli\nimport presage.cli.ledger\n"
        "code = cli.main(['forecast', 'ledger', sys.argv[1]])\n"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0 False"
