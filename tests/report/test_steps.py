"""Record, next run and collapse: there when their runs are given, told by these alone, and else never thought of."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.forecast import ledger as ledgers
from presage.forecast import record
from presage.report import render
from tests.report.conftest import AnyConfig, Told
from tests.report.reading import Element, Page, listed
from tests.report.test_ability import SECTIONS, part, sections_of, words


def rows_of(elements: list[Element], caption: str) -> list[list[str]]:
    """The table after that heading, every cell as it is read."""
    table = next(e for e in elements if e.tag == "div" and e.attributes.get("aria-label") == caption)
    body = next(e for e in table.children[0].children if e.tag == "tbody")
    return [["".join([cell.text, *(f.text for f in cell.children)]) for cell in row.children] for row in body.children]


def facts_of(run: RunDir, role: str) -> dict[str, str]:
    return {row["key"]: row["shown"] for row in listed(run) if row["run"] == role and row["file"] == "result.json"}


def told_of(tmp_path: Path, **parents: Path) -> tuple[RunDir, Page]:
    out = render.run(render.Config.parse(parents | {"pdf": False}), tmp_path / "out")
    return out, Page((out.path / "report.html").read_text(encoding="utf-8"))


def test_the_sections_stand_after_what_they_follow_from(stepped: Told) -> None:
    place = SECTIONS.index("missed") + 1
    assert sections_of(stepped.page) == [*SECTIONS[:place], "record", "next", *SECTIONS[place:], "sources"]
    assert stepped.report.value("missing") == 0


def test_without_their_runs_nothing_speaks_of_them(plain: Told) -> None:
    assert not [row for row in listed(plain.report) if row["run"] in ("record", "planned", "collapse")]
    assert not (plain.report.path / "artifacts/collapse.svg").exists()


def test_another_stage_is_refused_in_their_place(plain: Told, tmp_path: Path) -> None:
    for role, stage in (("record", "record"), ("planned", "plan"), ("collapse", "collapse")):
        with pytest.raises(RunError, match=f"a 'score' run, but a '{stage}' run is needed"):
            told_of(tmp_path, **{role: plain.chain.root / "score"})


# ---- record ---------------------------------------------------------------------------------------------------------


def test_the_record_counts_hits_and_misses_as_the_ledger_does(stepped: Told) -> None:
    told = ledgers.record(ledgers.read(stepped.chain.root / "lab/ledger.jsonl"))
    shown = facts_of(stepped.report, "record")
    for name in ("sealed", "scored", "unscored", "inside", "missed", "late", "entries"):
        assert shown[f"{name}.value"] == str(told[name]), name
    assert shown["inside.value / scored.value"] == "50 %"
    assert shown["expected_inside.value"] == "1.8"
    assert shown["worst_error_percent.value"] == f"{told['worst_error_percent']:.2f} %"
    assert shown["head.value"] == told["head"]


def test_misses_come_first_and_what_is_not_scored_is_not_missing(stepped: Told) -> None:
    rows = rows_of(part(stepped.page, "record"), "Every promise")
    assert [row[0] for row in rows] == ["3", "5", "1"]
    assert [row[9] for row in rows] == ["no", "–", "yes"]
    assert [row[7] for row in rows] == ["4.500", "–", "2.020"]
    assert [row[8] for row in rows] == ["+12.50 %", "–", "+1.00 %"]
    said = (stepped.report.path / "report.md").read_text(encoding="utf-8")
    assert "| 3 | seed 2 | val/bpb | 4.000 (3.800 to 4.200) |" in said


def test_a_ledger_without_a_score_claims_no_coverage(tmp_path: Path) -> None:
    from tests.forecast.lab import sealed

    ledgers.append_seal(tmp_path / "ledger.jsonl", sealed(tmp_path / "f").path)
    record.run(record.Config(), tmp_path / "record")
    out, page = told_of(tmp_path, record=tmp_path / "record")
    assert "coverage" not in words(part(page, "record"))
    assert facts_of(out, "record")["scored.value"] == "0"
    assert [row[1] for row in rows_of(part(page, "record"), "Every promise")] == ["–"], "a forecast without a name"
    assert not [row for row in listed(out) if row["run"] == "record" and row["shown"] == "missing"]


# ---- next run -------------------------------------------------------------------------------------------------------


def test_the_next_run_and_the_interval_before_and_after(stepped: Told) -> None:
    from tests.report.steps import SPEED, TARGET, plan_of

    made, shown = plan_of(), facts_of(stepped.report, "planned")
    assert made.lo_after is not None and made.hi_after is not None and made.lo < made.lo_after
    for name in ("loss", "lo", "hi", "lo_after", "hi_after"):
        assert shown[f"{name}.value"] == f"{getattr(made, name):.3f}", name
    assert shown["flops.value / largest.value"] == "100×"
    assert shown["seconds.value"] == f"{TARGET / SPEED // 60:.0f} min {TARGET / SPEED % 60:02.0f} s"
    assert len(rows_of(part(stepped.page, "next"), "Small runs to buy first")) == len(made.buy) > 0


def test_time_is_that_of_the_machine_at_hand_and_else_of_gpus(stepped: Told, tmp_path: Path) -> None:
    from tests.report.steps import next_run, plan_of

    said = {e.text for e in part(stepped.page, "next") if e.tag == "dt"}
    assert "time at the speed measured here" in said
    assert not {label for label in said if "price" in label or "hours" in label}
    _, page = told_of(tmp_path, planned=next_run(tmp_path / "planned", plan_of(), speed=None).path)
    said = {e.text for e in part(page, "next") if e.tag == "dt"}
    assert "time at the speed measured here" not in said
    assert {"hours on one a100", "hours on one h100 sxm", "hours on one b200"} <= said


def test_gpu_hours_and_price_are_said_where_they_were_given(tmp_path: Path) -> None:
    from tests.report.steps import next_run, plan_of

    made = plan_of(gpu="A100", price=2.0)
    out, page = told_of(tmp_path, planned=next_run(tmp_path / "planned", made, speed=None).path)
    shown = facts_of(out, "planned")
    assert (shown["gpu.value"], shown["gpu_hours.value"], shown["usd.value"]) == ("A100", "0.01", "0.02")
    assert {e.text for e in part(page, "next") if e.tag == "dt"} >= {"hours on 8 of these", "price, USD"}


def test_where_nothing_is_worth_buying_it_says_so(tmp_path: Path) -> None:
    from tests.report.steps import next_run, plan_of

    made = plan_of(spend=1e9)
    assert not made.buy
    out, page = told_of(tmp_path, planned=next_run(tmp_path / "planned", made).path)
    assert "Buy nothing first" in words(part(page, "next"))
    assert facts_of(out, "planned")["narrowing.value"] == "100 %"
    assert not [row for row in listed(out) if row["run"] == "planned" and row["shown"] == "missing"]


# ---- collapse -------------------------------------------------------------------------------------------------------


def test_the_figure_of_collapse_marks_every_rung_and_names_the_worst(stepped: Told) -> None:
    path = stepped.chain.root / "collapse/tables/rungs.csv"
    with open(path, encoding="utf-8", newline="") as file:
        rungs = list(csv.DictReader(file))
    figure = next(e for e in stepped.page.all if e.tag == "figure" and e.attributes["id"] == "collapse")
    drawn = {e.attributes.get("data-key") for e in stepped.page.all if e.tag == "g" and figure in e.above()}
    assert drawn >= {f"{i}.apart_percent" for i in range(len(rungs))}
    assert (stepped.report.path / "artifacts/collapse.svg").is_file()
    shown, worst = facts_of(stepped.report, "collapse"), max(rungs, key=lambda row: abs(float(row["apart_percent"])))
    assert shown["worst/rung.value"] == worst["rung"] == "c5"
    assert shown["worst/apart_percent.value"] == f"{float(worst['apart_percent']):+.2f} %"
    assert any("its recipe does not transfer" in e.text for e in part(stepped.page, "rungs"))


def test_rungs_that_cannot_be_compared_give_a_reason_and_no_figure(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "collapse", "collapse", AnyConfig()) as run:
        run.result("not_compared", "learning curve of c0: only 7 logged losses, 8 are needed")
        run.finish()
    out, page = told_of(tmp_path, collapse=tmp_path / "collapse")
    assert "only 7 logged losses" in words(part(page, "rungs"))
    assert not (out.path / "artifacts/collapse.svg").exists()


def test_the_record_is_read_from_its_run_and_not_from_the_ledger(stepped: Told) -> None:
    """The report reads finished runs alone, each with its digest."""
    files: Any = {row["file"] for row in listed(stepped.report) if row["run"] == "record"}
    assert files == {"result.json", "tables/ledger.csv", "tables/metrics.csv"}
    done = json.loads((stepped.chain.root / "record/DONE").read_text())["files"]
    digests = {row["file"]: row["digest"] for row in listed(stepped.report) if row["run"] == "record"}
    assert all(done[name] == digest for name, digest in digests.items())
