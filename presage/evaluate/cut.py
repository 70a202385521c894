"""Prompts that did not fit: where all of a task's were cut, its score is not of what was to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from presage.evaluate.limits import POSITION


def warnings(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence that names every task and number of shots of which all prompts were cut; of several models, one for
    each set of models that this happened to.

    rows: of tables/tasks.csv or tables/ladder.csv, with "truncated" examples of "n". Not of the loss by position, which
    reaches beyond the context on purpose and has a table of its own.
    """
    models: dict[str, list[str]] = {}
    for row in rows:
        named = str(row["task"]).partition("@")[0]
        if int(row["n"]) and int(row["truncated"] or 0) == int(row["n"]) and named != POSITION:
            models.setdefault(f"{named} ({_shots(int(row['shots']))})", []).append(str(row.get("model", "")))
    tasks: dict[tuple[str, ...], list[str]] = {}
    for task, some in models.items():
        tasks.setdefault(tuple(dict.fromkeys(filter(None, some))), []).append(task)
    return [_sentence(of, some) for of, some in tasks.items()]


def _sentence(models: tuple[str, ...], tasks: list[str]) -> str:
    of = f" of {', '.join(models)}" if models else ""
    so = "so no question was seen with all that it was to be shown with"
    return f"every prompt{of} was cut from the left to fit the context, {so}: {', '.join(tasks)}"


def _shots(count: int) -> str:
    return f"{count} shot{'' if count == 1 else 's'}"
