from __future__ import annotations

from pathlib import Path

import pytest

from presage.data.bpe import Tokenizer
from tests.model.shapes import TEXT


@pytest.fixture(scope="session")
def tokenizer_json(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(Tokenizer.train([TEXT], 270).to_json())
    return path
