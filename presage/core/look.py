"""Looking at run directories without running anything: what is there, what differs, what is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.config import diff, flatten
from presage.core.errors import CorruptError, PresageError, RunError
from presage.core.files import FORM, sha256
from presage.core.run import FILE, RunDir

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
    """[(file, what is wrong)]: `altered`, or else a parent that is no longer the one recorded."""
    return altered(run) or displaced(run)


def whole(path: Path | str, stage: str) -> RunDir:
    """A finished run without damage. Raises CorruptError naming its first damaged file, RunError as `RunDir.open`."""
    run = RunDir.open(path, stage)
    for name, what in damage(run)[:1]:
        raise CorruptError(what, where=run.path / name)
    return run


def altered(run: RunDir) -> list[tuple[str, str]]:
    """[(file, what is wrong)] within the run alone: unfinished, changed against DONE, or DONE itself changed."""
    if not run.done:
        return [("DONE", "missing: the run is not finished")]
    return _told(run, _content(run))


def displaced(run: RunDir) -> list[tuple[str, str]]:
    """[(file, what is wrong)]: parents that are no longer the ones recorded. Of a run that is not `altered`."""
    return _told(run, _other_parents(run))


def changed_parents(run: RunDir) -> Iterator[tuple[str, RunDir]]:
    """(role, run) of parents that stand where config.json says with another content. One moved away is no damage."""
    for role, path, known in recorded(run):
        parent = RunDir(path)
        if known["stage"] != FILE and parent.done and parent.digest != known["digest"]:
            yield role, parent


def recorded(run: RunDir) -> Iterator[tuple[str, Path, dict[str, str]]]:
    """(role, where config.json says it stands, what origin.json says of it) of every parent and file."""
    places = flatten(run.read_json("config.json")["config"])
    for role, known in run.origin["parents"].items():
        yield role, Path(os.path.normpath(run.path / str(_at(places, role)))), known


def _told(run: RunDir, problems: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """The problems, and what cannot be read as one of them."""
    found: list[tuple[str, str]] = []
    try:
        found.extend(problems)
    except PresageError as error:
        found.append((_name(run, error.where or run.path), error.what))
    except OSError as error:
        found.append((_name(run, error.filename or run.path), f"cannot be read: {error.strerror}"))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        found.append(("DONE", FORM))
    return found


def _name(run: RunDir, place: object) -> str:
    path = Path(str(place))
    return path.relative_to(run.path).as_posix() if path.is_relative_to(run.path) else path.name


def _content(run: RunDir) -> Iterator[tuple[str, str]]:
    found = run.problems()
    yield from found
    if not found:
        yield from _bookkeeping(run)


def _bookkeeping(run: RunDir) -> Iterator[tuple[str, str]]:
    """DONE and OMITTED count towards no digest: the one must read as `finish` writes it, the other must be true."""
    done, config = run.read_json("DONE"), run.read_json("config.json")
    files = dict(sorted(done["files"].items()))
    facts = {"stage": config["stage"], "schema": config["schema"], "digest": done["digest"], "files": files}
    written = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    if (run.path / "DONE").read_bytes() != written.encode():
        yield "DONE", FORM
    yield from (("OMITTED", f"lists {name}, which DONE does not") for name in sorted(run.omitted() - files.keys()))
    here = (name for name in sorted(run.omitted() & files.keys()) if (run.path / name).exists())
    yield from (("OMITTED", f"lists {name}, which is here") for name in here)


def _other_parents(run: RunDir) -> Iterator[tuple[str, str]]:
    for role, _ in changed_parents(run):
        yield "origin.json", f"parent '{role}' is not the run it was made from any more"
    for role, path, known in recorded(run):
        if known["stage"] == FILE and path.is_file() and sha256(path) != known["digest"]:
            yield "origin.json", f"the file '{role}' is not the one it was made from any more"


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
