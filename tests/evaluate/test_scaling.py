"""Scores against compute: every model, task and number of shots in one row, told apart whatever they are called."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage.cli.results import against_compute
from presage.core.config import Config
from presage.core.errors import ConfigError, RunError
from presage.core.run import RunDir
from presage.data.verbs import Continuation, Likelihood
from presage.evaluate import run as stage
from presage.evaluate import scaling
from presage.recipes import examination
from tests.evaluate.toy_eval import library
from tests.toy_model import ToyModel
from tests.toy_tasks import capitals


class Trained(Config):
    """Stands for a stage that trains."""

    steps: int = 1


def trained(path: Path, flops: float) -> Path:
    with RunDir.create(path, "pretrain", Trained(steps=int(flops))) as run:
        run.result("flops", flops)
        run.finish()
    return path


def examined(run: Path, out: Path, names: list[str], shots: tuple[int, ...] = (), right: bool = True) -> Path:
    config = stage.Config(run=run, tasks=examination.asked_of(names, shots))
    model = ToyModel(logprob=lambda prompt, text: -1.0 if _first(text) == right else -2.0)
    return stage.run(config, out, model=model).path


def _first(text: str) -> bool:
    """No city is after M but Paris, Rome, Oslo and Vienna: right for every other question."""
    return text.strip() > "M"


class Short(ToyModel):
    """Cuts what is longer than so many characters."""

    longest: int = 120

    def loglikelihood(self, requests: Any) -> list[Likelihood]:
        return [
            replace(one, truncated=self._over(asked))
            for one, asked in zip(super().loglikelihood(requests), requests, strict=True)
        ]

    def _over(self, asked: Continuation) -> int:
        return max(0, len(asked.prompt) - self.longest)


def ladder(out: Path, *evals: Path) -> list[dict[str, str]]:
    return scaling.run(scaling.Config(evals=evals), out).read_table("ladder")


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, capitals(), capitals(name="own_shots", shots=2))


def test_no_one_and_many_shots_of_two_rungs(tmp_path: Path) -> None:
    evals = []
    for name, flops in (("large", 4e9), ("small", 2e9)):
        run = trained(tmp_path / "rungs" / name, flops)
        evals.append(examined(run, tmp_path / "eval" / name, ["capitals"], (0, 1, 6)))
    rows = ladder(tmp_path / "out", *evals)
    found = [(row["model"], float(row["flops"]), row["task"], row["shots"]) for row in rows]
    expected = [(name, flops, "capitals", k) for name, flops in (("small", 2e9), ("large", 4e9)) for k in "016"]
    assert sorted(found) == sorted(expected)
    assert [row[1] for row in found] == sorted(row[1] for row in found), "in the order of compute"
    for row in rows:
        (same,) = [
            one
            for one in RunDir.open(tmp_path / "eval" / row["model"]).read_table("tasks")
            if one["task"] == f"capitals@{row['shots']}"
        ]
        assert {name: row[name] for name in ("metric", "n", "value", "stderr", "chance")} == {
            name: same[name] for name in ("metric", "n", "value", "stderr", "chance")
        }


def test_a_task_of_its_own_shots_asked_so_again_keeps_both_rows(tmp_path: Path) -> None:
    """Declared with two shots and asked with two: one name and one K, two labels."""
    run = trained(tmp_path / "rungs/a", 1e9)
    rows = ladder(tmp_path / "out", examined(run, tmp_path / "eval", ["own_shots", "own_shots@2", "own_shots@0"]))
    assert [(row["task"], row["shots"]) for row in rows] == [
        ("own_shots", "0"),
        ("own_shots", "2"),
        ("own_shots@2", "2"),
    ]


def test_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Rungs of two ladders are called alike."""
    evals = []
    for number, (name, flops) in enumerate((("one", 1e9), ("two", 2e9))):
        run = trained(tmp_path / name / "rungs/a", flops)
        evals.append(examined(run, tmp_path / f"eval{number}", ["capitals"], (0, 1)))
    other = examined(trained(tmp_path / "two/rungs/b", 3e9), tmp_path / "evalb", ["capitals"], (0, 1))
    rows = ladder(tmp_path / "out", *evals, other)
    models = [("one/rungs/a", 1e9), ("two/rungs/a", 2e9), ("b", 3e9)]
    assert {(row["model"], float(row["flops"])) for row in rows} == set(models)
    assert len({(row["model"], row["shots"]) for row in rows}) == len(rows) == 6


def test_one_model_examined_twice(tmp_path: Path) -> None:
    """With other tasks it is one model; with the same its rows could not be told apart."""
    run = trained(tmp_path / "rungs/a", 1e9)
    first = examined(run, tmp_path / "first", ["capitals"])
    rows = ladder(tmp_path / "apart", first, examined(run, tmp_path / "second", ["own_shots"]))
    assert [(row["model"], row["task"]) for row in rows] == [("a", "capitals"), ("a", "own_shots")]
    again = examined(run, tmp_path / "again", ["capitals"], right=False)
    with pytest.raises(ConfigError, match=r"again: the model 'a' was asked 'capitals' with 0 shots in another too"):
        ladder(tmp_path / "same", first, again)
    assert not (tmp_path / "same").exists()


def test_a_model_trained_anew_is_not_the_one_examined(tmp_path: Path) -> None:
    run = trained(tmp_path / "rungs/a", 1e9)
    made = examined(run, tmp_path / "eval", ["capitals"])
    shutil.rmtree(run)
    trained(run, 9e9)
    with pytest.raises(RunError, match=r"eval: examined another model than .*rungs/a is now .*--out"):
        ladder(tmp_path / "out", made)


def test_over_a_ladder_every_rung_and_number_of_shots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, flops in (("b", 2e9), ("a", 5e9)):
        trained(tmp_path / "ladder/rungs" / name, flops)
    monkeypatch.setattr(examination, "fitted_rungs", lambda ladder, each: [{"name": "b"}, {"name": "a"}])
    monkeypatch.setattr(stage, "opened", lambda *_: ToyModel())
    settings: dict[str, Any] = {"tasks": examination.asked_of(["capitals", "own_shots"], (0, 3))}
    made = examination.over_ladder(tmp_path / "ladder", tmp_path / "out", **settings)
    found = [(row["task"], row["model"], row["shots"]) for row in made.read_table("ladder")]
    assert found == [(task, name, k) for task in ("capitals", "own_shots") for name in "ba" for k in "03"]
    assert (made.value("models"), made.value("tasks")) == (2, 2)


CUT = "was cut from the left to fit the context, so no question was seen with all that it was to be shown with"


def test_what_was_cut_stands_in_the_table_and_is_said(tmp_path: Path) -> None:
    """A prompt is some forty characters a question: with one shot all fit, with six none does."""
    run = trained(tmp_path / "rungs/a", 1e9)
    config = stage.Config(run=run, tasks=examination.asked_of(["capitals"], (0, 1, 6)))
    made = scaling.run(
        scaling.Config(evals=(stage.run(config, tmp_path / "eval", model=Short()).path,)), tmp_path / "o"
    )
    rows = made.read_table("ladder")
    assert [(row["shots"], row["n"], row["invalid"], row["truncated"]) for row in rows] == [
        ("0", "8", "0", "0"), ("1", "8", "0", "0"), ("6", "8", "0", "8"),
    ]  # fmt: skip
    assert all(float(row["lo"]) <= float(row["value"]) <= float(row["hi"]) for row in rows)
    said = f"every prompt of a {CUT}: capitals (6 shots)"
    assert [row["warning"] for row in made.read_table("warnings")] == [said]
    lines = list(against_compute(made))
    assert lines[0].split()[-2:] == ["invalid", "cut"]
    assert [line.split()[-2:] for line in lines[1:4]] == [["0", "0"], ["0", "0"], ["0", "8"]]
    assert lines[4:6] == ["8 prompts were cut from the left to fit: capitals with K = 6 8", f"warning: {said}"]


def test_an_examination_says_where_every_prompt_was_cut(tmp_path: Path) -> None:
    model = Short()
    model.longest = 3
    made = stage.run(
        stage.Config(model="toy", tasks=examination.asked_of(["capitals", "own_shots"])), tmp_path / "eval", model=model
    )
    assert [row["warning"] for row in made.read_table("warnings")] == [
        f"every prompt {CUT}: capitals (0 shots), own_shots (2 shots)"
    ]


def test_where_nothing_was_cut_nothing_is_said(tmp_path: Path) -> None:
    run = trained(tmp_path / "rungs/a", 1e9)
    made = scaling.run(scaling.Config(evals=(examined(run, tmp_path / "e", ["capitals"]),)), tmp_path / "out")
    assert not (made.path / "tables/warnings.csv").exists()
    assert not [line for line in against_compute(made) if "cut from" in line]
