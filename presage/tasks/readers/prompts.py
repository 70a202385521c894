"""Prompts with classes: the Inverse Scaling Prize's tables, and our own hindsight neglect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks import hindsight
from presage.tasks.inverse_scaling import Item, read
from presage.tasks.readers.rows import some
from presage.tasks.task import Example


def classes(paths: Sequence[Path]) -> list[Example]:
    """Rows {prompt, classes, answer_index}; every class begins with a blank, which is no part of the option."""
    return some(paths, (example for path in paths for example in _classes(path)))


def swayed(paths: Sequence[Path]) -> list[Example]:
    """The same with other_prompt, as field `other`, and two classes."""
    found = classes(paths)
    for example in found:
        if not example.fields.get("other") or len(example.options) != 2:
            raise DataError("not two prompts and two classes", where=f"{paths[0]}: {example.id}")
    return found


def _classes(path: Path) -> Iterator[Example]:
    stem = path.name.split(".")[0]
    for number, item in enumerate(read(path), 1):
        if not all(text.startswith(" ") for text in item.classes):
            raise DataError("a class that does not begin with a blank", where=f"{path}: item {number}")
        yield _example(f"{stem}:{number}", item)


def _example(id: str, item: Item) -> Example:
    """What it is about is the last question: what stands before it is the same, or drawn from the same, everywhere."""
    question = item.prompt.rpartition("\n\nQuestion:")[2] or item.prompt
    fields = {"prompt": item.prompt, "other": item.other_prompt}
    options = tuple(text.removeprefix(" ") for text in item.classes)
    return Example(id, question.strip(), options, item.answer_index, fields=fields)


def neglect(seed: int, count: int, split: str) -> list[Example]:
    """Generated hindsight neglect; its ten examples are part of the prompt, so there are no shots to draw."""
    items = hindsight.generate(count, seed) if split == "test" else []
    return [_example(f"hindsight:{seed}:{number}", item) for number, item in enumerate(items, 1)]
