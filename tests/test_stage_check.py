"""`check_stage` passes a stage that keeps the contract and catches each way of breaking it."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from presage.core.run import RunDir
from tests.stage import check_stage, kill_points, run_watched
from tests.toys import good


def test_a_good_stage_passes_killed_at_every_event(tmp_path: Path) -> None:
    events = run_watched(good, good.Config(steps=2), tmp_path / "events")
    assert [event.split()[0] for event in events].count("rename") == 4  # origin, config, result, DONE
    assert events[-1] == "rename DONE"
    run = check_stage(good, good.Config(steps=2), tmp_path / "check", kills=len(events))
    assert run.value("steps") == 2
    killed = {int(path.name.partition("-")[2]) for path in (tmp_path / "check").glob("killed-*") if path.is_dir()}
    assert killed == set(range(len(events)))


def test_a_kill_strikes_before_the_event(tmp_path: Path) -> None:
    run_watched(good, good.Config(steps=2), tmp_path / "a", kill=0)
    assert [path.name for path in (tmp_path / "a").iterdir()] == [".lock"]
    events = run_watched(good, good.Config(steps=2), tmp_path / "b")
    run_watched(good, good.Config(steps=2), tmp_path / "c", kill=len(events) - 1)
    names = {path.name for path in (tmp_path / "c").iterdir()}
    assert "DONE.tmp" in names
    assert "DONE" not in names
    assert not RunDir(tmp_path / "c").done


def test_kill_points_are_within_and_distinct() -> None:
    for events in range(3, 40):
        points = kill_points(events, 6)
        assert len(points) == len(set(points)) == min(6, events)
        assert set(points) <= set(range(events))
        assert points[:2] == [events - 1, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chance", "same config, same files"),
        ("forgetful", "killed before event .* and resumed, same files"),
        ("late", "DONE is written last"),
        ("careless", "DID NOT RAISE"),
    ],
)
def test_a_bad_stage_is_caught(tmp_path: Path, name: str, message: str) -> None:
    stage = importlib.import_module(f"tests.toys.{name}")
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        check_stage(stage, good.Config(), tmp_path, kills=6)
