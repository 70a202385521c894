"""Golden recipes: the text of a recipe, and what counts as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.config import Config, Parent
from presage.core.errors import ConfigError
from presage.recipes import loading
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


def test_what_is_named_as_a_recipe_is_one_of_a_stage() -> None:
    makes = {name.split(".")[0] for name in recipes()}
    assert {*loading.names()} == makes
    with pytest.raises(ConfigError, match=r"no function 'pretrain' \(known: corpus, [a-z, _]*\)") as error:
        loading.resolve("demo", "pretrain", Example)
    assert "BudgetError" not in str(error.value) and "kept" not in str(error.value)


def test_recipes_hold_no_path_of_this_machine() -> None:
    assert all('= "/' not in text and str(Path.cwd()) not in text for text in recipes().values())
