"""Golden recipes: the text of a recipe, and what counts as one."""

from __future__ import annotations

from pathlib import Path

from presage.core.config import Config, Parent
from tests.golden_recipes import as_text, recipes


class Nested(Config):
    lr: float = 0.1
    betas: tuple[float, ...] = (0.9, 0.95)


class Example(Config):
    shards: Parent
    optim: Nested = Nested()
    note: str | None = None


def test_a_recipe_is_one_line_a_field() -> None:
    text = as_text(Example(shards=Path("runs/shards")))
    assert text.splitlines() == ['shards = "runs/shards"', "optim.lr = 0.1", "optim.betas = [0.9, 0.95]", "note = null"]


def test_recipes_hold_no_path_of_this_machine() -> None:
    assert all('= "/' not in text and str(Path.cwd()) not in text for text in recipes().values())
