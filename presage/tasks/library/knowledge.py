"""Examinations of knowledge: MMLU and ARC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from presage.data.items import read_items
from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.task import Example, Task


def choices(paths: Sequence[Path], category: Callable[[Path], str] = lambda path: "") -> list[Example]:
    """Every item that has options and says which is right."""
    rows = ((path, item) for path in paths for item in read_items(path) if item.answer is not None)
    return [Example(item.id, item.text, item.options, item.answer, category=category(path)) for path, item in rows]


_ARC = "GPT-3 report, §2.4 and Table H.1: unconditional normalisation, K = 50"

TASKS: tuple[Task, ...] = (
    Task(
        "arc_challenge",
        1,
        Files(
            choices,
            (("ARC-Challenge-Test*",),),
            (("ARC-Challenge-Train*",),),
        ),
        plain(),
        Choice("unconditional"),
        _ARC,
    ),
)
