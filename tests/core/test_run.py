"""The run directory: what it refuses, what it records, what it notices."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from presage.core.config import Config, File, Parent
from presage.core.errors import ConfigError, RunError
from presage.core.look import displaced
from presage.core.run import RunDir, file_digests, find_runs, load_config


class Leaf(Config):
    steps: int = 1
    lr: float = 0.1


class Tree(Config):
    left: Parent
    rest: tuple[Parent, ...] = ()


def make(path: Path, config: Config | None = None, **results: float) -> RunDir:
    with RunDir.create(path, "leaf", config or Leaf()) as run:
        for step in range(3):
            run.metric(step=step, loss=1 / (step + 1))
        run.table("rows", [{"a": 1, "b": "x"}])
        run.write_text("artifacts/deep/er/data.txt", "artifact")
        for name, value in results.items():
            run.result(name, value)
        run.finish()
    return run


# ---- what is recorded -----------------------------------------------------------------------------------------------


def test_a_finished_run_reads_back(tmp_path: Path) -> None:
    make(tmp_path / "a", Leaf(steps=3), loss=0.5)
    run = RunDir.open(tmp_path / "a", "leaf")
    assert run.config(Leaf) == Leaf(steps=3)
    assert [row["step"] for row in run.rows()] == [0, 1, 2]
    assert run.value("loss") == 0.5
    assert run.problems() == []
    assert (tmp_path / "a/tables/rows.csv").read_text() == "a,b\n1,x\n"
    assert sorted(run.read_json("DONE")["files"]) == [
        "artifacts/deep/er/data.txt",
        "config.json",
        "metrics.jsonl",
        "origin.json",
        "result.json",
        "tables/rows.csv",
    ]
    assert not (tmp_path / "a/.lock").exists()


def test_wall_clock_files_are_outside_the_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        with RunDir.create(tmp_path / name, "leaf", Leaf()) as run:
            run.timing(step=0, seconds=time.perf_counter())
            run.log(f"now it is {time.time()}")
            digests.add(run.finish())
    assert len(digests) == 1


def test_the_digest_follows_every_recorded_thing(tmp_path: Path) -> None:
    runs = [make(tmp_path / "a"), make(tmp_path / "b", Leaf(lr=0.2)), make(tmp_path / "c", None, loss=1.0)]
    assert len({run.digest for run in runs}) == 3


def test_parents_are_recorded_by_digest_and_paths_are_relative(tmp_path: Path) -> None:
    leaves = [make(tmp_path / f"leaf{i}", Leaf(steps=i)) for i in range(3)]
    config = Tree(left=leaves[0].path, rest=tuple(leaf.path for leaf in leaves[1:]))
    with RunDir.create(tmp_path / "deep" / "tree", "tree", config) as run:
        run.finish()
    assert run.origin["parents"] == {
        "left": {"stage": "leaf", "digest": leaves[0].digest},
        "rest.0": {"stage": "leaf", "digest": leaves[1].digest},
        "rest.1": {"stage": "leaf", "digest": leaves[2].digest},
    }
    assert str(tmp_path) not in (run.path / "config.json").read_text()
    assert run.config(Tree) == config


def test_a_tree_of_runs_can_be_moved(tmp_path: Path) -> None:
    leaf = make(tmp_path / "old/leaf")
    with RunDir.create(tmp_path / "old/tree", "tree", Tree(left=leaf.path)) as tree:
        digest = tree.finish()
    (tmp_path / "far/away").mkdir(parents=True)
    shutil.move(tmp_path / "old", tmp_path / "far/away/new")
    moved = RunDir.open(tmp_path / "far/away/new/tree")
    assert moved.problems() == []
    assert moved.digest == digest
    assert RunDir.open(moved.config(Tree).left).problems() == []
    assert [run.path.name for run in find_runs(tmp_path / "far")] == ["leaf", "tree"]


def test_nested_runs_do_not_count_towards_the_outer_digest(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "outer", "tree", Leaf()) as outer:
        make(tmp_path / "outer/rungs/a")
        outer.write_text("rungs/notes.txt", "counts")
        outer.finish()
    assert "rungs/notes.txt" in dict(file_digests(tmp_path / "outer"))
    assert not any(name.startswith("rungs/a/") for name in outer.read_json("DONE")["files"])
    assert outer.problems() == []


# ---- what is refused ------------------------------------------------------------------------------------------------


def test_a_finished_directory_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "a")
    before = dict(file_digests(tmp_path / "a"))
    for resume in (False, True):
        with pytest.raises(RunError, match="already finished"):
            RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=resume)
    assert dict(file_digests(tmp_path / "a")) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path: Path, resume: bool) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match=r"not empty|not a run directory"):
        RunDir.create(tmp_path, "leaf", Leaf(), resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_an_unfinished_directory_needs_resume(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf()).close()
    with pytest.raises(RunError, match=r"not empty .*--resume"):
        RunDir.create(tmp_path / "a", "leaf", Leaf())
    with RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True) as run:
        run.finish()
    assert RunDir.open(tmp_path / "a").problems() == []


def test_resume_with_another_config_lists_the_difference(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf(steps=1, lr=0.1)).close()
    with pytest.raises(RunError, match=re.escape("lr: 0.1 -> 0.3; steps: 1 -> 2")):
        RunDir.create(tmp_path / "a", "leaf", Leaf(steps=2, lr=0.3), resume=True)
    with pytest.raises(RunError, match="holds a 'leaf' run, not a 'tree' run"):
        RunDir.create(tmp_path / "a", "tree", Leaf(), resume=True)


def test_a_field_that_configs_have_gained_since_is_as_by_default(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf()).close()
    file = tmp_path / "a" / "config.json"
    written = json.loads(file.read_text())
    del written["config"]["lr"]
    file.write_text(json.dumps(written))
    RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True).close()
    with pytest.raises(RunError, match=re.escape("lr: 0.1 -> 0.3")):
        RunDir.create(tmp_path / "a", "leaf", Leaf(lr=0.3), resume=True)


def test_resume_with_another_parent_is_refused(tmp_path: Path) -> None:
    leaf = make(tmp_path / "leaf")
    config = Tree(left=leaf.path)
    RunDir.create(tmp_path / "tree", "tree", config).close()
    RunDir.create(tmp_path / "tree", "tree", config, resume=True).close()
    shutil.rmtree(leaf.path)
    make(leaf.path, Leaf(steps=99))
    with pytest.raises(RunError, match="parent 'left' is not the one it began with"):
        RunDir.create(tmp_path / "tree", "tree", config, resume=True)


def test_resume_after_a_kill_before_the_config_was_written(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf()).close()
    (tmp_path / "a/config.json").rename(tmp_path / "a/config.json.tmp")
    with RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True) as run:
        run.finish()
    assert RunDir.open(tmp_path / "a").problems() == []


def test_a_parent_must_be_a_finished_run(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "leaf", "leaf", Leaf()).close()
    for left, message in ((tmp_path / "leaf", "not finished"), (tmp_path / "none", "not a run directory")):
        with pytest.raises(RunError, match=message):
            RunDir.create(tmp_path / "tree", "tree", Tree(left=left))
        assert not (tmp_path / "tree").exists(), "nothing half-written"


def test_opening_says_what_is_wrong(tmp_path: Path) -> None:
    make(tmp_path / "a")
    with pytest.raises(RunError, match="a 'leaf' run, but a 'tree' run is needed"):
        RunDir.open(tmp_path / "a", "tree")
    with pytest.raises(RunError, match=r"result\.json has no 'loss'"):
        RunDir.open(tmp_path / "a").value("loss")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Leaf, tmp_path / "nowhere.json")


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(RunError, match="cannot make the directory"):
        RunDir.create(tmp_path / "a", "leaf", Leaf())


# ---- one writer -----------------------------------------------------------------------------------------------------

RACE = """
import sys, time
from pathlib import Path
from presage.core.errors import RunError
from presage.core.run import RunDir
from tests.core.test_run import Leaf
start, root = float(sys.argv[1]), Path(sys.argv[2])
for number in range(10):
    while time.time() < start + number * 0.1:
        pass
    try:
        run = RunDir.create(root / str(number), "leaf", Leaf())
    except RunError as error:
        print(error.exit_code)
    else:
        time.sleep(0.03)
        run.finish()
        print(0)
"""


def test_of_two_processes_exactly_one_gets_the_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(time.time() + 3), str(tmp_path)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    codes = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert [sorted(pair) for pair in zip(*codes, strict=True)] == [["0", "2"]] * 10
    assert all(not RunDir.open(tmp_path / str(number)).problems() for number in range(10))


def test_the_lock_of_a_killed_process_does_not_stay(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom presage.core.run import RunDir\nfrom tests.core.test_run import Leaf\n"
        "run = RunDir.create(sys.argv[1], 'leaf', Leaf())\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "a/.lock").exists()
    with RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True) as run:
        run.finish()
    assert RunDir.open(tmp_path / "a").problems() == []


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our open and our flock, the last holder may finish and remove the name we opened."""
    from presage.core import run as module

    held: list[Any] = []
    flock = module.fcntl.flock

    def first_removes(lock: Any, flags: int) -> None:
        flock(lock, flags)
        held.append(lock)
        if len(held) == 1:
            (tmp_path / "a/.lock").unlink()

    monkeypatch.setattr(module.fcntl, "flock", first_removes)
    run = RunDir.create(tmp_path / "a", "leaf", Leaf())
    assert len(held) == 2
    assert os.path.samestat(os.fstat(run._lock.fileno()), (tmp_path / "a/.lock").stat())
    run.close()


# ---- files that a run reads ------------------------------------------------------------------------------------------


class Reader(Config):
    data: tuple[File, ...]


def reading(folder: Path, text: str = "one") -> Reader:
    (folder / "data.jsonl").write_text(text)
    return Reader(data=(folder / "data.jsonl",))


def test_a_file_is_recorded_by_digest_and_its_path_is_relative(tmp_path: Path) -> None:
    run = make(tmp_path / "run", reading(tmp_path))
    assert run.read_json("config.json")["config"] == {"data": ["../data.jsonl"]}
    assert run.origin["parents"] == {"data.0": {"stage": "file", "digest": hashlib.sha256(b"one").hexdigest()}}
    assert run.config(Reader).data == (tmp_path / "data.jsonl",)


def test_resuming_with_another_content_is_refused(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "run", "leaf", reading(tmp_path)).close()
    RunDir.create(tmp_path / "run", "leaf", reading(tmp_path), resume=True).close()
    with pytest.raises(RunError, match=r"parent 'data\.0' is not the one it began with"):
        RunDir.create(tmp_path / "run", "leaf", reading(tmp_path, "two"), resume=True)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    assert run.read_table("rows") == [{"a": "1", "b": "x"}]
    with pytest.raises(RunError, match=r"other\.csv: missing file"):
        run.read_table("other")


def test_a_missing_file_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="missing file") as caught:
        RunDir.create(tmp_path / "run", "leaf", Reader(data=(tmp_path / "no.jsonl",)))
    assert caught.value.where == tmp_path / "no.jsonl" and not (tmp_path / "run").exists()


def test_a_file_that_changed_afterwards_is_told(tmp_path: Path) -> None:
    run = make(tmp_path / "run", reading(tmp_path))
    assert displaced(run) == []
    reading(tmp_path, "two")
    assert displaced(run) == [("origin.json", "the file 'data.0' is not the one it was made from any more")]
