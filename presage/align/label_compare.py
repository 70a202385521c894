"""Comparing completions blind: what the page is told of a task, and what becomes of the answer.

As InstructGPT's labellers did (section 3.4 and appendix B): every completion a rank, ties allowed, a rating of 1 to 7
and flags, its eleven in our words. Whoever labels sees texts alone, in an order drawn for them.

A label is a preference record, which a reward model trains on; beside its keys, which are by place in the task:

| key | what it is |
| :-- | :-- |
| sources | who wrote each completion, where the task says so |
| shown | the places in the order in which they were shown |
| ratings | 1 to 7 or null for each, where any was given |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from presage.align.label_tasks import Task, as_turns, shown_order
from presage.align.records import Preference, line_of, read_preferences
from presage.core.errors import DataError
from presage.tasks.readers.rows import Row

BEST_RATING = 7
FLAGS = {
    "missed": "does not do what was asked",
    "unfit": "unfit for an assistant of customers",
    "invented": "makes things up",
    "constraint kept": "keeps to a condition that was set",
    "sexual": "sexual content",
    "violent": "violent content",
    "lets harm pass": "encourages harm, or does not discourage it",
    "denigrates": "denigrates a protected group of people",
    "bad advice": "gives harmful advice",
    "opinion": "states an opinion",
    "moralises": "judges morally",
}
"""{what is written: what is shown} (InstructGPT, table 3: what its labellers noted beside the ranks)."""


class Comparing:
    """Tasks for one person. Raises DataError for a name that is none."""

    kind = "compare"

    def __init__(self, tasks: Sequence[Task], who: str) -> None:
        self.who = checked_name(who)
        self._tasks = {task.id: task for task in tasks}

    @property
    def ids(self) -> Sequence[str]:
        """In the order of the file."""
        return tuple(self._tasks)

    def shown(self, id: str) -> dict[str, Any]:
        """Texts in the person's order, and the words of the page; nothing of sources, category or id."""
        task = self._tasks[id]
        texts = [task.completions[place] for place in self._order(task)]
        return {"prompt": as_turns(task.prompt), "completions": texts, "flags": list(FLAGS.items())}

    def line(self, id: str, answer: Mapping[str, Any], when: str) -> bytes:
        """A preference as a line, of an answer {ranks, ratings, flags}, each one a completion in the order shown."""
        task = self._tasks[id]
        order, row = self._order(task), Row("the answer", id, answer)
        ranks, ratings, flags = (_by_place(one, order) for one in (_ranks(row, order), _ratings(row), _flags(row)))
        label = Preference(
            prompt=task.prompt,
            completions=task.completions,
            ranks=tuple(ranks),
            id=id,
            who=self.who,
            when=when,
            flags={str(place): tuple(some) for place, some in enumerate(flags) if some},
            category=task.category,
            group=task.group,
        )
        beside = {"sources": list(task.sources), "shown": list(order), "ratings": ratings if any(ratings) else []}
        return line_of(label, {key: value for key, value in beside.items() if value})

    def answered(self, path: Path) -> Collection[str]:
        """What the person has labelled. Raises DataError where an id is there with another prompt or completions."""
        labels = read_preferences(path)
        for one in labels:
            task = self._tasks.get(one.id)
            if task is not None and (task.prompt, task.completions) != (one.prompt, one.completions):
                raise DataError(f"the id '{one.id}' is of another prompt or completions here", where=path)
        return [one.id for one in labels if one.who == self.who]

    def _order(self, task: Task) -> tuple[int, ...]:
        return shown_order(task.id, self.who, len(task.completions))


def checked_name(who: str) -> str:
    """A person's name, one line of text. Raises DataError."""
    if not who.strip() or not who.isprintable():
        raise DataError("a name is one line of text", where="--who")
    return who


def _by_place(found: Sequence[Any], order: Sequence[int]) -> list[Any]:
    """What was said of completions as shown, by their places in the task."""
    if len(found) != len(order):
        raise DataError(f"{len(found)} of {len(order)} completions", where="the answer")
    return [found[order.index(place)] for place in range(len(order))]


def _ranks(row: Row, order: Sequence[int]) -> list[int]:
    """From 1 without gaps: the least number is the best."""
    found = [_within(row, "ranks", one, len(order)) for one in row.of(list, "ranks")]
    steps = sorted(set(found))
    return [steps.index(one) + 1 for one in found]


def _ratings(row: Row) -> list[int | None]:
    return [None if one is None else _within(row, "ratings", one, BEST_RATING) for one in row.of(list, "ratings")]


def _within(row: Row, key: str, value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise DataError(f"{value!r:.40} is no whole number from 1 to {most}", where=f"{row.where}: {key}")
    return value


def _flags(row: Row) -> list[list[str]]:
    found, known = row.of(list, "flags"), list(FLAGS)
    for one in found:
        if not isinstance(one, list) or any(flag not in known for flag in one):
            raise DataError(f"{one!r:.60} are no flags", where=f"{row.where}: flags", hint=f"known: {', '.join(known)}")
    return [[flag for flag in FLAGS if flag in one] for one in found]
