"""Points from a table: what is read, what is refused, and `presage forecast fit` on top of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presage import cli
from presage.core.errors import DataError
from presage.forecast.points import read_runs

RUNS = [(1e11 * 4**i, 3.0 * 0.9**i + 0.6) for i in range(6)]


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_bits_per_byte_come_first_and_unfitted_rungs_are_left_out(tmp_path: Path) -> None:
    rungs = table(
        tmp_path / "rungs.csv", "name,compute,loss,bpb,fitted\na,1e9,2,1,True\nb,2e9,3,2,False\nc,4e9,1,.5,1\n"
    )
    assert read_runs(rungs) == [(1e9, 1.0), (4e9, 0.5)]
    assert read_runs(rungs, "loss") == [(1e9, 2.0), (4e9, 1.0)]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    assert read_runs(table(tmp_path / "p.csv", "\ufeffcompute,loss\r\n1e9,2\r\n")) == [(1e9, 2.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv:1: no column 'compute' \(columns: none\)"),
        ("flops,loss\n1,2\n", r"p\.csv:1: no column 'compute' \(columns: flops, loss\)"),
        ("compute,los\n1,2\n", r"p\.csv:1: no column 'loss'"),
        ("compute,loss\n1e9,2\n2e9,two\n", r"p\.csv:3: loss: 'two' is not a number"),
        ("compute,loss\n1e9\n", r"p\.csv:2: loss: '' is not a number"),
        ("compute,loss\n0,2\n", r"p\.csv:2: compute: 0 is not a positive number"),
        ("compute,loss\n1e9,nan\n", r"p\.csv:2: loss: nan is not"),
        ("compute,loss\n1e999,1\n", r"p\.csv:2: compute: 1e999 is not"),
        ("compute,loss\n1e9,-1\n", r"p\.csv:2: loss: -1 is not"),
    ],
)
def test_bad_tables_name_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_runs(table(tmp_path / "p.csv", text))


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_runs(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00compute")
    with pytest.raises(DataError, match=r"binary\.csv: not a CSV table"):
        read_runs(tmp_path / "binary.csv")


def test_fit_prints_value_and_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = table(tmp_path / "p.csv", "compute,loss\n" + "".join(f"{c},{y}\n" for c, y in RUNS))
    assert cli.main(["forecast", "fit", str(points), "--at", "1e15", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["lo"] < facts["value"] < facts["hi"] < RUNS[-1][1]
    assert facts["at"] == 1e15
    assert cli.main(["forecast", "fit", str(points), "--at", "1e15"]) == 0
    assert capsys.readouterr().out.startswith(f"{facts['value']:.4f}  [{facts['lo']:.4f}, {facts['hi']:.4f}]")


@pytest.mark.parametrize("extra", [["--at", "0"], ["--at", "nan"], ["--at", "1e15", "--level", "1"], []])
def test_fit_refuses_nonsense(tmp_path: Path, extra: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    points = table(tmp_path / "p.csv", "compute,loss\n" + "".join(f"{c},{y}\n" for c, y in RUNS))
    assert cli.main(["forecast", "fit", str(points), *extra]) == 2
    assert capsys.readouterr().err.startswith("presage: ")
