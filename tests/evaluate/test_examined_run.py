"""A tiny run examined for real: the stage's contract, the whole with its report, and scores against compute."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest

from presage.cli.results import unasked
from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.data.records import read_split
from presage.evaluate import run as stage
from presage.evaluate import scaling
from presage.evaluate.asking import Asked
from presage.recipes import examination
from presage.tasks.library import find, held_out
from presage.train import pretrain
from tests.stage import check_stage
from tests.tiny import tiny_run

TASKS = (
    Asked(task="next_passage"),
    Asked(task="two_digit_addition", shots=1, limit=4),
    Asked(task="microcode", limit=2),
)


def test_the_stage_keeps_its_contract(stem: Path, tmp_path: Path) -> None:
    made = check_stage(stage, stage.Config(run=stem, tasks=TASKS, part=3, threads=1), tmp_path, kills=3)
    rows = list(made.rows("samples.jsonl"))
    assert {row["task"] for row in rows} == {"next_passage", "two_digit_addition@1", "microcode"}
    assert made.value("model") == stem.name
    assert made.value("next_passage/ece") is not None
    shown = {row["task"]: row for row in made.read_table("shown")}
    assert shown["next_passage"]["contaminated"] != "", "the run's own corpus was looked in"


def test_held_out_passages_are_held_out_and_each_has_one_right_answer(stem: Path) -> None:
    corpus = stem.parent / "corpus"
    examples = find("next_passage").data.examples(corpus, 0)
    texts = {f"{one.source}:{one.path}": one.text for one in read_split(corpus, "val")}
    assert len(examples) == len({one.id for one in examples}) >= held_out.OPTIONS
    for one in examples:
        assert one.answer is not None
        whole = " ".join(texts[one.id].split())
        assert " ".join(f"{one.question} {one.options[one.answer]}".split()) in whole
        assert len(one.options) == held_out.OPTIONS
    assert len({one.answer for one in examples}) > 1, "the right one does not always stand at the same place"


def test_the_whole_examination_has_a_report_and_says_what_was_not_asked(
    stem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "SUITE", ("next_passage", "reasoning_slips", "mmlu", "mt_bench"))
    settings = {"tasks": examination.suite(5), "data": str(tmp_path)}
    report = examination.whole(str(stem), tmp_path / "out", **settings)
    skipped = {row["task"]: row["reason"] for row in RunDir.open(tmp_path / "out/eval").read_table("skipped")}
    assert "no file" in skipped["mmlu"]
    assert "--judge MODEL" in skipped["mt_bench"]
    page = (report.path / "report.html").read_text()
    assert "next_passage" in page
    assert "Calibration" in page
    assert "Not asked, and why" in page
    assert all(task in page and html.escape(why) in page for task, why in skipped.items())
    (line,) = unasked(tmp_path / "out/eval")
    assert line.startswith("2 tasks were not asked; ") and line.endswith("out/eval/tables/skipped.csv")
    assert report.value("missing") == 0
    again = examination.whole(str(stem), tmp_path / "out", resume=True, **settings)
    assert again.digest == report.digest


def test_scores_against_compute(stem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longer = pretrain.run(tiny_run(stem.parent / "shards", steps=12), tmp_path / "ladder/rungs/longer")
    shorter = pretrain.run(tiny_run(stem.parent / "shards", steps=3), tmp_path / "ladder/rungs/shorter")
    rungs = [{"name": "longer"}, {"name": "shorter"}]
    monkeypatch.setattr(examination, "fitted_rungs", lambda ladder, each: rungs)
    tasks = examination.asked_of(["next_passage"], (0, 1), limit=4)
    made = examination.over_ladder(tmp_path / "ladder", tmp_path / "out", tasks=tasks, corpus=stem.parent / "corpus")
    rows = made.read_table("ladder")
    assert [(row["model"], row["shots"]) for row in rows if row["shots"] == "0"] == [("shorter", "0"), ("longer", "0")]
    assert {row["shots"] for row in rows} == {"0", "1"}
    assert float(rows[0]["flops"]) == shorter.value("flops") < longer.value("flops")


def test_a_model_without_compute_has_no_place_on_the_ladder(tmp_path: Path, stem: Path) -> None:
    made = stage.run(stage.Config(run=stem, tasks=TASKS[2:], part=3), tmp_path / "eval")
    config = json.loads((made.path / "config.json").read_text())
    config["config"] |= {"run": None, "model": "hf:somewhere"}
    (made.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="examine runs"):
        scaling.run(scaling.Config(evals=(made.path,)), tmp_path / "scaling")


@pytest.mark.parametrize(
    ("names", "shots", "labels"),
    [
        (["mmlu"], (), ["mmlu"]),
        (["mmlu@5", "boolq"], (), ["mmlu@5", "boolq"]),
        (["mmlu"], (0, 5), ["mmlu@0", "mmlu@5"]),
        (["mmlu", " gsm8k", ""], (), ["mmlu", "gsm8k"]),
        (
            ["humaneval:20@0.2", "humaneval:1@1", "humaneval:20@0.2@3"],
            (),
            ["humaneval:20@0.2", "humaneval:1@1", "humaneval:20@0.2@3"],
        ),
        (["a@2/x.jsonl", "a@2/x.jsonl@3"], (), ["a@2/x.jsonl", "a@2/x.jsonl@3"]),
    ],
    ids=["declared", "named", "several", "blanks", "with-temperature", "paths"],
)
def test_names_and_shots(names: list[str], shots: tuple[int, ...], labels: list[str]) -> None:
    assert [one.label for one in examination.asked_of(names, shots)] == labels


def test_shots_that_are_no_number_are_refused() -> None:
    with pytest.raises(ConfigError, match="'many' is no number of shots"):
        examination.asked_of(["mmlu@many"])


def test_an_at_of_a_name_is_no_number_of_shots() -> None:
    asked = examination.asked_of(["humaneval:20@0.2", "humaneval:1@1", "humaneval:20@0.2@3", "a@2/x.jsonl@3"])
    assert [(one.task, one.shots) for one in asked] == [
        ("humaneval:20@0.2", None), ("humaneval:1@1", None), ("humaneval:20@0.2", 3), ("a@2/x.jsonl", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"method": "guess"}, "method: "), ({"tasks": ()}, "tasks: "), ({"tasks": ("mmlu", "mmlu")}, "'mmlu' twice")],
    ids=["method", "none", "twice"],
)
def test_what_cannot_be_asked_is_one_line(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    names = settings.get("tasks", ("mmlu",))
    with pytest.raises(ConfigError, match=said):
        examination.examined("hf:x", tmp_path / "out", **settings | {"tasks": examination.asked_of(names)})


def test_a_limit_below_0_is_one_line() -> None:
    with pytest.raises(ConfigError, match="limit: "):
        examination.suite(-1)
