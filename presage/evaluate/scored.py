"""Files of scores, one item a line, and what a contamination scan says of the same items.

A file of scores is JSON lines, {"id", "score"} with any of "task", "stderr", "n", "better"; see docs/contamination.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, did_you_mean
from presage.core.run import RunDir
from presage.core.strict import half_surrogate, read_json
from presage.data.documents import COMPRESSIONS, read_bytes
from presage.data.records import whole_file

BETTER = ("higher", "lower", "nearer 0")
FLAGGED, CLEAN, UNTESTABLE = "flagged", "clean", "untestable"
LARGEST = 1e100  # of a score, and one over the smallest: squares and their sums stay finite
REPORT_END = ".report.json"


@dataclass(frozen=True)
class Score:
    """One item's score, in any unit. `n` attempts are behind it; `stderr` is how well they determine it."""

    id: str
    score: float
    task: str
    stderr: float | None = None
    n: int | None = None
    better: str = "higher"

    @property
    def noise(self) -> float | None:
        """The standard error of this score alone: as stated, or that of a pass rate of n attempts; None if unknown."""
        if self.stderr is None and self.n is not None and 0 <= self.score <= 1:
            return math.sqrt(self.score * (1 - self.score) / self.n)
        return self.stderr


@dataclass(frozen=True)
class Scan:
    """{set: {item: "flagged", "clean" or "untestable"}}, and where that was read."""

    sets: dict[str, dict[str, str]]
    where: Path

    def of(self, task: str) -> dict[str, str]:
        """The verdicts for a task: of the set of its name, else of the only set; none if there is neither."""
        only = next(iter(self.sets.values())) if len(self.sets) == 1 else {}
        return self.sets.get(task, only)


# ---- scores ---------------------------------------------------------------------------------------------------------


def read_scores(paths: Sequence[Path]) -> list[Score]:
    """Every score of the files. A row without "task" belongs to the task that its file is named after.

    Raises DataError naming file and line of the first that is no score, or comes twice, or disagrees with its task.
    """
    found: dict[tuple[str, str], tuple[Score, str]] = {}
    better: dict[str, str] = {}
    for path in paths:
        for place, score in _rows(path):
            before = found.setdefault((score.task, score.id), (score, place))
            if before[1] != place:
                raise DataError(f"the id '{score.id}' again, as at {before[1]}", where=place)
            if better.setdefault(score.task, score.better) != score.better:
                raise DataError(f"'better' is {score.better}, but not for the task's first score", where=place)
    return [score for score, _ in found.values()]


def _rows(path: Path) -> Iterator[tuple[str, Score]]:
    try:
        lines = read_bytes(path).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=path) from None
    count = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            count += 1
            yield f"{path}:{number}", _score(line, _task_of(path), f"{path}:{number}")
    if not count:
        raise DataError("holds no scores", where=path)


def _task_of(path: Path) -> str:
    name = next((path.name.removesuffix(end) for end in COMPRESSIONS if path.name.endswith(end)), path.name)
    return Path(name).stem


def _score(line: str, task: str, where: str) -> Score:
    row = _object(line, where)
    for key in ("id", "score"):
        if key not in row:
            raise DataError(f"no key '{key}'", where=where, hint='a score is {"id": ..., "score": ...}')
    for key, value in row.items():
        if key not in _KINDS:
            raise DataError(f"unknown key '{key}'", where=where, hint=did_you_mean(key, _KINDS))
        fits, what = _KINDS[key]
        if not fits(value):
            raise DataError(f"'{key}' is {_name(value)}, not {what}", where=where)
    return Score(**{"task": task} | row | {"id": str(row["id"])})


def _object(line: str, where: str) -> dict[str, Any]:
    row = read_json(line, where)
    if not isinstance(row, dict):
        raise DataError(f"{_name(row)}, not an object", where=where)
    return row


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and not half_surrogate(value)


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (value == 0 or 1 / LARGEST <= abs(value) <= LARGEST)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (lambda value: _is_text(value) or _is_whole(value), "text or a whole number"),
    "score": (_is_number, "a finite number (0, or of size 1e-100 to 1e100)"),
    "task": (_is_text, "text"),
    "stderr": (lambda value: value is None or (_is_number(value) and value >= 0), "a number, 0 or more"),
    "n": (lambda value: value is None or (_is_whole(value) and 1 <= value <= LARGEST), "a whole number, 1 or more"),
    "better": (lambda value: value in BETTER, " or ".join(BETTER)),
}


def _name(value: Any) -> str:
    return json.dumps(value)[:60]


# ---- scans ----------------------------------------------------------------------------------------------------------


def read_scan(path: Path, method: str | None = None) -> Scan:
    """A run of the stage "contamination", or what `presage contamination --json` printed; by one method, or by any.

    By any: flagged if a method flags the item, untestable if none can test it. Raises RunError or CorruptError for a
    run that is another stage's, unfinished or changed; DataError for a file that is no such report, or for a method
    that was not used.
    """
    sets = _from_run(path) if path.is_dir() else _from_file(path)
    return Scan({name: dict(_verdicts(report, method, path)) for name, report in sets.items()}, path)


def _from_run(path: Path) -> dict[str, Any]:
    run = RunDir.open(path, "contamination")
    names = [name for name in run.read_json("DONE")["files"] if name.endswith(REPORT_END)]
    reports = {name: json.loads(whole_file(run, name).read_text(encoding="utf-8")) for name in names}
    return {Path(name).name.removesuffix(REPORT_END): report for name, report in reports.items()}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except (ValueError, RecursionError):
        raise _no_report(path) from None
    if not isinstance(data, dict):
        raise _no_report(path)
    return {path.name.removesuffix(REPORT_END): data} if "verdicts" in data else data


def _verdicts(report: Any, method: str | None, where: Path) -> Iterator[tuple[str, str]]:
    verdicts = report.get("verdicts") if isinstance(report, dict) else None
    if not isinstance(verdicts, dict) or not all(isinstance(by, dict) and by for by in verdicts.values()):
        raise _no_report(where)
    for item, by in verdicts.items():
        if method is not None and method not in by:
            raise DataError(f"was not made by method '{method}'", where=where, hint=did_you_mean(method, by))
        yield item, overall(by.values() if method is None else [by[method]])


def overall(verdicts: Iterable[str]) -> str:
    """What several methods say of one item: flagged by any, else clean by any, else untestable."""
    return next((one for one in (FLAGGED, CLEAN) if one in verdicts), UNTESTABLE)


def _no_report(where: Path) -> DataError:
    return DataError(
        "not a contamination report", where=where, hint="what `presage contamination --json` prints, or its --out"
    )
