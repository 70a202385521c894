"""What is asked of a model: tasks with their settings, made into questions with contexts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError, DataError
from presage.core.seeds import stream
from presage.data.items import Item
from presage.evaluate.score_tables import has_table, table_file
from presage.tasks.exam.model import PREFIX, Chart, Exam, exam_tasks
from presage.tasks.library.exams import exam_named
from presage.tasks.methods.free import decoded
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Task
from presage.tasks.user import declaring_files, find_task


class Asked(Config):
    """One task and how it is asked; what is None is as the task declares it."""

    task: str
    """A name of the library."""
    shots: int | None = Field(default=None, ge=0)
    limit: int | None = Field(default=None, ge=1)
    """So many examples, drawn by the seed, a smaller number out of a larger; all where there are fewer."""
    samples: int | None = Field(default=None, ge=1)
    """Completions an example, where the method writes some."""
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)

    @property
    def label(self) -> str:
        """What results are filed under: the task, and the shots where they are not the task's own."""
        return self.task if self.shots is None else f"{self.task}@{self.shots}"


@dataclass(frozen=True)
class Question:
    """An example in its context, with the ids of the shots shown before it."""

    example: Example
    context: str
    shots: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """A task's questions. files: what they and their scores depend on; total: examples there are, asked or not;
    declared: the task's name before anything was changed about how it is asked."""

    label: str
    declared: str
    task: Task
    shots: int
    total: int
    questions: tuple[Question, ...]
    files: tuple[Path, ...]

    @property
    def items(self) -> list[Item]:
        """As contamination is judged: the question's own text, no shots, no options."""
        return [Item(one.example.id, one.example.question) for one in self.questions]

    @property
    def chance(self) -> float | None:
        """The accuracy of guessing; None where that means nothing, as where options are neither weighed nor shown."""
        if "likelihood" not in self.task.method.needs and not all(map(self._shows_options, self.questions)):
            return None
        sizes = [len(one.example.options) for one in self.questions]
        return sum(1 / size for size in sizes) / len(sizes) if sizes and all(sizes) else None

    def _shows_options(self, question: Question) -> bool:
        shown = self.task.template.ask(question.example)
        return all(option in shown for option in question.example.options)


def plans_of(asked: Asked, data: Path, seed: int, change: Any = None) -> list[Plan]:
    """The questions of a task; of an exam, section by section. `change` turns a declared task into the one asked.

    Raises DataError for missing or malformed files, ConfigError for an unknown task or too small a pool of shots.
    """
    exam = exam_of(asked.task)
    if exam is None:
        return [_plan(asked.label, find_task(asked.task), asked, data, seed, change)]
    suffix = asked.label.removeprefix(asked.task)
    return [_plan(task.name + suffix, task, asked, data, seed, change) for task in exam_tasks(exam)]


def distinct(plans: Sequence[Plan]) -> None:
    """Raises ConfigError where two plans would be filed under one label."""
    twice = _twice([one.label for one in plans])
    if twice is not None:
        raise ConfigError(f"the task '{twice}' twice", where="tasks", hint="ask each once, or with other shots")


def _twice(names: Sequence[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def exam_of(name: str) -> Exam | None:
    """The exam that "exam:NAME" or "exam:FILE.json" is as a whole; None for any other task."""
    whole = name.startswith(PREFIX) and ":" not in name.removeprefix(PREFIX)
    return exam_named(name) if whole else None


def exams_of(names: Iterable[str]) -> list[Exam]:
    """Every exam that these tasks are, or are sections of, once."""
    wholes = [":".join(name.split(":")[:2]) for name in names if name.startswith(PREFIX)]
    return list({exam.name: exam for exam in map(exam_named, wholes)}.values())


def _plan(label: str, declared: Task, asked: Asked, data: Path, seed: int, change: Any) -> Plan:
    task = _set(declared, asked)
    task = change(task) if change else task
    k = task.shots if asked.shots is None else asked.shots
    every = task.data.examples(data, seed)
    twice = _twice([one.id for one in every])
    if twice is not None:
        raise DataError(f"the id '{twice}' appears twice", where=asked.task)
    chosen = _drawn(every, asked, seed)
    if k and not getattr(task.method, "takes_shots", True):
        raise ConfigError("this task shows no solved examples", where=asked.task, hint="leave out --shots")
    pool = task.data.pool(data, seed) if k else []
    shots = Shots(task, (pool or every) if k else [], k, seed, name=declared.name, own=not pool, asked=chosen)
    questions = tuple(_question(one, shots) for one in chosen)
    return Plan(label, declared.name, task, k, len(every), questions, tuple(_files(asked.task, task, data)))


def _files(name: str, task: Task, folder: Path) -> list[Path]:
    """Every file that a task's scores depend on: its examples and shots, its declaration, and an exam's tables.

    name: as it was asked for. What is listed here is recorded by digest, and is compared when an examination goes on.
    """
    return [*task.data.files(folder), *declaring_files(name), *_exam_files(name, folder)]


def _exam_files(name: str, folder: Path) -> list[Path]:
    """The file that declares an exam, and the tables that make its score and percentile, as far as they are there."""
    found = []
    for exam in exams_of([name]):
        whole = ":".join(name.split(":")[:2]).removeprefix(PREFIX)
        found += [Path(whole)] if whole.endswith(".json") else []
        home = exam.folder or folder
        chart = [exam.scale.table] if isinstance(exam.scale, Chart) else []
        found += [table_file(one, home) for one in (*chart, *exam.percentiles) if has_table(one, home)]
    return found


def _question(example: Example, shots: Shots) -> Question:
    drawn = shots.of(example)
    return Question(example, shots.text(example, drawn), tuple(shot.id for shot in drawn))


def _drawn(examples: Sequence[Example], asked: Asked, seed: int) -> Sequence[Example]:
    if asked.limit is None or asked.limit >= len(examples):
        return examples
    places = stream(seed, "limit", asked.task).permutation(len(examples))[: asked.limit]
    return [examples[place] for place in sorted(places)]


def _set(task: Task, asked: Asked) -> Task:
    """The task's method with the decoding that was asked for."""
    wanted = {name: getattr(asked, name) for name in ("samples", "temperature", "max_tokens")}
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        return task
    method: Any = task.method
    if not hasattr(method, "decoding"):
        raise ConfigError(f"this task writes nothing: {', '.join(changes)} cannot be set", where=asked.task)
    changed: Any = method.decoded(**changes) if hasattr(method, "decoded") else _decoded(method, changes, asked.task)
    return replace(task, method=changed)


def _decoded(method: Any, changes: dict[str, Any], task: str) -> Any:
    samples = changes.get("samples", method.decoding.samples)
    if samples > 1 and not getattr(method, "reads_samples", False):
        raise ConfigError("this task reads one sample an example", where=task, hint="leave out --samples")
    return replace(method, decoding=decoded(method.decoding, samples, **changes))
