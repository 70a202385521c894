"""The tasks that presage knows by name, each declared once, in the module of its kind."""

from __future__ import annotations

import importlib

from presage.core.errors import ConfigError, did_you_mean
from presage.tasks.family import Family
from presage.tasks.task import Task

MODULES: tuple[str, ...] = (
    *("knowledge", "commonsense", "reading", "truthful", "pairs", "bias", "multilingual", "inverse"),
    *("exams", "exams_choice", "dialogue", "languages", "generative", "synthetic", "modelling", "probes", "limits"),
    *("harness", "harness_free"),
)
"""Modules of this package; each has TASKS, a tuple of Task, and may have FAMILIES, a tuple of Family."""

SUITE: tuple[str, ...] = ("arc_challenge",)
"""What `presage examine` asks, as far as there are files."""


def tasks() -> dict[str, Task]:
    """{name: task} of the whole library."""
    found: dict[str, Task] = {}
    for module in MODULES:
        for task in importlib.import_module(f"{__name__}.{module}").TASKS:
            assert task.name not in found, f"two tasks are called {task.name}"
            found[task.name] = task
    return found


def families() -> dict[str, Family]:
    """{name: family} of the whole library: tasks that are asked for as "name:what"."""
    modules = (importlib.import_module(f"{__name__}.{module}") for module in MODULES)
    return {family.name: family for module in modules for family in getattr(module, "FAMILIES", ())}


def find(name: str) -> Task:
    """The task of a name, or of a family's name, a colon and what it asks for. Raises ConfigError with a suggestion."""
    family, colon, what = name.partition(":")
    if colon and family in (found := families()):
        return found[family].make(what)
    known = tasks()
    if name not in known:
        forms = {one.name: one.form for one in families().values()}
        hint = did_you_mean(family, forms) if colon else did_you_mean(name, [*known, *forms.values()])
        raise ConfigError(f"unknown task '{name}'", where="tasks", hint=hint)
    return known[name]
