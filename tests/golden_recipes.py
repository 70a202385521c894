"""Recipes flattened to text, one line a field. `python -m tests.golden_recipes` accepts them as they stand."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path

from presage.cli import STAGES
from presage.core.config import Config, flatten
from presage.recipes.loading import names

FOLDER = Path(__file__).parent / "golden" / "recipes"


def recipes() -> dict[str, str]:
    """{file name: text} for every function of every recipe module that is named like a stage."""
    return {
        f"{name}.{stage}.txt": as_text(function())
        for name in names()
        for stage in STAGES
        if inspect.isfunction(function := getattr(importlib.import_module(f"presage.recipes.{name}"), stage, None))
        and not _required(function)
    }


def as_text(config: Config) -> str:
    """One `key = value` line a field, in the order of the fields."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in flatten(config).items())


def _required(function: Callable[..., Config]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]


def main() -> None:
    """Rewrite the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for file, text in recipes().items():
        (FOLDER / file).write_text(text)
        print(FOLDER / file)


if __name__ == "__main__":
    main()
