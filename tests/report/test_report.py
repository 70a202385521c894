"""The page, the Markdown and facts.csv: every number has a source, and the source really says so."""

from __future__ import annotations

import json
import math
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir, sha256
from presage.report import render
from tests.report.conftest import AnyConfig, Chain, Told
from tests.report.reading import NAMES, Page, listed, number_in, stored


def test_every_fact_is_what_its_source_says(told: Told) -> None:
    report = told.report
    rows, compared = listed(report), 0
    for row in rows:
        path = told.chain.root / row["run"] / row["file"]
        if row["shown"] == "missing":
            continue
        assert row["digest"] == sha256(path)
        value, found = json.loads(row["value"]), stored(path, row["key"])
        if isinstance(value, int | float):
            assert math.isclose(float({"True": 1, "False": 0}.get(found, found)), value), row
        else:
            assert str(found) == str(value) or found == value, row
        shown = number_in(row["shown"])
        if shown and isinstance(value, int | float) and not isinstance(value, bool):
            percent = 100 if "percent" in row["key"] else 1
            assert abs(shown[0] * percent - value) <= shown[1] * percent, row
            compared += 1
    assert compared > 300
    assert len(rows) == report.value("facts")


def test_every_element_with_a_number_has_a_listed_source(told: Told) -> None:
    page, report = told.page, told.report
    known = {r["id"]: r for r in listed(report)}
    whole = {e.text for e in page.all if e.tag == "td" and e.within("hash")}
    facts = [e for e in page.all if "fact" in e.attributes.get("class", "").split()]
    for element in facts:
        row = known[element.attributes["data-fact"]]
        attributes = {k: element.attributes[f"data-{k}"] for k in ("run", "file", "key", "digest")}
        assert attributes == {k: row[k] for k in attributes} | {"digest": row["digest"][:16]}
        assert row["digest"] in whole
        if element.tag == "span":
            assert element.text == row["shown"]
    assert {e.attributes["data-fact"] for e in facts} == set(known)


def test_no_number_stands_outside_a_fact(told: Told) -> None:
    page = told.page
    body = next(e for e in page.all if e.tag == "body")
    loose = [
        f"<{e.tag}> {e.text.strip()!r}"
        for e in page.all
        if body in e.above()
        and e.tag not in ("script", "style", "code", "dt")  # a dt is the name of a key
        and not e.within("fact", "src", "hash", "fig")
        and not any(a.attributes.get("id") == "sources" for a in e.above())
        and re.search(r"\d", NAMES.sub("", e.text))
    ]
    assert loose == []


def test_marks_in_figures_are_facts_and_only_axes_have_other_numbers(page: Page) -> None:
    figures = [e for e in page.all if e.tag == "svg"]
    assert [f.attributes["class"] for f in figures] == ["fig wide", "fig narrow"] * 2
    drawn = [e for e in page.all if e.tag == "g" and e.within("fig") and e.attributes.get("class") == "fact"]
    points = {e.attributes["data-key"] for e in drawn if e.attributes["data-file"] == "forecast.json"}
    assert {f"points.{i}.loss" for i in range(10)} | {"point", "lo", "hi"} == points
    assert "actual.value" in {e.attributes["data-key"] for e in drawn}
    ticks = [e.text.strip() for e in page.all if e.tag == "text" and e.within("fig") and not e.within("fact")]
    assert {"0.001", "0.01", "0.1", "1"} <= set(ticks)


def test_nothing_is_loaded_from_elsewhere(told: Told) -> None:
    report = told.report
    text = (report.path / "report.html").read_text(encoding="utf-8")
    addresses = set(re.findall(r"https?://[^\"' )<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"@import|url\((?!#)|<link|src=(?!.data:image/png;base64,)|<iframe", text)
    assert len(text) < 550_000


def test_ids_are_unique_and_references_resolve(told: Told) -> None:
    page = told.page
    ids = [e.attributes["id"] for e in page.all if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    links = {v[1:] for e in page.all for k, v in e.attributes.items() if k in ("href", "xlink:href") and v[:1] == "#"}
    assert links <= set(ids)
    assert all(e.attributes.get("scope") == "col" for e in page.all if e.tag == "th")


def test_markdown_has_the_same_facts(told: Told) -> None:
    report = told.report
    text = (report.path / "report.md").read_text(encoding="utf-8")
    plain = re.sub(r"\\([\\`*_<>\[\]|~])", r"\1", text)
    figures = "".join(p.read_text(encoding="utf-8") for p in (report.path / "artifacts").glob("*.svg"))
    for row in listed(report):
        assert row["shown"] in plain or f'data-fact="{row["id"]}"' in figures, row


def test_markdown_tables_are_tables(told: Told) -> None:
    report = told.report
    text = (report.path / "report.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)
    assert len(tables) > 15
    for table in tables:
        lines = re.sub(r"\\\|", "", table).splitlines()
        assert re.fullmatch(r"\|(---:?\|)+", lines[1]), lines[0]
        assert len({line.count("|") for line in lines}) == 1, lines[0]
        assert all(line.endswith("|") for line in lines)


def test_figures_are_whole_svg_files_with_both_themes(told: Told) -> None:
    report = told.report
    for path in sorted((report.path / "artifacts").glob("*.svg")):
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag.endswith("}svg")
        assert "prefers-color-scheme:dark" in path.read_text(encoding="utf-8")
        assert not re.search(r"#0[1-8]0[1-8]0[1-8]", path.read_text(encoding="utf-8"))
        assert "mathdefault" not in path.read_text(encoding="utf-8"), (
            "formulas are off: such a tick would show its own code"
        )


def test_the_headline(page: Page, chain: Chain) -> None:
    said = next(e for e in page.all if e.attributes.get("class") == "headline")
    shown = [e.text for e in said.children]
    data = json.loads((chain.root / "forecast/forecast.json").read_text())
    score = {k: v["value"] for k, v in json.loads((chain.root / "score/result.json").read_text()).items()}
    assert shown[0] == f"{data['point']:.3f}"
    assert shown[2:5] == ["90 %", f"{data['lo']:.3f}", f"{data['hi']:.3f}"]
    assert shown[5:] == [f"{score['actual']:.3f}", f"{score['error_percent']:+.2f} %", "inside"]


def test_the_same_runs_give_the_same_report(chain: Chain, report: RunDir, tmp_path: Path) -> None:
    again = render.run(chain.config(), tmp_path / "again")
    for name in ("report.html", "report.md", "facts.csv", "artifacts/figure1.svg", "artifacts/figure2.svg"):
        assert (again.path / name).read_bytes() == (report.path / name).read_bytes(), name


@pytest.mark.parametrize(
    "absent", [("corpus", "tokenizer", "shards"), ("ladder",), ("forecast",), ("target",), ("score",)], ids="+".join
)
def test_a_missing_run_prints_as_missing(chain: Chain, tmp_path: Path, absent: tuple[str, ...]) -> None:
    out = render.run(chain.config(without=absent), tmp_path / "out")
    text = (out.path / "report.html").read_text(encoding="utf-8")
    Page(text)
    rows = [r for r in listed(out) if r["run"] in absent]
    assert {r["run"] for r in rows} == set(absent)
    assert {r["shown"] for r in rows} == {"missing"}
    assert 'class="fact missing"' in text
    assert "missing" in (out.path / "report.md").read_text(encoding="utf-8")
    assert out.value("missing") >= len(rows)


def test_no_runs_at_all_still_gives_a_page(tmp_path: Path) -> None:
    out = render.run(render.Config(pdf=False), tmp_path / "out")
    assert {r["shown"] for r in listed(out)} == {"missing"}
    assert "report.pdf not written: not asked for" in (out.path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("script", "log"),
    [("exit 1", "not written: CalledProcessError"), ("for a in $@; do o=${a#--print-to-pdf=}; [ $o != $a ] && "
      "printf '/CreationDate (D:20260102030405+00)' > $o; done; true", "report.pdf written")],
)  # fmt: skip
def test_a_pdf_where_a_browser_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, log: str) -> None:
    browser = tmp_path / "bin/chromium"
    browser.parent.mkdir()
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", f"{browser.parent}:/usr/bin:/bin")
    out = render.run(render.Config(), tmp_path / "out")
    assert log in (out.path / "log.txt").read_text()
    written = out.path / "report.pdf"
    assert written.exists() == (log == "report.pdf written")
    assert not written.exists() or written.read_bytes() == b"/CreationDate (D:20000101000000+00)"


def test_a_miss_is_said_as_plainly(chain: Chain, tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "score", "score", AnyConfig()) as score:
        for name, value in {"actual": 1.625, "error_percent": 12.31, "inside": 0}.items():
            score.result(name, value)
        score.finish()
    paths = {"forecast": chain.root / "forecast", "score": tmp_path / "score", "pdf": False}
    out = render.run(render.Config.parse(paths), tmp_path / "out")
    text = (out.path / "report.md").read_text(encoding="utf-8")
    assert "came out at 1.625: an error of +12.31 %, outside the interval" in text


def test_seals_that_differ_raise_an_alarm(chain: Chain, tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "score", "score", AnyConfig()) as score:
        score.result("seal", "f" * 64)
        score.finish()
    out = render.run(chain.config(score=tmp_path / "score"), tmp_path / "out")
    assert 'role="alert"' in (out.path / "report.html").read_text()
    assert "not one honest run" in (out.path / "report.md").read_text()


def test_a_run_of_another_stage_or_unfinished_is_refused(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="'seal' run is needed"):
        render.run(chain.config(forecast=chain.root / "ladder"), tmp_path / "out")
    RunDir.create(tmp_path / "open", "score", AnyConfig()).close()
    with pytest.raises(RunError, match="not finished"):
        render.run(chain.config(score=tmp_path / "open"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_parent_stops_the_report(chain: Chain, tmp_path: Path) -> None:
    shutil.copytree(chain.root / "target", tmp_path / "target")
    result = tmp_path / "target/result.json"
    result.write_text(result.read_text().replace("1.4", "1.3", 1))
    with pytest.raises(CorruptError, match=r"target/result\.json"):
        render.run(render.Config(target=tmp_path / "target", pdf=False), tmp_path / "out")
    assert not (tmp_path / "out/report.html").exists()


def test_samples_cannot_break_the_page(page: Page, report: RunDir) -> None:
    quotes = [e for e in page.all if e.tag == "blockquote"]
    assert len(quotes) == 4
    assert all(not {c.tag for q in quotes for c in q.children} - {"b", "span"} for _ in quotes)
    assert "<b>keys</b>" in (report.path / "report.md").read_text(encoding="utf-8")


def test_a_wide_table_lies_on_its_side_and_an_empty_one_is_not_missing(tmp_path: Path) -> None:
    wide = {"package": "a", **{f"count_{i}": i for i in range(12)}}
    for name, rows in (("one", [wide]), ("two", [wide, wide | {"package": "b"}]), ("none", [])):
        with RunDir.create(tmp_path / name, "corpus", AnyConfig()) as corpus:
            corpus.result("train/documents", 7)
            corpus.table("sources", [{"source": "a"}])
            corpus.table("packages", rows, list(wide))
            corpus.finish()
        out = render.run(render.Config(corpus=tmp_path / name, pdf=False), tmp_path / f"{name}-out")
        text = (out.path / "report.md").read_text(encoding="utf-8")
        assert ("`corpus/tables/packages.csv` is an empty table" in text) == (name == "none")
        assert ("| count 11 | 11 | 11 |" in text) == (name == "two")
        assert ("| count 11 | 11 | `corpus/tables/packages.csv#0.count_11` |" in text) == (name == "one")
        tables = [r for r in listed(out) if r["run"] == "corpus" and r["file"].startswith("tables/")]
        assert tables
        assert all(r["shown"] != "missing" for r in tables)
