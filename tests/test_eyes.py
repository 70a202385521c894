"""Eyes for a base: every stage walked with next to nothing, kept when it is called again, and told of in the report."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage.cli.grammar import app
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.data.drawing.kinds import KINDS
from presage.data.images.question import read_questions
from presage.data.sights import SETS
from presage.recipes import eyes
from presage.recipes.outcome import told
from presage.report import render
from presage.train import pretrain
from tests.imports import ROOT
from tests.test_outcome import EXAMPLE
from tests.tiny import make_shards, tiny_model, tiny_run

CONTEXT = 192
"""The tiny tokenizer has no words: letters are tokens."""
NAMES = ["images", "vision", *eyes.KINDS]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """folder/{shards,base,eyes}: the chain on a base with a context that the drawings fit."""
    folder = tmp_path_factory.mktemp("eyes")
    make_shards(folder)
    model = tiny_model().model_copy(update={"context_length": CONTEXT})
    pretrain.run(tiny_run(folder / "shards", steps=2, model=model, batch_tokens=8 * CONTEXT), folder / "base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eyes, "SHORT", replace(eyes.SHORT, images=12, asked=3, eval_tokens=CONTEXT))
        patch.setattr(eyes, "ENCODER", eyes.ENCODER.model_copy(update={"n_layers": 1, "d_model": 32}))
        runs = chain(folder)
    assert list(runs) == NAMES
    return folder


def chain(folder: Path, seed: int = 0) -> dict[str, RunDir]:
    return eyes.chain(folder / "base", folder / "eyes", seed, True, folder / "shards")


def test_every_stage_is_there_and_leads_to_the_base(lab: Path) -> None:
    assert all(RunDir.open(lab / "eyes" / name).problems() == [] for name in ("images", "vision", "sight-digits"))
    vision = RunDir.open(lab / "eyes/vision", "vision")
    assert vision.value("documents") == 12
    assert "text/bpb" in vision.results()
    for kind in eyes.KINDS:
        found = RunDir.open(lab / f"eyes/sight-{kind}", "sight").results()
        assert found["questions"]["value"] == 3
        assert {"accuracy/vision", "accuracy/no-vision", "chance", "contamination/near"} <= found.keys()


def test_questions_held_out_are_no_training_questions(lab: Path) -> None:
    train, test = (sorted((lab / "eyes/questions").glob(f"{split}-*-of-seed-0/*.jsonl")) for split in ("train", "test"))
    assert (
        [path.stem.split("-")[0] for path in train] == [path.stem.split("-")[0] for path in test] == sorted(eyes.KINDS)
    )
    for one, other in zip(train, test, strict=True):
        assert not {q.prompt for q in read_questions(one)} & {q.prompt for q in read_questions(other)}


def test_training_shows_steps_and_asking_does_not(lab: Path) -> None:
    said = {
        split: [json.loads(line)["messages"][1]["content"] for line in file.read_text().splitlines()]
        for split in ("train", "test")
        for file in (lab / "eyes/questions").glob(f"{split}-*/counting.jsonl")
    }
    assert all("The answer is" in text for text in said["train"]) and not any("answer" in text for text in said["test"])


def test_what_is_finished_is_kept(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "SHORT", replace(eyes.SHORT, images=12, asked=3, eval_tokens=CONTEXT))
    monkeypatch.setattr(eyes, "ENCODER", eyes.ENCODER.model_copy(update={"n_layers": 1, "d_model": 32}))
    before = {path: path.stat().st_mtime_ns for path in (lab / "eyes").rglob("*") if path.is_file()}
    digests = {name: run.digest for name, run in chain(lab).items()}
    assert list(digests) == NAMES
    assert {path: path.stat().st_mtime_ns for path in (lab / "eyes").rglob("*") if path.is_file()} == before


def test_another_chain_in_the_folder_is_refused(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eyes, "SHORT", replace(eyes.SHORT, images=9, asked=3))
    with pytest.raises(RunError, match="was made with records"):
        chain(lab)


def test_answers_have_the_room_that_the_longest_question_leaves(lab: Path) -> None:
    asked = list(read_questions(next((lab / "eyes/questions").glob("test-*/counting.jsonl"))))
    room = eyes._room(lab / "eyes/vision", asked)
    assert 0 < room <= eyes.LONGEST
    assert eyes._room(lab / "eyes/vision", [replace(asked[0], prompt=(*asked[0].prompt, "why " * 500))]) == 1


def test_the_report_and_the_last_lines_tell_of_it(lab: Path, tmp_path: Path) -> None:
    runs = {name: RunDir.open(lab / "eyes" / name) for name in ("images", "vision")}
    runs |= {kind: RunDir.open(lab / f"eyes/sight-{kind}") for kind in eyes.KINDS}
    report = render.run(render.Config.parse(eyes.roles(runs) | {"pdf": False}), tmp_path / "report")
    text = (report.path / "report.md").read_text(encoding="utf-8")
    assert "## Images" in text and "This is a walk through the stages" in text and "| digits |" in text
    *_, line = told(EXAMPLE / "score", None, {kind: runs[kind].path for kind in eyes.KINDS})
    assert line.startswith("right with the images, and without: digits ") and line.count(" and ") == 3


def test_without_images_a_report_is_told_of_none() -> None:
    assert eyes.roles({}) == {}


def test_the_guide_to_images_is_true() -> None:
    """Its commands parse, its recipe is a config, and its table has every kind that can be drawn and every set."""
    text = (ROOT / "docs/vision.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("presage ")]
    assert len(commands) >= 7
    for _, *arguments in commands:
        app.parse_args(arguments, exit_on_error=False, print_error=False)
    scratch, forecast = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(scratch, "docs/vision.md", "exec"), names)
    of_forecast: dict[str, Any] = {}
    exec(compile(forecast, "docs/vision.md", "exec"), of_forecast)
    assert of_forecast["ladder"]().sight == of_forecast["SIGHT"]
    assert set(of_forecast["report"]().parents()) == {"images.0", "ladder", "forecast", "target", "score"}
    for vision in (names["vision"]().model.vision, of_forecast["EYES"]):
        seen = vision.model_dump()
        assert {key: seen[key] for key in eyes.GRID.model_dump()} == eyes.GRID.model_dump()  # of the images made there
    table = {name.strip() for line in text.splitlines() if line.startswith("| ") for name in re.split("[|,]", line)}
    assert not {*KINDS, *SETS} - table
