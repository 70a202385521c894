"""A checkpoint of which every rank writes its part: PyTorch's distributed checkpoints (DCP), as safetensors.

DCP's usual format opens with a pickle, which runs code when it is read. Its safetensors have none: where each piece
belongs stands in the header of its file. They lie in <checkpoint>/shards/, and MANIFEST lists them as it does the rest.
"""

from __future__ import annotations

import json
import math
import os
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from presage.core.errors import CorruptError, RunError
from presage.model.weights import SHARDS, manifest

_ILL = (SafetensorError, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RuntimeError)
"""What its readers raise of a header that says what cannot be."""


def is_sharded(folder: Path) -> bool:
    """Whether a checkpoint is in shards."""
    return (folder / SHARDS).is_dir()


def shards(folder: Path) -> list[str]:
    """The files of shards that MANIFEST lists. Raises CorruptError where others are there than are listed."""
    listed = sorted(name for name in manifest(folder) if name.startswith(f"{SHARDS}/"))
    there = sorted(path.relative_to(folder).as_posix() for path in (folder / SHARDS).rglob("*"))
    odd = sorted({*listed} ^ {*there})
    if odd or not listed:
        what = f"{odd[0]} is not both there and in MANIFEST" if odd else "MANIFEST lists no shards"
        raise CorruptError(what, where=folder)
    return listed


def of_rank(folder: Path, rank: int) -> list[Path]:
    """What a rank has written into a checkpoint."""
    return sorted((folder / SHARDS).glob(f"shard-{rank + 1:05d}-*"))


def write(folder: Path, tensors: Mapping[str, Tensor], rank: int) -> None:
    """Together: each rank what it holds of the tensors, on disk when this returns. Raises RunError on every rank."""
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
    from torch.distributed.checkpoint.state_dict_saver import save

    try:
        save({**tensors}, storage_writer=HuggingFaceStorageWriter(str(folder / SHARDS), save_distributed=True))
    except CheckpointException as error:
        raise RunError(_first(error)) from None
    try:
        for path in of_rank(folder, rank):
            _settle(path)
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise RunError(_first(error)) from None


def _settle(path: Path) -> None:
    """Headers come in an order drawn at random; the same run is to leave the same bytes."""
    with open(path, "r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        if len(text) != length:
            raise RunError("a header of another form than is known", where=path)
        file.seek(8)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read(folder: Path, tensors: Mapping[str, Tensor], *, alone: bool = False) -> None:
    """Fill tensors, each rank what it holds of them, from a checkpoint in shards or whole files, which were verified.

    `alone`: by this process, whatever others do. Raises CorruptError where they are not those that were saved.
    """
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
    from torch.distributed.checkpoint.state_dict_loader import load

    place = folder / SHARDS if is_sharded(folder) else folder
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # as is asked for
            reader = HuggingFaceStorageReader(str(place))
            _check_whole(reader.read_metadata().state_dict_metadata)
            load({**tensors}, storage_reader=reader, no_dist=alone)
    except (CheckpointException, *_ILL) as error:
        raise CorruptError(f"not this run's: {_first(error)}", where=place) from None


def _check_whole(found: Mapping[str, Any]) -> None:
    """ValueError for a tensor of which a piece is not there: the library would leave what was there before."""
    for name, kept in found.items():
        held = sum(math.prod(chunk.sizes) for chunk in kept.chunks)
        if held != math.prod(kept.size):
            raise ValueError(f"'{name}' has {held:,} of {math.prod(kept.size):,} numbers")


def _first(error: BaseException) -> str:
    """What went wrong, at one of the ranks, in a line."""
    failures = getattr(error, "failures", {})
    cause = next(iter(failures.values()), (error,))[0]
    said = f"{getattr(cause, 'strerror', None) or cause}".strip() or type(cause).__name__
    return said.splitlines()[0]
