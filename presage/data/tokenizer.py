"""Stage `tokenizer`: learn byte-level BPE merges from the corpus's training split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.data.attempt import attempt
from presage.data.bpe import EOT
from presage.data.bpe import Tokenizer as Tokenizer
from presage.data.records import read_split

__all__ = ["Config", "run"]


class Config(BaseConfig):
    corpus: Parent
    vocab_size: int = Field(default=2048, ge=1)
    pattern: Literal["gpt2", "cl100k", "qwen2"] = "gpt2"
    special_tokens: tuple[str, ...] = (EOT,)
    max_train_bytes: int = Field(default=1 << 24, ge=1)
    """Merges are learned from this much text: whole documents in a random order."""
    seed: int = 0


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/tokenizer.json; result.json: vocab_size, bytes per token on the validation split."""
    with attempt(out, "tokenizer", config, seed=config.seed, resume=resume) as run:
        texts = list(_training_texts(config))
        tokenizer = Tokenizer.train(texts, config.vocab_size, config.pattern, config.special_tokens)
        run.write_text("artifacts/tokenizer.json", tokenizer.to_json())
        held_out = [d.text for d in read_split(config.corpus, "val")]
        size = sum(len(text.encode()) for text in held_out)
        tokens = sum(len(ids) for ids in tokenizer.encode_batch(held_out))
        run.result("vocab_size", tokenizer.n_vocab, unit="tokens")
        run.result("train_bytes", sum(len(text.encode()) for text in texts), unit="bytes")
        run.result("val/bytes_per_token", size / tokens, n=tokens, unit="bytes/token")
        return run


def _training_texts(config: Config) -> Iterator[str]:
    """Whole documents in a seeded random order until `max_train_bytes` is reached; the last one is cut."""
    texts = [d.text for d in read_split(config.corpus, "train")]
    left = config.max_train_bytes
    for index in stream(config.seed, "tokenizer").permutation(len(texts)):
        data = texts[index].encode()[:left]
        yield data.decode(errors="ignore")
        left -= len(data)
        if left <= 0:
            return
