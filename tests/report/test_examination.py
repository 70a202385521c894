"""The sections on an examination: there when one is given, told by it alone, and else never thought of."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import CorruptError, RunError
from presage.core.files import sha256
from presage.core.run import RunDir
from presage.report import render
from tests.examined import EvalConfig, make
from tests.report import evals, scans
from tests.report.conftest import Told
from tests.report.reading import Element, Page, listed
from tests.report.test_ability import SECTIONS, part, sections_of, words
from tests.report.test_steps import rows_of, told_of

EXAMINED = ["examination", "calibration", "code", "scaling"]


def table_of(run: Path, name: str) -> list[dict[str, str]]:
    with open(run / f"tables/{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def marked(page: Page, figure: str) -> set[str]:
    """Keys of the facts that the marks of a figure show."""
    return {
        e.attributes["data-key"]
        for e in page.all
        if e.tag == "g"
        and e.attributes.get("class") == "fact"
        and any(a.attributes.get("id") == figure for a in e.above())
    }


def markdown(report: RunDir) -> str:
    text = (report.path / "report.md").read_text(encoding="utf-8")
    return re.sub(r"\\(.)", r"\1", text.replace("\N{NO-BREAK SPACE}", " "))


def cells(report: RunDir, caption: str) -> list[list[str]]:
    """The rows of a table of report.md."""
    lines = markdown(report).split(f"### {caption}\n\n")[1].split("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]


def text_of(element: Element) -> str:
    return element.text + "".join(text_of(child) for child in element.children)


# ---- where they stand -----------------------------------------------------------------------------------------------


def test_the_sections_stand_where_that_on_contamination_would_begin(examined: Told) -> None:
    place = SECTIONS.index("missed") + 1
    assert sections_of(examined.page) == [*SECTIONS[:place], *EXAMINED, *SECTIONS[place:], "sources"]
    assert examined.report.value("missing") == 0


def test_without_an_examination_nothing_speaks_of_one(plain: Told) -> None:
    assert not [row for row in listed(plain.report) if row["run"] in ("examination", "scaling")]
    assert not list((plain.report.path / "artifacts").glob("reliability*"))


def test_of_a_model_alone_the_report_is_on_that_model(tmp_path: Path) -> None:
    """What `presage examine` makes: no promise, no seal, nothing missing."""
    make(tmp_path / "eval", name="somebody's")
    report, page = told_of(tmp_path, examination=tmp_path / "eval")
    assert sections_of(page) == ["examination", "calibration", "code", "sources"]
    assert report.value("missing") == 0
    assert not [e for e in page.all if e.attributes.get("class") == "seal"]
    said = next(line for line in markdown(report).splitlines() if line.startswith("**"))
    value = float(table_of(tmp_path / "eval", "tasks")[0]["value"])
    assert said.startswith(f"**somebody's was examined: mmlu {value:.4g} ± ")
    assert "(accuracy), coqa " in said
    assert "Seal" not in (report.path / "report.md").read_text(encoding="utf-8")


def test_other_stages_and_changed_files_are_refused(plain: Told, tmp_path: Path) -> None:
    for role, stage in (("examination", "eval"), ("scaling", "eval-ladder")):
        with pytest.raises(RunError, match=f"a 'score' run, but a '{stage}' run is needed"):
            told_of(tmp_path, **{role: plain.chain.root / "score"})
    make(tmp_path / "eval", n=12)
    with open(tmp_path / "eval/tables/tasks.csv", "a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(CorruptError, match="differs from the run's DONE"):
        told_of(tmp_path, examination=tmp_path / "eval")


def test_the_same_again(examined: Told, tmp_path: Path) -> None:
    again = render.run(examined.chain.config(), tmp_path / "again")
    names = ["report.html", *(f"artifacts/{name}.svg" for name in ("reliability", "pass-at-k", "scores-by-compute"))]
    for name in names:
        assert (again.path / name).read_bytes() == (examined.report.path / name).read_bytes()
        assert b"mathdefault" not in (again.path / name).read_bytes(), "a tick that shows its own code"


# ---- scores ---------------------------------------------------------------------------------------------------------


def test_a_row_a_task_with_raw_clean_and_contaminated(examined: Told) -> None:
    run = examined.chain.root / "examination"
    rows = {row[0]: row[1:] for row in cells(examined.report, "Scores")}
    first = {row["task"]: row for row in reversed(table_of(run, "tasks"))}
    shown = {row["task"]: row for row in table_of(run, "shown")}["mmlu"]
    assert list(rows) == ["mmlu", "coqa", "wikitext", "humaneval"]
    for task, row in rows.items():
        assert row[2] == f"{int(first[task]['n']):,}"
        assert row[3] == f"{float(first[task]['value']):.4g} ± {float(first[task]['stderr']):.2g}"
        assert row[7] == f"{first[task]['invalid']}, {first[task]['truncated']}"
    assert rows["mmlu"][4] == f"{float(shown['clean']):.4g} ± {float(shown['clean_stderr']):.2g}"
    assert rows["mmlu"][5].endswith(f"({shown['contaminated']})")
    assert rows["mmlu"][6] == f"{float(shown['degradation_percent']):+.2f} %".replace("-", "−")
    assert rows["coqa"][4:7] == ["not checked", "–", "–"]
    assert rows["wikitext"][1] == "bits_per_byte ↓"


def test_every_metric_has_its_interval(examined: Told) -> None:
    rows = cells(examined.report, "Every metric")
    found = table_of(examined.chain.root / "examination", "tasks")
    assert [row[:2] for row in rows] == [[row["task"], row["metric"]] for row in found]
    assert all(" to " in row[4] for row in rows)


def test_where_no_contaminated_example_was_found_there_is_no_mean_of_any(tmp_path: Path) -> None:
    found = run_of(tmp_path / "eval", contaminated=0)
    report, _ = told_of(tmp_path, examination=found)
    assert cells(report, "Scores")[0][6] == "none (0)"


def run_of(
    path: Path,
    results: dict[str, Any] | None = None,
    metric: str = "accuracy",
    scores: Any = None,
    skipped: Any = (),
    **shown: Any,
) -> Path:
    """An eval run of one task and one metric."""
    with RunDir.create(path, "eval", EvalConfig()) as run:
        row = {"task": "t", "version": 1, "method": "m", "shots": 0, "metric": metric, "better": "higher", "n": 3,
               "value": 0.5, "stderr": None, "lo": None, "hi": None, "invalid": None, "truncated": None}  # fmt: skip
        run.table("tasks", [row | (scores or {})])
        run.table("skipped", skipped, ["task", "reason"])
        run.table("shown", [{"task": "t", "n": 3, "raw": 0.5, "clean": 0.5, "dirty": None} | shown])
        for name, value in (results or {}).items():
            run.result(name, value)
        run.finish()
    return path


@pytest.mark.parametrize("generates", [True, False], ids=["generates", "says likelihoods"])
def test_a_model_that_only_generates_is_said_to(tmp_path: Path, generates: bool) -> None:
    results = {"has_likelihood": False} if generates else {}
    _, page = told_of(tmp_path, examination=run_of(tmp_path / "eval", results))
    assert ("Asked by generation" in words(part(page, "examination"))) == generates
    assert sections_of(page) == ["examination", "sources"]


# ---- calibration ----------------------------------------------------------------------------------------------------


def test_the_figure_has_a_mark_for_every_bin_its_count_and_the_scores(examined: Told) -> None:
    bins = table_of(examined.chain.root / "examination", "calibration")
    filled = {i for i, row in enumerate(bins) if int(row["n"])}
    keys = marked(examined.page, "reliability")
    assert keys >= {f"{i}.fraction" for i in filled} | {f"{i}.n" for i in filled}
    assert keys >= {"mmlu/ece.value", "mmlu/brier.value"}
    last = len(table_of(examined.chain.root / "examination", "selective")) - 1
    assert f"{last}.accuracy" in keys


def test_the_scores_of_calibration(examined: Told) -> None:
    told = json.loads((examined.chain.root / "examination/result.json").read_text())
    (row,) = cells(examined.report, "Calibration by task")
    ece = told["mmlu/ece"]
    assert row[:2] == ["mmlu", f"{ece['value']:.4g} ± {ece['stderr']:.2g}"]
    assert row[2] == f"{told['mmlu/ece_expected']['value']:.4g}"
    (further,) = cells(examined.report, "Further measures of calibration")
    assert further[3].startswith(f"{told['mmlu/selective_area']['value']:.4g} ± ")


# ---- code -----------------------------------------------------------------------------------------------------------


def test_pass_at_k_and_the_isolation(examined: Told) -> None:
    rows = cells(examined.report, "Programs that pass their tests")
    assert [row[1] for row in rows] == ["pass@1", "pass@10"]
    assert "bubblewrap" in words(part(examined.page, "code"))
    found = table_of(examined.chain.root / "examination", "tasks")
    places = {f"{i}.value" for i, row in enumerate(found) if row["metric"].startswith("pass@")}
    assert marked(examined.page, "pass-at-k") == places


def test_a_run_that_does_not_say_its_isolation_is_told_to_miss_it(tmp_path: Path) -> None:
    report, page = told_of(tmp_path, examination=run_of(tmp_path / "eval", metric="pass@1"))
    assert "does not say in what isolation" in words(part(page, "code"))
    assert report.value("missing") == 1


def test_of_programs_that_presage_interprets_no_isolation_is_missed(tmp_path: Path) -> None:
    run = run_of(tmp_path / "eval", metric="pass@1", scores={"method": "Microcode"})
    report, page = told_of(tmp_path, examination=run)
    assert "isolation the programs ran" not in words(part(page, "code"))
    assert report.value("missing") == 0


# ---- a ladder -------------------------------------------------------------------------------------------------------


def test_every_score_of_the_ladder_has_a_mark(examined: Told) -> None:
    rows = evals.ladder_rows()
    keys = marked(examined.page, "scores-by-compute")
    assert keys == {f"{i}.value" for i in range(len(rows))} | {"0.chance"}
    assert len(rows_of(part(examined.page, "scaling"), "Every rung’s scores")) == len(rows)
    drawn = text_of(next(e for e in examined.page.all if e.attributes.get("id") == "scores-by-compute"))
    for name in ("K = 0", "K = 1", "K = 5, 16", "mmlu, accuracy", "arithmetic_2d, accuracy"):
        assert name in drawn


def test_what_was_cut_of_a_ladder_is_shown(tmp_path: Path) -> None:
    rows = [row | {"invalid": 2, "truncated": 7} for row in evals.ladder_rows()[:1]]
    run = evals.ladder(tmp_path / "scaling", rows, ["mmlu with one shot: every prompt was cut"])
    report, _ = told_of(tmp_path, scaling=run.path)
    assert cells(report, "Every rung’s scores")[0][-1] == "2, 7"
    assert "The examination itself warns: mmlu with one shot: every prompt was cut" in markdown(report)


def test_models_of_unknown_compute_stand_in_the_table_alone(tmp_path: Path) -> None:
    rows = [row | {"flops": None} for row in evals.ladder_rows()]
    report, page = told_of(tmp_path, scaling=evals.ladder(tmp_path / "scaling", rows).path)
    assert not [e for e in part(page, "scaling") if e.tag == "svg"]
    assert {row[1] for row in rows_of(part(page, "scaling"), "Every rung’s scores")} == {"–"}
    assert not [row for row in listed(report) if row["run"] == "scaling" and row["shown"] == "missing"]


def test_shots_may_be_said_in_words(tmp_path: Path) -> None:
    rows = [row | {"shots": row["shots"] if row["shots"] < 2 else "many"} for row in evals.ladder_rows()]
    _, page = told_of(tmp_path, scaling=evals.ladder(tmp_path / "scaling", rows).path)
    assert "K = many" in "".join(text_of(e) for e in part(page, "scaling") if e.tag == "svg")


@pytest.mark.parametrize(("value", "lo", "hi", "says"), [(0.0, 0.0, 0.071, "0 (at most 0.071)"),
                                                        (1.0, 0.93, 1.0, "1 (at least 0.93)")])  # fmt: skip
def test_a_score_without_spread_is_shown_with_the_end_of_its_interval(
    tmp_path: Path, value: float, lo: float, hi: float, says: str
) -> None:
    row = {"value": value, "stderr": 0.0, "lo": lo, "hi": hi}
    report, _ = told_of(tmp_path, examination=run_of(tmp_path / "eval", scores=row))
    assert says in (report.path / "report.md").read_text(encoding="utf-8").replace("\\", "")


# ---- what a reader must know ----------------------------------------------------------------------------------------


def test_what_the_judge_did_not_see_is_shown(tmp_path: Path) -> None:
    counts = {"invalid": 1, "truncated": 2, "judge_truncated": 3}
    report, _ = told_of(tmp_path, examination=run_of(tmp_path / "eval", scores=counts))
    assert cells(report, "Scores")[0][-1] == "1, 2; of the judge 3"


def test_what_was_not_asked_is_listed_by_reason(tmp_path: Path) -> None:
    rows = [
        ("a", "d: no file x (--data)"),
        ("b", "needs a judge (--judge)"),
        ("c", "d: no file x (--data)"),
        ("e", "d: no file y (--data)"),
    ]
    run = run_of(tmp_path / "eval", skipped=[{"task": task, "reason": why} for task, why in rows])
    report, page = told_of(tmp_path, examination=run)
    assert cells(report, "Not asked, and why") == [
        ["a, c", "d: no file x (--data)"], ["e", "d: no file y (--data)"], ["b", "needs a judge (--judge)"],
    ]  # fmt: skip
    assert any(e.tag == "details" and "Not asked, and why" in text_of(e) for e in page.all)
    assert report.value("missing") == 0


def test_a_bias_is_neither_better_higher_nor_lower(tmp_path: Path) -> None:
    run = run_of(tmp_path / "eval", metric="bias", scores={"better": "nearer 0"})
    report, _ = told_of(tmp_path, examination=run)
    assert cells(report, "Scores")[0][2] == "bias ↔"
    assert cells(report, "Every metric")[0][2] == "nearer 0"


def test_the_section_on_contamination_is_named_only_where_there_is_one(examined: Told, tmp_path: Path) -> None:
    _, page = told_of(tmp_path, examination=run_of(tmp_path / "eval"))
    alone = words(part(page, "examination"))
    assert "section on contamination" not in alone
    assert "docs/contamination.md" in alone
    scan = scans.scan_of(tmp_path / "chain", scans.MICROCODE).path
    _, page = told_of(tmp_path / "beside", examination=run_of(tmp_path / "other"), contamination=scan)
    assert "see the section on contamination" in words(part(page, "examination"))


def test_a_temperature_at_an_end_of_its_range_is_shown_as_such(tmp_path: Path) -> None:
    made = make(tmp_path / "eval", n=12)
    for bound, value, says in (("at least", 100.0, "at least 100"), ("any", None, "any")):
        shutil.copytree(made.path, tmp_path / bound)
        path = tmp_path / bound / "result.json"
        found = json.loads(path.read_text()) | {"mmlu/temperature": {"value": value, "bound": bound}}
        path.write_text(json.dumps(found))
        done = json.loads((tmp_path / bound / "DONE").read_text())
        done["files"]["result.json"] = sha256(path)
        (tmp_path / bound / "DONE").write_text(json.dumps(done))
        report, _ = told_of(tmp_path / "told" / bound, examination=tmp_path / bound)
        assert cells(report, "Calibration by task")[0][-1] == says
        assert report.value("missing") == 0
