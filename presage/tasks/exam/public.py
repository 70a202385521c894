"""Exams among public files: AGIEval (LSAT, SAT), AQuA (like the GRE's), and GAOKAO-Bench, read in their own formats."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import read_json, utf8
from presage.data.documents import read_bytes
from presage.tasks.files import Files
from presage.tasks.methods.choice import LETTERS
from presage.tasks.readers.plain import text_of
from presage.tasks.task import Example

_LONGEST_FIELD = 1 << 24
_LARGEST_MEMBER = 1 << 26  # bytes
_LABEL = re.compile(r"^\s*\(?([A-Z])[).]\s*")
_MARKS = re.compile(r"(?:^|\s)([A-D])[ \t]*[．.、][ \t]*")


@dataclass(frozen=True)
class Public:
    """Questions from public files, after worked examples from others; without `worked`, the first `split` questions
    are the worked ones, and are not asked. Nor is what shares its passage with a worked example."""

    asked: Files
    worked: Files | None = None
    split: int = 0

    def files(self, folder: Path) -> list[Path]:
        return [*self.asked.files(folder), *(self.worked.files(folder) if self.worked else [])]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return self._both(folder, seed)[1]

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return self._both(folder, seed)[0]

    def _both(self, folder: Path, seed: int) -> tuple[list[Example], list[Example]]:
        asked = self.asked.examples(folder, seed)
        worked = self.worked.examples(folder, seed) if self.worked else asked[: self.split]
        shown = {one.group for one in worked if one.group}
        rest = asked if self.worked else asked[self.split :]
        return worked, [one for one in rest if one.group not in shown]


# ---- AGIEval ---------------------------------------------------------------------------------------------------------


def agieval(paths: Sequence[Path]) -> list[Example]:
    """Rows of {passage, question, options, label}; questions on one passage are a group."""
    return [
        _agieval(row, f"{path.name}:{number}", f"{path}:{number}") for path in paths for number, row in _lines(path)
    ]


def agieval_worked(column: str) -> Callable[[Sequence[Path]], list[Example]]:
    """Worked examples from few_shot_prompts.csv: its rows are samples and explanations in turn, its columns exams."""

    def read(paths: Sequence[Path]) -> list[Example]:
        found = []
        for path in paths:
            csv.field_size_limit(_LONGEST_FIELD)
            rows = _table(path)
            if not rows or column not in rows[0]:
                raise DataError(f"no column '{column}'", where=path)
            cells = [row[column] for row in rows]
            pairs = zip(cells[::2], cells[1::2], strict=False)
            found += [_worked(pair, i, path, column) for i, pair in enumerate(pairs, 1) if all(pair)]
        return found

    return read


def _table(path: Path) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text_of(path), newline=""))
    try:
        return list(reader)
    except csv.Error as error:
        raise DataError(f"not a table: {error}", where=f"{path}:{reader.line_num}") from None


def _worked(pair: tuple[str, str], number: int, path: Path, column: str) -> Example:
    where = f"{path}: {column}, sample {number}"
    try:
        row = ast.literal_eval(pair[0])
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise DataError(f"not a written-out row: {error}", where=where) from None
    return _agieval(row, f"{column} sample {number}", where, explanation=pair[1].replace("\\n", "\n"))


def _agieval(row: Any, name: str, where: str, **fields: object) -> Example:
    try:
        options = tuple(_LABEL.sub("", text) for text in row["options"])
        passage, answer = (row.get("passage") or "").strip(), LETTERS.index(row["label"])
        question = "\n\n".join(part for part in (passage, row["question"].strip()) if part)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a question with options and label: {error!r}", where=where) from None
    if answer >= len(options):
        raise DataError(f"the label {row['label']} of {len(options)} options", where=where)
    return Example(name, question, options, answer, group=_digest(passage), fields=MappingProxyType(fields))


def _digest(passage: str) -> str:
    return hashlib.sha256(passage.encode()).hexdigest()[:16] if passage else ""


def _lines(path: Path) -> list[tuple[int, Any]]:
    lines = text_of(path).split("\n")
    return [(i, read_json(line, f"{path}:{i}")) for i, line in enumerate(lines, 1) if line.strip()]


# ---- AQuA ------------------------------------------------------------------------------------------------------------


def aqua(paths: Sequence[Path]) -> list[Example]:
    """Rows of {question, options, rationale, correct}; the rationale is the explanation of a worked example."""
    return [_aqua(row, f"{path.name}:{number}", f"{path}:{number}") for path in paths for number, row in _lines(path)]


def _aqua(row: Any, name: str, where: str) -> Example:
    try:
        options = tuple(_LABEL.sub("", text) for text in row["options"])
        fields = {"explanation": row["rationale"].strip()}
        return Example(name, row["question"].strip(), options, LETTERS.index(row["correct"]), fields=fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a question with options and rationale: {error!r}", where=where) from None


# ---- GAOKAO-Bench ----------------------------------------------------------------------------------------------------


def gaokao(member: str, *, free: bool = False) -> Files:
    """A file of the zip, or unpacked: {"example": [{question, answer, analysis, score, year}]}.

    Multiple choice: `score` is of every part, the answer a list of letters. Free: `score` is of the whole question, the
    answer the reference for the judge.
    """
    make = _gaokao_free if free else _gaokao_choice

    def read(paths: Sequence[Path]) -> list[Example]:
        return [
            make(row, f"{member}:{i}", f"{path}: {member}, entry {i}")
            for path in paths
            for i, row in enumerate(_entries(path, member), 1)
        ]

    return Files(read, ((f"{member}.json",), ("gaokao_bench.zip",)))


def _entries(path: Path, member: str) -> list[Any]:
    data = _member(path, f"{member}.json") if path.suffix == ".zip" else read_bytes(path)
    tree = read_json(utf8(data, f"{path}: {member}"), f"{path}: {member}")
    rows = tree.get("example") if isinstance(tree, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError("no list 'example'", where=f"{path}: {member}")
    return rows


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            info = next((one for one in archive.infolist() if Path(one.filename).name == name), None)
            if info is None or info.file_size > _LARGEST_MEMBER:
                raise DataError(f"no file {name}" if info is None else f"{name} is too large", where=path)
            return archive.read(info)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"not a zip file: {error}", where=path) from None


def _gaokao_choice(row: Any, name: str, where: str) -> Example:
    try:
        letters = tuple("".join(sorted(set(part.strip()))) for part in row["answer"])
        points, text, explanation = float(row["score"]) * len(letters), row["question"].strip(), row["analysis"].strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a question with letters and score: {error!r}", where=where) from None
    if not letters or not all(part and set(part) <= set(LETTERS) for part in letters) or points <= 0:
        raise DataError(f"the answer {row['answer']} for {row['score']} points", where=where)
    fields = {"points": points, "explanation": explanation, "letters": letters}
    stem, options = _split_options(text) if letters in (("A",), ("B",), ("C",), ("D",)) else (text, ())
    answer = LETTERS.index(letters[0]) if options else None
    return Example(name, stem, options, answer, category=str(row.get("year", "")), fields=fields)


def _split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Question and options, where the marks A to D stand once each and in order; else the whole text and none."""
    marks = list(_MARKS.finditer(text))
    if "".join(mark[1] for mark in marks) != "ABCD":
        return text, ()
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    options = tuple(text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True))
    return (text[: marks[0].start()].strip(), options) if all(options) else (text, ())


def _gaokao_free(row: Any, name: str, where: str) -> Example:
    try:
        points, text, answer = float(row["score"]), row["question"].strip(), row["answer"].strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a question with answer and score: {error!r}", where=where) from None
    if points <= 0:
        raise DataError(f"a question for {row['score']} points", where=where)
    targets = (answer,) if answer else ()
    return Example(name, text, targets=targets, category=str(row.get("year", "")), fields={"points": points})
