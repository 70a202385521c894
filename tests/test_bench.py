"""`presage bench`: each figure is what was done by the time it took, beside what is there to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presage.bench import figures, peers, reading, training, writing
from presage.bench.figures import Figure, Machine, beside, rates
from presage.bench.measured import markdown, measured
from presage.cli import main
from presage.core.device import Device
from presage.model.config import qwen3

MACHINE = Machine(Device(peak_flops=1e9, matmul={"float32 x 1 threads": 1e9, "bfloat16 x 1 threads": 5e8}), 1e9, 1e-3)


def test_systems_take_turns_and_a_rate_is_work_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], list[str]()

    def system(name: str, takes: float) -> figures.Action:
        def action() -> float:
            calls.append(name)
            clock[0] += takes
            return 10.0

        return action

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    found = rates({"fast": system("fast", 1.0), "slow": system("slow", 4.0)}, Machine(Device(), 1.0, 2.0))
    assert found == {"fast": 10.0, "slow": 2.5}
    assert calls == ["fast", "slow", *["fast", "fast", "slow"] * figures.ROUNDS]  # the first of each is not counted


def test_a_peer_s_line_says_how_many_times_as_fast_ours_is() -> None:
    ours = Figure("prefill", "a model", 300.0, "tokens/s")
    assert beside([ours], "other", None) == [ours]
    assert beside([ours], "other", 200.0)[1] == Figure("prefill", "a model: other", 200.0, "tokens/s", ratio=1.5)


def test_shares_are_of_what_the_machine_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SHAPES", (training.Shape(32, 2, 1),))
    monkeypatch.setattr(training, "LAYERS", 1)
    monkeypatch.setattr(training, "CONTEXT", 8)
    found = [*training.figures(MACHINE)]
    assert ["Muon" in one.what for one in found] == [True, False, False]
    model = training.Shape(32, 2, 1).qwen3()
    assert found[0].share == pytest.approx(found[0].value * model.flops_per_token() / 1e9)
    assert found[2].ratio == pytest.approx(found[1].value / found[2].value) and found[2].share is None


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "gpt2", lambda: qwen3(300, 64, 1, 16))
    monkeypatch.setattr(writing, "LONG", 32)
    monkeypatch.setattr(writing, "NEW", 2)


@pytest.mark.usefixtures("small")
def test_without_the_peer_there_is_no_line_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    decoding = [*writing.decoding(MACHINE)]
    assert [one.what.split(", ")[1:] for one in decoding] == [
        [f"{rows} at once", kind] for rows in (1, 16) for kind in ("f32", "int8")
    ]
    assert all(one.ratio is None and (one.share or 0) > 0 for one in decoding)
    [prefill] = writing.prefill(MACHINE)
    assert prefill.value > 0 and prefill.share is not None


def test_reading_and_laws_are_measured() -> None:
    ours, theirs = reading.tokenizer(MACHINE)
    assert theirs.ratio == pytest.approx(ours.value / theirs.value)
    assert [one.unit for one in reading.scanner(MACHINE)] == ["MB/s", "MB/s"]
    [law] = measured(["forecast"], MACHINE)
    assert law.unit == "seconds" and 0 < law.value < 60


def test_the_page_has_a_line_for_each_figure() -> None:
    found = [Figure("peaks", "copy", 1234.5, "GB/s"), Figure("prefill", "x", 0.12345, "tokens/s", 0.5, "matmul", 2.0)]
    lines = markdown(found, MACHINE).splitlines()
    assert "| peaks | copy | 1,234 GB/s |  |  |" in lines
    assert "| prefill | x | 0.123 tokens/s | 50 % of matmul | 2.00 |" in lines


def test_the_verb_writes_the_page_and_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "pages" / "bench.md"
    assert main(["bench", "forecast", "--seconds", "0.01", "--threads", "1", "--out", str(page), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["area"] == "forecast" and row["what"] in page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seconds", "0"], "--seconds: not between"),
        (["--threads", "0"], "--threads: not a positive number"),
        (["nothing"], "nothing"),
        (["--out", "."], "something of this name"),
    ],
)
def test_bad_options_are_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "forecast", *options]) == 2
    assert said in capsys.readouterr().err
