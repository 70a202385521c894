"""Families of tasks: one declaration for many, told apart by what follows a colon, as in "flores:eng-fra"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from presage.tasks.task import Task


@dataclass(frozen=True)
class Family:
    """form: how a member is asked for ("flores:SOURCE-TARGET"). make takes what follows the colon, and raises
    ConfigError where that does not fit; the task it returns has a name of its own that can be a file's."""

    name: str
    form: str
    says: str
    make: Callable[[str], Task]
