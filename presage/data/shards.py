"""Stage `shards`: documents to token files that are mapped into memory, not read.

artifacts/train-00000.bin …, val-00000.bin: raw little-endian uint16 (uint32 for a vocabulary above 65,536), every
document followed by <|endoftext|>; artifacts/index.json lists sizes and sha256; artifacts/token_bytes.bin the UTF-8
length of each token (int32); artifacts/tokenizer.json so that a model can be run from its shards alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import DataError
from presage.core.run import RunDir, atomic_write
from presage.data.attempt import attempt
from presage.data.bpe import Tokenizer
from presage.data.records import SPLITS, read_split, whole_file

__all__ = ["Config", "run"]

_DOCUMENTS_AT_ONCE = 256


class Config(BaseConfig):
    corpus: Parent
    tokenizer: Parent
    shard_tokens: int = Field(default=1 << 26, ge=1024)
    seed: int = 0


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/{index.json,tokenizer.json,token_bytes.bin,train-*.bin,val-*.bin}; result.json: sizes of each split."""
    with attempt(out, "shards", config, seed=config.seed, resume=resume) as run:
        source = whole_file(RunDir.open(config.tokenizer, "tokenizer"), "artifacts/tokenizer.json")
        tokenizer = Tokenizer.load(source)
        dtype = np.dtype("<u2" if tokenizer.n_vocab <= 1 << 16 else "<u4")
        index: dict[str, Any] = {"dtype": dtype.name, "vocab_size": tokenizer.n_vocab, "eot": tokenizer.eot}
        index["token_bytes"] = "token_bytes.bin"
        run.write_text("artifacts/tokenizer.json", source.read_text(encoding="utf-8"))
        _write(run.artifact("token_bytes.bin"), tokenizer.token_bytes().astype("<i4"))
        index["splits"] = {split: _write_split(run, split, config, tokenizer, dtype) for split in SPLITS}
        run.write_json("artifacts/index.json", index)
        for split, facts in index["splits"].items():
            for unit in ("tokens", "bytes", "documents"):
                run.result(f"{split}/{unit}", facts[unit], unit=unit)
            run.result(f"{split}/bytes_per_token", facts["bytes"] / facts["tokens"], unit="bytes/token")
        return run


def _write_split(run: RunDir, split: str, config: Config, tokenizer: Tokenizer, dtype: np.dtype[Any]) -> dict[str, Any]:
    totals = {"tokens": 0, "bytes": 0, "documents": 0}
    files = []
    for number, tokens in enumerate(_shards(_encoded(config, split, tokenizer, totals, dtype), config.shard_tokens)):
        name = f"{split}-{number:05d}.bin"
        digest = _write(run.artifact(name), tokens)
        files.append({"name": name, "tokens": len(tokens), "sha256": digest})
        totals["tokens"] += len(tokens)
    if not files:
        raise DataError(f"the {split} split has no documents", where=config.corpus)
    return {**totals, "files": files}


def _encoded(
    config: Config, split: str, tokenizer: Tokenizer, totals: dict[str, int], dtype: np.dtype[Any]
) -> Iterator[np.ndarray]:
    """Token arrays of one document each, closed by <|endoftext|>."""
    documents = read_split(config.corpus, split)
    while batch := [d.text for d in islice(documents, _DOCUMENTS_AT_ONCE)]:
        totals["documents"] += len(batch)
        totals["bytes"] += sum(len(text.encode()) for text in batch)
        yield from (np.array([*ids, tokenizer.eot], dtype) for ids in tokenizer.encode_batch(batch))


def _shards(arrays: Iterator[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same tokens in arrays of exactly `size` (the last one shorter)."""
    pending: list[np.ndarray] = []
    held = 0
    for array in arrays:
        pending.append(array)
        held += len(array)
        while held >= size:
            joined = np.concatenate(pending)
            yield joined[:size]
            pending, held = [joined[size:]], held - size
    if held:
        yield np.concatenate(pending)


def _write(path: Path, array: np.ndarray) -> str:
    with atomic_write(path) as file:
        file.write(array.tobytes())
    return hashlib.sha256(array.tobytes()).hexdigest()
