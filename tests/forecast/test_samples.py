"""Graded samples from a table: what is read and what is refused; `presage forecast capability` on top of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.core.errors import DataError
from presage.forecast.samples import Sample, read_samples

HEADER = "problem,compute,n,passed,split\n"
COMPUTES = [1e17, 1e18, 1e19]


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def graded(path: Path, problems: int = 24) -> Path:
    """Attempts that pass as often as −log p = 3 (C / 1e17)^−0.2, problem by problem a little off that."""
    scales = 3 * (0.5 + np.arange(problems) / problems)
    rows = [
        f"p{i:02d},{compute:g},400,{round(400 * np.exp(-scales[i] * (compute / 1e17) ** -0.2))},{split}\n"
        for i in range(problems)
        for compute in COMPUTES
        for split in ("bucket", "fit")
    ]
    return table(path, HEADER + "".join(rows))


def test_every_column_is_read(tmp_path: Path) -> None:
    text = "\ufeffsplit,problem,passed,n,compute,difficulty,nll,run,note\r\nfit,add,3,10,1e18,easy,12.5,b,x\r\n"
    text += "bucket,add,0,5,1e18,,,,\r\n"
    assert read_samples(table(tmp_path / "s.csv", text)) == [
        Sample("add", 1e18, 10, 3, "fit", run="b", nll=12.5, difficulty="easy"),
        Sample("add", 1e18, 5, 0, "bucket"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"s\.csv:1: no column 'problem' \(columns: none\)"),
        ("problem,compute,n,split\n", r"s\.csv:1: no column 'passed' \(columns: problem, compute, n, split\)"),
        ("problem,n,compute,n,passed,split\n", r"s\.csv:1: column 'n' is there twice"),
        (HEADER, r"s\.csv:1: no rows below the header"),
        (HEADER + "a,1e18,10,3,fit\na,1e19,ten,3,fit\n", r"s\.csv:3: n: 'ten' is not a whole number"),
        (HEADER + "a,1e18,10.5,3,fit\n", r"s\.csv:2: n: '10\.5' is not a whole number"),
        (HEADER + "a,1e18,0,0,fit\n", r"s\.csv:2: n: 0 is out of range \(the number of attempts, at least 1\)"),
        (HEADER + "a,1e18,10,11,fit\n", r"s\.csv:2: passed: 11 is out of range \(how many of the n = 10"),
        (HEADER + "a,1e18,10,-1,fit\n", r"s\.csv:2: passed: -1 is out of range"),
        (HEADER + "a,1e18,10,nan,fit\n", r"s\.csv:2: passed: 'nan' is not a whole number"),
        (HEADER + "a,1e18,10,,fit\n", r"s\.csv:2: passed: '' is not a whole number"),
        (HEADER + "a,1e18,10\n", r"s\.csv:2: passed: '' is not a whole number"),
        (HEADER + "a,nan,10,3,fit\n", r"s\.csv:2: compute: nan is not a positive number"),
        (HEADER + "a,-1,10,3,fit\n", r"s\.csv:2: compute: -1 is not a positive number"),
        (HEADER + "a,1e999,10,3,fit\n", r"s\.csv:2: compute: 1e999 is not a positive number"),
        (HEADER + "a,big,10,3,fit\n", r"s\.csv:2: compute: 'big' is not a number"),
        (HEADER + "a,1e18,10,3,train\n", r"s\.csv:2: split: 'train' is not a split \(write bucket or fit\)"),
        (HEADER + ",1e18,10,3,fit\n", r"s\.csv:2: problem: empty"),
        (HEADER + "a,b,1e18,10,3,fit\n", r"s\.csv:2: more cells than the 5 columns \(quote a cell that holds a comma"),
        (HEADER + "a,1e18,9,3,fit\nb,1e18,9,3,fit\na,1e18,8,2,fit\n", r"s\.csv:4: problem: .* on line 2 already"),
        ("problem,compute,n,passed,split,nll\na,1e18,9,3,fit,-2\n", r"s\.csv:2: nll: -2 is not a positive"),
    ],
)
def test_bad_tables_name_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_samples(table(tmp_path / "s.csv", text))


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_samples(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00problem")
    with pytest.raises(DataError, match=r"binary\.csv: not a CSV table"):
        read_samples(tmp_path / "binary.csv")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(HEADER + "a,1e18,10,3,fit\n" + text, encoding="utf-8", newline="")
    try:
        samples = read_samples(path)
    except DataError as error:
        assert str(error).startswith(str(path))
    else:
        assert samples[0] == Sample("a", 1e18, 10, 3, "fit")


# ---- the verb -------------------------------------------------------------------------------------------------------


def test_json_has_an_object_for_each_compute_and_bucket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(graded(tmp_path / "s.csv"))
    options = ["--at", "1e20", "--at", "1e21", "--buckets", "2", "--pass-at", "5", "--level", "0.8"]
    assert cli.main(["forecast", "capability", path, *options, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(f["compute"], f["bucket"]) for f in facts] == [(c, b) for c in (1e20, 1e21) for b in ("all", "1", "2")]
    for fact in facts:
        assert 0 < fact["lo"] < fact["value"] < fact["hi"]
        assert fact["pass_rate"]["lo"] == pytest.approx(np.exp(-fact["hi"]))
        assert fact["pass_at"]["k"] == 5
        assert fact["pass_at"]["lo"] < fact["pass_at"]["value"] < fact["pass_at"]["hi"]
        assert fact["level"] == fact["law"]["k"]["level"] == 0.8
        assert fact["law"]["k"]["lo"] < fact["law"]["k"]["value"] < fact["law"]["k"]["hi"]
        assert fact["by_likelihood"] is None
    assert facts[0]["law"]["k"]["value"] == pytest.approx(0.2, abs=0.03)
    assert facts[1]["value"] < facts[2]["value"]
    assert facts[0]["problems"] == {"kept": 24, "dropped": 0, "set_aside": 0, "min_passed": 1}
    assert [f["extrapolation"] for f in facts[::3]] == [10, 100]


def test_text_names_the_numbers_and_warns_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(graded(tmp_path / "s.csv"))
    assert cli.main(["forecast", "capability", path, "--at", "1e22", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)[0]["value"]
    assert cli.main(["forecast", "capability", path, "--at", "1e22"]) == 0
    said = capsys.readouterr()
    assert said.err.count("presage: only 3 computes were fitted") == 1
    assert said.out.startswith("at 1e+22 FLOPs, 1,000 times the largest fitted compute; 90% intervals\n24 problems")
    assert f"{value:.3f} [" in said.out
    assert "presage: the target is 1,000 times the largest fitted compute" in said.err


def test_columns_stay_apart_and_levels_are_not_rounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = graded(tmp_path / "s.csv")
    options = ["--at", "1e22", "--pass-at", "300", "--level", "0.999"]
    assert cli.main(["forecast", "capability", str(path), *options]) == 0
    out = capsys.readouterr().out
    assert "; 99.9% intervals" in out.splitlines()[0]
    head, *rows = out.splitlines()[2:-1]
    names = ["problems", "-E[log pass rate]", "pass rate", "k", "mean pass@300"]
    ends = [head.index(f"  {name}") + len(name) + 2 for name in names]
    assert len(rows) == 3
    for row in rows:
        assert len(row) == len(head) == ends[-1]
        for end in ends[:-1]:
            assert row[end - 1] != " " and row[end : end + 2] == "  ", "a cell ends under its name, two blanks follow"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([], "at"),
        (["--at", "0"], "--at must be positive"),
        (["--at", "nan"], "--at must be positive"),
        (["--at", "1e21", "--level", "1"], "--level between 0 and 1"),
        (["--at", "1e19"], "--at 1e+19 is not beyond the largest fitted compute"),
        (["--at", "1e21", "--min-passed", "0"], "min_passed 0 must be at least 1"),
        (["--at", "1e21", "--min-passed", "401"], "no problem has at least 401 passes by every model"),
        (["--at", "1e21", "--buckets", "0"], "--buckets: 0 buckets (from 1 to 24, the number of problems that count)"),
        (["--at", "1e21", "--buckets", "25"], "--buckets: 25 buckets (from 1 to 24"),
        (["--at", "1e21", "--pass-at", "-1"], "pass@-1"),
    ],
)
def test_nonsense_is_refused(
    tmp_path: Path, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(graded(tmp_path / "s.csv"))
    assert cli.main(["forecast", "capability", path, *extra]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("presage: ")
    assert message in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,1e18,9,3,fit\n", "1 different compute"),
        ("a,1e18,9,3,fit\na,1.2e18,9,4,fit\n", "a factor of 1.2 in all"),
        ("a,1e18,9,3,bucket\na,1e19,9,4,bucket\n", "no rows with split=fit"),
        ("a,1e18,9,3,fit\na,1e19,9,4,fit\nb,1e19,9,4,fit\n", "problem 'b' has no row with split=fit at 1e+18 FLOPs"),
        ("a,1e18,9,3,fit\na,1e19,9,4,fit\nb,1e19,9,4,bucket\n", "problem 'a' has no rows with split=bucket"),
        ("a,1e18,9,0,fit\na,1e19,9,4,fit\n", "no problem has at least 1 passes by every model"),
    ],
)
def test_samples_that_do_not_fit_together(
    tmp_path: Path, rows: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(table(tmp_path / "s.csv", HEADER + rows))
    assert cli.main(["forecast", "capability", path, "--at", "1e21"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith(f"presage: {path}: ")
