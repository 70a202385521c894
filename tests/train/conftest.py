"""One set of tiny shards for every test of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import make_shards
from tests.train import ranks
from tests.train.launching import STEPS


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shards run."""
    return make_shards(tmp_path_factory.mktemp("tiny")).path


@pytest.fixture(scope="module")
def alone(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run by one process, which those of many ranks are compared with."""
    out = tmp_path_factory.mktemp("ranks") / "one"
    assert ranks.main(str(tokens), str(out), str(STEPS)) == 0
    return out
