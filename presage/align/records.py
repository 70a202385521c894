"""Demonstrations and preferences as JSON lines: what people show an assistant, and which of its answers they prefer.

| record | keys |
| :-- | :-- |
| demonstration | messages: list of {role, content}, the assistant's last; id, category |
| preference | prompt: text or messages; completions: 2 or more texts; ranks: a whole number from 1 for each, 1 the |
| | best, ties allowed; id, who, when (ISO 8601), category, group; flags: {"prompt" or a place: [text, …]} |

K completions of one prompt are ranked at once (InstructGPT, sections 3.2 and 3.5; K from 4 to 9), with flags beside the
ranks (its appendix B). A tie is kept in the record and drops out of its pairs. One id is one set of completions, which
as many people label as there are, each once. Keys that are not known are left alone.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, Protocol, TypeVar

from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.files import atomic_write, cannot_write, is_json
from presage.core.seeds import derive
from presage.core.strict import half_surrogate, whole_number
from presage.data.chat import ROLES
from presage.data.verbs import Message
from presage.tasks.readers.rows import Row, checked, json_lines, shown
from presage.tasks.readers.sources import source

FEWEST = 2
_BLOCK = 1 << 16
_DRAWS = 1 << 63


@dataclass(frozen=True)
class Demonstration:
    """A conversation whose last message is the assistant's, as it should have answered."""

    messages: tuple[Message, ...]
    id: str = ""
    category: str = ""

    @property
    def prompt(self) -> tuple[Message, ...]:
        """All but the answer."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The assistant's last words."""
        return self.messages[-1].content


@dataclass(frozen=True)
class Preference:
    """Completions of one prompt and their ranks, 1 the best. `flags` belong to the prompt or to a completion's place
    ("0" the first); `who` labelled it `when`, an ISO time; `group` is whatever must not be torn apart."""

    prompt: tuple[Message, ...]
    completions: tuple[str, ...]
    ranks: tuple[int, ...]
    id: str = ""
    who: str = ""
    when: str = ""
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    category: str = ""
    group: str = ""

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(better, worse) places of completions; ties drop out (InstructGPT, section 3.5)."""
        from presage.align.objectives import ranking_pairs

        return ranking_pairs(self.ranks)


class Prompted(Protocol):
    """Anything with a prompt."""

    @property
    def prompt(self) -> tuple[Message, ...]: ...


Record = TypeVar("Record", bound=Prompted)


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_demonstrations(*paths: Path) -> list[Demonstration]:
    """All demonstrations of some files, in their order. Raises DataError naming file and line of the first fault."""
    return [one for _, one in _alone(_demonstrations(paths))]


def read_preferences(*paths: Path) -> list[Preference]:
    """All preferences of some files, in their order. Raises DataError naming file and line of the first fault."""
    return [one for _, one in _labelled(_preferences(paths))]


def _demonstrations(paths: Iterable[Path]) -> Iterator[tuple[str, Demonstration]]:
    return ((row.where, _demonstration(row)) for row in _rows(paths))


def _preferences(paths: Iterable[Path]) -> Iterator[tuple[str, Preference]]:
    return ((row.where, _preference(row)) for row in _rows(paths))


def _rows(paths: Iterable[Path]) -> Iterator[Row]:
    for path in paths:
        found = False
        for row in json_lines(source(path, whole=True)):
            found = True
            yield row
        if not found:
            raise DataError("holds no records", where=path)


def _demonstration(row: Row) -> Demonstration:
    found = messages_of(row, "messages")
    if found[-1].role != "assistant":
        raise DataError(f"ends with the {found[-1].role}, not the assistant's answer", where=f"{row.where}: messages")
    if len(found) == 1:
        raise DataError("an answer without a prompt", where=f"{row.where}: messages")
    return Demonstration(found, _maybe(row, "id"), _maybe(row, "category"))


def _preference(row: Row) -> Preference:
    completions = _completions(row)
    return Preference(
        prompt=prompt_of(row),
        completions=completions,
        ranks=_ranks(row, len(completions)),
        flags=_flags(row, len(completions)),
        when=_when(row),
        **{key: _maybe(row, key) for key in ("id", "who", "category", "group")},
    )


def prompt_of(row: Row) -> tuple[Message, ...]:
    """A prompt, which is the user's text or messages. Raises DataError where it or a message of it is empty."""
    if isinstance(row.of(str | list, "prompt"), str):
        return (Message("user", row.text("prompt")),)
    return messages_of(row, "prompt")


def messages_of(row: Row, key: str) -> tuple[Message, ...]:
    """A list of {role, content}, one at least. Raises DataError."""
    found = row.of(list, key)
    if not found:
        raise DataError("no message", where=f"{row.where}: {key}")
    return tuple(_message(f"{row.where}: {key} {number}", one) for number, one in enumerate(found, 1))


def _message(where: str, value: Any) -> Message:
    if not isinstance(value, dict):
        raise DataError(f"{shown(value)} is no object with role and content", where=where)
    row = Row(where, where, value)
    role = row.of(str, "role")
    if role not in ROLES:
        raise DataError(f"no role {shown(role)}", where=where, hint=did_you_mean(role, ROLES))
    return Message(role, row.text("content"))


def _completions(row: Row) -> tuple[str, ...]:
    where, found = f"{row.where}: completions", row.of(list, "completions")
    if len(found) < FEWEST:
        what = "one completion" if found else "no completions"
        raise DataError(f"{what}: nothing to compare", where=where, hint="two or more")
    return tuple(checked(text, f"{where} {number}") for number, text in enumerate(found, 1))


def _ranks(row: Row, count: int) -> tuple[int, ...]:
    where, found = f"{row.where}: ranks", row.of(list, "ranks")
    if len(found) != count:
        raise DataError(f"{len(found)} ranks of {count} completions", where=where)
    wrong = [rank for rank in found if isinstance(rank, bool) or not isinstance(rank, int) or rank < 1]
    if wrong:
        raise DataError(f"{shown(wrong[0])} is no whole number from 1", where=where, hint="1 is the best")
    return tuple(found)


def _flags(row: Row, count: int) -> dict[str, tuple[str, ...]]:
    found = row.of(dict, "flags") if "flags" in row.value else {}
    for place in found:
        number = whole_number(place)
        if place != "prompt" and (number is None or number >= count or str(number) != place):
            hint = f"'prompt', or the place of a completion from 0 to {count - 1}"
            raise DataError(f"{shown(place)} can have no flags", where=f"{row.where}: flags", hint=hint)
    flags = Row(f"{row.where}: flags", row.id, found)
    return {place: flags.texts(place, least=1) for place in found}


def _when(row: Row) -> str:
    found = _maybe(row, "when")
    try:
        datetime.fromisoformat(found or "2000-01-01")
    except ValueError:
        raise DataError(f"{shown(found)} is no ISO time", where=f"{row.where}: when") from None
    return found


def _maybe(row: Row, key: str) -> str:
    return row.of(str, key) if key in row.value else ""


# ---- one id, one thing -----------------------------------------------------------------------------------------------


def _alone(found: Iterable[tuple[str, Demonstration]]) -> Iterator[tuple[str, Demonstration]]:
    known: dict[str, str] = {}
    for where, one in found:
        if one.id in known:
            raise DataError(f"the id '{one.id}' appears twice", where=where, hint=f"first in {known[one.id]}")
        known.update({one.id: where} if one.id else {})
        yield where, one


def _labelled(found: Iterable[tuple[str, Preference]]) -> Iterator[tuple[str, Preference]]:
    """The same; an id may come again with another name beside it, and nothing else of what was asked."""
    known: dict[str, tuple[str, Preference]] = {}
    by: dict[tuple[str, str], str] = {}
    for where, one in found:
        if one.id:
            place, first = known.setdefault(one.id, (where, one))
            if (first.prompt, first.completions) != (one.prompt, one.completions):
                raise DataError(f"the id '{one.id}' is of another prompt or completions in {place}", where=where)
            if (one.id, one.who) in by:
                twice = f"the id '{one.id}' appears twice" + (f" by '{one.who}'" if one.who else "")
                raise DataError(twice, where=where, hint=f"first in {by[one.id, one.who]}")
            by[one.id, one.who] = where
        yield where, one


# ---- writing ---------------------------------------------------------------------------------------------------------


def line_of(record: Demonstration | Preference, beside: Mapping[str, Any] | None = None) -> bytes:
    """A record as its line, newline and all; `beside`: keys that are none of its own, which its readers leave alone.

    Raises DataError for what could not be read again.
    """
    row = {**(beside or {}), **_row(record)}
    text = json.dumps(row, ensure_ascii=False)
    place = Row(f"record {record.id or 'without an id'}", record.id, row)
    again = _demonstration(place) if isinstance(record, Demonstration) else _preference(place)
    if again != record or half_surrogate(text):
        raise DataError("would not be the same when read again", where=place.where)
    return f"{text}\n".encode()


def write_records(path: Path, records: Iterable[Demonstration | Preference]) -> None:
    """A file of records, whole or not at all. Raises DataError for one that could not be read again, RunError when the
    disk is full."""
    given: list[Demonstration | Preference] = list(records)
    if not given:
        raise DataError("no records to write", where=path)
    lines = [line_of(one) for one in given]
    named = [(f"record {number}", one) for number, one in enumerate(given, 1)]
    list(_alone((place, one) for place, one in named if isinstance(one, Demonstration)))
    list(_labelled((place, one) for place, one in named if isinstance(one, Preference)))
    with atomic_write(path) as file:
        file.writelines(lines)


def append_record(path: Path, record: Demonstration | Preference) -> None:
    """Add a record's line to a file, which is made where there is none; it is on disk on return, or not there at all.

    What a killed process left of its last line is taken away first. Raises DataError for a record that could not be
    read again, RunError when the disk is full.
    """
    append_line(path, line_of(record))


def append_line(path: Path, line: bytes) -> None:
    """The same of any line that ends with its newline. Raises RunError when the disk is full."""
    try:
        with open(path, "a+b", buffering=0) as file:
            end = _mended(file)
            try:
                _put(file, line)
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise cannot_write(path, error) from error


def mend(path: Path) -> int:
    """Take away what a killed process left of its last line, before the file is read; how many bytes it was.

    Raises RunError where it cannot be written.
    """
    try:
        with open(path, "r+b", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            return max(0, before - _mended(file))
    except OSError as error:
        raise cannot_write(path, error) from error


def _put(file: FileIO, line: bytes) -> None:
    if file.write(line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def _mended(file: FileIO) -> int:
    """The size of a file that now ends with a whole line: of a last one without its newline, what is JSON is kept."""
    size = file.seek(0, os.SEEK_END)
    start = _last_newline(file, size)
    file.seek(start)
    torn = file.read(size - start)
    if not torn:
        return size
    if is_json(torn):
        file.write(b"\n")
        return size + 1
    file.truncate(start)
    return start


def _last_newline(file: FileIO, end: int) -> int:
    """The place after it, or 0."""
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _row(record: Demonstration | Preference) -> dict[str, Any]:
    if isinstance(record, Demonstration):
        row: dict[str, Any] = {"id": record.id, "messages": _turns(record.messages), "category": record.category}
    else:
        row = {
            "id": record.id,
            "prompt": _turns(record.prompt),
            "completions": list(record.completions),
            "ranks": list(record.ranks),
            "who": record.who,
            "when": record.when,
            "flags": {place: list(flags) for place, flags in record.flags.items()},
            "category": record.category,
            "group": record.group,
        }
    return {key: value for key, value in row.items() if value not in ("", {})}


def _turns(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": one.role, "content": one.content} for one in messages]


# ---- splitting -------------------------------------------------------------------------------------------------------


def split(records: Iterable[Record], share: float = 0.8, seed: int = 0) -> tuple[list[Record], list[Record]]:
    """(about `share` of the prompts, the rest), each in the order given; records of one prompt stay together.

    A prompt's side is drawn by its own text: further records move none. Raises ConfigError for a share not within 0, 1.
    """
    if not 0 < share < 1:
        raise ConfigError(f"a share of {share}", hint="between 0 and 1")
    sides: tuple[list[Record], list[Record]] = ([], [])
    for one in records:
        drawn = derive(seed, "split", json.dumps(_turns(one.prompt))) / _DRAWS
        sides[drawn >= share].append(one)
    return sides
