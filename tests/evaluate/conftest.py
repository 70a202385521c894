"""A model that saw some items many times, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.train import pretrain
from tests.evaluate.planting import Planted, build
from tests.tiny import make_shards, tiny_run


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return build(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few steps, beside its corpus and shards."""
    folder = tmp_path_factory.mktemp("stem")
    make_shards(folder)
    return pretrain.run(tiny_run(folder / "shards", steps=6), folder / "run").path
