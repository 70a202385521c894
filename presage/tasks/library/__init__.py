"""The tasks that presage knows by name, each declared once, in the module of its kind."""

from __future__ import annotations

import importlib

from presage.core.errors import ConfigError, did_you_mean
from presage.tasks.task import Task

MODULES: tuple[str, ...] = ("knowledge", "exams", "languages", "limits")
"""Modules of this package; each has TASKS, a tuple of Task."""


def tasks() -> dict[str, Task]:
    """{name: task} of the whole library."""
    found: dict[str, Task] = {}
    for module in MODULES:
        for task in importlib.import_module(f"{__name__}.{module}").TASKS:
            assert task.name not in found, f"two tasks are called {task.name}"
            found[task.name] = task
    return found


def find(name: str) -> Task:
    """The task of a name. Raises ConfigError with a suggestion."""
    known = tasks()
    if name not in known:
        raise ConfigError(f"unknown task '{name}'", where="tasks", hint=did_you_mean(name, known))
    return known[name]
