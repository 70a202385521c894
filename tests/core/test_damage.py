"""Damage: flipped bytes, missing and torn files, full disks; all of it noticed and named."""

from __future__ import annotations

import contextlib
import json
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir, atomic_write, file_digests, sha256
from tests.core.test_run import Leaf, make

# ---- damage ---------------------------------------------------------------------------------------------------------


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    run = make(tmp_path / "a", None, loss=0.25)
    chance = random.Random(0)
    for name in run.read_json("DONE")["files"]:
        whole = (run.path / name).read_bytes()
        for place in chance.sample(range(len(whole)), k=min(20, len(whole))):
            (run.path / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert run.problems() == [(name, "content differs from DONE")]
        (run.path / name).write_bytes(whole[:-1])
        assert run.problems() == [(name, "content differs from DONE")]
        (run.path / name).write_bytes(whole)
    assert run.problems() == []


def test_missing_added_and_swapped_files_are_noticed(tmp_path: Path) -> None:
    run = make(tmp_path / "a", None, loss=0.25)
    (run.path / "tables/rows.csv").rename(run.path / "tables/other.csv")
    assert run.problems() == [("tables/other.csv", "not listed in DONE"), ("tables/rows.csv", "missing")]


def test_an_edited_done_is_noticed(tmp_path: Path) -> None:
    run = make(tmp_path / "a")
    (run.path / "tables/rows.csv").write_text("forged")
    done = run.read_json("DONE")
    done["files"]["tables/rows.csv"] = sha256(run.path / "tables/rows.csv")
    (run.path / "DONE").write_text(json.dumps(done))
    assert run.problems() == [("DONE", "its digest is not that of its own list of files")]


@pytest.mark.parametrize("name", ["config.json", "origin.json", "result.json", "DONE"])
def test_a_truncated_json_file_names_itself(tmp_path: Path, name: str) -> None:
    run = make(tmp_path / "a", None, loss=1.0)
    (run.path / name).write_bytes((run.path / name).read_bytes()[:20])
    with pytest.raises(CorruptError, match=f"{name}: not JSON"):
        run.read_json(name)


# ---- rows -----------------------------------------------------------------------------------------------------------


def rows_after(path: Path, ending: bytes) -> RunDir:
    run = RunDir.create(path, "leaf", Leaf())
    for step in range(4):
        run.metric(step=step, text="é")
    run.sample(prompt="no step")
    with open(path / "metrics.jsonl", "ab") as file:
        file.write(ending)
    return run


TORN = '{"step": 4, "text": "é"}'.encode()


@pytest.mark.parametrize("length", range(len(TORN)))
def test_a_torn_last_line_is_ignored_wherever_it_tore(tmp_path: Path, length: int) -> None:
    with rows_after(tmp_path / "a", TORN[:length]) as run:
        assert [row["step"] for row in run.rows()] == [0, 1, 2, 3]
        run.cut_rows(10)
        assert (run.path / "metrics.jsonl").read_bytes().count(b"\n") == 4


def test_a_whole_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    with rows_after(tmp_path / "a", TORN) as run:
        assert [row["step"] for row in run.rows()] == [0, 1, 2, 3, 4]
        run.cut_rows(10)
        run.metric(step=5)
        assert [row["step"] for row in run.rows()] == [0, 1, 2, 3, 4, 5]


def test_cut_rows_leaves_what_an_unbroken_run_would(tmp_path: Path) -> None:
    with rows_after(tmp_path / "a", b"") as run:
        whole = (run.path / "metrics.jsonl").read_bytes()
        run.cut_rows(1)
        assert [row["step"] for row in run.rows()] == [0, 1]
        run.metric(step=2, text="é")
        run.metric(step=3, text="é")
        assert (run.path / "metrics.jsonl").read_bytes() == whole
        assert len(list(run.rows("samples.jsonl"))) == 1


@pytest.mark.parametrize("bad", [b"{torn}\n", b"\xff\n", b"3\n", b'"text"\n'])
def test_a_bad_line_in_the_middle_is_damage(tmp_path: Path, bad: bytes) -> None:
    with rows_after(tmp_path / "a", bad + TORN + b"\n") as run:
        for read in (lambda: list(run.rows()), lambda: run.cut_rows(3)):
            with pytest.raises(CorruptError, match=r"metrics\.jsonl:5"):
                read()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_not_written(tmp_path: Path, value: float) -> None:
    with RunDir.create(tmp_path / "a", "leaf", Leaf()) as run:
        for write in (lambda: run.metric(step=0, loss=value), lambda: run.result("loss", value)):
            with pytest.raises(RunError, match="not a finite number: loss") as caught:
                write()
            assert "learning rate" in str(caught.value)
        assert list(run.rows()) == []
        assert run.results() == {}


# ---- disk full ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def at_most(limit: int) -> Iterator[None]:
    """No file of this process can grow beyond `limit` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_names_file_and_space_and_leaves_the_old_file(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "a", "leaf", Leaf()) as run:
        run.write_text("notes.txt", "old")
        with at_most(1000), pytest.raises(RunError, match=r"notes\.txt: cannot write: .+ \([\d,]+ bytes free\)"):
            run.write_text("notes.txt", "new" * 1000)
        assert (run.path / "notes.txt").read_text() == "old"
        assert not list(run.path.glob("*.tmp"))
        with at_most(1000), pytest.raises(RunError, match=r"metrics\.jsonl: cannot write"):
            for step in range(1000):
                run.metric(step=step)
        run.cut_rows(5)
        assert [row["step"] for row in run.rows()] == [0, 1, 2, 3, 4, 5]


def test_a_full_device_is_reported(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with RunDir.create(tmp_path / "a", "leaf", Leaf()) as run:
        (run.path / "metrics.jsonl").symlink_to("/dev/full")
        with pytest.raises(RunError, match=r"metrics\.jsonl: cannot write: No space left on device"):
            run.metric(step=0)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a.bin") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_half_written_files_and_folders_do_not_count_and_go_when_resumed(tmp_path: Path) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf()).close()
    (tmp_path / "a/tables").mkdir()
    (tmp_path / "a/tables/rows.csv.tmp").write_text("half")
    (tmp_path / "a/checkpoints/00000001.tmp").mkdir(parents=True)
    (tmp_path / "a/checkpoints/00000001.tmp/model.safetensors").write_text("half")
    assert set(dict(file_digests(tmp_path / "a"))) == {"config.json", "origin.json"}
    with RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True) as run:
        assert not list(run.path.rglob("*.tmp"))
        run.finish()
    assert run.problems() == []


# ---- damage that is JSON --------------------------------------------------------------------------------------------

NO_OBJECT = ["[]", "3", "null", '"text"', "{}", '{"stage": 1, "config": [], "code": [], "parents": []}', "[" * 100_000]


@pytest.mark.parametrize("text", NO_OBJECT, ids=lambda text: str(text)[:12])
@pytest.mark.parametrize("name", ["config.json", "origin.json"])
def test_a_run_whose_facts_are_damaged_is_not_gone_on_with(tmp_path: Path, name: str, text: str) -> None:
    RunDir.create(tmp_path / "a", "leaf", Leaf()).close()
    (tmp_path / "a" / name).write_text(text)
    with pytest.raises(CorruptError, match=f"{name}: ") as caught:
        RunDir.create(tmp_path / "a", "leaf", Leaf(), resume=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "{}", '{"files": [], "digest": []}'])
def test_a_damaged_done_is_named(tmp_path: Path, text: str) -> None:
    run = make(tmp_path / "a")
    (run.path / "DONE").write_text(text)
    with pytest.raises(CorruptError, match="DONE: "):
        run.problems()
    with pytest.raises(CorruptError, match="DONE: "):
        _ = run.digest


@pytest.mark.parametrize("name", ["config.json", "origin.json", "samples.jsonl"])
def test_a_directory_in_the_place_of_a_file_is_named(tmp_path: Path, name: str) -> None:
    run = RunDir.create(tmp_path / "a", "leaf", Leaf())
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).mkdir()
    with pytest.raises(RunError, match=rf"{name}: cannot be read: Is a directory"):
        list(run.rows(name)) if name.endswith("l") else run.read_json(name)
    run.close()


@pytest.mark.parametrize("step", ['"a"', "[1]", "true", "null"])
def test_a_step_that_is_no_number_is_named(tmp_path: Path, step: str) -> None:
    told = pytest.raises(CorruptError, match=r"metrics.jsonl:5: a step that is no number")
    with rows_after(tmp_path / "a", f'{{"step": {step}}}\n'.encode()) as run, told:
        run.cut_rows(10)
