"""Judged dialogues: MT-Bench, 80 conversations of two turns in eight categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.tasks.files import Files
from presage.tasks.methods.dialogue import Paired, Rated
from presage.tasks.readers.rows import Row, json_rows
from presage.tasks.task import Example, Task, Template

_TURNS = 2
_WITH_REFERENCE = {"math", "reasoning", "coding"}
_TEMPERATURES = (("writing", 0.7), ("roleplay", 0.7), ("stem", 0.1), ("humanities", 0.1))


def conversations(paths: Sequence[Path]) -> list[Example]:
    """Questions with their reference answers, from any order of files.

    A question is {"question_id", "category", "turns"}, an answer {"question_id", "choices": [{"turns"}]}. The notes
    that some questions bring under "reference" are no answers ("straightforward"), and are left out.
    Raises DataError naming file and line; also for a question of mathematics, reasoning or coding without a reference,
    which the judge would grade by another measure.
    """
    rows = [row for path in paths for row in json_rows(path)]
    answers = [row for row in rows if "choices" in row.value]
    references = {row.name("question_id"): _answer(row) for row in answers}
    examples = [_question(row, references) for row in rows if "choices" not in row.value]
    if len({example.id for example in examples}) != len(examples):
        raise DataError("a question_id appears twice", where=", ".join(map(str, paths)))
    return examples


def against_reference(paths: Sequence[Path]) -> list[Example]:
    """The questions that have reference answers, which the model's are compared with."""
    found = [example for example in conversations(paths) if example.fields["reference"]]
    return [replace(one, fields={**one.fields, "baseline": one.fields["reference"]}) for one in found]


def _question(row: Row, references: dict[str, list[str]]) -> Example:
    name, category = row.name("question_id"), row.text("category")
    turns = _texts(row, row.get("turns"), "turns")
    reference = references.get(name, [])
    if category in _WITH_REFERENCE and not reference:
        hint = "reference answers stand in mt_bench/reference_answer/gpt-4.jsonl"
        raise DataError(f"no reference answer to question {name}", where=row.where, hint=hint)
    return Example(name, "\n\n".join(turns), category=category, fields={"turns": turns, "reference": reference})


def _answer(row: Row) -> list[str]:
    choices = row.of(list, "choices")
    turns = choices[0].get("turns") if choices and isinstance(choices[0], dict) else None
    return _texts(row, turns, "choices")


def _texts(row: Row, value: Any, name: str) -> list[str]:
    fits = isinstance(value, list) and len(value) == _TURNS and all(isinstance(one, str) and one for one in value)
    if not fits:
        raise DataError(f"'{name}' does not hold two turns", where=row.where)
    return list(value)


def _files(read: Any) -> Files:
    ours = ("mt_bench__question.jsonl", "mt_bench__reference_answer__gpt-4.jsonl")
    theirs = ("mt_bench/question.jsonl", "mt_bench/reference_answer/gpt-4.jsonl")
    return Files(read, (ours, theirs))


_SHOWN = Template(lambda example: example.fields["turns"][0], lambda example: "")
_SOURCE = "MT-Bench (Zheng et al. 2023): its questions, references and temperatures; our prompts to the judge"

TASKS: tuple[Task, ...] = (
    Task("mt_bench", 1, _files(conversations), _SHOWN, Rated(temperatures=_TEMPERATURES), _SOURCE),
    Task("mt_bench_pairs", 1, _files(against_reference), _SHOWN, Paired(temperatures=_TEMPERATURES), _SOURCE),
)
