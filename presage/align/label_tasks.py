"""What is to be labelled: prompts with two or more completions each, as JSON lines.

| key | what it is |
| :-- | :-- |
| prompt | text, or messages of {role, content} |
| completions | 2 to 9 texts (InstructGPT, section 3.5: 4 to 9) |
| sources | who wrote each, one name a completion; never shown to whoever labels, and kept beside the label |
| id | what the label is known by; by default drawn from prompt and completions |
| category, group | kept in the label |

Ranks that are there are not read: what was labelled once can be labelled again. Keys that are not known are left alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.align.records import FEWEST, prompt_of
from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.verbs import Message
from presage.tasks.readers.rows import Row, json_lines
from presage.tasks.readers.sources import source

MOST = 9
_ID = 16


@dataclass(frozen=True)
class Task:
    """One prompt and its completions in the order of the file. sources: of each completion, or of none."""

    id: str
    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    sources: tuple[str, ...] = ()
    category: str = ""
    group: str = ""


def read_tasks(*paths: Path) -> list[Task]:
    """All tasks of some files, in their order. Raises DataError naming file and line of the first fault."""
    return [_task(row) for row in rows_of(paths, "prompt", "completions")]


def rows_of(paths: Iterable[Path], *about: str) -> list[Row]:
    """Objects of files of JSON lines, each with an id: one that it has, or one drawn from the keys that it is `about`.

    Raises DataError for a file without any, or two rows of one id.
    """
    rows = [_named(row, about) for path in paths for row in some_rows(path)]
    known: dict[str, str] = {}
    for row in rows:
        if row.id in known:
            hint = f"first in {known[row.id]}"
            raise DataError(f"the id '{row.id}' appears twice", where=row.where, hint=hint)
        known[row.id] = row.where
    return rows


def some_rows(path: Path) -> list[Row]:
    """Objects of a file of JSON lines, one at least. Raises DataError."""
    rows = list(json_lines(source(path, whole=True)))
    if not rows:
        raise DataError("holds no records", where=path)
    return rows


def _named(row: Row, about: Iterable[str]) -> Row:
    text = json.dumps([row.value.get(key) for key in about], sort_keys=True)
    name = row.name("id") if "id" in row.value else hashlib.sha256(text.encode()).hexdigest()[:_ID]
    return Row(row.where, name, row.value)


def _task(row: Row) -> Task:
    completions = row.texts("completions", FEWEST)
    if len(completions) > MOST:
        raise DataError(f"{len(completions)} completions", where=f"{row.where}: completions", hint=f"at most {MOST}")
    return Task(row.id, prompt_of(row), completions, _sources(row, len(completions)), *kept(row))


def kept(row: Row) -> tuple[str, str]:
    """A row's category and group, empty where it has none."""
    category, group = (str(row.of(str, key)) if key in row.value else "" for key in ("category", "group"))
    return category, group


def _sources(row: Row, count: int) -> tuple[str, ...]:
    found = row.texts("sources", 1) if "sources" in row.value else ()
    if found and len(found) != count:
        raise DataError(f"{len(found)} sources of {count} completions", where=f"{row.where}: sources")
    return found


def shown_order(id: str, who: str, count: int) -> tuple[int, ...]:
    """The places of a task's completions as they are shown to one person: drawn by the task's id and the person's name,
    so that it is the same again, and says nothing of who wrote what."""
    return tuple(stream(0, "label", id, who).permutation(count).tolist())


def as_turns(prompt: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages as objects of JSON."""
    return [{"role": one.role, "content": one.content} for one in prompt]
