"""Two models answer the same prompts: the file that people compare them by, blind.

Where InstructGPT has labellers compare two models (section 3.6 and figure 1), their answers come side by side with no
names. Here names stand in the file as `sources`, which the page is never told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.align.label_tasks import Task, as_turns, kept, rows_of
from presage.align.records import messages_of, prompt_of
from presage.align.winrate import blind
from presage.core.files import write_rows
from presage.core.seeds import derive
from presage.data.verbs import Decoding, Generation, LanguageModel, Message
from presage.tasks.readers.rows import Row

EMPTY = "(no answer)"
"""What is shown for an answer that says nothing: it must lose or tie, and not be left out."""


@dataclass(frozen=True)
class Request:
    """A prompt that models are to answer."""

    id: str
    prompt: tuple[Message, ...]
    category: str = ""
    group: str = ""


def read_requests(*paths: Path) -> list[Request]:
    """Prompts as text or messages, one a line. Raises DataError naming file and line of the first fault."""
    return [Request(row.id, _asked(row), *kept(row)) for row in rows_of(paths, "prompt", "messages")]


def _asked(row: Row) -> tuple[Message, ...]:
    return messages_of(row, "messages") if "messages" in row.value and "prompt" not in row.value else prompt_of(row)


def answers(model: LanguageModel, requests: Sequence[Request], decoding: Decoding, seed: int = 0) -> list[str]:
    """One answer to each, its sample drawn by the request's id; EMPTY where the model said nothing."""
    asked = [Generation(one.prompt, decoding, derive(seed, "pairs", one.id)) for one in requests]
    return [some[0].text.strip() or EMPTY for some in model.generate(asked)]


def pairs(requests: Sequence[Request], written: Mapping[str, Sequence[str]], seed: int = 0) -> list[Task]:
    """Both runs' answers to each request, in an order drawn for each id. written: {run: its answers}, of two runs."""
    first, second = written
    sides = blind((one.id for one in requests), (first, second), seed)
    return [
        Task(
            one.id, one.prompt, tuple(written[run][n] for run in sides[one.id]), sides[one.id], one.category, one.group
        )
        for n, one in enumerate(requests)
    ]


def write_tasks(path: Path, tasks: Sequence[Task]) -> None:
    """A file of tasks, whole or not at all. Raises RunError when the disk is full."""
    write_rows(path, map(_row, tasks))


def _row(task: Task) -> dict[str, Any]:
    row = {
        "id": task.id,
        "prompt": as_turns(task.prompt),
        "completions": list(task.completions),
        "sources": list(task.sources),
        "category": task.category,
        "group": task.group,
    }
    return {key: value for key, value in row.items() if value}
