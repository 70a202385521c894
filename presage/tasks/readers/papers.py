"""Exam papers: AGIEval's questions and their solved examples, and the objective questions of GAOKAO-Bench."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.tasks.methods.choice import LETTERS
from presage.tasks.methods.letters import letter_sets
from presage.tasks.readers.choices import unlabelled
from presage.tasks.readers.rows import Row, checked, json_lines, json_list, literal, some, table
from presage.tasks.readers.sources import Source, source, sources
from presage.tasks.task import Example

# ---- AGIEval --------------------------------------------------------------------------------------------------------


def agieval(name: str, *, several: bool = False, whole: bool = False) -> Callable[[Sequence[Path]], list[Example]]:
    """A reader of one of AGIEval's files, and of that exam's column in few_shot_prompts.csv.

    The question is the passage, where there is one, and the question; the questions of one passage are a group. Where
    several letters may be right, options are sets of letters and field `shown` has the texts. Ids begin with the
    file's name, `whole` or not as `source` has it.
    """

    def read(paths: Sequence[Path]) -> list[Example]:
        rows = (row for path in paths for row in _exam_rows(source(path, whole=whole), name) if row.get("label") != [])
        return some(paths, (_question(row, several) for row in rows))

    return read


def agieval_worked(name: str) -> Callable[[Sequence[Path]], list[Example]]:
    """A reader of that column's solved examples, by their names ("lsat-ar sample 1") and with field `explanation`."""

    def read(paths: Sequence[Path]) -> list[Example]:
        rows = [row for path in paths for row in _solved(source(path), name)]
        return [_worked(row, name) for row in rows if row.value["explanation"]]

    return read


def _worked(row: Row, name: str) -> Example:
    fields = {"explanation": row.text("explanation").replace("\\n", "\n")}
    return replace(_question(row, several=False), id=f"{name} {row.text('sample')}", fields=fields)


def _exam_rows(file: Source, name: str) -> Iterator[Row]:
    return _solved(file, name) if file.name.endswith(".csv") else json_lines(file)


def _solved(file: Source, name: str) -> Iterator[Row]:
    """The table's rows are samples, each an object spelled in its cell, and what explains the one before, in turn."""
    column, rows = name.replace("-without-passage", ""), list(table(file))
    for row, after in zip_longest(rows, rows[1:], fillvalue=Row(file.where, "", {column: ""})):
        cell, label = row.get(column), str(row.get(""))
        if label.startswith("sample") and cell:
            value = literal(cell, row.where)
            if not isinstance(value, dict):
                raise DataError("a solved example that is no object", where=row.where)
            kept = {**value, "passage": None} if name.endswith("-without-passage") else value
            more = {"options": _apart(value.get("options")), "sample": label, "explanation": after.get(column)}
            yield Row(row.where, row.id, kept | more)


def _apart(options: Any) -> Any:
    """Options, which in a few solved examples stand in one text with tabs, blanks or new lines between them."""
    if isinstance(options, list) and len(options) == 1:
        return [text for text in re.split(r"[\t\r\n]\s*|\s{2,}", str(options[0])) if text.strip()]
    return options


def _question(row: Row, several: bool) -> Example:
    passage, question = str(row.get("passage") or "").strip(), row.text("question").strip()
    shown = unlabelled(row.texts("options"))
    right = _right(row, len(shown))
    if not several and len(right) != 1:
        raise DataError(f"{len(right)} right letters, not one", where=f"{row.where}: label")
    sets = letter_sets(len(shown), several=True)
    options = sets if several else shown
    answer = sets.index(right) if several else LETTERS.index(right)
    group = _passage(passage) if passage else ""
    fields: dict[str, Any] = {"shown": list(shown)} if several else {}
    text = f"{passage}\n\n{question}" if passage else question
    return Example(row.id, text, options, answer, group=group, fields=fields)


def _passage(text: str) -> str:
    """The same in the solved examples, where lines may break elsewhere."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def _right(row: Row, count: int) -> str:
    """The letters of a label, which is "B", "A C", or a list; what is no letter of an option does not count."""
    label = row.get("label")
    text = "".join(map(str, label)) if isinstance(label, list) else str(label)
    letters = "".join(sorted({letter for letter in text if letter in LETTERS[:count]}))
    if not letters:
        raise DataError(f"{label!r:.60} names none of {count} options", where=f"{row.where}: label")
    return letters


# ---- GAOKAO-Bench ---------------------------------------------------------------------------------------------------

_CHOICES = 4


def gaokao(pattern: str, *, several: bool = False) -> Callable[[Sequence[Path]], list[Example]]:
    """A reader of one file of objective questions, in the archive or beside it: {example: [{question, answer, …}]}.

    A text may hold several questions (a passage and what is asked about it): each is an example, all of them a group.
    Options are letters, since the text shows the choices itself. Fields: `text`, `number` and `count` of the question
    in its text, `points` of the question, `year`, `paper`.
    """

    def read(paths: Sequence[Path]) -> list[Example]:
        files = (file for path in paths for file in sources(path, f"*{pattern}"))
        return some(paths, (example for file in files for example in _paper(file, several)))

    return read


def _paper(file: Source, several: bool) -> Iterator[Example]:
    rows = list(json_list(file, "example"))
    answers = [row.texts("answer", least=1) for row in rows]
    highest = max((letter for texts in answers for text in texts for letter in text if letter in LETTERS), default="D")
    options = letter_sets(max(_CHOICES, LETTERS.index(highest) + 1), several=several)
    for row, texts in zip(rows, answers, strict=True):
        for number, text in enumerate(texts, 1):
            yield _asked(row, file.stem, number, len(texts), text, options)


def _asked(row: Row, stem: str, number: int, count: int, answer: str, options: tuple[str, ...]) -> Example:
    text, points = row.text("question").strip(), row.get("score")
    letters = "".join(sorted(set(re.sub(r"\s", "", answer))))
    if letters not in options:
        raise DataError(f"{answer!r:.60} is none of {', '.join(options)}", where=f"{row.where}: answer")
    if isinstance(points, bool) or not isinstance(points, int | float) or points <= 0:
        raise DataError(f"{points!r:.60} is no number of points", where=f"{row.where}: score")
    fields = {
        "text": text,
        "number": number,
        "count": count,
        "points": points,
        "year": str(row.get("year")),
        "paper": checked(row.get("category"), f"{row.where}: category"),
    }
    question = text if count == 1 else f"{text}\n({number} of {count})"
    group = f"{stem}:{row.get('index')}"
    return Example(f"{group}:{number}", question, options, options.index(letters), group=group, fields=fields)
