"""What a policy is asked while it learns: prompts as JSON lines of id, prompt (text or messages), and maybe kind.

`kind` is "allowed" or "disallowed", what is known of the request (papers.md §9.12); rules reward by it, and give
nothing on prompts without one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from presage.align.rbrm import REQUESTS, Request
from presage.align.records import prompt_of
from presage.core.errors import DataError
from presage.data.verbs import Message
from presage.tasks.readers.rows import json_lines
from presage.tasks.readers.sources import source


@dataclass(frozen=True)
class Asked:
    """A prompt, the id by which it is known, and of which kind its request is, where that is known."""

    id: str
    messages: tuple[Message, ...]
    kind: Request | None = None


def read_prompts(paths: Iterable[Path]) -> list[Asked]:
    """All prompts of some files. Raises DataError naming file and line of the first fault."""
    found: dict[str, tuple[str, Asked]] = {}
    for path in paths:
        for row in json_lines(source(path, whole=True)):
            kind = REQUESTS[row.one_of("kind", REQUESTS)] if "kind" in row.value else None
            one = Asked(row.text("id"), prompt_of(row), kind)
            if one.messages[-1].role != "user":
                raise DataError(f"ends with the {one.messages[-1].role}, not the user", where=f"{row.where}: prompt")
            if one.id in found:
                raise DataError(
                    f"the id '{one.id}' appears twice", where=row.where, hint=f"first in {found[one.id][0]}"
                )
            found[one.id] = row.where, one
    if not found:
        raise DataError("no prompts", where=next(iter(paths), None))
    return [one for _, one in found.values()]
