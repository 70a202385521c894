"""Two eval runs compared: values against the samples, warnings where they were not asked the same, bad input."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import statistics as plain
from pathlib import Path
from typing import Any

import pytest

from presage.cli.compare import show_comparison
from presage.core.errors import CorruptError, DataError, RunError
from presage.core.run import RunDir
from presage.evaluate.compare import COLUMNS, Comparison, Row, cells, compare
from presage.evaluate.differences import difference
from tests.examined import EvalConfig, make


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evals")
    make(root / "a", name="small")
    make(root / "b", name="large", ability=1.0)
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> Comparison:
    return compare(folder / "a", folder / "b")


def row_of(found: Comparison, task: str, metric: str) -> Row:
    return next(row for row in found.rows if (row.task, row.metric) == (task, metric))


def write(path: Path, rows: list[dict[str, Any]], table: list[dict[str, Any]] | None = None, **origin: Any) -> Path:
    with RunDir.create(path, "eval", EvalConfig(), **origin) as run:
        run.write_text("samples.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        if table is not None:
            run.table("tasks", table)
        run.finish()
    return path


def sample(number: int, score: float, **more: Any) -> dict[str, Any]:
    return {"task": "t", "id": str(number), "scores": {"accuracy": score}, "prompt_sha256": "0"} | more


def test_every_task_and_metric_has_a_row(found: Comparison) -> None:
    pairs = [(row.task, row.metric) for row in found.rows]
    assert pairs == [("mmlu", "accuracy"), ("coqa", "f1"), ("coqa", "exact"), ("wikitext", "bits_per_byte"),
                     ("humaneval", "pass@1"), ("humaneval", "pass@10")]  # fmt: skip
    assert found.warnings == []
    assert row_of(found, "wikitext", "bits_per_byte").better == "lower"


def test_values_are_those_of_the_samples(folder: Path, found: Comparison) -> None:
    for task, metric in (("mmlu", "accuracy"), ("coqa", "f1")):
        sides: list[list[float]] = []
        groups: list[str] = []
        for name in ("a", "b"):
            rows = [row for row in RunDir(folder / name).rows("samples.jsonl") if row["task"] == task]
            sides.append([row["scores"][metric] for row in rows])
            groups = [row["group"] for row in rows]
        got = row_of(found, task, metric).difference
        assert (got.a.value, got.b.value) == pytest.approx(tuple(map(plain.fmean, sides)))
        assert got == difference(sides[0], sides[1], groups)
    assert row_of(found, "coqa", "f1").difference.groups == 6


def test_p_is_corrected_for_the_number_of_tasks(found: Comparison) -> None:
    first = [row_of(found, *pair) for pair in (("mmlu", "accuracy"), ("coqa", "f1"), ("humaneval", "pass@1"))]
    for row in first:
        assert row.p_corrected is not None and row.difference.p is not None
        assert row.difference.p <= row.p_corrected <= 4 * row.difference.p
    assert row_of(found, "coqa", "exact").p_corrected is None


def test_the_other_way_round_only_signs_change(folder: Path, found: Comparison) -> None:
    back = compare(folder / "b", folder / "a")
    for row, turned in zip(found.rows, back.rows, strict=True):
        assert turned.difference.difference.value == pytest.approx(-(row.difference.difference.value or 0))
        assert turned.difference.p == row.difference.p


def test_a_run_against_itself(folder: Path) -> None:
    same = compare(folder / "a", folder / "a")
    assert {row.difference.p for row in same.rows} == {1.0}
    assert same.examples == [] and same.warnings == []


def test_examples_that_differ_most_come_first(found: Comparison) -> None:
    reading = [one for one in found.examples if one.task == "coqa"]
    assert len(reading) == 5
    assert [abs(one.b - one.a) for one in reading] == sorted((abs(one.b - one.a) for one in reading), reverse=True)
    assert all(one.a != one.b for one in found.examples)


def test_a_difference_too_small_is_said_to_be(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [sample(i, i % 2) for i in range(40)])
    b = write(tmp_path / "b", [sample(i, (i + (i < 3)) % 2) for i in range(40)])
    (row,) = compare(a, b).rows
    assert row.difference.difference.value == pytest.approx(1 / 40)
    assert "these 40 examples show differences from 0.12" in row.too_small
    deviation = plain.stdev((i + (i < 3)) % 2 - i % 2 for i in range(40))
    needed = ((1.959964 + 0.841621) * deviation * 40) ** 2
    assert f"; {math.ceil(needed):,} would be needed to show one like this" in row.too_small
    again = write(tmp_path / "c", [sample(i, (i + (i < 2)) % 2) for i in range(40)])
    (row,) = compare(a, again).rows
    assert row.difference.difference.value == 0
    assert row.too_small.endswith("(power 0.8 at 5 %)"), "no number of examples shows a difference of 0"


def test_only_what_both_have_is_compared(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [sample(i, 1) for i in range(5)] + [sample(0, 1, task="alone")])
    b = write(tmp_path / "b", [sample(i, 0) for i in range(3, 9)])
    found = compare(a, b)
    assert [(row.difference.n, row.only_a, row.only_b) for row in found.rows] == [(2, 3, 4)]
    assert "t: 3 examples only in A, the first '0'; they are not compared" in found.warnings
    assert "t: 4 examples only in B, the first '5'; they are not compared" in found.warnings
    assert "only in A: alone" in found.warnings


def test_other_prompts_are_warned_of(tmp_path: Path) -> None:
    table = {"task": "t", "metric": "accuracy", "method": "letter", "shots": 5, "version": 1, "value": 1, "better": ""}
    a = write(tmp_path / "a", [sample(i, 1, gold=0) for i in range(3)], [table])
    rows = [sample(0, 1, gold=0), sample(1, 1, gold=1), sample(2, 1, gold=0, prompt_sha256="1")]
    b = write(tmp_path / "b", rows, [table | {"shots": 0}])
    assert compare(a, b).warnings == [
        "t: 1 of 3 prompts differ, so the two were not asked the same; the first '2'",
        "t: shots is 5 in A and 0 in B",
        "t: the right option of 1 examples differs, the first '1'",
    ]


def test_a_task_that_sums_up_otherwise_says_so(tmp_path: Path) -> None:
    table = [{"task": "t", "metric": "accuracy", "better": "higher", "value": 0.9}]
    a, b = (write(tmp_path / name, [sample(i, i % 2) for i in range(4)], table) for name in "ab")
    assert "compared by the mean over examples" in compare(a, b).rows[0].note


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"task": "t", "id": "1"}], "samples.jsonl:1: no key 'scores'"),
        ([sample(1, 1), {"id": "1", "scores": {}}], "samples.jsonl:2: no key 'task'"),
        ([sample(1, 1), sample(1, 0)], "samples.jsonl:2: the example '1' of 't' again"),
        ([sample(1, 1) | {"scores": {"accuracy": "x"}}], "samples.jsonl:1: 'scores' is no object of finite numbers"),
        ([sample(1, 1) | {"scores": [1]}], "samples.jsonl:1: 'scores' is no object of finite numbers"),
        ([sample(7, 1)], "no example in common .A has t; B has t."),
        ([sample(1, 1, task="u")], "no example in common .A has t; B has u."),
        ([], "no example in common .A has t; B has no task."),
    ],
)
def test_what_is_no_sample_is_named(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    good = write(tmp_path / "a", [sample(1, 1)])
    with pytest.raises(DataError, match=said):
        compare(good, write(tmp_path / "b", rows))


def test_other_runs_and_changed_ones_are_refused(tmp_path: Path, folder: Path) -> None:
    good = write(tmp_path / "a", [sample(1, 1)])
    with RunDir.create(tmp_path / "c", "score", EvalConfig()) as run:
        run.finish()
    with pytest.raises(RunError, match="a 'score' run, but a 'eval' run is needed"):
        compare(good, tmp_path / "c")
    with pytest.raises(RunError, match="not a run directory"):
        compare(good, tmp_path)
    with open(good / "samples.jsonl", "a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(CorruptError):
        compare(good, folder / "a")


# ---- text -----------------------------------------------------------------------------------------------------------


def test_the_printed_table(found: Comparison) -> None:
    rows = cells(found.rows)
    assert rows[0] == COLUMNS and {len(row) for row in rows} == {len(COLUMNS)}
    got = row_of(found, "mmlu", "accuracy").difference
    assert rows[1][:3] == ["mmlu", "accuracy", "60"]
    assert rows[1][5].startswith(f"{got.difference.value:+.4g} ± ")


def test_what_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison(folder / "a", folder / "b")
    out = capsys.readouterr().out
    assert "p (Holm)" in out and "corrected for the number of tasks" in out
    assert f"A: {folder / 'a'}" in out
    show_comparison(folder / "a", folder / "b", json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["rows"][0]["task"] == "mmlu"
    assert told["rows"][0]["difference"]["difference"]["n"] == 60


def test_the_page_of_both(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison(folder / "a", folder / "b", page=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert names_of(tmp_path / "page.html") == ["small", "large"]


def names_of(page: Path) -> list[str]:
    """What a page calls its models."""
    data = re.search(r'<script[^>]*type="application/[^>]*>([^<]+)</script>', page.read_text(encoding="utf-8"))
    assert data is not None
    return [run["name"] for run in json.loads(gzip.decompress(base64.b64decode(data[1])))["runs"]]


# ---- one task under two names ---------------------------------------------------------------------------------------


def asked(label: str, declared: str, shots: int, **more: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Two samples and the row of the table."""
    row = {"task": label, "declared": declared, "metric": "accuracy", "method": "m", "shots": shots, "value": 1}
    return [sample(i, i % 2, task=label, declared=declared, **more) for i in range(2)], row | {"better": "higher"}


@pytest.mark.parametrize(
    ("ours", "theirs", "common"),
    [
        (("boolq", 0), ("boolq@0", 0), True),
        (("mmlu@5", 5), ("mmlu", 5), True),
        (("mmlu@5", 5), ("mmlu@0", 0), False),
        (("mmlu", 5), ("mmlu@0", 0), False),
    ],
)
def test_a_task_is_known_by_its_declared_name_and_its_shots(
    tmp_path: Path, ours: tuple[str, int], theirs: tuple[str, int], common: bool
) -> None:
    def made(name: str, label: str, shots: int) -> Path:
        rows, row = asked(label, label.partition("@")[0], shots)
        return write(tmp_path / name, rows, [row])

    a, b = made("a", *ours), made("b", *theirs)
    if not common:
        with pytest.raises(DataError, match="no example in common"):
            compare(a, b)
        return
    found = compare(a, b)
    assert [(row.task, row.difference.n) for row in found.rows] == [(ours[0], 2)]
    assert found.labels == {theirs[0]: ours[0]}
    assert found.warnings == []
    show_comparison(a, b, page=tmp_path / "page.html")
    assert names_of(tmp_path / "page.html") == ["A: toy", "B: toy"]


def test_what_both_call_alike_stays_so(tmp_path: Path) -> None:
    """Asked with the declared two shots and, by name, with two: both in A, one in B."""
    (rows, row), (again, same) = asked("own", "own", 2), asked("own@2", "own", 2)
    found = compare(write(tmp_path / "a", rows + again, [row, same]), write(tmp_path / "b", again, [same]))
    assert [row.task for row in found.rows] == ["own@2"]
    assert found.warnings == ["only in A: own"]


def test_models_that_were_asked_otherwise_are_warned_of(tmp_path: Path) -> None:
    """The prompts are equal; only what came before each of them is not."""
    rows, row = asked("boolq", "boolq", 0)
    facts = {"backend": "presage", "name": "x", "stride": 0, "begin": False}
    a = write(tmp_path / "a", rows, [row], model=facts, methods={"boolq": "1"}, judge={"name": "x"})
    b = write(
        tmp_path / "b", rows, [row], model=facts | {"begin": True, "name": "y"}, methods={"boolq": "2"},
        judge={"name": "y"},
    )  # fmt: skip
    assert compare(a, b).warnings == [
        "the models were not asked alike, even where prompts are equal: begin is False in A and True in B",
        "answers were graded by another judge in A than in B",
        "boolq: its method had other settings in A than in B (tables/methods.csv)",
    ]
    assert compare(a, a).warnings == []
