"""Exams among public files: worked examples, and what exams ask otherwise of AQuA (like the GRE's) and GAOKAO-Bench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.files import Files
from presage.tasks.methods.choice import LETTERS
from presage.tasks.readers import choices
from presage.tasks.readers.rows import Row, json_list, some
from presage.tasks.readers.sources import sources
from presage.tasks.task import Example

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


def aqua(paths: Sequence[Path]) -> list[Example]:
    """AQuA's questions; the rationale is the explanation of a worked example."""
    return [
        replace(one, question=one.question.strip(), fields={"explanation": one.fields["rationale"].strip()})
        for one in choices.aqua(paths)
    ]


# ---- GAOKAO-Bench ----------------------------------------------------------------------------------------------------


def gaokao(member: str, *, free: bool = False) -> Files:
    """A file of the zip, or unpacked: {"example": [{question, answer, analysis, score, year}]}.

    Here an example is a whole text, with all the questions about it, as an exam has it. Multiple choice: `score` is of
    every part, the answer a list of letters. Free: `score` is of the whole question, the answer the reference for the
    judge.
    """
    make = _gaokao_free if free else _gaokao_choice

    def read(paths: Sequence[Path]) -> list[Example]:
        files = (file for path in paths for file in sources(path, f"*{member}.json"))
        rows = (pair for file in files for pair in enumerate(json_list(file, "example"), 1))
        return some(paths, (make(row, f"{member}:{number}") for number, row in rows))

    return Files(read, ((f"{member}.json",), ("gaokao_bench.zip",)))


def _gaokao_choice(row: Row, name: str) -> Example:
    letters = tuple("".join(sorted(set(part.strip()))) for part in row.texts("answer", 1))
    text, explanation = row.text("question").strip(), row.of(str, "analysis").strip()
    points = row.number("score") * len(letters)
    if not all(set(part) <= set(LETTERS) for part in letters) or points <= 0:
        raise DataError(f"the answer {row.get('answer')} for {row.get('score')} points", where=row.where)
    fields = {"points": points, "explanation": explanation, "letters": letters}
    stem, options = _split_options(text) if letters in (("A",), ("B",), ("C",), ("D",)) else (text, ())
    answer = LETTERS.index(letters[0]) if options else None
    return Example(name, stem, options, answer, category=str(row.value.get("year", "")), fields=fields)


def _split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """Question and options, where the marks A to D stand once each and in order; else the whole text and none."""
    marks = list(_MARKS.finditer(text))
    if "".join(mark[1] for mark in marks) != "ABCD":
        return text, ()
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    options = tuple(text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True))
    return (text[: marks[0].start()].strip(), options) if all(options) else (text, ())


def _gaokao_free(row: Row, name: str) -> Example:
    points, text, answer = row.number("score"), row.text("question").strip(), row.of(str, "answer").strip()
    if points <= 0:
        raise DataError(f"a question for {row.get('score')} points", where=row.where)
    targets = (answer,) if answer else ()
    return Example(name, text, targets=targets, category=str(row.value.get("year", "")), fields={"points": points})
