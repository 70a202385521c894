"""The page of examples: what is in it, that it loads and runs nothing of others, and what a browser makes of it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import CorruptError, DataError, RunError
from presage.core.run import RunDir
from presage.report.examples import write
from presage.report.render import BROWSERS
from tests.examined import EvalConfig, make
from tests.report.reading import Page

BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
DATA = re.compile(r'<script id="data" type="application/octet-stream">([A-Za-z0-9+/=]*)</script>')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evals")
    make(root / "a", name="/models/of/somebody/small")
    make(root / "b", name="large", ability=1.0)
    write(root / "a", root / "one.html")
    write(root / "a", root / "two.html", other=root / "b")
    return root


def data_of(path: Path) -> dict[str, Any]:
    found = DATA.search(path.read_text(encoding="utf-8"))
    assert found is not None
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return data


def run_of(path: Path, *rows: dict[str, Any]) -> Path:
    with RunDir.create(path, "eval", EvalConfig()) as run:
        for row in rows:
            run.sample(**{"task": "t", "id": "1", "scores": {"accuracy": 1.0}} | row)
        run.finish()
    return path


def shown(tmp_path: Path, *rows: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    write(run_of(tmp_path / "run", *rows), tmp_path / "page.html", **more)
    found: list[dict[str, Any]] = data_of(tmp_path / "page.html")["rows"]
    return found


# ---- what is in it --------------------------------------------------------------------------------------------------


def test_every_example_with_all_that_it_was_asked_and_said(folder: Path) -> None:
    samples = list(RunDir(folder / "a").rows("samples.jsonl"))
    data = data_of(folder / "one.html")
    assert [(row["task"], row["id"], row["prompt"]) for row in data["rows"]] == [
        (row["task"], row["id"], row["prompt"]) for row in samples
    ]
    for row, sample in zip(data["rows"], samples, strict=True):
        (answer,) = row["answers"]
        assert (answer.get("answer", ""), answer["scores"]) == (sample["answer"], sample["scores"])
        assert answer.get("probabilities") == sample["extra"].get("probabilities")
        assert row.get("gold") == sample["gold"]
    assert data["metrics"]["wikitext"] == {"metric": "bits_per_byte", "better": "lower"}
    assert data["metrics"]["coqa"]["metric"] == "f1"


def test_options_asked_by_letter_are_read_from_the_prompt(folder: Path) -> None:
    (answer,) = data_of(folder / "one.html")["rows"][0]["answers"]
    assert answer["options"] == [f"{letter}. Option {letter} of 0 < 1 & so on" for letter in "ABCD"]


def test_options_asked_by_their_text(tmp_path: Path) -> None:
    asked = [{"kind": "loglikelihood", "request": {"prompt": "p", "text": f" {t}"}} for t in ("yes", "no", "yes")]
    (row,) = shown(tmp_path, {"asked": asked, "extra": {"probabilities": [0.5, 0.5]}})
    assert row["answers"][0]["options"] == ["yes", "no"]
    assert "written" not in row["answers"][0]


def test_what_was_written_is_shown_where_it_is_not_the_answer(tmp_path: Path) -> None:
    asked = [{"kind": "generate", "request": {}, "answer": [{"text": "because\n so: B"}, {"text": "B"}]}]
    (row,) = shown(tmp_path, {"answer": "B", "asked": asked, "extra": {"invalid": True}})
    assert row["answers"][0]["written"] == ["because\n so: B"]
    assert row["answers"][0]["invalid"] is True


def test_no_path_of_the_model_is_in_it(folder: Path) -> None:
    assert [run["name"] for run in data_of(folder / "two.html")["runs"]] == ["small", "large"]


def test_two_models_side_by_side(folder: Path, tmp_path: Path) -> None:
    both = [list(RunDir(folder / name).rows("samples.jsonl")) for name in "ab"]
    rows = data_of(folder / "two.html")["rows"]
    assert [[one["scores"] for one in row["answers"]] for row in rows] == [
        [x["scores"], y["scores"]] for x, y in zip(*both, strict=True)
    ]
    assert not [row for row in rows if "other_prompt" in row]
    a, b = run_of(tmp_path / "a", {"prompt": "x"}, {"id": "2"}), run_of(tmp_path / "b", {"prompt": "y"}, {"id": "3"})
    write(a, tmp_path / "page.html", other=b)
    (row,) = data_of(tmp_path / "page.html")["rows"]
    assert data_of(tmp_path / "page.html")["alone"] == [1, 1]
    assert (row["id"], row["prompt"], row["other_prompt"]) == ("1", "x", "y")


def test_contamination_is_what_the_row_or_the_scan_says(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "scan", "contamination", EvalConfig()) as run:
        verdicts = [("1", "clean", "flagged"), ("2", "untestable", "clean"), ("3", "untestable", "untestable")]
        run.table("items", [{"set": "t", "item": i, "gpt4": a, "gpt3": b} for i, a, b in verdicts])
        run.finish()
    rows = shown(tmp_path, {}, {"id": "2"}, {"id": "3"}, {"id": "4"}, {"id": "5", "contaminated": True},
                 {"id": "6", "extra": {"contaminated": "clean"}}, contamination=tmp_path / "scan")  # fmt: skip
    assert [row.get("flag") for row in rows] == ["flagged", "clean", "untestable", None, "flagged", "clean"]


# ---- strict ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["one.html", "two.html"])
def test_it_loads_nothing_and_runs_only_its_own_script(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert not re.search(
        r"https?:|//[a-z]|\bsrc=|\bhref=|@import|url\(|innerHTML|outerHTML|insertAdjacent", DATA.sub("", text)
    )
    policy = next(e for e in Page(text).all if e.attributes.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for kind, own in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy.attributes["content"]
    assert policy.attributes["content"].startswith("default-src 'none'")
    assert "unsafe" not in policy.attributes["content"]


def test_what_a_model_wrote_is_nowhere_in_the_markup(folder: Path) -> None:
    text = (folder / "one.html").read_text(encoding="utf-8")
    assert "alert(" not in text
    assert "alert('no')" in json.dumps(data_of(folder / "one.html"))


def test_the_same_run_gives_the_same_page(folder: Path, tmp_path: Path) -> None:
    write(folder / "a", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (folder / "one.html").read_bytes()


# ---- bad input ------------------------------------------------------------------------------------------------------


def test_what_is_no_finished_eval_run_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        write(tmp_path, tmp_path / "page.html")
    with pytest.raises(DataError, match="no example in common"):
        write(run_of(tmp_path / "x", {}), tmp_path / "page.html", other=folder / "a")
    with pytest.raises(DataError, match=r"has no samples.jsonl"):
        write(run_of(tmp_path / "empty"), tmp_path / "page.html")
    changed = run_of(tmp_path / "y", {})
    (changed / "samples.jsonl").write_text("{}\n")
    with pytest.raises(CorruptError, match="differs from the run's DONE"):
        write(changed, tmp_path / "page.html")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(DataError, match="there is something of this name"):
        write(folder / "a", tmp_path / "page.html")


# ---- in a browser ---------------------------------------------------------------------------------------------------


def rendered(path: Path, profile: Path, place: str = "") -> Page:
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
               "--virtual-time-budget=5000", "--dump-dom", path.as_uri() + place]  # fmt: skip
    return Page(subprocess.run(command, capture_output=True, check=True, timeout=90, text=True).stdout)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
def test_a_browser_lists_a_page_and_opens_the_example_that_is_named(folder: Path, tmp_path: Path) -> None:
    page = rendered(folder / "one.html", tmp_path, "#coqa/coqa-0")
    opened = [e for e in page.all if e.tag == "details" and "open" in e.attributes]
    assert len([e for e in page.all if e.tag == "details"]) == 25
    assert len(opened) == 1
    said = [e.text for e in page.all if e.tag == "pre" and opened[0] in e.above()]
    assert said[:2] == ["Passage 0.\nQ: 0?\nA:", "<script>alert('no')</script> 42"]
    assert not [e for e in page.all if e.tag == "script" and opened[0] in e.above()]
    assert next(e.text for e in page.all if e.attributes.get("id") == "count") == "115 examples"
