"""Finished runs in a folder as points of a law: of images as of text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from presage import cli
from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.forecast.finished import runs_below
from presage.forecast.points import read_runs
from presage.train import vision
from tests.seeing import colour_rows, make_images, training

EPOCHS = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that saw the same images once, twice and so on."""
    root = tmp_path_factory.mktemp("runs")
    images = make_images(root, colour_rows() * 3, held_out=0.3).path
    for epochs in EPOCHS:
        config = training(images, epochs=float(epochs), samples=0, checkpoint_every=0)
        vision.run(config, root / "ladder" / f"epochs-{epochs}")
    return root / "ladder"


def test_runs_with_images_are_points(folder: Path) -> None:
    runs = runs_below(folder)
    made = [RunDir.open(folder / f"epochs-{epochs}") for epochs in EPOCHS]
    assert [one.compute for one in runs] == [run.value("flops") for run in made]
    assert [one.loss for one in runs] == [run.value("val/loss") for run in made]
    assert [one.tokens for one in runs] == [run.value("tokens") for run in made]
    assert [one.seed for one in runs] == [run.path.name for run in made]
    assert runs == runs_below(folder, "loss")


def test_a_law_is_fitted_to_them(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as to a table of the same numbers."""
    table = tmp_path / "points.csv"
    table.write_text("compute,loss\n" + "".join(f"{one.compute},{one.loss}\n" for one in runs_below(folder)))
    assert [one[:2] for one in read_runs(table)] == [one[:2] for one in runs_below(folder)]
    answers = []
    for points in (folder, table):
        assert cli.main(["forecast", "fit", str(points), "--at", "1e12", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0][0]["loss"] == answers[1][0]["loss"] and answers[0][0]["n_points"] == 4


def test_runs_of_other_data_or_without_a_loss_are_refused(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root, name, rows in ((one, "a", colour_rows()), (one, "b", colour_rows()[:3]), (other, "c", colour_rows())):
        images = make_images(tmp_path, rows, f"images-{name}").path
        vision.run(training(images, samples=0, epochs=1.0, checkpoint_every=0), root / name)
    with pytest.raises(DataError, match="b: not of the same stage, data and base as a"):
        runs_below(one)
    with pytest.raises(DataError, match="not all runs have bpb or loss"):
        runs_below(other)
    with pytest.raises(DataError, match="not all runs have bpb"):
        runs_below(folder, "bpb")
    with pytest.raises(DataError, match="no finished runs"):
        runs_below(tmp_path / "images-a")
    assert cli.main(["forecast", "fit", str(tmp_path / "images-a"), "--at", "1e12"]) == 2
