"""What an interrupted examination may keep: its answers, where everything that they depend on is as it was.

Settings are compared by the run directory itself. Compared here are the facts that the settings only name (which model
answers, which judge, where programs run, what files hold), recorded in origin.json at the beginning, and then every
answer with the question that would be asked now.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from presage.core.config import diff
from presage.core.errors import CorruptError, RunError
from presage.core.files import append as append_bytes
from presage.core.files import atomic_write, sha256, whole_lines
from presage.core.run import AS_BEFORE, RunDir
from presage.data.verbs import LanguageModel
from presage.evaluate.asking import Plan, Question
from presage.evaluate.executing import Executing
from presage.evaluate.logged import of_question
from presage.evaluate.runner import parts
from presage.tasks.task import average

SAMPLES = "samples.jsonl"
SHORT = 16  # hex digits of a method's digest
_SINGLE = ("model", "judge", "isolation", "kernel", "sandbox_python")
_BY_TASK = ("files", "methods")
_ROW: dict[str, type] = {"task": str, "id": str, "scores": object, "extra": dict, "answer": str}
_KINDS: dict[type, str] = {str: "text", dict: "object"}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def facts(
    model: LanguageModel, judge: LanguageModel | None, sandbox: Executing | None, plans: Sequence[Plan]
) -> dict[str, Any]:
    """What answers depend on besides the config, for origin.json: plain values."""
    found: dict[str, Any] = {"model": model.identity()}
    if judge is not None:
        found["judge"] = judge.identity()
    if sandbox is not None:
        place = sandbox.sandbox
        found |= {"isolation": place.isolation, "kernel": place.kernel, "sandbox_python": place.python}
    found["methods"] = {one.label: _digest(repr(one.task.method)) for one in plans}
    found["files"] = {one.label: [[file.name, sha256(file)] for file in one.files] for one in plans}
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(_ADDRESS.sub("", text).encode()).hexdigest()[:SHORT]


# ---- facts -----------------------------------------------------------------------------------------------------------


def check_facts(directory: RunDir, now: Mapping[str, Any]) -> None:
    """Raises RunError where a run would go on with another model or judge, its programs elsewhere, or other files."""
    began = directory.origin
    names = (*_SINGLE, "python") if "isolation" in now else _SINGLE
    current = {**now, "python": platform.python_version()}
    other = next((name for name in names if began.get(name) != current.get(name)), None)
    if other is not None:
        what = f"the {other} is not the one it began with: {_apart(began.get(other), current.get(other))}"
        raise RunError(what, where=directory.path, hint=AS_BEFORE)
    for name in _BY_TASK:
        _check_by_task(directory, name, began.get(name, {}), now[name])


def _apart(before: Any, after: Any) -> str:
    """Both values, of an identity only those that differ."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return f"{before!r} -> {after!r}"
    return "; ".join(f"{key}: {one!r} -> {other!r}" for key, (one, other) in diff(before, after).items())


def _check_by_task(directory: RunDir, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    came = next((label for label in after if label not in before), None)
    gone = next((label for label in before if label not in after), None)
    what = f"{came} is there now and was not" if came else f"{gone} was there and is not" if gone else ""
    other = next((label for label in after if before.get(label) != after[label]), None)
    if not what and other is not None:
        what = f"the {name} are not those it began with: {other}{_file(before[other], after[other])}"
    if what:
        raise RunError(what, where=directory.path, hint=AS_BEFORE)


def _file(before: Any, after: Any) -> str:
    """The first file that differs."""
    if not (isinstance(before, list) and isinstance(after, list)):
        return ""
    return f": {next(one for one in [*after, *before] if one not in before or one not in after)[0]}"


# ---- answers ---------------------------------------------------------------------------------------------------------


def append(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """A part's rows in one write. Raises RunError when the disk is full."""
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    append_bytes(path, text.encode())


def kept(directory: RunDir, plans: Sequence[Plan], size: int) -> set[tuple[str, str]]:
    """(label, id) of what is answered; a part that was cut off in the middle is cut away and asked again.

    What the whole parts hold is what an unbroken run would have written: answers of a part are asked together. Raises
    RunError where a row is no answer to what would be asked in its place now, and CorruptError for what is no row.
    """
    path = directory.path / SAMPLES
    metrics = {one.label: [m.name for m in one.task.method.metrics if m.aggregate is average] for one in plans}
    rows = list(directory.rows(SAMPLES))
    for number, row in enumerate(rows, 1):
        _check_whole(row, metrics, f"{path}:{number}")
    whole = 0
    every = ((one, part) for one in plans for part in parts(one.questions, size))
    for one, part in every:
        some = rows[whole : whole + len(part)]
        for row, question in zip(some, part, strict=False):
            _check_same(directory, row, one, question)
        if len(some) < len(part):
            break
        whole += len(part)
    else:
        _check_none(directory, rows[whole:])
    if path.exists():
        lines = whole_lines(path)[:whole]
        with atomic_write(path) as file:
            file.writelines(line + b"\n" for line in lines)
    return {(row["task"], row["id"]) for row in rows[:whole]}


def _check_whole(row: Mapping[str, Any], metrics: Mapping[str, Sequence[str]], where: str) -> None:
    """Raises CorruptError for a row that nothing could be read from: no form of it is ever written."""
    said = next(_faults(row, metrics), None)
    if said is not None:
        raise CorruptError(said, where=where, hint="cut the file off before this line, and what follows is asked again")


def _faults(row: Mapping[str, Any], metrics: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, kind in _ROW.items():
        if name not in row:
            yield f"no key '{name}'"
        elif not isinstance(row[name], kind):
            yield f"'{name}' is no {_KINDS[kind]}"
    scores = row["scores"]
    if not isinstance(scores, dict) or not all(map(_is_number, scores.values())):
        yield "'scores' is no object of finite numbers"
    yield from (f"'scores' has no '{name}'" for name in metrics.get(row["task"], ()) if name not in scores)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_none(directory: RunDir, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        raise _other(directory, rows[0], "was answered and is not what would be asked now")


def _check_same(directory: RunDir, row: Mapping[str, Any], plan: Plan, question: Question) -> None:
    """Raises RunError where an answer that would be kept is one to another question: files that were changed."""
    if (row["task"], row["id"]) != (plan.label, question.example.id):
        raise _other(directory, row, "was answered and is not what would be asked now")
    asked = of_question(plan, question)
    other = next((name for name in asked if name != "prompt" and row.get(name) != asked[name]), None)
    if other is not None:
        what = f"was answered with another {other} than it has now, so its data or its task was changed"
        raise _other(directory, row, what)


def _other(directory: RunDir, row: Mapping[str, Any], what: str) -> RunError:
    return RunError(what, where=f"{directory.path}: {row['task']}: {row['id']}", hint=AS_BEFORE)
