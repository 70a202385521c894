"""The section on a capability: there when one was sealed, told by its sources alone, and else never thought of."""

from __future__ import annotations

import copy
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.forecast import capability
from presage.report import render, svg
from presage.report.facts import leaves
from tests.forecast.graded import planted
from tests.report.abilities import BUCKETS, LEVELS, PROBLEMS, WRITTEN
from tests.report.conftest import AnyConfig, Chain, Told
from tests.report.reading import Element, Page, listed

SECTIONS = ["promise", "curves", "rungs", "missed", "samples", "corpus", "target", "machine", "limits", "withheld"]
COMPUTES = 8
REST = ("corpus", "tokenizer", "shards", "ladder", "target")  # runs that no word on a capability is read from


def forecast_of(chain: Chain) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((chain.root / "forecast/forecast.json").read_text())
    return data


def results_of(chain: Chain) -> dict[str, Any]:
    return {k: v["value"] for k, v in json.loads((chain.root / "score/result.json").read_text()).items()}


def sections_of(page: Page) -> list[str]:
    return [e.attributes["id"] for e in page.all if e.tag == "section"]


def part(page: Page, name: str) -> list[Element]:
    """The elements of one section."""
    return [e for e in page.all if any(a.tag == "section" and a.attributes["id"] == name for a in e.above())]


def words(elements: list[Element]) -> str:
    return " ".join(e.text for e in elements)


def told_with(chain: Chain, folder: Path, change: Any) -> tuple[RunDir, Page]:
    """The report on the chain with another forecast.json, `change`d in place."""
    data = copy.deepcopy(forecast_of(chain))
    change(data)
    with RunDir.create(folder / "forecast", "seal", AnyConfig()) as run:
        run.write_json("forecast.json", data)
        run.finish()
    out = render.run(chain.config(without=REST, forecast=folder / "forecast"), folder / "out")
    return out, Page((out.path / "report.html").read_text(encoding="utf-8"))


def test_the_planted_laws_have_the_shape_of_fitted_ones(able: Told) -> None:
    fitted = capability.forecast(capability.fit(planted(0).samples), 1e22, pass_at=1)[0]
    ours = forecast_of(able.chain)["capability"]["laws"][0]
    named = [{key for key in leaves(law) if not key.startswith("by_likelihood")} for law in (ours, fitted)]
    assert named[0] == named[1]


def test_without_a_capability_nothing_speaks_of_one(plain: Told) -> None:
    assert sections_of(plain.page) == [*SECTIONS, "sources"]
    assert [e.attributes["class"] for e in plain.page.all if e.tag == "svg"] == ["fig wide", "fig narrow"] * 2
    rows = listed(plain.report)
    assert not [r for r in rows if "capability" in r["key"] or "attempts" in r["run"]]
    assert plain.report.value("missing") == 0
    assert "nothing about any ability of the model" in words(part(plain.page, "limits"))
    assert not list((plain.report.path / "artifacts").glob("capability*"))


def test_a_forecast_from_before_capabilities_reads_the_same(plain: Told, tmp_path: Path) -> None:
    old, page = told_with(plain.chain, tmp_path / "old", lambda data: data.pop("capability"))
    new, _ = told_with(plain.chain, tmp_path / "new", lambda data: None)
    told = [[(r["key"], r["shown"]) for r in listed(run) if r["file"] != "DONE"] for run in (old, new)]
    assert sections_of(page) == sections_of(plain.page)
    assert told[0] == told[1]


def test_the_section_comes_after_the_promise(able: Told) -> None:
    assert sections_of(able.page) == [SECTIONS[0], "capability", *SECTIONS[1:], "sources"]
    assert able.report.value("missing") == 0


def test_the_headline_has_a_second_sentence(able: Told) -> None:
    said = next(e for e in able.page.all if e.attributes.get("class") == "headline")
    law, score = forecast_of(able.chain)["capability"]["laws"][0], results_of(able.chain)
    second = [e.text for e in said.children][8:]
    values = [law["value"], law["lo"], law["hi"], score["capability/all/actual"]]
    assert second == [str(law["problems"]["kept"]), *(f"{v:.3f}" for v in values), "inside"]
    assert "mean −log pass rate" in said.text


def test_the_table_says_what_was_stored_and_names_the_miss(able: Told) -> None:
    laws, score = forecast_of(able.chain)["capability"]["laws"], results_of(able.chain)
    table = next(e for e in part(able.page, "capability") if e.tag == "tbody")
    assert len(table.children) == len(laws) == len(BUCKETS)
    for row, law in zip(table.children, laws, strict=True):
        name = f"capability/{law['bucket']}"
        shown = [fact.text for cell in row.children for fact in cell.children]
        values = [law["value"], law["lo"], law["hi"], score[f"{name}/actual"]]
        assert shown[:3] == [law["bucket"], str(law["problems"]["kept"]), str(law["problems"]["dropped"])]
        assert shown[3:7] == [f"{v:.3f}" for v in values]
        assert shown[8] == ("yes" if score[f"{name}/inside"] else "no")
    assert [score[f"capability/{b}/inside"] for b in BUCKETS] == [1, 0, 1, 1]


def test_the_law_and_its_likelihood_twin(able: Told) -> None:
    shown = {r["key"]: r["shown"] for r in listed(able.report) if r["file"] == "forecast.json"}
    law = forecast_of(able.chain)["capability"]["laws"][0]
    for key in ("value", "lo", "hi"):
        assert shown[f"capability.laws.0.law.k.{key}"] == f"{law['law']['k'][key]:.3f}"
        assert shown[f"capability.laws.0.law.alpha.{key}"] == f"{law['law']['alpha'][key]:.3f}"
        assert shown[f"capability.laws.0.by_likelihood.{key}"] == f"{law['by_likelihood'][key]:.3f}"
    assert shown["capability.laws.0.pass_at.k"] == "1"
    assert shown["capability.laws.3.by_likelihood"] == "none"


def test_a_shared_warning_is_said_once(able: Told) -> None:
    said = words(part(able.page, "capability"))
    assert said.count("13 of 55 problems are dropped") == 1
    assert said.count("only 13 problems") == 1


def test_what_is_missed_is_not_told_twice(able: Told) -> None:
    rows = [r for r in listed(able.report) if r["key"].startswith("capability/")]
    assert {r["file"] for r in rows} == {"result.json"}
    assert "capability" not in words(part(able.page, "missed"))


def test_marks_are_facts_in_both_widths(able: Told) -> None:
    figures = [e for e in able.page.all if e.tag == "svg"]
    assert [f.attributes["class"] for f in figures] == ["fig wide", "fig narrow"] * 3
    laws = range(len(BUCKETS))
    expected = {f"capability.points.{law}.{i}.value" for law in laws for i in range(COMPUTES)}
    expected |= {f"capability/{bucket}/actual.value" for bucket in BUCKETS}
    expected |= {f"capability.laws.{law}.bucket" for law in laws if law} | {"capability.laws.0.value"}
    for figure in figures[2:4]:
        inside = [e for e in able.page.all if figure in e.above() and e.attributes.get("class") == "fact"]
        assert expected <= {e.attributes["data-key"] for e in inside}
        ticks = [e.text.strip() for e in able.page.all if e.tag == "text" and figure in e.above()]
        assert {"0.01", "0.1", "1", "−mean log pass rate"} <= set(ticks)


def test_every_colour_of_the_figure_is_in_both_themes(able: Told) -> None:
    text = (able.report.path / "artifacts/capability-law.svg").read_text(encoding="utf-8")
    used = set(re.findall(r'class="[^"]*?\b[fs]-(\w+)', text))
    assert {"accent", "target", "band", "muted"} <= used <= set(svg.INK)
    light, _, dark = text.partition("prefers-color-scheme:dark")
    for role in used:
        assert f".f-{role}{{fill:{svg.INK[role][1]}}}" in light
        assert f".f-{role}{{fill:{svg.INK[role][2]}}}" in dark
    painted = re.findall(r"(?:fill|stroke): (#\w+)", text)
    assert painted == []
    assert float(ET.fromstring(text).attrib["width"]) > 500


def test_what_the_target_wrote_is_the_first_of_each_level_word_for_word(able: Told) -> None:
    quotes = [e for e in part(able.page, "capability") if e.tag == "blockquote"]
    assert [q.children[-1].text for q in quotes] == WRITTEN
    places = [int(q.children[-1].attributes["data-key"].partition(".")[0]) for q in quotes]
    assert places == [level * PROBLEMS // LEVELS for level in range(LEVELS)]
    prompts = [q.children[0].children[0].text for q in quotes]
    assert all(prompt.endswith('"""\n   ') for prompt in prompts)  # as the model was given it
    assert "# next" in (able.report.path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("role", ["attempts", "target_attempts", "score"])
def test_what_a_sealed_capability_lacks_is_missing(able: Told, tmp_path: Path, role: str) -> None:
    out = render.run(able.chain.config(without=(*REST, role)), tmp_path / "out")
    rows = [r for r in listed(out) if r["run"] == role]
    assert rows
    assert {r["shown"] for r in rows} == {"missing"}
    text = (out.path / "report.html").read_text(encoding="utf-8")
    assert "a capability" in words(part(Page(text), "capability"))


def test_one_bucket_has_no_small_panels(able: Told, tmp_path: Path) -> None:
    def cut(data: dict[str, Any]) -> None:
        for key in ("laws", "points", "curve"):
            del data["capability"][key][1:]

    _, page = told_with(able.chain, tmp_path, cut)
    said = words(part(page, "capability"))
    assert "small panels" not in said
    assert "bucket 1" not in said
    assert "small panels" in words(part(able.page, "capability"))


def test_the_actual_pass_rate_stands_beside_the_promised_one_where_it_was_scored(able: Told, tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "score", "score", AnyConfig()) as score:
        for name, value in (results_of(able.chain) | {"capability/all/pass_rate": 0.3879}).items():
            score.result(name, value)
        score.finish()
    out = render.run(able.chain.config(without=REST, score=tmp_path / "score"), tmp_path / "out")
    text = (out.path / "report.md").read_text(encoding="utf-8")
    assert "| pass rate, promised | pass rate, actual |" in text
    assert "| 38.8 % |" in text
    assert "pass rate, actual" not in (able.report.path / "report.md").read_text(encoding="utf-8")


def test_the_limits_are_those_of_two_promises(able: Told) -> None:
    said = words(part(able.page, "limits"))
    assert "nothing about any ability of the model" not in said
    assert "any other ability of the model" in said
    assert "the slope may wander" in said


def test_attempts_of_another_stage_are_refused(able: Told, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="'attempts' run is needed"):
        render.run(able.chain.config(target_attempts=able.chain.root / "target"), tmp_path / "out")


def test_the_digests_of_the_attempts_are_listed(able: Told) -> None:
    rows = {(r["run"], r["file"]) for r in listed(able.report)}
    assert {("attempts", "DONE"), ("target_attempts", "DONE")} <= rows
