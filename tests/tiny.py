"""Tiny runs for tests: a corpus of made-up sentences, its shards, and a small model that learns from them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from presage.core.device import Device
from presage.core.run import RunDir, sha256
from presage.data import corpus, shards, tokenizer
from presage.model.config import ModelConfig, qwen3
from presage.train import pretrain

TEXT = "a ladder of small runs tells what the large run will lose if one law holds from rung to rung and on"
WORDS = TEXT.split()
CONTEXT, BATCH = 16, 8
STEP_TOKENS = CONTEXT * BATCH


def write_texts(folder: Path, files: int = 40, sentences: int = 30) -> Path:
    """Files of random sentences: a few words follow each other more often than chance, so there is a law to learn."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        chance = random.Random(number)
        lines = (" ".join(_sentence(chance)).capitalize() + "." for _ in range(sentences))
        (folder / f"{number:02d}.txt").write_text("\n".join(lines) + "\n")
    return folder


def _sentence(chance: random.Random) -> list[str]:
    place = chance.randrange(len(WORDS))
    words = []
    for _ in range(chance.randint(5, 14)):
        words.append(WORDS[place])
        place = (place + 1 if chance.random() < 0.6 else chance.randrange(len(WORDS))) % len(WORDS)
    return words


def make_shards(folder: Path, files: int = 40) -> RunDir:
    """folder/{corpus,tokenizer,shards}; the last one's run."""
    texts = write_texts(folder / "texts", files)
    source = corpus.Source(name="mine", paths=(str(texts),))
    corpus.run(corpus.Config(sources=(source,), val_fraction=0.2), folder / "corpus")
    tokenizer.run(tokenizer.Config(corpus=folder / "corpus", vocab_size=300), folder / "tokenizer")
    config = shards.Config(corpus=folder / "corpus", tokenizer=folder / "tokenizer", shard_tokens=4096)
    return shards.run(config, folder / "shards")


def tiny_model(**changes: object) -> ModelConfig:
    """About ten thousand weights."""
    return qwen3(300, CONTEXT, **({"n_layers": 1, "d_model": 16, "n_heads": 2, "n_kv_heads": 2, "d_head": 8} | changes))


def tiny_run(tokens: Path, steps: int = 12, **changes: Any) -> pretrain.Config:
    """`steps` updates on batches of 8 sequences of 16 tokens, a checkpoint at every third."""
    values = {
        "shards": tokens,
        "model": tiny_model(),
        "tokens": STEP_TOKENS * steps,
        "batch_tokens": STEP_TOKENS,
        "device": Device(),
        "eval_tokens": 512,
        "log_every": 1,
        "checkpoint_every": 3 * STEP_TOKENS,
    }
    return pretrain.Config.model_validate(values | changes)


def newest_checkpoint(run: Path) -> Path:
    return max(p for p in (run / "checkpoints").iterdir() if p.name.isdigit())


def outcome(run: Path) -> dict[str, str]:
    """{file: sha256} of what a run leaves, but for origin.json; the run must be finished and whole."""
    finished = RunDir.open(run)
    assert finished.problems() == []
    files: dict[str, str] = finished.read_json("DONE")["files"]
    return {name: digest for name, digest in files.items() if name != "origin.json"}


def weights(run: Path) -> tuple[str, str]:
    """sha256 of the newest model.safetensors and optimizer.safetensors."""
    folder = newest_checkpoint(run)
    return sha256(folder / "model.safetensors"), sha256(folder / "optimizer.safetensors")


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
