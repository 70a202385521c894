"""Public files of demonstrations and preferences as records, each read as its authors published it.

| file | of | records |
| :-- | :-- | :-- |
| harmless_base_test.jsonl.gz | Bai et al. 2022, hh-rlhf | a preference of two, the chosen one first |
| self_instruct_seed_tasks.jsonl | Wang et al. 2022, written by people | a demonstration an instance |
| dolly_1000.jsonl.xz | Databricks 2023, written by people | a demonstration a line |
| codegen_instruct.json.xz | GPTeacher 2023, written by a model | a demonstration an entry |

White space around a turn is not kept: a template sets its own. Ids are the file's own, or its name and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from presage.align.records import Demonstration, Preference
from presage.core.errors import DataError
from presage.data.verbs import Message
from presage.tasks.readers.rows import Row, json_rows, rows_in

_TURN = re.compile(r"\n\n(Human|Assistant):")
_ROLE = {"Human": "user", "Assistant": "assistant"}


# ---- preferences -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unsplit:
    """A pair that is no two answers to one prompt: its file and line, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Pairs:
    """Preferences of a file of dialogues, and the pairs that could not be split."""

    kept: tuple[Preference, ...]
    unsplit: tuple[Unsplit, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """How many pairs were left out for each reason."""
        found = [one.reason for one in self.unsplit]
        return {reason: found.count(reason) for reason in dict.fromkeys(found)}


class _Whole(Exception):
    """Why a pair cannot be split."""


def hh_pairs(path: Path) -> Pairs:
    """Pairs of dialogues "chosen" and "rejected", as the turns that they share and the two answers that end them.

    A pair whose dialogues differ in more than the assistant's last turn, or in which an answer is empty, is left out
    and reported. Raises DataError for rows without two texts, or a file without a pair.
    """
    kept, unsplit = [], []
    for row in json_rows(path):
        chosen, rejected = row.text("chosen"), row.text("rejected")
        try:
            prompt, answers = _split(_turns(chosen), _turns(rejected))
        except _Whole as why:
            unsplit.append(Unsplit(row.where, str(why)))
            continue
        kept.append(Preference(prompt, answers, (1, 2), row.id))
    return Pairs(tuple(kept), tuple(unsplit))


def _turns(text: str) -> tuple[Message, ...]:
    before, *parts = _TURN.split(text)
    if before.strip() or not parts:
        raise _Whole("does not begin with a turn")
    return tuple(Message(_ROLE[who], said.strip()) for who, said in zip(parts[::2], parts[1::2], strict=True))


def _split(chosen: tuple[Message, ...], rejected: tuple[Message, ...]) -> tuple[tuple[Message, ...], tuple[str, str]]:
    """(what both begin with, the last turn of each)."""
    shared = next((n for n, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), None)
    if shared is None:
        raise _Whole("one is the other, or its beginning")
    ends = chosen[shared:], rejected[shared:]
    if any(len(end) > 1 for end in ends):
        raise _Whole("they differ in more than the last turn")
    if any(end[0].role != "assistant" for end in ends):
        raise _Whole("the last turn is not the assistant's")
    if not shared:
        raise _Whole("no prompt")
    if not all(turn.content for turn in (*chosen, *rejected)):
        raise _Whole("an empty turn")
    return chosen[:shared], (ends[0][0].content, ends[1][0].content)


# ---- demonstrations --------------------------------------------------------------------------------------------------


def seed_tasks(path: Path) -> list[Demonstration]:
    """Self-Instruct's seed tasks: instruction, then the instance's input where there is one; categories classification
    and generation. Raises DataError."""
    return [
        _demonstration(row, instance, "input", "output", row.text("id") + ("" if number == 1 else f":{number}"))
        for row in json_rows(path)
        for number, instance in enumerate(_instances(row), 1)
    ]


def _instances(row: Row) -> Iterator[Row]:
    kind = ("generation", "classification")[row.one_of("is_classification", (False, True))]
    for one in rows_in(Path(row.where), row.get("instances"), "instances "):
        yield Row(one.where, one.id, {**one.value, "instruction": row.text("instruction"), "category": kind})


def dolly(path: Path) -> list[Demonstration]:
    """Rows of databricks-dolly: instruction, context where there is one, response. Raises DataError."""
    return [_demonstration(row, row, "context", "response", row.id) for row in json_rows(path)]


def codegen(path: Path) -> list[Demonstration]:
    """GPTeacher's code instructions, written by a model: instruction, input where there is one. Raises DataError."""
    return [_demonstration(row, row, "input", "response", row.id) for row in json_rows(path)]


def _demonstration(row: Row, parts: Row, more: str, answer: str, id: str) -> Demonstration:
    asked = [parts.text("instruction"), parts.of(str, more) if more in parts.value else ""]
    prompt = "\n\n".join(part.strip() for part in asked if part.strip())
    messages = (Message("user", prompt), Message("assistant", parts.text(answer).strip()))
    return Demonstration(messages, id, parts.of(str, "category") if "category" in parts.value else "")


DEMONSTRATIONS: MappingProxyType[str, Callable[[Path], list[Demonstration]]] = MappingProxyType(
    {"self_instruct_seed_tasks": seed_tasks, "dolly": dolly, "codegen_instruct": codegen}
)
"""Readers by what the names of their files begin with."""


def public_demonstrations(path: Path) -> list[Demonstration]:
    """A public file of demonstrations, known by its name. Raises DataError for one that is not."""
    reader = next((read for name, read in DEMONSTRATIONS.items() if path.name.startswith(name)), None)
    if reader is None:
        known = ", ".join(f"{name}…" for name in DEMONSTRATIONS)
        raise DataError("not a public file of demonstrations that is known", where=path, hint=f"known: {known}")
    return reader(path)
