"""The Inverse Scaling Prize's classification format: a prompt, the continuations to choose from, the right one.

A CSV table with columns prompt, classes (a list of texts), answer_index, and where a task compares two prompts
other_prompt; other columns are ignored. Or the same keys as JSON lines. Compressed files (.gz, .xz) are read as well.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from presage.core.errors import DataError
from presage.core.files import atomic_write, prepare_new

NEEDED = ("prompt", "classes", "answer_index")
COMPRESSED = (".gz", ".xz")
DAMAGED = (EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
LONGEST = 10_000  # characters of a list of classes; more is no list of answers


@dataclass(frozen=True)
class Item:
    """One question. A model answers with the class that it finds most probable after the prompt."""

    prompt: str
    classes: tuple[str, ...]
    """Continuations of the prompt, leading spaces included."""
    answer_index: int
    other_prompt: str | None = None
    """The prompt to compare with, in tasks scored by how log-odds differ between the two."""

    @property
    def answer(self) -> str:
        return self.classes[self.answer_index]


def read(path: Path) -> list[Item]:
    """Every item of a .csv or .jsonl file, perhaps compressed. Raises DataError naming file and line."""
    suffixes = [suffix for suffix in path.suffixes if suffix not in COMPRESSED]
    rows = {".csv": _csv_rows, ".jsonl": _json_rows}.get(suffixes[-1] if suffixes else "")
    if rows is None:
        raise DataError(
            "not a table of items", where=path, hint="its name ends in .csv or .jsonl, perhaps with .gz, .xz"
        )
    try:
        with _open(path) as file:
            items = [_item(row, place) for place, row in rows(file, path)]
    except DAMAGED as error:
        raise DataError(f"damaged, or not UTF-8 text: {error}", where=path) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    if not items:
        raise DataError("no items", where=path)
    return items


def save(path: Path, items: Sequence[Item]) -> None:
    """Write items as a .csv table or as .jsonl, whole or not at all; `read` gives them back.

    Raises DataError when the name is another one, or taken.
    """
    lines = {".csv": _as_csv, ".jsonl": _as_json}.get(path.suffix)
    if lines is None:
        raise DataError("not a name for items", where=path, hint="end it in .jsonl or .csv")
    prepare_new(path)
    with atomic_write(path) as file:
        file.write(lines(items).encode("utf-8"))


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _csv_rows(file: IO[str], path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Rows with the line they begin on: a prompt may hold many."""
    table, begins = csv.DictReader(file, strict=True), 1
    try:
        columns = table.fieldnames or []
        for name in NEEDED:
            if name not in columns:
                there = ", ".join(filter(None, columns)) or "none"
                raise DataError(f"no column '{name}'", where=f"{path}:1", hint=f"columns: {there}")
        begins = table.line_num + 1
        for row in table:
            place, begins = f"{path}:{begins}", table.line_num + 1
            if None in row or None in row.values():
                raise DataError(f"not {len(columns)} cells, one for each column", where=place)
            yield place, {**row, "classes": _literal(row["classes"], place), "answer_index": _index(row, place)}
    except csv.Error as error:
        raise DataError(f"not a CSV table: {error}", where=f"{path}:{begins}") from None


def _literal(text: str, place: str) -> Any:
    """A list written as Python or JSON write it; parsed as data, never run."""
    try:
        return ast.literal_eval(text if len(text) <= LONGEST else "")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        hint = """for example "[' Y', ' N']\""""
        raise DataError(f"{text!r:.60} is not a list of texts", where=f"{place}: classes", hint=hint) from None


def _index(row: Mapping[str, str], place: str) -> int:
    try:
        return int(row["answer_index"])
    except ValueError:
        raise DataError(f"{row['answer_index']!r:.60} is not a number", where=f"{place}: answer_index") from None


def _json_rows(file: IO[str], path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(file, 1):
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError("a line that is not JSON", where=place) from None
        if not isinstance(row, dict):
            raise DataError("a line that is not a JSON object", where=place)
        for name in NEEDED:
            if name not in row:
                raise DataError(f"no key '{name}'", where=place, hint=f"keys: {', '.join(row)}")
        yield place, row


def _item(row: Mapping[str, Any], place: str) -> Item:
    prompt, classes, index, other = (row.get(name) for name in (*NEEDED, "other_prompt"))
    if not isinstance(prompt, str) or not prompt.strip():
        raise DataError("no text", where=f"{place}: prompt")
    texts = isinstance(classes, list) and all(isinstance(text, str) and text.strip() for text in classes)
    if not texts or not isinstance(classes, list) or len(classes) < 2:
        raise DataError(f"{classes!r:.60} is not a list of two or more texts", where=f"{place}: classes")
    if len(set(classes)) < len(classes):
        raise DataError(f"{classes!r:.60} holds a text twice", where=f"{place}: classes")
    if type(index) is not int or not 0 <= index < len(classes):
        raise DataError(f"{index!r:.60} is not from 0 to {len(classes) - 1}", where=f"{place}: answer_index")
    if other is not None and not isinstance(other, str):
        raise DataError("no text", where=f"{place}: other_prompt")
    return Item(prompt, tuple(classes), index, other or None)


def _columns(item: Item) -> dict[str, Any]:
    other = {} if item.other_prompt is None else {"other_prompt": item.other_prompt}
    return {"prompt": item.prompt, **other, "classes": list(item.classes), "answer_index": item.answer_index}


def _as_csv(items: Sequence[Item]) -> str:
    rows = [_columns(item) for item in items]
    columns = [name for name in ("prompt", "other_prompt", "classes", "answer_index") if any(name in r for r in rows)]
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _as_json(items: Sequence[Item]) -> str:
    return "".join(json.dumps(_columns(item), ensure_ascii=False) + "\n" for item in items)
