"""One person's way through what they are to label: what comes next, what is on disk, what is taken back.

A label is on disk before the next thing is shown. What was labelled or skipped before is not asked again. Every answer
names the turn that it answers: of two windows that show the same thing one is heard, and the other told so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from presage.align.label_log import Log, Mark
from presage.align.label_tasks import some_rows
from presage.core.errors import DataError
from presage.core.files import json_line

SKIPPED = ".skipped"
"""What is put to the name of the labels for those that were skipped."""


class Sheet(Protocol):
    """What one person is asked, thing by thing, and how their answers are written down."""

    kind: str
    who: str

    @property
    def ids(self) -> Sequence[str]:
        """All things to be labelled, in the order in which they are asked."""
        ...

    def shown(self, id: str) -> dict[str, Any]:
        """All that the page is told of one thing."""
        ...

    def line(self, id: str, answer: Mapping[str, Any], when: str) -> bytes:
        """An answer as it is written, newline and all. Raises DataError for one that cannot be."""
        ...

    def answered(self, path: Path) -> Collection[str]:
        """The ids that the person has labelled in a file. Raises DataError where it holds something else."""
        ...


class Stale(Exception):
    """An answer to what is not asked any more."""


@dataclass(frozen=True)
class _Step:
    log: Log
    mark: Mark
    id: str
    answer: Mapping[str, Any] | None


class Book:
    """A sheet, the files that its answers go to, and where the person stands. Safe for several threads."""

    def __init__(self, sheet: Sheet, out: Path) -> None:
        """Raises DataError where the files hold something else, RunError where another process writes to them."""
        self.sheet, self.turn, self.written, self._closed = sheet, 0, 0, False
        self._guard = threading.Lock()
        self._labels = Log.open(out)
        try:
            self._skips = Log.open(out.with_name(out.name + SKIPPED))
        except BaseException:
            self._labels.close()
            raise
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        known = set(self.sheet.ids)
        self._done = known & set(self.sheet.answered(self._labels.path) if self._labels.marks() else ())
        self._skipped = (known & set(_skipped(self._skips, self.sheet.who))) - self._done
        self._steps = self._last_ones()
        self._back: _Step | None = None

    def _last_ones(self) -> list[_Step]:
        """The person's labels at the end of the file, which can be taken back; what is before another's cannot."""
        found: list[_Step] = []
        for mark in reversed(self._labels.marks()):
            row = json.loads(mark.line) if mark.line.strip() else {}
            if row.get("who") != self.sheet.who or row.get("id") not in self._done:
                break
            found.append(_Step(self._labels, mark, row["id"], None))
        return found[::-1]

    # ---- what the page asks ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Where the person stands, and what is asked: `task` is None when there is nothing left."""
        with self._guard:
            return self._state()

    def act(self, verb: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the page asks, save, skip or undo, and tell the state after it.

        Raises Stale where it speaks of an earlier turn, DataError for an answer or a turn that is none, or where the
        file is another one now, RunError where the disk is full; nothing has changed then.
        """
        turn = body.get("turn")
        if type(turn) is not int:
            raise DataError(f"the turn {turn!r:.40} is no whole number", where="the answer")
        with self._guard:
            if self._closed or turn != self.turn:
                raise Stale
            _VERBS[verb](self, body)
            self.turn += 1
            return self._state()

    def close(self) -> None:
        """After this nothing is written; a write in progress is waited for."""
        with self._guard:
            self._closed = True
            self._labels.close()
            self._skips.close()

    def check(self) -> None:
        """Raises DataError where the labels do not stand under their name any more. Only before `close`."""
        self._labels.check()

    @property
    def summary(self) -> str:
        """One line for whoever started it."""
        done, total = len(self._done), len(self.sheet.ids)
        skipped = f", {len(self._skipped)} skipped" if self._skipped else ""
        return f"{self.written} labelled now, {done} of {total} by {self.sheet.who} in all{skipped}"

    def _state(self) -> dict[str, Any]:
        id = self._next()
        return {
            "kind": self.sheet.kind,
            "who": self.sheet.who,
            "turn": self.turn,
            "done": len(self._done),
            "skipped": len(self._skipped),
            "total": len(self.sheet.ids),
            "undo": bool(self._steps),
            "task": None if id is None else self.sheet.shown(id),
            "earlier": self._back.answer if self._back and self._back.id == id else None,
        }

    def _next(self) -> str | None:
        return next((one for one in self.sheet.ids if one not in self._done and one not in self._skipped), None)

    def _asked(self) -> str:
        id = self._next()
        if id is None:
            raise DataError("nothing is asked any more")
        return id

    def _save(self, body: Mapping[str, Any]) -> None:
        id, answer = self._asked(), body.get("answer")
        if not isinstance(answer, dict):
            raise DataError("no answer")
        mark = self._labels.add(self.sheet.line(id, answer, _now()))
        self._steps.append(_Step(self._labels, mark, id, answer))
        self._done.add(id)
        self.written, self._back = self.written + 1, None

    def _skip(self, body: Mapping[str, Any]) -> None:
        id = self._asked()
        row = {"id": id, "who": self.sheet.who, "when": _now()}
        mark = self._skips.add(json_line(row))
        self._steps.append(_Step(self._skips, mark, id, None))
        self._skipped.add(id)
        self._back = None

    def _undo(self, body: Mapping[str, Any]) -> None:
        if not self._steps:
            raise DataError("nothing to take back")
        step = self._steps[-1]
        step.log.cut(step.mark)
        self._back = self._steps.pop()
        if step.log is self._labels:
            self.written = max(0, self.written - 1)  # those of an earlier session are none of this one
        self._done.discard(step.id)
        self._skipped.discard(step.id)


_VERBS: dict[str, Callable[[Book, Mapping[str, Any]], None]] = {
    "save": Book._save,
    "skip": Book._skip,
    "undo": Book._undo,
}
VERBS = tuple(_VERBS)


def _skipped(log: Log, who: str) -> list[str]:
    rows = some_rows(log.path) if log.marks() else []
    return [row.name("id") for row in rows if row.of(str, "who") == who]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
