"""Texts, and the chain corpus -> tokenizer -> shards on them, made once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.data.bpe import Tokenizer

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TEXT = "a loader reads every window of tokens in an order that depends on the seed and on nothing else at all"
WORDS = TEXT.split()


def sentence(random_: random.Random) -> str:
    return " ".join(random_.choices(WORDS, k=random_.randint(5, 12))).capitalize() + "."


def essay(seed: int, sentences: int = 30) -> str:
    random_ = random.Random(seed)
    return "\n".join(sentence(random_) for _ in range(sentences)) + "\n"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Public data beside the project; see its README. Not part of the project, so tests do without."""
    if not SHARED.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "texts"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:02d}.txt").write_text(essay(number))
    return folder


@pytest.fixture(scope="session")
def corpus_run(texts: Path) -> RunDir:
    config = corpus.Config(sources=(corpus.Source(name="mine", paths=(str(texts),)),), val_fraction=0.2)
    return corpus.run(config, texts.parent / "corpus")


@pytest.fixture(scope="session")
def tokenizer_run(corpus_run: RunDir) -> RunDir:
    config = tokenizer.Config(corpus=corpus_run.path, vocab_size=300)
    return tokenizer.run(config, corpus_run.path.parent / "tokenizer")


@pytest.fixture(scope="session")
def shards_run(corpus_run: RunDir, tokenizer_run: RunDir) -> RunDir:
    config = shards.Config(corpus=corpus_run.path, tokenizer=tokenizer_run.path, shard_tokens=1024)
    return shards.run(config, corpus_run.path.parent / "shards")


@pytest.fixture(scope="session")
def trained(tokenizer_run: RunDir) -> Tokenizer:
    return Tokenizer.load(tokenizer_run.path)


@pytest.fixture(scope="session")
def gpt2(shared: Path) -> Tokenizer:
    folder = shared / "tokenizer" / "gpt2_bpe"
    return Tokenizer.from_gpt2_files(folder / "encoder.json.xz", folder / "vocab.bpe.xz")


@pytest.fixture(scope="session")
def cl100k(shared: Path) -> Tokenizer:
    specials = {"<|endoftext|>": 100257, "<|endofprompt|>": 100276}
    return Tokenizer.from_ranks_file(
        shared / "tokenizer" / "tiktoken_ranks" / "cl100k_base.tiktoken.xz", "cl100k", specials
    )
