"""A chain of images: told in its own unit and words, from its own files, and never mixed with one of text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.forecast import kinds as made_kinds
from presage.report import kinds, render
from presage.train import vision
from tests.report import pictures, visions
from tests.report.conftest import TARGET, AnyConfig, Chain, Told, law
from tests.report.reading import Element, listed
from tests.report.test_ability import part, sections_of

OF_TEXT = re.compile(r"bits.per.byte|bpb|held-out files|tokenizer, code", re.IGNORECASE)
CHAIN = ("ladder", "forecast", "target", "score")


def markdown(report: RunDir) -> str:
    return (report.path / "report.md").read_text(encoding="utf-8")


def told_of(chain: Chain, out: Path, **more: Any) -> RunDir:
    return render.run(chain.config(**more), out)


def pairs(elements: list[Element]) -> dict[str, str]:
    """What the lists of labels and values show."""
    labels = [e for e in elements if e.tag == "dt"]
    values = [e for e in elements if e.tag == "dd"]
    return {a.text: "".join(c.text for c in b.children) for a, b in zip(labels, values, strict=True)}


@pytest.fixture
def target(tmp_path: Path, eyed: Told) -> Any:
    """Trains another target, of a changed config and with more results, and tells the chain with it."""

    def tell(more: dict[str, float] | None = None, **changes: Any) -> str:
        config = RunDir(eyed.chain.root / "target").config(vision.Config).model_copy(update=changes)
        path = tmp_path / "target"
        visions.trained(path, config, np.random.default_rng(0), TARGET, law(TARGET), more)
        return markdown(told_of(eyed.chain, tmp_path / "out", images=config.images, target=path))

    return tell


@pytest.mark.parametrize(
    ("told", "made"), [(kinds.TEXT, made_kinds.TEXT), (kinds.IMAGES, made_kinds.IMAGES)], ids=["text", "images"]
)
def test_a_report_looks_where_forecasts_are_made(told: kinds.Kind, made: made_kinds.Kind) -> None:
    """The two are kept apart, since a report is written without torch."""
    assert (told.stage, told.metric, told.column) == (made.stage, made.metric, made.column)


# ---- what is said ---------------------------------------------------------------------------------------------------


def test_the_headline_promises_in_nats_of_answers(eyed: Told) -> None:
    text = markdown(eyed.report)
    assert re.search(r"we promised [\d.]+ ± [\d.]+ nats per token of held-out answers \(90 % interval", text)
    assert re.search(r"It came out at [\d.]+: an error of \+0\.40 %, inside the interval", text)


def test_nothing_is_told_in_words_of_text(eyed: Told) -> None:
    for name in ("report.html", "report.md", "facts.csv", "artifacts/figure1.svg", "artifacts/figure2.svg"):
        assert OF_TEXT.findall((eyed.report.path / name).read_text(encoding="utf-8")) == [], name


def test_its_sections(eyed: Told, plain: Told) -> None:
    of_text = [one for one in sections_of(plain.page) if one != "corpus"]
    assert [one for one in sections_of(eyed.page) if one != "seen"] == of_text
    assert not part(plain.page, "seen")


def test_nothing_is_missing_but_what_such_a_chain_has_not(eyed: Told) -> None:
    assert {row["key"] for row in listed(eyed.report) if row["shown"] == "missing"} <= {"commit.id", "commit.dirty"}


def test_figures_are_of_its_own_columns(eyed: Told) -> None:
    drawn = [e.attributes for e in eyed.page.all if e.tag == "g" and e.attributes.get("class") == "fact"]
    places = {(a["data-run"], a["data-file"], a["data-key"]) for a in drawn}
    assert {("ladder", "tables/rungs.csv", f"{number}.loss") for number in range(10)} <= places
    names = [f"ladder/rungs/c{number:02}-0" for number in range(10)]
    assert {(run, "result.json", "val/loss.value") for run in (*names, "target")} <= places
    titles = {e.text.strip() for e in eyed.page.all if e.tag == "text" and e.within("fig")}
    assert {"nats per token", "held-out, nats per token"} <= titles
    caption = next(e for e in part(eyed.page, "curves") if e.tag == "figcaption")
    assert "measured once in each training, at its end" in caption.text


def test_tables_have_the_ladders_own_loss(eyed: Told) -> None:
    heads = [e.text for e in part(eyed.page, "rungs") if e.tag == "th"]
    assert heads.count("nats per token") == 2
    found = {row["key"] for row in listed(eyed.report) if row["run"] == "ladder"}
    assert {"0.loss", "9.loss", "9.digest"} <= found


def test_the_target_is_told_with_its_encoder(eyed: Told) -> None:
    said = pairs(part(eyed.page, "target"))
    assert said["the encoder's share of FLOPs"] == "36.1 %"
    assert said["documents too long for a row"] == "1"
    assert said["held-out answers, nats per token"] == f"{law(TARGET) * 1.004:.4f}"
    assert said["base: stage"] == "pretrain"
    assert said["base: digest"] == RunDir(eyed.chain.root / "base").digest
    keys = {row["key"] for row in listed(eyed.report) if row["run"] == "target"}
    assert {"config.model.vision.patch", "config.model.vision.d_model", "config.model.d_model"} <= keys
    assert "in front of it an encoder of images" in markdown(eyed.report)


def test_from_scratch_there_is_no_base(target: Any) -> None:
    text = target(base=None, vision=None)
    assert "| base | none | `target/config.json#config.base` |" in text
    assert "base: digest" not in text


def test_text_among_the_rows_is_told_in_bits_per_byte(target: Any) -> None:
    text = target({"text/bpb": 2.01})
    assert "| held-out text, bits per byte | 2.0100 | `target/result.json#text/bpb.value` |" in text
    assert len(OF_TEXT.findall(text.replace("text/bpb", ""))) == 1


def test_answers_stand_beside_what_the_documents_say(eyed: Told) -> None:
    assert "<b>red</b> #0" in [e.text for e in part(eyed.page, "samples")]
    assert r"The document says: \`blue\`" in markdown(eyed.report)


def test_what_it_saw(eyed: Told) -> None:
    said = pairs(part(eyed.page, "seen"))
    run = RunDir(eyed.chain.root / "images.0")
    assert said["training: documents"] == str(run.value("train/documents"))
    assert said["held out: tokens asked for"] == str(run.value("val/learned_tokens"))
    assert [said[label] for label in ("edge of a patch, pixels", "tokens of an image, at most")] == ["4", "6"]
    assert said["images.0: the run"] == run.digest == pairs(part(eyed.page, "target"))["images.0: digest"]
    assert said["images.0: the run with its tokenizer"] == "none"  # bytes


def test_two_runs_of_images_are_told_one_after_the_other(eyed: Told, tmp_path: Path) -> None:
    images = eyed.chain.root / "images.0"
    text = markdown(told_of(eyed.chain, tmp_path / "out", images=[images, images]))
    assert text.count("### Documents and pictures") == 2
    assert "`images.1/result.json#pictures.value`" in text


# ---- what is given --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absent", [*CHAIN, "images"])
def test_what_is_not_given_prints_as_missing(eyed: Told, tmp_path: Path, absent: str) -> None:
    images = [] if absent == "images" else [eyed.chain.root / "images.0"]
    out = told_of(eyed.chain, tmp_path / "out", without=(absent,), images=images)
    rows = [row for row in listed(out) if row["run"].partition(".")[0] == absent]
    assert rows
    assert {row["shown"] for row in rows} == {"missing"}
    assert not OF_TEXT.search(markdown(out))


def test_text_beside_it_is_told_where_it_is_given(eyed: Told, plain: Told, tmp_path: Path) -> None:
    text = markdown(told_of(eyed.chain, tmp_path / "out", shards=plain.chain.root / "shards"))
    assert "`shards/artifacts/index.json#splits.train.tokens`" in text
    assert "Tokenizer: byte-level BPE" not in text
    assert "corpus/" not in text


def test_questions_about_images_go_beside_it(eyed: Told, tmp_path: Path) -> None:
    (tmp_path / "colours.jsonl").write_text("{}\n")
    asked = pictures.asked(tmp_path / "asked", eyed.chain.root / "target", tmp_path / "colours.jsonl", ("vision",))
    text = markdown(told_of(eyed.chain, tmp_path / "out", images=[eyed.chain.root / "images.0"], sights=[asked.path]))
    assert "## Images" in text and "## What it saw" in text
    assert not OF_TEXT.search(text)


@pytest.mark.parametrize("role", CHAIN)
def test_a_run_of_text_among_those_of_images_is_refused(eyed: Told, plain: Told, tmp_path: Path, role: str) -> None:
    with pytest.raises(RunError, match=f"{role} is of text, .* of images: these are not of one chain") as refused:
        told_of(eyed.chain, tmp_path / "out", **{role: plain.chain.root / role})
    assert refused.value.where == plain.chain.root / role
    assert refused.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("role", CHAIN)
def test_a_run_of_images_among_those_of_text_is_refused(eyed: Told, plain: Told, tmp_path: Path, role: str) -> None:
    with pytest.raises(RunError, match=f"is of text, {role} of images: these are not of one chain"):
        told_of(plain.chain, tmp_path / "out", **{role: eyed.chain.root / role})


def test_what_is_made_of_ladders_of_text_alone_is_refused(eyed: Told, tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "plan", "plan", AnyConfig()) as run:
        run.finish()
    with pytest.raises(RunError, match="planned is of text, ladder of images"):
        told_of(eyed.chain, tmp_path / "out", planned=tmp_path / "plan")


def test_a_target_of_a_third_stage_is_refused(eyed: Told, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a 'seal' run, but a 'pretrain' run is needed"):
        told_of(eyed.chain, tmp_path / "out", target=eyed.chain.root / "forecast")


def test_the_same_runs_give_the_same_report(eyed: Told, tmp_path: Path) -> None:
    again = told_of(eyed.chain, tmp_path / "again", images=[eyed.chain.root / "images.0"])
    for name in ("report.html", "report.md", "facts.csv"):
        assert (again.path / name).read_bytes() == (eyed.report.path / name).read_bytes(), name
