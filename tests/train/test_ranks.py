"""Many ranks by torchrun: the curve of one, checkpoints that any number goes on from, and who did not come is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from presage.core.run import RunDir
from presage.train.parallel import ALONE, Ranks
from tests.seeing import colour_rows, make_images, talk
from tests.tiny import newest_checkpoint
from tests.train import ranks
from tests.train.launching import STEPS, launched, same_curve


@pytest.mark.parametrize("count", [2, 4])
def test_several_ranks_give_the_curve_of_one(count: int, alone: Path, tokens: Path, tmp_path: Path) -> None:
    done = launched(count, tokens, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    same_curve(alone, tmp_path / "run")
    run = RunDir.open(tmp_path / "run")
    assert run.problems() == [] and run.origin["ranks"] == count


@pytest.mark.parametrize("count", [2, 4])
def test_images_are_learned_from_as_by_one(count: int, tmp_path: Path) -> None:
    shown = [*colour_rows(), talk("Hello?", "hi"), {"content": "only words, of which there are some more"}]
    images = make_images(tmp_path, shown * 2, held_out=0.2).path
    assert ranks.main(str(images), str(tmp_path / "alone"), "", "sees") == 0
    done = launched(count, images, tmp_path / "run", "sees")
    assert done.returncode == 0, done.stderr
    same_curve(tmp_path / "alone", tmp_path / "run")
    run, alone = (RunDir.open(tmp_path / name) for name in ("run", "alone"))
    assert run.problems() == [] and run.origin["ranks"] == count
    assert run.value("val/loss") == pytest.approx(alone.value("val/loss"), abs=1e-5)


def test_images_that_cannot_be_learned_from_are_said_once(tmp_path: Path) -> None:
    images = make_images(tmp_path, [talk("A question that is longer than a row of this model?", "no")]).path
    done = launched(2, images, tmp_path / "run", "sees")
    assert done.returncode != 0 and done.stderr.count(": no document fits") == 1
    assert not (tmp_path / "run").exists()


def test_saved_by_two_gone_on_with_by_one_and_three(alone: Path, tokens: Path, tmp_path: Path) -> None:
    first = tmp_path / "two"
    assert launched(2, tokens, first).returncode == 0
    shutil.rmtree(newest_checkpoint(first))  # as if it had been killed after step 9
    for name in ("DONE", "result.json"):
        (first / name).unlink()
    third = tmp_path / "three"
    shutil.copytree(first, third)
    assert ranks.main(str(tokens), str(first), str(STEPS), "resume") == 0
    done = launched(3, tokens, third, "resume")
    assert done.returncode == 0, done.stderr
    same_curve(alone, first)
    same_curve(alone, third)


def test_what_cannot_be_written_is_said_once(alone: Path, tokens: Path) -> None:
    before = sorted(alone.rglob("*"))
    done = launched(2, tokens, alone)
    assert done.returncode != 0
    assert done.stderr.count("already finished") == 1
    assert sorted(alone.rglob("*")) == before


def test_a_rank_that_does_not_come_is_named(tokens: Path, tmp_path: Path) -> None:
    done = launched(2, tokens, tmp_path / "run", "late")
    assert done.returncode != 0
    assert f"rank 1 did not come to step {ranks.LAST}" in done.stderr
    assert "--resume goes on" in done.stderr


def test_after_a_death_all_begin_again_from_the_newest_checkpoint(alone: Path, tokens: Path, tmp_path: Path) -> None:
    done = launched(2, tokens, tmp_path / "run", "resume", "dead", restarts=1)
    assert done.returncode == 0, done.stderr
    same_curve(alone, tmp_path / "run")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 16])
@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_shares_are_the_whole_and_even(world: int, count: int) -> None:
    parts = [Ranks(rank, world).share(count) for rank in range(world)]
    assert [place for begin, size in parts for place in range(begin, begin + size)] == [*range(count)]
    sizes = [size for _, size in parts]
    assert max(sizes) - min(sizes) <= 1


def test_alone_nothing_is_waited_for() -> None:
    assert ALONE.first and ALONE.total([1.5, 2.0]) == [1.5, 2.0] and ALONE.share(7) == (0, 7)
    assert ALONE.by_first(lambda: "made", lambda: "seen") == "made"
