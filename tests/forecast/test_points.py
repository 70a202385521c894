"""Points from a table: what is read, what is refused, and `presage forecast fit` on top of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presage import cli
from presage.core.errors import DataError
from presage.forecast.points import Run, read_runs

RUNS = [(1e17 * 4**i, 3.0 * 0.85**i + 1.6) for i in range(6)]


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def good(path: Path) -> Path:
    return table(path, "compute,loss\n" + "".join(f"{c},{y}\n" for c, y in RUNS))


def test_bits_per_byte_come_first_and_unfitted_rungs_are_left_out(tmp_path: Path) -> None:
    rungs = table(
        tmp_path / "rungs.csv", "name,compute,loss,bpb,fitted\na,1e9,2,1,True\nb,2e9,3,2,False\nc,4e9,1,.5,1\n"
    )
    assert [run[:2] for run in read_runs(rungs)] == [(1e9, 1.0), (4e9, 0.5)]
    assert [run[:2] for run in read_runs(rungs, "loss")] == [(1e9, 2.0), (4e9, 1.0)]


def test_what_else_is_known_of_a_run(tmp_path: Path) -> None:
    path = table(tmp_path / "p.csv", "compute,loss,n_params,tokens,seed,stderr\n1e9,2,1e3,2e5,7,0.1\n1e9,2.1,,,8,\n")
    assert read_runs(path) == [
        Run(1e9, 2.0, 1e3, 2e5, 0.1, "7", place=f"{path}:2"),
        Run(1e9, 2.1, seed="8", place=f"{path}:3"),
    ]


def test_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    (run,) = read_runs(table(tmp_path / "p.csv", "\ufeffcompute,loss\r\n1e9,2\r\n"))
    assert run[:2] == (1e9, 2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv:1: no column 'compute' \(columns: none\)"),
        ("flops,loss\n1,2\n", r"p\.csv:1: no column 'compute' \(columns: flops, loss\)"),
        ("compute,los\n1,2\n", r"p\.csv:1: no column 'loss'"),
        ("compute,loss,loss\n1,2,3\n", r"p\.csv:1: column 'loss' is there twice"),
        ("compute,loss\n1,2,3\n", r"p\.csv:2: more cells than the 2 columns"),
        ("compute,loss\n1e9,2\n2e9,two\n", r"p\.csv:3: loss: 'two' is not a number"),
        ("compute,loss\n1e9\n", r"p\.csv:2: loss: '' is not a number"),
        ("compute,loss\n0,2\n", r"p\.csv:2: compute: 0 is not a positive number"),
        ("compute,loss\n1e9,nan\n", r"p\.csv:2: loss: nan is not"),
        ("compute,loss\n1e999,1\n", r"p\.csv:2: compute: 1e999 is not"),
        ("compute,loss\n1e9,-1\n", r"p\.csv:2: loss: -1 is not"),
        ("compute,loss,stderr\n1e9,1,-1\n", r"p\.csv:2: stderr: -1 is not"),
        ("compute,loss\n1e9,2\n2e9,1\n1e9,2\n", r"p\.csv:4: the same run as .*p\.csv:2 \(repeats need a column seed"),
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
    points = good(tmp_path / "p.csv")
    assert cli.main(["forecast", "fit", str(points), "--at", "1e22", "--at", "1e21", "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["compute"] for answer in answers] == [1e22, 1e21]
    first = answers[0]
    assert first["lo"] < first["loss"] < first["hi"] < RUNS[-1][1]
    assert first["floor"]["lo"] < first["floor"]["value"] < first["floor"]["hi"]
    assert first["law"]["form"] == "a*C^b+c"
    assert (first["n_points"], first["level"]) == (6, 0.9)
    assert first["extrapolation"] == pytest.approx(1e22 / RUNS[-1][0])
    assert first["if_the_form_held"]["lo"] > first["lo"]
    assert cli.main(["forecast", "fit", str(points), "--at", "1e22"]) == 0
    assert capsys.readouterr().out.startswith(f"{first['loss']:.4f}  [{first['lo']:.4f}, {first['hi']:.4f}]")


def test_unsorted_rows_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(tmp_path / "a.csv", "compute,loss\n" + "".join(f"{c},{y}\n" for c, y in RUNS[::-1]))
    good(tmp_path / "b.csv")
    answers = []
    for name in ("a.csv", "b.csv"):
        assert cli.main(["forecast", "fit", str(tmp_path / name), "--at", "1e22", "--json"]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--at", "0"], "--at must be positive and finite"),
        (["--at", "nan"], "--at must be positive and finite"),
        (["--at", "1e22", "--level", "1"], "--level must lie between 0 and 1"),
        (["--at", "1e18"], "lie within the fitted budgets"),
        (["--at", "1e22", "--metric", "accuracy"], "no column 'accuracy'"),
        (["--at", "1e3"], "--at: 1000 FLOPs lie 14.0 decades below the smallest run, 1e+17"),
        ([], "at"),
    ],
)
def test_fit_refuses_nonsense(
    tmp_path: Path, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["forecast", "fit", str(good(tmp_path / "p.csv")), *extra]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("presage: ")
    assert message in said.err
    assert not said.out


def test_a_target_below_the_budgets_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = str(good(tmp_path / "p.csv"))
    assert cli.main(["forecast", "fit", points, "--at", "1e15", "--level", "0.999"]) == 0
    said = capsys.readouterr()
    assert "the target lies 2.0 decades below the smallest fitted budget: the law is read backwards" in said.err
    assert ", 99.9% interval, " in said.out
    assert cli.main(["forecast", "fit", points, "--at", "1e22"]) == 0
    assert "backwards" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1e9, 3), (1e10, 2.5), (1e11, 3.9), (1e12, 2)], "p.csv:4: the loss rises from 2.5 at 1e+10 FLOPs"),
        ([(1e9, 3), (1e10, 2.5)], "p.csv: a law with a floor needs at least 3 different budgets, got 2"),
        ([(1e9, 3), (1e18, 2.5), (1e19, 2)], "p.csv: nothing between 1e+09 and 1e+18 FLOPs"),
        ([(1e9, 2), (1e10, 2), (1e11, 2)], "p.csv: the loss does not fall with compute"),
        ([], "p.csv:1: no rows below the header"),
    ],
)
def test_runs_that_do_not_fit_together_name_the_file(
    tmp_path: Path, rows: list[tuple[float, float]], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "p.csv", "compute,loss\n" + "".join(f"{c:g},{y}\n" for c, y in rows))
    assert cli.main(["forecast", "fit", str(path), "--at", "1e22"]) == 2
    assert capsys.readouterr().err.startswith(f"presage: {tmp_path}/{message}")
