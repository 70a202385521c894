"""One set of tiny shards for every test of training."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import make_shards


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shards run."""
    return make_shards(tmp_path_factory.mktemp("tiny")).path
