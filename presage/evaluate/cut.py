"""Prompts that did not fit: where all of a task's were cut, its score is not of what was to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from presage.evaluate.limits import POSITION


def warnings(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each task and number of shots of which every prompt was cut; of several models, which of them.

    rows: of tables/tasks.csv or tables/ladder.csv, with "truncated" examples of "n". Not of the loss by position, which
    reaches beyond the context on purpose and has a table of its own.
    """
    found: dict[tuple[str, int], list[str]] = {}
    for row in rows:
        if str(row["task"]).partition("@")[0] == POSITION:
            continue
        if int(row["n"]) and int(row["truncated"] or 0) == int(row["n"]):
            found.setdefault((str(row["task"]), int(row["shots"])), []).append(str(row.get("model", "")))
    return [
        _sentence(task, shots, list(dict.fromkeys(filter(None, models)))) for (task, shots), models in found.items()
    ]


def _sentence(task: str, shots: int, models: list[str]) -> str:
    of = f" of {', '.join(models)}" if models else ""
    less = f"this is no score of {_shots(shots)}" if shots else "no question was seen whole"
    return f"{task} with {_shots(shots)}: every prompt{of} was cut from the left to fit, so {less}"


def _shots(count: int) -> str:
    return f"{count} shot{'' if count == 1 else 's'}"
