"""The committed demo holds: its digests, its seal, its table, and nothing of the machine it was made on."""

from __future__ import annotations

import csv
import re
import statistics
from pathlib import Path

import pytest

from presage.core.look import damage, runs_below
from presage.core.run import RunDir
from presage.forecast.verify import omitted, verify

EXAMPLE = Path(__file__).parent.parent / "docs" / "example"
DISTANT = EXAMPLE.parent / "example-distant"
both = pytest.mark.parametrize("example", [EXAMPLE, DISTANT], ids=["demo", "distant"])


@both
def test_the_seal_holds(example: Path) -> None:
    assert verify(example) == []
    assert omitted(example) > 0, "the copy lists large files that it leaves out"


@both
def test_every_run_is_whole(example: Path) -> None:
    runs = runs_below(example)
    assert {run.stage for run in runs} >= {
        "corpus",
        "tokenizer",
        "shards",
        "ladder",
        "seal",
        "pretrain",
        "score",
        "report",
    }
    assert [(run.path, damage(run)) for run in runs if damage(run)] == []


def test_the_shots_of_the_example_fit_its_context() -> None:
    with open(EXAMPLE / "examination/tables/tasks.csv", encoding="utf-8") as file:
        cut = {row["task"] for row in csv.DictReader(file) if row["shots"] != "0" and row["truncated"] != "0"}
    assert cut == set()


def test_a_changed_rung_is_named(tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "example"
    shutil.copytree(EXAMPLE, copy)
    table = copy / "ladder" / "tables" / "rungs.csv"
    table.write_text(table.read_text().replace("2.", "1.", 1))
    assert any(name.endswith("ladder/tables/rungs.csv") for name, _ in verify(copy))


def test_the_readme_tells_the_table() -> None:
    with open(EXAMPLE / "seeds.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    page = (EXAMPLE.parent.parent / "README.md").read_text(encoding="utf-8")
    errors = [abs(float(row["error_percent"])) for row in rows]
    assert f"median error {statistics.median(errors):.2f} %" in page
    assert f"worst {max(errors):.2f} %" in page
    assert f"inside the interval {sum(int(row['inside']) for row in rows)} of {len(rows)}" in page
    assert rows[0]["seal"] in page


def test_the_documents_tell_what_came_out_of_the_forecasts_from_far_away() -> None:
    page = (EXAMPLE.parent / "forecasting.md").read_text(encoding="utf-8")
    for name in ("", "-10000"):
        forecast = RunDir.open(DISTANT / f"forecast{name}").read_json("forecast.json")
        score = RunDir.open(DISTANT / f"score{name}")
        assert [score.value(key) for key in ("promised", "lo", "hi")] == [
            forecast[key] for key in ("point", "lo", "hi")
        ]
        shown = [f"{score.value(key):.4f}" for key in ("promised", "lo", "hi", "actual")]
        shown += [
            f"{score.value('error_percent'):+.1f} %".replace("-", "−"),
            f"{score.value('half_width_percent'):.1f} %",
        ]
        (line,) = [line for line in page.split("\n") if f"| {shown[0]} |" in line]
        assert [part for part in shown if part not in line] == []


@both
def test_no_path_of_a_machine(example: Path) -> None:
    """Absolute paths of users' or root's folders have no place in a published run."""
    pattern = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work)/")
    texts = (
        p for p in example.rglob("*") if p.suffix in {".json", ".csv", ".md", ".txt"} and p.name != "samples.jsonl"
    )
    assert [str(p) for p in texts if pattern.search(p.read_text(encoding="utf-8"))] == []
