"""The section on images: a row a task with its sources, pictures within the page, and nothing that a row talks into."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir
from presage.report import render
from tests.report import pictures
from tests.report.conftest import Told
from tests.report.reading import Element, Page, listed
from tests.report.test_ability import part, sections_of, words


def section_of(told: Told) -> list[Element]:
    return part(told.page, "images")


def facts_by_row(elements: list[Element]) -> list[list[str]]:
    """What the cells of the table's rows show."""
    rows = [e for e in elements if e.tag == "tr" and e.children[0].tag == "td"]
    return [
        [e.text for e in elements if "data-fact" in e.attributes and any(row is one for one in e.above())]
        for row in rows
    ]


def alone(tmp_path: Path, run: Path) -> tuple[RunDir, Page]:
    """The report on one examination."""
    config = render.Config.parse({"sights": [run], "pdf": False})
    report = render.run(config, tmp_path / "report")
    return report, Page((report.path / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def one(tmp_path: Path) -> Path:
    (tmp_path / "mine.jsonl").write_text("{}\n")
    base = pictures.learnt(tmp_path / "vision", made(tmp_path / "target"))
    return pictures.asked(tmp_path / "one", base.path, tmp_path / "mine.jsonl", ("vision", "no-vision")).path


def made(path: Path) -> Path:
    with RunDir.create(path, "pretrain", render.Config()) as run:
        run.finish()
    return path


def test_a_row_a_task_and_nothing_missing(seeing: Told) -> None:
    captions, charts = facts_by_row(section_of(seeing))
    asked = ["80 %", "74 %", "86 %", "60 %", "54 %", "66 %", "40 %", "34 %", "46 %"]
    assert captions == ["captions", "200", *asked, "25 %", "0 %", "3.5 %", "41"]
    assert charts == ["charts", "200", *asked, "20 %", "14 %", "26 %", "25 %"]
    heads = [e.text for e in section_of(seeing) if e.tag == "th"]
    assert heads[2:6] == ["with the images", "without", "some in words", "in words"]
    assert seeing.report.value("missing") == 0
    assert "images" in sections_of(seeing.page)


def test_numbers_are_traced_to_the_runs_files(seeing: Told) -> None:
    found = {(row["run"], row["file"], row["key"]) for row in listed(seeing.report)}
    assert ("sights.0", "result.json", "contamination/near.value") in found
    assert ("sights.1", "result.json", "accuracy/interleaved.lo") in found
    assert ("vision", "result.json", "flops.value") in found


def test_images_are_within_the_page_and_beside_the_markdown(seeing: Told) -> None:
    images = [e for e in section_of(seeing) if e.tag == "img"]
    assert len(images) == 2 * 2 * 6
    assert all(e.attributes["src"].startswith("data:image/png;base64,") and e.attributes["alt"] for e in images)
    text = (seeing.report.path / "report.md").read_text(encoding="utf-8")
    name = "artifacts/sights-0-example-00.png"
    assert f"]({name})" in text
    head = base64.b64decode(images[0].attributes["src"].partition(",")[2])
    assert (seeing.report.path / name).read_bytes() == head


def test_right_and_wrong_are_marked_of_the_first_questions(seeing: Told) -> None:
    captions = [words([e, *e.children]) for e in section_of(seeing) if e.tag == "figcaption"]
    assert len(captions) == 12
    assert "wrong" in captions[0] and "right" in captions[0] and pictures.NASTY in captions[0]


def test_without_images_nothing_speaks_of_them(plain: Told) -> None:
    assert "images" not in sections_of(plain.page)
    assert not [row for row in listed(plain.report) if row["run"].startswith(("sights", "vision"))]


def test_another_stage_is_refused(plain: Told, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="but a 'sight' run is needed"):
        alone(tmp_path, plain.chain.root / "score")


def test_an_examination_alone_is_a_report_of_its_own(one: Path, tmp_path: Path) -> None:
    report, page = alone(tmp_path, one)
    assert sections_of(page)[-2:] == ["images", "sources"]
    assert "Of 200 questions about images (mine), 80 %" in " ".join((report.path / "report.md").read_text().split())


def test_a_walk_through_says_so(plain: Told, one: Path, tmp_path: Path) -> None:
    few = pictures.learnt(tmp_path / "few", plain.chain.root / "target", steps=4).path
    config = render.Config.parse({"sights": [one], "vision": few, "pdf": False})
    report = render.run(config, tmp_path / "report")
    assert "This is a walk through the stages: the model made 4 steps" in (report.path / "report.md").read_text()


@pytest.mark.parametrize("name", ["artifacts/../config.json", "/etc/hostname", "artifacts/none.png", "result.json"])
def test_a_row_names_no_file_but_its_own_pictures(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine.jsonl").write_text("{}\n")
    base = pictures.learnt(tmp_path / "vision", made(tmp_path / "target")).path
    run = pictures.asked(tmp_path / "one", base, tmp_path / "mine.jsonl", ("vision", "no-vision"), image=name)
    _, page = alone(tmp_path, run.path)
    shown = [e.attributes["alt"] for e in page.all if e.tag == "img"]
    assert len(shown) == 6 and all(alt.startswith("where the model looked") for alt in shown)


def test_a_picture_that_was_changed_is_refused(one: Path, tmp_path: Path) -> None:
    picture = one / "artifacts/example-00.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    with pytest.raises(CorruptError, match="differs from the run's DONE"):
        alone(tmp_path, one)


def test_the_report_is_the_same_again(seeing: Told, one: Path, tmp_path: Path) -> None:
    first, _ = alone(tmp_path / "a", one)
    second, _ = alone(tmp_path / "b", one)
    assert (first.path / "report.html").read_bytes() == (second.path / "report.html").read_bytes()
