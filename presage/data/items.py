"""Evaluation items as contamination is judged on them: a name and the text of the question.

A file is JSON lines, a JSON list, or CSV; any of them may be compressed (.gz, .xz, .zst). Its own keys tell what it is:

| what | keys | id | text |
| :-- | :-- | :-- | :-- |
| plain | id, text | id | text |
| ARC | id, question {stem, choices} | id | question.stem |
| ARC as LLM Foundry has it | query, choices, gold | place | query without "Question: " |
| HumanEval | task_id, prompt | task_id | prompt |
| MMLU, GSM8K, TruthfulQA (multiple choice) | question | place | question |
| TruthfulQA (CSV) | Question | place | Question |
| MMLU (CSV without a header) | six columns | place | the first |

The text is the question alone: answers and choices are no part of it, as in the GPT-4 report (appendix C; sheet section
9.7). Where a row has choices that can be read (`options` or `choices`, a list of texts or of {text, label}) and says
which is right (`answer`, `answerKey` or `gold`: an index, a letter, a label or the choice itself), the item has them as
`options` and `answer`; whoever needs them asks for items that have them. "Place" is the name of the file and the line
or entry, `mmlu_test.jsonl.xz:17`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import half_surrogate, utf8
from presage.data.documents import COMPRESSIONS, read_bytes

_MMLU_COLUMNS = 6
_LONGEST_FIELD = 1 << 24
_HEADER = {"id", "task_id", "text", "prompt", "question", "query"}  # one of these names makes a row of CSV a header


@dataclass(frozen=True)
class Item:
    """One question. `id` is unique in its file; `options` are empty unless `answer` is the index of the right one."""

    id: str
    text: str
    options: tuple[str, ...] = ()
    answer: int | None = None


@dataclass(frozen=True)
class _Row:
    """What a file holds at one place: a line of JSON lines or CSV, or an entry of a JSON list."""

    place: str
    value: Any


def read_items(path: Path) -> list[Item]:
    """All items of a file. Raises DataError naming the file and line of the first thing that is no item."""
    name = path.name.lower()
    stem = next((name.removesuffix(c) for c in COMPRESSIONS if name.endswith(c)), name)
    suffix = stem[stem.rfind(".") :] if "." in stem else ""
    if suffix not in _FORMATS:
        raise DataError("not a file of items", where=path, hint=f"reads {' '.join(_FORMATS)}, also compressed")
    found: dict[str, Item] = {}
    for row in _FORMATS[suffix](path, utf8(read_bytes(path), path)):
        item = _item(path, row)
        if item.id in found:
            raise DataError(f"the id '{item.id}' appears twice", where=f"{path}:{row.place}")
        found[item.id] = item
    if not found:
        raise DataError("holds no items", where=path)
    return list(found.values())


# ---- rows -----------------------------------------------------------------------------------------------------------


def _json_lines(path: Path, text: str) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _Row(str(number), _parse(line, f"{path}:{number}"))


def _json_list(path: Path, text: str) -> Iterator[_Row]:
    entries = _parse(text, str(path))
    if not isinstance(entries, list):
        raise DataError(f"a JSON {type(entries).__name__}, not a list of items", where=path)
    yield from (_Row(str(number), entry) for number, entry in enumerate(entries, 1))


def _csv(path: Path, text: str) -> Iterator[_Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""))
    header: list[str] = []
    try:
        for number, row in enumerate(reader):
            names = [name.strip() for name in row]
            if number == 0 and _HEADER & {name.lower() for name in names}:
                header = [name if name in _TEXT_KEYS else name.lower() for name in names]
            elif row:
                yield _Row(str(reader.line_num), _csv_row(path, reader.line_num, header, row))
    except csv.Error as error:
        raise DataError(f"not CSV: {error}", where=f"{path}:{reader.line_num}") from None


def _csv_row(path: Path, line: int, header: list[str], row: list[str]) -> dict[str, Any]:
    if not header and len(row) != _MMLU_COLUMNS:
        raise DataError(
            f"{len(row)} columns", where=f"{path}:{line}", hint="MMLU has six; or a header with Question or text"
        )
    if not header:
        return {"question": row[0], "choices": row[1:-1], "answer": row[-1]}
    if len(row) < len(header):
        raise DataError(f"{len(row)} columns where the header has {len(header)}", where=f"{path}:{line}")
    return dict(zip(header, row, strict=False))


_FORMATS: dict[str, Callable[[Path, str], Iterator[_Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_list,
    ".csv": _csv,
}


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise DataError("nested too deeply", where=where) from None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=where) from None


# ---- items ----------------------------------------------------------------------------------------------------------

_TEXT_KEYS: dict[str, Callable[[Any], Any]] = {
    "text": lambda value: value,
    "prompt": lambda value: value,
    "question": lambda value: value.get("stem") if isinstance(value, dict) else value,
    "Question": lambda value: value,
    "query": lambda value: value.removeprefix("Question: ") if isinstance(value, str) else value,
}


def _item(path: Path, row: _Row) -> Item:
    where = f"{path}:{row.place}"
    if not isinstance(row.value, dict):
        raise DataError(f"a JSON {type(row.value).__name__}, not an object", where=where)
    key = next((key for key in _TEXT_KEYS if key in row.value), None)
    if key is None:
        raise DataError(f"an item without text (none of the keys {', '.join(_TEXT_KEYS)})", where=where)
    text = _TEXT_KEYS[key](row.value[key])
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"an item without text ('{key}' is {_describe(text)})", where=where)
    if half_surrogate(text):
        raise DataError(f"half a surrogate pair in '{key}'", where=where)
    name = next((row.value[key] for key in ("id", "task_id") if key in row.value), f"{path.name}:{row.place}")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise DataError(f"the id is {_describe(name)}, not text or a whole number", where=where)
    options, answer = _choices(row.value)
    if any(map(half_surrogate, (str(name), *options))):
        raise DataError("half a surrogate pair in the id or an option", where=where)
    return Item(str(name), text, options, answer)


def _describe(value: object) -> str:
    return {type(None): "null", str: "empty"}.get(type(value), type(value).__name__)


# ---- options --------------------------------------------------------------------------------------------------------

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FEWEST = 2


def _choices(row: dict[str, Any]) -> tuple[tuple[str, ...], int | None]:
    """(options, index of the right one); ((), None) where a row has none, or none that are understood."""
    question = row.get("question")
    holder = question if isinstance(question, dict) else row
    found = next((holder[key] for key in ("options", "choices") if key in holder), None)
    entries = [_entry(entry) for entry in found] if isinstance(found, list) else []
    texts = [text for text, _ in entries if isinstance(text, str) and text.strip()]
    key = next((row[key] for key in ("answer", "answerKey", "gold") if key in row), None)
    answer = _place(key, texts, [label for _, label in entries])
    known = len(texts) == len(entries) >= _FEWEST and answer is not None
    return (tuple(texts), answer) if known else ((), None)


def _entry(entry: Any) -> tuple[Any, Any]:
    return (entry.get("text"), entry.get("label")) if isinstance(entry, dict) else (entry, None)


def _place(key: Any, texts: list[str], labels: list[Any]) -> int | None:
    """The index that an answer names: a label first, since ARC labels some choices 1 to 4; then a letter, a text."""
    if isinstance(key, int) and not isinstance(key, bool):
        return key if 0 <= key < len(texts) else None
    names = [labels, list(_LETTERS[: len(texts)]), texts]
    return next((known.index(key) for known in names if isinstance(key, str) and key in known), None)
