"""Weights of a Hugging Face directory: one file, or shards that an index lists."""

from __future__ import annotations

import json
import re
from pathlib import Path

from torch import Tensor

from presage.core.errors import ConfigError, CorruptError
from presage.model.hf_framing import read_object
from presage.model.weights import MODEL_FILE, read_tensors, write_tensors

INDEX = "model.safetensors.index.json"
SHARD_SIZE = "4GB"
"""Above it weights are written in several files."""

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s?(KB|MB|GB)", re.IGNORECASE)


def in_bytes(size: str) -> int:
    """Bytes of '500MB'. Raises ConfigError."""
    found = _SIZE.fullmatch(size.strip())
    number = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not number:
        raise ConfigError(f"'{size}' is no size", where="shard-size", hint="write for example 500MB or 4GB")
    return number


def write_weights(folder: Path, tensors: dict[str, Tensor], most: int) -> None:
    """model.safetensors, or shards of at most `most` bytes (a larger tensor has its own) and their index."""
    shards: list[dict[str, Tensor]] = [{}]
    room = most
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = most
        shards[-1][name] = tensor
        room -= tensor.nbytes
    if len(shards) == 1:
        write_tensors(folder / MODEL_FILE, tensors)
        return
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / file, shard)
        places |= dict.fromkeys(shard, file)
    total = {"total_size": sum(tensor.nbytes for tensor in tensors.values())}
    text = json.dumps({"metadata": total, "weight_map": places}, indent=2)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def weight_files(source: Path) -> list[str]:
    """model.safetensors, or the shards its index lists. Raises CorruptError for an index that lists none."""
    if (source / MODEL_FILE).is_file() or not (source / INDEX).is_file():
        return [MODEL_FILE]
    data = read_object(source / INDEX)
    shards = data.get("weight_map")
    names = list(shards.values()) if isinstance(shards, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise CorruptError("its weight_map does not list files beside it", where=source / INDEX)
    return sorted(set(names))


def read_weights(source: Path) -> dict[str, Tensor]:
    """Every tensor of all its files. Raises CorruptError for one that two of them hold."""
    found: dict[str, Tensor] = {}
    for path in (source / name for name in weight_files(source)):
        tensors = read_tensors(path)
        twice = min(found.keys() & tensors.keys(), default=None)
        if twice:
            raise CorruptError(f"tensor '{twice}' is in another shard, too", where=path)
        found |= tensors
    return found
