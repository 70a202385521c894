"""Tasks of one's own: a name of the library, FILE.jsonl, FILE.jsonl:GRADER, or FILE.py:NAME, made into a Task.

What a file of JSON lines is, its first row tells:

| keys | what it is | graders, the first if none is named |
| :-- | :-- | :-- |
| input, ideal | samples of OpenAI Evals, as they are | match, includes, fuzzy, json, exact |
| question, options, answer | multiple choice | per_token, sum, per_byte, unconditional, letter |
| question, answer or answers | closed-book questions | exact, match, includes, fuzzy, json |

In place of a grader may stand a file for a judge: a rubric (.md), or a classification of OpenAI Evals (.json). Shots
are drawn from FILE.shots.jsonl beside the file, if there is one, else from the file itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.modules import load_module
from presage.data.documents import COMPRESSIONS
from presage.data.verbs import Decoding
from presage.tasks.library import ALL, families, find, tasks
from presage.tasks.methods.chat import chat_template, is_chat
from presage.tasks.methods.choice import Choice, Scoring, lettered, plain
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.match import Match
from presage.tasks.methods.rubric import read_classification
from presage.tasks.readers.rows import Row
from presage.tasks.task import Example, Method, Task, Template
from presage.tasks.user_code import whole
from presage.tasks.user_rows import choice, question, sample, user_rows

_LINES = re.compile(rf"\.jsonl({'|'.join(map(re.escape, COMPRESSIONS))})?$")
JUDGED = 2  # the version of what a judge grades: it is shown all answers that count as right since
_A_LINE = Decoding(64, ("\n",))


@dataclass(frozen=True)
class Kind:
    """What rows may be: the keys that say so, how one is read, shown and graded. The first grader is the usual one."""

    keys: tuple[str, ...]
    read: Callable[[Row], Example]
    template: Template
    graders: Mapping[str, Method]
    decoding: Decoding | None = None
    """Of answers that a judge grades; None: they are not written."""


@dataclass(frozen=True)
class UserFile:
    """Examples of one's own file, wherever the public ones are."""

    path: Path
    kind: Kind
    chat: bool
    """Whether its inputs are conversations: then the shots are, too."""

    def files(self, folder: Path) -> list[Path]:
        return [self.path, *self._shots()]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return self._read(self.path)

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return [example for path in self._shots() for example in self._read(path)]

    def _shots(self) -> list[Path]:
        beside = self.path.with_name(f"{_stem(self.path)}.shots.jsonl")
        return [beside] if beside.is_file() else []

    def _read(self, path: Path) -> list[Example]:
        found: dict[str, Example] = {}
        for row in user_rows(path):
            example = self._example(row)
            if example.id in found:
                raise DataError(f"the id '{example.id}' appears twice", where=row.where)
            found[example.id] = example
        if not found:
            raise DataError("holds no examples", where=path)
        return list(found.values())

    def _example(self, row: Row) -> Example:
        if _kind(row) is not self.kind:
            raise DataError(f"a row without {' and '.join(self.kind.keys)} among others", where=row.where)
        example = self.kind.read(row)
        if is_chat(example) is not self.chat:
            form, others = ("a chat", "texts") if is_chat(example) else ("a text", "chats")
            raise DataError(f"{form} among {others}", where=row.where)
        return example


def find_task(spec: str) -> Task:
    """The task that a name, FILE.jsonl[:GRADER] or FILE.py[:NAME] stands for.

    Raises ConfigError with a suggestion for what is unknown, and DataError naming file and line for what cannot be
    read: a file is read as a whole when its examples are asked for, its first row here.
    """
    name, _, detail = spec.rpartition(":") if ":" in spec else (spec, "", "")
    for path, rest in ((spec, ""), (name, detail)):
        if _LINES.search(path):
            return _from_lines(Path(path), rest)
        if path.endswith(".py"):
            return _from_python(Path(path), rest)
    _check_no_file(spec)
    return find(spec)


def declaring_files(spec: str) -> list[Path]:
    """The files that a name brings besides its examples: the Python file, or a judge's rubric or classification."""
    path, _, detail = spec.rpartition(":")
    if _LINES.search(path):
        return [_beside(Path(detail), Path(path))] if detail.endswith((".md", ".json")) else []
    return [Path(one) for one in (spec, path) if one.endswith(".py")][:1]


def _check_no_file(spec: str) -> None:
    """Raises ConfigError for what is meant as a file, and is no name that a file of tasks has."""
    path, found = Path(spec), os.path.isfile(spec)
    if spec.partition(":")[0] in families() or not (found or path.suffix or len(path.parts) > 1):
        return
    small = ", in small letters" if _LINES.search(spec.lower()) or spec.lower().endswith(".py") else ""
    there = f"'{spec:.60}' is there" if found else f"there is no file '{spec:.60}'"
    hint = f"a judge's file stands after the examples: FILE.jsonl:{path.name:.60}" if path.suffix == ".md" else ALL
    raise ConfigError(f"a file of tasks ends in .jsonl or .py{small}; {there}", where="tasks", hint=hint)


# ---- JSON lines ------------------------------------------------------------------------------------------------------

_RULES: tuple[str, ...] = ("match", "includes", "fuzzy", "json", "exact")


def _written(usual: str, decoding: Decoding) -> dict[str, Method]:
    names = sorted(_RULES, key=lambda name: name != usual)
    return {name: Match(name, decoding) for name in names}  # type: ignore[arg-type]


def _target(example: Example) -> str:
    return f" {example.targets[0]}"


KINDS: tuple[Kind, ...] = (
    Kind(
        ("input", "ideal"),
        sample,
        chat_template(Template(lambda example: example.question, _target)),
        _written("match", Decoding(512)),
        Decoding(512),
    ),
    Kind(
        ("question", "options", "answer"),
        choice,
        plain(),
        {name: Choice(name) for name in sorted(get_args(Scoring), key=lambda name: name != "per_token")},
    ),
    Kind(
        ("question", "answer"),
        question,
        Template(lambda example: f"Q: {example.question}\nA:", _target),
        _written("exact", _A_LINE),
        Decoding(512),
    ),
)


def _from_lines(path: Path, grader: str) -> Task:
    first = next(user_rows(path), None) or _nothing(path)
    kind = _kind(first)
    method = _method(kind, grader, path)
    name = _name(_stem(path) + (f"_{Path(grader).stem}" if grader else ""), path)
    by_letter = isinstance(method, Choice) and method.scoring == "letter"
    template = lettered(lambda example: f"Question: {example.question}") if by_letter else kind.template
    data = UserFile(path, kind, is_chat(kind.read(first)))
    return Task(name, JUDGED if isinstance(method, Judged) else 1, data, template, method, f"your file {path.name}")


def _nothing(path: Path) -> Row:
    raise DataError("holds no examples", where=path)


def _kind(row: Row) -> Kind:
    """What a row is. Raises DataError."""
    keys = set(row.value) | ({"answer"} if "answers" in row.value else set())
    keys |= {"input", "ideal"} if "sample" in row.value else set()
    found = next((kind for kind in KINDS if keys >= set(kind.keys)), None)
    if found is None:
        hint = "; or ".join(", ".join(kind.keys) for kind in KINDS)
        raise DataError(f"no example: it has {', '.join(row.value) or 'no keys'}", where=row.where, hint=hint)
    return found


def _method(kind: Kind, grader: str, path: Path) -> Method:
    if grader.endswith((".md", ".json")):
        if kind.decoding is None:
            hint = f"one of {', '.join(kind.graders)}"
            raise ConfigError("multiple choice is graded without a judge", where=f"{path}:{grader}", hint=hint)
        return Judged(read_classification(_beside(Path(grader), path)), kind.decoding)
    if grader and grader not in kind.graders:
        hint = did_you_mean(grader, kind.graders)
        raise ConfigError(f"no grader '{grader}' for such a file", where=path, hint=hint)
    return kind.graders[grader or next(iter(kind.graders))]


def _beside(file: Path, path: Path) -> Path:
    """A judge's file as it is named, or beside the file of examples."""
    return file if file.exists() else path.parent / file


def _stem(path: Path) -> str:
    return _LINES.sub("", path.name)


def _name(text: str, where: object) -> str:
    """A name that can be part of a file's, and is none of the library's."""
    name = re.sub(r"[^\w.-]", "_", text).lstrip(".") or "mine"
    if name in tasks():
        raise ConfigError(f"a task of the library is called '{name}'", where=where, hint="rename the file")
    return name


# ---- Python ----------------------------------------------------------------------------------------------------------


def _from_python(path: Path, name: str) -> Task:
    if not path.is_file():
        raise ConfigError("no such file", where=path)
    declared = {key: value for key, value in vars(load_module(path)).items() if isinstance(value, Task)}
    if not name and len(declared) == 1:
        name = next(iter(declared))
    if name not in declared:
        what = f"no Task '{name}'" if name else f"{len(declared)} tasks, and none is named"
        raise ConfigError(what, where=path, hint=_suggested(name, declared))
    return whole(declared[name], path)


def _suggested(name: str, declared: Sequence[str] | Mapping[str, Any]) -> str:
    return did_you_mean(name, declared) if declared else "declare one: TASK = Task(...)"
