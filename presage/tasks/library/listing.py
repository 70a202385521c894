"""The library as a list for people: what is asked, how answers become scores, and where that is from."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass

from presage.tasks.library import MODULES, families
from presage.tasks.task import Method, Task

SCORINGS = {
    "letter": "choice: the likeliest letter, all options shown",
    "sum": "choice: the option of the highest log P",
    "per_token": "choice: the option of the highest log P per token",
    "per_byte": "choice: the option of the highest log P per byte",
    "unconditional": "choice: the option of the highest log P less its log P without the question",
    "partial": "choice: the candidate after which the rest of the sentence is likeliest",
    "full": "choice: the candidate with which the whole sentence is likeliest",
}
FILES = {
    "FILE.jsonl, FILE.jsonl:GRADER, FILE.py:NAME": "tasks of your own (docs/tasks.md)",
    "exam:FILE.json": "an exam of your own, asked by GPT-4's procedure",
}
"""What `--tasks` takes besides the library: form and what it is."""


@dataclass(frozen=True)
class Area:
    """A module of the library: what its tasks are about, in a sentence."""

    asks: str
    tasks: tuple[Task, ...]


def areas() -> list[Area]:
    """The tasks of the library, kind by kind."""
    modules = [importlib.import_module(f"presage.tasks.library.{name}") for name in MODULES]
    return [Area((module.__doc__ or "").split("\n")[0], tuple(module.TASKS)) for module in modules if module.TASKS]


def forms() -> dict[str, str]:
    """{form: what it is} of everything that `--tasks` takes besides names: families and files."""
    return {one.form: one.says for one in families().values()} | FILES


def how(method: Method) -> str:
    """How answers become scores: the scoring of a choice, what its method says of itself in a sentence else."""
    scoring = getattr(getattr(method, "choice", method), "scoring", None)
    said = _first_sentence(type(method).__doc__ or type(method).__name__)
    if scoring not in SCORINGS:
        return said
    return SCORINGS[scoring] if type(method).__name__ in _PLAIN else f"{SCORINGS[scoring]}; {said}"


_PLAIN = {"Choice", "Partial", "LetterSets"}


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z)])[.:](?:\s|$)|\n\n", text.strip(), maxsplit=1)[0].replace("\n", " ").replace("    ", "")
