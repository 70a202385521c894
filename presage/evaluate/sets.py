"""Named sets of evaluation items: files, and what presage generates from a seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from presage.core.config import Config
from presage.data.documents import COMPRESSIONS
from presage.data.items import Item, read_items
from presage.data.microcode import problems
from presage.data.microcode_families import LEVELS

RESERVED = "copy"
"""What results about the deliberately contaminated copy are filed under."""


class ItemSet(Config):
    """One set: a file in any form that `presage.data.items` reads, or generated items by count and seed."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    kind: Literal["file", "microcode", "hindsight"] = "file"
    path: str = ""
    """Of a file."""
    count: int | None = Field(default=None, ge=1)
    """Of generated items."""
    levels: tuple[int, ...] = LEVELS
    """For microcode."""
    seed: int = 0
    """Of generated items."""

    @model_validator(mode="after")
    def _complete(self) -> ItemSet:
        if (self.kind == "file") != bool(self.path) or (self.kind == "file") == (self.count is not None):
            raise ValueError(f"set '{self.name}': kind 'file' needs a path, the other kinds need a count and no path")
        if self.name == RESERVED:
            raise ValueError(f"'{RESERVED}' is taken: it stands for the contaminated copy")
        return self

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.path or self.name

    def items(self) -> list[Item]:
        """Every item. Raises DataError naming file and line, or for more items than there are."""
        return _MAKERS[self.kind](self)


def set_of(path: Path) -> ItemSet:
    """The set that a file is, named after it: `mmlu.test.jsonl.xz` is "mmlu-test"."""
    name = path.name
    stem = next((name.removesuffix(end) for end in COMPRESSIONS if name.endswith(end)), name)
    words = re.sub(r"[^A-Za-z0-9_-]+", "-", stem.rpartition(".")[0] or stem).strip("-_")
    return ItemSet(name=words if words not in ("", RESERVED) else "items", path=str(path))


def _microcode(one: ItemSet) -> list[Item]:
    """Prompts: signature and docstring, without the solution."""
    return [Item(problem.id, problem.prompt) for problem in problems(one.seed, one.count or 0, one.levels)]


def _hindsight(one: ItemSet) -> list[Item]:
    """The question alone: the answered examples before it are drawn anew for every item, from the same sentences."""
    from presage.tasks.hindsight import generate

    prompts = [item.prompt for item in generate(one.count or 0, one.seed)]
    return [
        Item(f"{one.name}:{number}", prompt.rpartition("\n\nQuestion: ")[2]) for number, prompt in enumerate(prompts, 1)
    ]


_MAKERS: dict[str, Callable[[ItemSet], list[Item]]] = {
    "file": lambda one: read_items(Path(one.path)),
    "microcode": _microcode,
    "hindsight": _hindsight,
}
