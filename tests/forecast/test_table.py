"""One frame for the tables that people hand in: every reader names the same mistakes in the same words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from presage.core.errors import DataError
from presage.forecast import backtest, emergence, measured, points, samples, sized
from presage.forecast.table import about, read_table

READERS: dict[str, Callable[[Path], object]] = {
    "compute,loss": points.read_runs,
    "n_params,tokens,loss": sized.read_points,
    "problem,compute,n,passed,split": samples.read_samples,
    "compute,accuracy": measured.read_points,
    "item,compute,correct,logprob": emergence.read_items,
    "exercise,role,compute,loss": backtest.exercises,
}


@pytest.mark.parametrize(("header", "read"), READERS.items())
def test_every_reader_tells_what_is_wrong(tmp_path: Path, header: str, read: Callable[[Path], object]) -> None:
    count = len(header.split(","))
    row = ",".join(["1"] * count)
    wrong = {
        header.replace(",", ";") + "\n1;2\n": "p.csv:1: .*the first line has ';' where ',' is expected: save as comma",
        header.replace(",", "\t") + "\n1\t2\n": "p.csv:1: .*the first line has a tab where ',' is expected",
        "other,another\n1,2\n": r"p.csv:1: no column .* \(columns: other, another\)",
        "": r"p.csv:1: no column .* \(columns: none\)",
        f"{header}\n": "p.csv:1: no rows below the header",
        f"{header},{header}\n{row},{row}\n": "p.csv:1: column .* is there twice",
        f"{header}\n{row},1\n": f"p.csv:2: more cells than the {count} columns",
        f'{header}\n\n{row}\n"1"2\n': "p.csv:4: not a CSV table",
    }
    for text, message in wrong.items():
        (tmp_path / "p.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            read(tmp_path / "p.csv")
    (tmp_path / "p.csv").write_bytes(header.encode("utf-16"))
    with pytest.raises(DataError, match=r"p.csv: not a CSV table: .*save it as UTF-8"):
        read(tmp_path / "p.csv")
    with pytest.raises(DataError, match=r"none.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv")


def test_lines_are_counted_where_rows_begin(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('\ufeff a , b\n1, 2 \n\n"x\ny",3\n,\n4\n', encoding="utf-8")
    rows = read_table(tmp_path / "p.csv").rows(("a",), ("b", "c"))
    assert [(row.place.rpartition(":")[2], row["a"], row["b"], row["c"]) for row in rows] == [
        ("2", "1", "2", ""),
        ("4", "x\ny", "3", ""),
        ("7", "4", "", ""),
    ]


@pytest.mark.parametrize("text", ["1e70", "1e-70", "0", "-1", "nan", "inf"])
def test_numbers_that_nothing_measured_has(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(f"a\n1\n{text}\n")
    good, bad = read_table(tmp_path / "p.csv").rows(("a",))
    assert good.positive("a") == good.number("a", 0, 1) == 1
    with pytest.raises(DataError, match=rf"p.csv:3: a: {text} is not a positive number of a sane size \(FLOPs\)"):
        bad.positive("a", "FLOPs")


def test_an_error_gets_the_place_that_it_lacks() -> None:
    with pytest.raises(DataError, match=r"^p.csv: too few \(more\)$"), about("p.csv"):
        raise DataError("too few", hint="more")
    with pytest.raises(DataError, match=r"^--at: too far$"), about("p.csv"):
        raise DataError("too far", where="--at")
