"""Every stage keeps the stage contract, shown on tiny configs; see `check_stage`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from presage.core.device import Device
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.forecast import ladder
from presage.forecast.scaling import Rule
from presage.model.config import ModelConfig
from presage.train import pretrain
from tests.imports import ROOT
from tests.stage import check_stage

T = TypeVar("T")

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


@pytest.fixture(scope="module")
def shards_run(corpus_run: RunDir, tokenizer_run: RunDir) -> RunDir:
    config = shards.Config(corpus=corpus_run.path, tokenizer=tokenizer_run.path)
    return shards.run(config, corpus_run.path.with_name("shards"))


def test_pretrain(shards_run: RunDir, tmp_path: Path) -> None:
    config = pretrain.Config(
        shards=shards_run.path,
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


def ladder_config(shards_run: RunDir, *budgets: float) -> ladder.Config:
    rule = Rule(vocab_size=304, context_length=16, n_layers=1, batch_tokens=32, batch_exponent=0)
    return ladder.Config(shards=shards_run.path, rule=rule, budgets=budgets, device=Device(), jobs=1, eval_tokens=512)


def test_ladder(shards_run: RunDir, tmp_path: Path) -> None:
    run = check_stage(ladder, ladder_config(shards_run, 2e7, 4e7), tmp_path, kills=2)
    assert run.value("rungs") == 2


def test_a_killed_ladder_leaves_no_worker_behind(shards_run: RunDir, tmp_path: Path) -> None:
    """Otherwise an orphan would hold its rung, and the ladder could not be resumed until it is through."""
    (tmp_path / "config.json").write_text(ladder_config(shards_run, 1e11).to_json())
    program = """
import sys
from pathlib import Path
from presage.core.run import load_config
from presage.forecast import ladder
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    ladder.run(load_config(ladder.Config, folder / "config.json"), folder / "ladder")
"""
    (tmp_path / "program.py").write_text(program)
    child = subprocess.Popen([sys.executable, str(tmp_path / "program.py"), str(tmp_path)], cwd=ROOT)
    rung = eventually(lambda: next((tmp_path / "ladder" / "rungs").glob("*/metrics.jsonl"), None)).parent
    child.kill()
    child.wait()
    config = RunDir(rung).config(pretrain.Config)
    eventually(lambda: opened(rung, config)).close()


def opened(rung: Path, config: pretrain.Config) -> RunDir | None:
    with contextlib.suppress(RunError):
        return RunDir.create(rung, "pretrain", config, resume=True)
    return None


def eventually(look: Callable[[], T | None], seconds: float = 60) -> T:
    """What `look` finds, as soon as it finds something."""
    limit = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < limit
        time.sleep(0.1)
    return found
