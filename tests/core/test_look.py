"""show, diff and check read runs without running anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from presage.core.errors import RunError
from presage.core.look import compare, damage, runs_below, summary
from presage.core.run import RunDir
from tests.core.test_run import Leaf, Tree, make


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    leaves = [make(tmp_path / f"leaf{i}", Leaf(steps=i), loss=float(i)) for i in range(2)]
    with RunDir.create(tmp_path / "tree", "tree", Tree(left=leaves[0].path, rest=(leaves[1].path,))) as run:
        run.finish()
    return tmp_path


def test_every_run_below_is_found_whatever_is_missing(tree: Path) -> None:
    model = tree / "tree" / "artifacts" / "exported"
    model.mkdir(parents=True)
    (model / "config.json").write_text('{"model_type": "gpt2"}')
    for name in ("DONE", "origin.json", "config.json"):
        (tree / "leaf1" / name).rename(tree / name)
        found = {run.path.relative_to(tree).as_posix() for run in runs_below(tree)} - {"."}
        assert found == {"leaf0", "leaf1", "tree"}
        (tree / name).rename(tree / "leaf1" / name)


def test_no_run_below_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run directory here or below"):
        runs_below(tmp_path)
    with pytest.raises(RunError, match="no such directory"):
        runs_below(tmp_path / "none")


def test_whole_runs_have_no_damage(tree: Path) -> None:
    assert [damage(run) for run in runs_below(tree)] == [[], [], []]


def test_a_parent_that_became_another_run_is_damage(tree: Path) -> None:
    shutil.rmtree(tree / "leaf1")
    make(tree / "leaf1", Leaf(steps=5))
    assert damage(RunDir(tree / "tree")) == [
        ("origin.json", "parent 'rest.0' is not the run it was made from any more")
    ]


def test_a_parent_that_moved_away_is_none(tree: Path) -> None:
    shutil.rmtree(tree / "leaf1")
    assert damage(RunDir(tree / "tree")) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("DONE", None, ("DONE", "missing: the run is not finished")),
        ("DONE", "{", ("DONE", "not JSON")),
        ("DONE", "[]", ("DONE", "not in the form that presage writes")),
        ("DONE", '{"files": 3, "digest": ""}', ("DONE", "not in the form that presage writes")),
        ("origin.json", None, ("origin.json", "missing")),
        ("config.json", "{}", ("config.json", "content differs from DONE")),
    ],
)
def test_damaged_bookkeeping_is_named(tree: Path, name: str, text: str | None, found: tuple[str, str]) -> None:
    (tree / "leaf0" / name).unlink()
    if text is not None:
        (tree / "leaf0" / name).write_text(text)
    file, problem = damage(RunDir(tree / "leaf0"))[0]
    assert file == found[0]
    assert problem.startswith(found[1])


def test_compare_names_what_differs(tree: Path) -> None:
    changed = compare(RunDir(tree / "leaf0"), RunDir(tree / "leaf1"))
    assert changed == {"config.steps": (0, 1), "results.loss.value": (0.0, 1.0)}
    assert compare(RunDir(tree / "leaf0"), RunDir(tree / "leaf0")) == {}


def test_summary_of_finished_and_unfinished(tree: Path) -> None:
    facts = summary(RunDir(tree / "leaf1"))
    assert (facts["stage"], facts["state"], facts["results"]) == ("leaf", "finished", {"loss": {"value": 1.0}})
    (tree / "leaf1" / "DONE").unlink()
    assert summary(RunDir(tree / "leaf1"))["state"] == "not finished"
    json.dumps(facts)
