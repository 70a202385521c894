"""Votes of the chat page: two answers of two models to one prompt, and which a person preferred, as preferences.

The form is that of `presage label`: the completions are in the order of the models, beside the record's own keys stand
`sources`, `shown` (the places in the order in which they were shown) and `blind` (whether the names were hidden).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from presage.align.label_compare import checked_name
from presage.align.label_log import Log
from presage.align.records import FEWEST, Preference, line_of, messages_of, read_preferences
from presage.core.errors import DataError
from presage.tasks.readers.rows import Row

_ID = 16
_WHERE = "the vote"
_SHOWN = ([0, 1], [1, 0])
_RANKS = ([1, 2], [2, 1], [1, 1])


class Votes:
    """A file of preferences that votes are added to, locked until `close`. Safe for several threads."""

    def __init__(self, log: Log) -> None:
        self._log, self._guard = log, threading.Lock()
        self._known = {(one.id, one.who) for one in read_preferences(log.path)} if log.marks() else set()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Made where there is none. Raises DataError for a file of something else, RunError where it cannot be written
        or another process writes to it."""
        log = Log.open(path)
        try:
            return cls(log)
        except BaseException:
            log.close()
            raise

    def add(self, said: Mapping[str, Any]) -> None:
        """One vote {who, prompt, completions, sources, ranks, shown, blind}; it is on disk on return.

        Raises DataError for what is none, or a second of one person on one thing, RunError when the disk is full.
        """
        label, beside = _label(said)
        line = line_of(label, beside)
        with self._guard:
            if (label.id, label.who) in self._known:
                raise DataError(f"{label.who} has voted on these two answers already", where=_WHERE)
            self._log.add(line)
            self._known.add((label.id, label.who))

    def close(self) -> None:
        """Unlock the file; one without votes is removed."""
        with self._guard:
            self._log.close()


def _label(said: Mapping[str, Any]) -> tuple[Preference, dict[str, Any]]:
    row = Row(_WHERE, "", said)
    completions, sources = row.texts("completions"), row.texts("sources")
    if len(completions) != FEWEST or len(sources) != FEWEST:
        raise DataError("not two answers of two models", where=_WHERE)
    ranks, shown = _one_of(row, "ranks", _RANKS), _one_of(row, "shown", _SHOWN)
    if completions[0] == completions[1] and ranks != [1, 1]:
        raise DataError("both answers are the same: that is a tie", where=_WHERE)
    if not isinstance(said.get("blind"), bool):
        raise DataError("'blind' is neither true nor false", where=_WHERE)
    prompt = messages_of(row, "prompt")
    text = json.dumps([[[one.role, one.content] for one in prompt], completions], sort_keys=True)
    label = Preference(
        prompt=prompt,
        completions=completions,
        ranks=tuple(ranks),
        id=hashlib.sha256(text.encode()).hexdigest()[:_ID],
        who=checked_name(row.text("who")),
        when=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return label, {"sources": list(sources), "shown": shown, "blind": said["blind"]}


def _one_of(row: Row, key: str, known: tuple[list[int], ...]) -> list[int]:
    found = row.of(list, key)
    for one in known:
        if found == one and all(type(value) is int for value in found):
            return one
    raise DataError(f"{str(found)[:60]} is none of {', '.join(map(str, known))}", where=f"{row.where}: {key}")
