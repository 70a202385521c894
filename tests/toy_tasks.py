"""Small tasks for tests, and a model's rules that answer them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from presage.tasks.methods.choice import Choice, plain
from presage.tasks.task import Example, Task

CITIES = ("Paris", "Berlin", "Rome", "Madrid", "Lisbon", "Vienna", "Oslo", "Athens")
COUNTRIES = ("France", "Germany", "Italy", "Spain", "Portugal", "Austria", "Norway", "Greece")
CAPITALS = [
    Example(
        f"c{i}", f"Capital of {country}?", (CITIES[i], CITIES[(i + 1) % 8]), 0, group=f"g{i // 2}", category="NS"[i % 2]
    )
    for i, country in enumerate(COUNTRIES)
]


@dataclass(frozen=True)
class Given:
    """Data that is already there."""

    found: tuple[Example, ...]
    others: tuple[Example, ...] = ()

    def files(self, folder: Path) -> list[Path]:
        return []

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return list(self.found)

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return list(self.others)


def capitals(**changes: Any) -> Task:
    """Eight questions of two options; the first is right. Groups of two, categories N and S in turn."""
    task = Task("capitals", 1, Given(tuple(CAPITALS)), plain(), Choice("sum"), "tests")
    return replace(task, **changes)
