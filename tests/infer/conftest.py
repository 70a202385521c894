"""One small model as a run and as the Hugging Face directory it exports to."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.data.bpe import Tokenizer
from presage.infer.directories import Settings, open_hf, open_run
from presage.infer.local import LocalModel
from presage.model.config import qwen3
from presage.model.exchange import export_hf
from tests.model.shapes import TEXT, lively, make_run

VOCAB, CONTEXT = 280, 48
TEXTS = [TEXT, "Größe 中文 und naïve Ångström", "a ladder of small runs tells what the large run will lose"]


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train(TEXTS, VOCAB).to_json())
    model = lively(qwen3(VOCAB, CONTEXT, 2, 32, n_heads=2, n_kv_heads=2, d_head=16))
    return make_run(folder / "target", model, tokenizer, step=7)


@pytest.fixture(scope="session")
def hf_folder(run_folder: Path) -> Path:
    return export_hf(run_folder, run_folder.parent / "exported")


@pytest.fixture(scope="session")
def model(run_folder: Path) -> LocalModel:
    return open_run(str(run_folder), Settings())


@pytest.fixture(scope="session")
def hf(hf_folder: Path) -> LocalModel:
    return open_hf(str(hf_folder), Settings())
