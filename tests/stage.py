"""`check_stage`: what every stage must do, proved on a tiny config. See docs/run-directory.md.

Runs in child processes are watched through Python's audit events: each file that a stage opens for writing, renames or
removes below its run directory is one event (files written by compiled libraries are not seen). So a test can kill the
stage with SIGKILL at exactly its k-th event.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from presage.core.config import Config
from presage.core.errors import ConfigError, RunError
from presage.core.run import FILE, RunDir, sha256

ROOT = Path(__file__).resolve().parent.parent
NOT_COMPARED = {"origin.json"}  # holds measurements of the device, which differ between processes
WRITES = os.O_WRONLY | os.O_RDWR


def check_stage(stage: ModuleType, config: Config, folder: Path, *, kills: int = 3, seed: int = 0) -> RunDir:
    """Prove the stage contract for `stage` on `config`, in new directories below `folder`; returns a finished run.

    The config round-trips; an unknown key is refused with a suggestion; parents are recorded by digest; DONE comes
    last; the same config gives the same files in another process (with another hash seed); killed at `kills` events
    and resumed, it gives the same files; a finished or foreign directory is refused.
    """
    assert sorted(stage.__all__) == ["Config", "run"]
    folder.mkdir(parents=True, exist_ok=True)
    _check_config(config)
    first = stage.run(config, folder / "first")
    _check_origin(first, config, folder)
    _check_refusals(stage, config, first.path, folder)
    events = run_watched(stage, config, folder / "second")
    assert events[-1] == "rename DONE", "DONE is written last"
    assert events.count("rename DONE") == 1
    assert files_of(folder / "second") == files_of(first.path), "same config, same files"
    for kill in kill_points(len(events), kills, seed):
        _check_kill(stage, config, first.path, folder / f"killed-{kill}", kill)
    return first


def files_of(path: Path) -> dict[str, str]:
    """{file: sha256} as DONE lists them, but for what may differ between two runs; the run must be whole."""
    run = RunDir.open(path)
    assert run.problems() == []
    return {name: digest for name, digest in run.read_json("DONE")["files"].items() if name not in NOT_COMPARED}


def kill_points(events: int, kills: int, seed: int = 0) -> list[int]:
    """Event numbers to be killed at: just before DONE gets its name, the very first, then random ones."""
    between = random.Random(seed).sample(range(1, events - 1), k=max(0, min(kills, events) - 2))
    return [events - 1, 0, *between][:kills]


def run_watched(stage: ModuleType, config: Config, out: Path, kill: int | None = None) -> list[str]:
    """Run the stage in a child process; returns its events. With `kill`, SIGKILL strikes before that event."""
    out.parent.mkdir(parents=True, exist_ok=True)
    given = out.with_name(f"{out.name}.json")
    events = out.with_name(f"{out.name}.events.json")
    given.write_text(config.to_json())
    command = [sys.executable, "-m", "tests.stage", stage.__name__, str(given), str(out), str(events), str(kill)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    expected = 0 if kill is None else -signal.SIGKILL
    assert done.returncode == expected, done.stderr
    return list(json.loads(events.read_text())) if kill is None else []


def _check_config(config: Config) -> None:
    kind = type(config)
    assert kind.from_json(config.to_json()) == config
    longest = max(kind.model_fields, key=len)
    with pytest.raises(ConfigError, match=f"unknown key '{longest}x'.*did you mean '"):
        kind.parse(config.model_dump(mode="json") | {f"{longest}x": 1})
    with pytest.raises(ConfigError, match=f"unknown key '{longest}x'.*did you mean '"):
        config.override([f"{longest}x=1"])


def _check_origin(run: RunDir, config: Config, folder: Path) -> None:
    parents = {role: RunDir.open(path) for role, path in config.parents().items()}
    recorded = run.origin["parents"]
    digests = {role: {"stage": parent.stage, "digest": parent.digest} for role, parent in parents.items()}
    digests |= {role: {"stage": FILE, "digest": sha256(path)} for role, path in config.inputs().items()}
    assert recorded == digests
    for name in ("config.json", "origin.json"):
        assert str(folder) not in (run.path / name).read_text(), f"{name} must not hold paths of this machine"
    assert {role: path.resolve() for role, path in run.config(type(config)).parents().items()} == {
        role: path.resolve() for role, path in config.parents().items()
    }


def _check_refusals(stage: ModuleType, config: Config, finished: Path, folder: Path) -> None:
    before = files_of(finished)
    for resume in (False, True):
        with pytest.raises(RunError, match="already finished"):
            stage.run(config, finished, resume=resume)
    assert files_of(finished) == before
    foreign = folder / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(RunError, match=r"not empty|not a run directory"):
            stage.run(config, foreign, resume=resume)
    assert [p.name for p in foreign.iterdir()] == ["letter.txt"]


def _check_kill(stage: ModuleType, config: Config, whole: Path, out: Path, kill: int) -> None:
    run_watched(stage, config, out, kill)
    assert not (out / "DONE").exists()
    stage.run(config, out, resume=True)
    assert files_of(out) == files_of(whole), f"killed before event {kill} and resumed, same files"


# ---- the child ------------------------------------------------------------------------------------------------------


def _child(module: str, given: str, out: str, events_file: str, kill: str) -> None:
    stage = importlib.import_module(module)
    config = stage.Config.from_json(Path(given).read_text())
    events: list[str] = []
    strike = None if kill == "None" else int(kill)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        name = _event(event, arguments, out)
        if name is None:
            return
        if len(events) == strike:
            os.kill(os.getpid(), signal.SIGKILL)
        events.append(name)

    sys.addaudithook(watch)
    stage.run(config, Path(out))
    Path(events_file).write_text(json.dumps(events))


def _event(event: str, arguments: tuple[Any, ...], out: str) -> str | None:
    """`write NAME`, `rename NAME` or `remove NAME` for a file below `out`; the lock does not count."""
    verb = {"open": "write", "os.rename": "rename", "os.remove": "remove"}.get(event)
    place = arguments[1] if event == "os.rename" else arguments[0] if arguments else None
    if verb is None or not isinstance(place, (str, os.PathLike)) or (verb == "write" and not arguments[2] & WRITES):
        return None
    relative = os.path.relpath(os.fspath(place), out)
    return None if relative.startswith("..") or relative in (".", ".lock") else f"{verb} {relative}"


if __name__ == "__main__":
    _child(*sys.argv[1:])
