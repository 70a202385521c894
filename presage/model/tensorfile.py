"""Writing .safetensors files with their digest known at the end.

The library writes a file that then has to be read again to be hashed, which takes as long as writing it. Here tensors
are hashed while they are written and while the disk takes them. The format is the library's, and so are the bytes
(tests): a length, a header in JSON, and the tensors one after another.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate, chain, pairwise
from pathlib import Path

import torch
from torch import Tensor

NAMES = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""In the order in which a file has them."""
ALIGNED = 8
COPIES = 4
"""Tensors of a GPU that are here at a time, to be hashed."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> str:
    """One .safetensors file, on disk when this returns its sha256. Raises OSError where it cannot be written, KeyError
    for other types of numbers than NAMES."""
    places = {dtype: place for place, dtype in enumerate(NAMES)}
    ordered = dict(sorted(tensors.items(), key=lambda item: (places[item[1].dtype], item[0])))
    digest = hashlib.sha256()
    behind_at_most = len(ordered) if all(tensor.is_cpu for tensor in ordered.values()) else COPIES
    with open(path, "wb") as file, ThreadPoolExecutor(1) as aside:
        pieces: Iterator[bytes | memoryview] = chain([_header(ordered, metadata)], _contents(ordered))
        behind: deque[Future[None]] = deque()
        for piece in pieces:
            behind.append(aside.submit(digest.update, piece))
            file.write(piece)
            del piece
            if len(behind) > behind_at_most:
                behind.popleft().result()
        file.flush()
        os.fsync(file.fileno())
        for hashed in behind:
            hashed.result()
    return digest.hexdigest()


def _header(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None) -> bytes:
    offsets = pairwise(accumulate((tensor.nbytes for tensor in tensors.values()), initial=0))
    listed = {
        name: {"dtype": NAMES[tensor.dtype], "shape": [*tensor.shape], "data_offsets": [*place]}
        for (name, tensor), place in zip(tensors.items(), offsets, strict=True)
    }
    about = {"__metadata__": dict(metadata)} if metadata else {}
    text = json.dumps(about | listed, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % ALIGNED)
    return len(text).to_bytes(8, "little") + text


def _contents(tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    for tensor in tensors.values():
        yield tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
