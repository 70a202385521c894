"""Tasks that a user's Python declares: what they lack is said before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from presage.core.errors import ConfigError
from presage.tasks.task import Metric, Need, Task

_PAGE = "docs/tasks.md shows a whole one"
_PARTS = {"method": ("metrics", "needs", "examine"), "data": ("files", "examples", "pool")}
_NEEDS = "LIKELIHOOD, JUDGE, SANDBOX or NO_NEEDS of presage.tasks.task"


def whole(task: Task, path: Path) -> Task:
    """The task. Raises ConfigError naming file and class where its method or its data lack what every one has."""
    for part, names in _PARTS.items():
        _check_has(getattr(task, part), part, names, path)
    method: Any = task.method
    who = f"the method, a {type(method).__name__},"
    if not isinstance(method.needs, set | frozenset) or not method.needs <= set(get_args(Need)):
        raise ConfigError(f"{who} needs {method.needs!r:.60}", where=path, hint=_NEEDS)
    found = method.metrics
    if not isinstance(found, tuple) or not found or not all(isinstance(one, Metric) for one in found):
        raise ConfigError(f"{who} has the metrics {found!r:.60}", where=path, hint="metrics = (Metric('accuracy'),)")
    return task


def _check_has(found: Any, part: str, names: tuple[str, ...], path: Path) -> None:
    if isinstance(found, type):
        hint = f"{found.__name__}() makes an object of it"
        raise ConfigError(f"the {part} is the class {found.__name__}, not an object", where=path, hint=hint)
    lacks = next((name for name in names if not hasattr(found, name)), None)
    if lacks is not None:
        what = f"the {part}, a {type(found).__name__}, has no '{lacks}'"
        raise ConfigError(what, where=path, hint=_PAGE)
