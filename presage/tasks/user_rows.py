"""Rows of a user's files as examples. Each raises DataError that names file and line."""

from __future__ import annotations

from typing import Any

from presage.core.errors import DataError
from presage.tasks.methods.choice import LETTERS
from presage.tasks.rows import Row
from presage.tasks.task import Example

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_FEWEST = 2


def sample(row: Row, place: str) -> Example:
    """A sample of OpenAI Evals: input a text or a chat, ideal a text or several; further texts are fields.

    Its files of shots hold {"sample": turns} instead, of which the last is the answer.
    """
    if "sample" in row.value:
        *asked, answer = (_turn(row, turn) for turn in row.need("sample", list) or [{}])
        return _chat(_id(row, place), [], asked, (answer["content"],), {}, row)
    given = row.need("input", str | list)
    targets = _texts(row, "ideal")
    fields: dict[str, Any] = {k: v for k, v in row.value.items() if isinstance(v, str) and k not in ("input", "ideal")}
    if isinstance(given, str):
        return Example(_id(row, place), given, targets=targets, fields=fields)
    turns = [_turn(row, turn) for turn in given]
    return _chat(_id(row, place), turns[:-1], turns[-1:], targets, fields, row)


def _chat(
    name: str, head: list[Any], turns: list[Any], targets: tuple[str, ...], fields: dict[str, Any], row: Row
) -> Example:
    if not turns:
        raise DataError("a chat without turns", where=row.where)
    return Example(name, turns[-1]["content"], targets=targets, fields={**fields, "head": head, "turns": turns})


def choice(row: Row, place: str) -> Example:
    """Multiple choice: the answer is an index from 0, a letter, or the text of an option."""
    options = row.need("options", list)
    if not _FEWEST <= len(options) <= len(LETTERS) or not all(isinstance(one, str) and one.strip() for one in options):
        raise DataError(f"'options' are not {_FEWEST} to {len(LETTERS)} texts", where=row.where)
    if len(set(options)) != len(options):
        raise DataError("an option appears twice", where=row.where)
    answer = _place(row, row.need("answer", int | str), options)
    return Example(_id(row, place), row.need("question", str), tuple(options), answer, category=_category(row))


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


def question(row: Row, place: str) -> Example:
    """A closed-book question: one answer or several that count as right."""
    targets = _texts(row, "answers" if "answers" in row.value else "answer")
    return Example(_id(row, place), row.need("question", str), targets=targets, category=_category(row))


def _texts(row: Row, name: str) -> tuple[str, ...]:
    """One text or a list of them, none of them empty: an empty one would be found in any answer."""
    value = row.need(name, str | list)
    texts = [value] if isinstance(value, str) else value
    if not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        raise DataError(f"'{name}' is no text, and no list of texts", where=row.where)
    return tuple(texts)


def _turn(row: Row, turn: Any) -> dict[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
        raise DataError("a turn of 'input' has no text as its 'content'", where=row.where)
    if turn.get("role") not in _ROLES:
        hint = ", ".join(_ROLES)
        raise DataError(f"a turn of 'input' has the role {turn.get('role')!r}", where=row.where, hint=hint)
    return {"role": _ROLES[turn["role"]], "content": turn["content"]}


def _id(row: Row, place: str) -> str:
    """Its own, else where it stands."""
    return str(row.need("id", int | str)) if "id" in row.value else place


def _category(row: Row) -> str:
    return str(row.need("category", str)) if "category" in row.value else ""
