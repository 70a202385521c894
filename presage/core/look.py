"""Looking at run directories without running anything: what is there, what differs, what is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.config import diff, flatten
from presage.core.errors import PresageError, RunError
from presage.core.run import RunDir

MARKS = ("DONE", "origin.json")


def runs_below(root: Path | str) -> list[RunDir]:
    """Every run directory at or below `root`, finished or not, damaged or not, in path order. RunError when none."""
    root = Path(root)
    if not root.exists():
        raise RunError("no such directory", where=root)
    folders = {p.parent for mark in MARKS for p in root.rglob(mark)} | set(_configs_of_runs(root))
    if not folders:
        raise RunError("no run directory here or below", where=root)
    return [RunDir(folder) for folder in sorted(folders)]


def _configs_of_runs(root: Path) -> Iterator[Path]:
    """Folders whose config.json is a run's own: an exported model has a file of that name, too."""
    for path in root.rglob("config.json"):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError):
            continue
        if isinstance(data, dict) and data.keys() >= {"stage", "schema", "config"}:
            yield path.parent


def damage(run: RunDir) -> list[tuple[str, str]]:
    """[(file, what is wrong)]: unfinished, changed against DONE, or a parent that is no longer the one recorded."""
    if not run.done:
        return [("DONE", "missing: the run is not finished")]
    try:
        return run.problems() or list(_changed_parents(run))
    except PresageError as error:
        return [(Path(str(error.where or run.path)).name, error.what)]
    except (KeyError, TypeError, AttributeError):
        return [("DONE", "not in the form that presage writes")]


def _changed_parents(run: RunDir) -> Iterator[tuple[str, str]]:
    """Parents that stand where config.json says, but with another content. One that was moved away is no damage."""
    places = flatten(run.read_json("config.json")["config"])
    for role, recorded in run.origin["parents"].items():
        parent = RunDir(Path(os.path.normpath(run.path / str(_at(places, role)))))
        if parent.done and parent.digest != recorded["digest"]:
            yield "origin.json", f"parent '{role}' is not the run it was made from any more"


def _at(flat: dict[str, Any], role: str) -> Any:
    """The path of a parent: `role` is a dotted key, its last part an index when the field holds several."""
    if role in flat:
        return flat[role]
    outer, _, index = role.rpartition(".")
    return flat[outer][int(index)]


def summary(run: RunDir) -> dict[str, Any]:
    """{stage, state, digest, parents, results} of one run, for people."""
    return {
        "stage": run.stage,
        "state": "finished" if run.done else "not finished",
        "digest": run.digest if run.done else None,
        "parents": run.origin.get("parents", {}),
        "results": run.results(),
    }


def compare(a: RunDir, b: RunDir) -> dict[str, tuple[Any, Any]]:
    """{dotted key: (in a, in b)} of what differs: stage, config, code and parents, results; by those four prefixes."""
    return diff(_facts(a), _facts(b))


def _facts(run: RunDir) -> dict[str, Any]:
    origin = run.origin
    return {
        "stage": run.stage,
        "config": run.read_json("config.json")["config"],
        "origin": {key: origin.get(key) for key in ("presage", "code", "python", "libraries", "platform", "seed")},
        "parents": {role: parent["digest"] for role, parent in origin.get("parents", {}).items()},
        "results": run.results(),
    }
