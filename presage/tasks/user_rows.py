"""Rows of a user's files as examples. Each raises DataError that names file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import half_surrogate
from presage.tasks.methods.choice import LETTERS
from presage.tasks.readers.rows import Row, json_lines, shown
from presage.tasks.readers.sources import source
from presage.tasks.task import Example

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_FEWEST = 2


def user_rows(path: Path) -> Iterator[Row]:
    """The objects of a user's JSON lines. Raises DataError, also for half a surrogate pair anywhere in a row."""
    for row in json_lines(source(path, whole=True)):
        if half_surrogate(_spelled(row)):
            raise DataError("half a surrogate pair in a text", where=row.where)
        yield row


def _spelled(row: Row) -> str:
    """All that a row holds as one text. Raises DataError for what can be read but not written again."""
    try:
        return json.dumps(row.value, ensure_ascii=False)
    except RecursionError:
        raise DataError("a value nested too deeply", where=row.where) from None


def sample(row: Row) -> Example:
    """A sample of OpenAI Evals: input a text or a chat, ideal a text or several; further texts are fields.

    Its files of shots hold {"sample": turns} instead, of which the last is the answer.
    """
    if "sample" in row.value:
        *asked, answer = (_turn(row, turn) for turn in row.of(list, "sample") or [{}])
        return _chat(_id(row), [], asked, (answer["content"],), {}, row)
    given, targets = row.of(str | list, "input"), row.one_or_more("ideal")
    fields: dict[str, Any] = {k: v for k, v in row.value.items() if isinstance(v, str) and k not in ("input", "ideal")}
    if isinstance(given, str):
        return Example(_id(row), row.text("input"), targets=targets, fields=fields)
    turns = [_turn(row, turn) for turn in given]
    return _chat(_id(row), turns[:-1], turns[-1:], targets, fields, row)


def _chat(
    name: str, head: list[Any], turns: list[Any], targets: tuple[str, ...], fields: dict[str, Any], row: Row
) -> Example:
    if not turns:
        raise DataError("a chat without turns", where=row.where)
    return Example(name, turns[-1]["content"], targets=targets, fields={**fields, "head": head, "turns": turns})


def choice(row: Row) -> Example:
    """Multiple choice: the answer is an index from 0, a letter, or the text of an option."""
    options = row.of(list, "options")
    if not _FEWEST <= len(options) <= len(LETTERS) or not all(isinstance(one, str) and one.strip() for one in options):
        raise DataError(f"'options' are not {_FEWEST} to {len(LETTERS)} texts", where=row.where)
    if len(set(options)) != len(options):
        raise DataError("an option appears twice", where=row.where)
    answer = _place(row, row.of(int | str, "answer"), options)
    return Example(_id(row), row.text("question"), tuple(options), answer, category=_category(row))


def _place(row: Row, answer: int | str, options: list[str]) -> int:
    """The index that an answer names."""
    if isinstance(answer, int):
        found = {answer} & set(range(len(options)))
    else:
        found = {names.index(answer) for names in (list(LETTERS[: len(options)]), options) if answer in names}
    if len(found) != 1:
        hint = "an index from 0, a letter, or the text of an option"
        what = "two options may be meant by" if found else "no option is"
        raise DataError(f"{what} '{answer}'", where=row.where, hint=hint)
    return found.pop()


def question(row: Row) -> Example:
    """A closed-book question: one answer or several that count as right."""
    targets = row.one_or_more("answers", "answer")
    return Example(_id(row), row.text("question"), targets=targets, category=_category(row))


def _turn(row: Row, turn: Any) -> dict[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
        raise DataError("a turn of 'input' has no text as its 'content'", where=row.where)
    role = turn.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise DataError(f"a turn of 'input' has the role {shown(role)}", where=row.where, hint=", ".join(_ROLES))
    return {"role": _ROLES[role], "content": turn["content"]}


def _id(row: Row) -> str:
    """Its own, else where it stands."""
    return row.name("id") if "id" in row.value else row.id


def _category(row: Row) -> str:
    return row.text("category") if "category" in row.value else ""
