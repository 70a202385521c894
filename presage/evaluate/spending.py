"""What asking endpoints took, kept as it is spent: an interruption forgets nothing that was paid for.

Rows of timing.jsonl, one a model and part of the questions: the running total over everything that was asked for this
run, before interruptions and after. A model's last row has all of it. No part of the result: a retry changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from presage.core.files import atomic_write, whole_lines
from presage.core.run import RunDir
from presage.data.verbs import LanguageModel

TIMING = "timing.jsonl"
Counts = dict[str, int | float]


class Spending:
    """The running totals of a run's models, {role: model}; those that count nothing, as a run's own, have none."""

    def __init__(self, directory: RunDir, models: Mapping[str, LanguageModel | None]) -> None:
        self.directory = directory
        self.models = {role: one for role, one in models.items() if getattr(one, "usage", None) is not None}
        self.before = {role: _last(directory, role) for role in self.models}
        self.written = dict(self.before)
        _without_torn_line(directory)

    def keep(self) -> None:
        """A row for every model that was asked since the last one."""
        for role, model in self.models.items():
            total = _sum(self.before[role], _counted(model))
            if total != self.written[role]:
                self.directory.timing(model=getattr(model, "name", ""), role=role, **total)
                self.written[role] = total


def _counted(model: Any) -> Counts:
    return {row["what"]: row["value"] for row in model.usage.table()}


def _sum(one: Counts, other: Counts) -> Counts:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _last(directory: RunDir, role: str) -> Counts:
    """What the last row of a model says; nothing where it has none yet."""
    rows = [row for row in directory.rows(TIMING) if row.get("role") == role]
    return {name: value for name, value in (rows[-1] if rows else {}).items() if type(value) in (int, float)}


def _without_torn_line(directory: RunDir) -> None:
    path = directory.path / TIMING
    if path.exists():
        lines = whole_lines(path)
        with atomic_write(path) as file:
            file.writelines(line + b"\n" for line in lines)
