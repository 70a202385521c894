"""Factuality by category, as in the GPT-4 report's adversarial evaluation (§5): nine categories, facts against errors.

The report's questions are not published. A user's facts are JSON lines {category, question, answer, false_answers};
where a folder has none, the facts are generated from the Python library of this machine (`builtin_facts`). A question
is multiple choice by likelihood among the true answer and the false ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, did_you_mean
from presage.core.seeds import stream
from presage.core.strict import half_surrogate, read_json
from presage.data.documents import read_bytes
from presage.tasks.limits.builtin_facts import CATEGORIES, builtin_facts
from presage.tasks.task import Example

PATTERN = "facts.jsonl"
KEYS = ("category", "question", "answer", "false_answers")


def read_facts(paths: Sequence[Path]) -> list[Example]:
    """Facts of JSON lines, named by file and line; files of several folders by their paths below what they share.

    Raises DataError naming file and line.
    """
    found: dict[str, Example] = {}
    shared = os.path.commonpath([path.parent for path in paths]) if paths else ""
    for path in paths:
        try:
            lines = read_bytes(path).decode("utf-8-sig").split("\n")
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=path) from None
        for number, line in enumerate(lines, 1):
            if line.strip():
                where = f"{path}:{number}"
                one = _fact(read_json(line, where), f"{path.relative_to(shared).as_posix()}:{number}", where)
                if one.question in found:
                    raise DataError(f"the question '{one.question:.60}' appears twice", where=where)
                found[one.question] = one
    if not found:
        raise DataError("holds no facts", where=paths[0] if paths else None)
    return list(found.values())


def _fact(row: Any, name: str, where: str) -> Example:
    if not isinstance(row, dict):
        raise DataError("not an object", where=where)
    for key in KEYS[:3]:
        if not isinstance(row.get(key), str) or not row[key].strip() or half_surrogate(row[key]):
            raise DataError(f"no text '{key}'", where=where, hint=f"every line has {', '.join(KEYS)}")
    if row["category"] not in CATEGORIES:
        what = f"unknown category '{row['category']}'"
        raise DataError(what, where=where, hint=did_you_mean(row["category"], CATEGORIES))
    false = row.get("false_answers")
    if not isinstance(false, list) or not false or not all(isinstance(one, str) and one.strip() for one in false):
        raise DataError("'false_answers' is no list of texts", where=where)
    if row["answer"] in false or len(set(false)) < len(false) or any(map(half_surrogate, false)):
        raise DataError("the answer among the false ones, or one of them twice", where=where)
    return fact_example(name, row["category"], row["question"], row["answer"], false)


def fact_example(name: str, category: str, question: str, answer: str, false: Sequence[str]) -> Example:
    """A fact as a question of multiple choice, its options in an order that depends on the question alone."""
    options = sorted([answer, *false])
    options = [options[i] for i in stream(0, "facts", question).permutation(len(options))]
    return Example(name, question, tuple(options), options.index(answer), (answer,), category=category)


@dataclass(frozen=True)
class Facts:
    """The facts.jsonl of the folder, or the generated ones."""

    def files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.resolve().rglob(PATTERN) if path.is_file())

    def examples(self, folder: Path, seed: int) -> list[Example]:
        """The user's facts, or the generated ones. Raises DataError for a file that is not right."""
        own = self.files(folder)
        if own:
            return read_facts(own)
        return [fact_example(f"{fact[0]}-{i}", *fact) for i, fact in enumerate(builtin_facts(seed))]

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return []
