"""Every stage keeps the stage contract, shown on tiny configs; see `check_stage`."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.device import Device
from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.model.config import ModelConfig
from presage.train import pretrain
from tests.stage import check_stage

TEXTS = {
    "a.md": "# Tables\n\nA table has rows and columns. " * 40,
    "b.rst": "Readers\n=======\n\nA reader yields documents, one after another. " * 40,
    "c.txt": "Once there was a loader that never forgot where it had stopped.\n" * 40,
    "d.jsonl": '{"text": "A row of a file of rows, long enough to be kept by every filter."}\n' * 3,
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TEXTS.items():
        for copy in range(8):
            (folder / f"{copy}-{name}").write_text(text.replace("A ", f"The {copy}th ").replace("Once", f"Once {copy}"))
    return folder


def corpus_config(texts: Path) -> corpus.Config:
    return corpus.Config(sources=(corpus.Source(name="mine", paths=(str(texts),)),), val_fraction=0.3)


@pytest.fixture(scope="module")
def corpus_run(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return corpus.run(corpus_config(texts), tmp_path_factory.mktemp("runs") / "corpus")


@pytest.fixture(scope="module")
def tokenizer_run(corpus_run: RunDir) -> RunDir:
    config = tokenizer.Config(corpus=corpus_run.path, vocab_size=300)
    return tokenizer.run(config, corpus_run.path.with_name("tokenizer"))


def test_corpus(texts: Path, tmp_path: Path) -> None:
    run = check_stage(corpus, corpus_config(texts), tmp_path)
    assert run.value("train/documents") > run.value("val/documents") > 0


def test_tokenizer(corpus_run: RunDir, tmp_path: Path) -> None:
    run = check_stage(tokenizer, tokenizer.Config(corpus=corpus_run.path, vocab_size=300), tmp_path)
    assert run.value("vocab_size") == 300


def test_shards(corpus_run: RunDir, tokenizer_run: RunDir, tmp_path: Path) -> None:
    config = shards.Config(corpus=corpus_run.path, tokenizer=tokenizer_run.path, shard_tokens=1024)
    run = check_stage(shards, config, tmp_path)
    assert run.value("train/tokens") > 0


def test_pretrain(corpus_run: RunDir, tokenizer_run: RunDir, tmp_path: Path) -> None:
    parents = {"corpus": corpus_run.path, "tokenizer": tokenizer_run.path}
    tokens = shards.run(shards.Config(**parents), tmp_path / "shards")
    config = pretrain.Config(
        shards=tokens.path,
        model=ModelConfig(
            vocab_size=304, context_length=32, n_layers=1, d_model=16, n_heads=2, n_kv_heads=1, d_head=8, d_ff=32
        ),
        tokens=32 * 8 * 6,
        batch_tokens=32 * 8,
        device=Device(),
        eval_tokens=512,
        log_every=1,
        samples=2,
        checkpoint_every=32 * 8 * 2,
    )
    run = check_stage(pretrain, config, tmp_path, kills=4)
    assert run.value("steps") == 6
