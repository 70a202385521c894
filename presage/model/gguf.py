"""GGUF, the file format of llama.cpp, version 3: named values, then tensors, each aligned to 32 bytes.

Written here from its specification: it needs no package. Numbers are little-endian; a tensor's sizes stand from the
fastest to the slowest.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from presage.core.errors import RunError

Value = bool | int | float | str | Sequence[str] | Sequence[int]
ALIGNMENT = 32
BLOCK = 32
"""Numbers of q8_0 that share a scale."""
_HALF = 0.5


@dataclass(frozen=True)
class Kind:
    """How numbers of a tensor are written. code: ggml's; file: what a file mostly of it is called."""

    code: int
    file: int
    bytes_per_block: int
    block: int
    write: Callable[[Tensor], bytes]

    def size(self, tensor: Tensor) -> int:
        """Bytes of a tensor."""
        return tensor.numel() // self.block * self.bytes_per_block


def _f32(tensor: Tensor) -> bytes:
    return tensor.numpy().astype("<f4").tobytes()


def _bf16(tensor: Tensor) -> bytes:
    return tensor.bfloat16().view(torch.int16).numpy().astype("<i2").tobytes()


def _q8_0(tensor: Tensor) -> bytes:
    """Blocks of a scale in fp16 and 32 whole numbers from -127 to 127; halves are rounded away from zero, as there."""
    blocks = tensor.numpy().reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    scaled = blocks * inverse
    whole = np.trunc(scaled + np.copysign(np.float32(_HALF), scaled)).astype(np.int8)
    return np.concatenate([scale.astype("<f2").view(np.int8), whole], axis=1).tobytes()


F32 = Kind(0, 0, 4, 1, _f32)
KINDS = {"f32": F32, "bf16": Kind(30, 32, 2, 1, _bf16), "q8_0": Kind(8, 7, 2 + BLOCK, BLOCK, _q8_0)}


def write(path: Path, values: Mapping[str, Value], tensors: Mapping[str, tuple[Tensor, Kind]]) -> None:
    """One file, which appears only when whole. Raises RunError when it cannot be written."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(_head(values, tensors))
            _pad(file)
            for tensor, kind in tensors.values():
                file.write(kind.write(tensor.contiguous()))
                _pad(file)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write: {error.strerror or error}", where=path) from None
    finally:
        temporary.unlink(missing_ok=True)


def _head(values: Mapping[str, Value], tensors: Mapping[str, tuple[Tensor, Kind]]) -> bytes:
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(values))]
    parts += [_text(key) + _value(value) for key, value in values.items()]
    offset = 0
    for name, (tensor, kind) in tensors.items():
        sizes = struct.pack(f"<I{tensor.ndim}Q", tensor.ndim, *reversed(tensor.shape))
        parts.append(_text(name) + sizes + struct.pack("<IQ", kind.code, offset))
        offset += -(-kind.size(tensor) // ALIGNMENT) * ALIGNMENT
    return b"".join(parts)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % ALIGNMENT))


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


_INT32, _STRING, _ARRAY = 5, 8, 9


def _value(value: Value) -> bytes:
    """Its type and itself; whole numbers are unsigned, those of a list signed."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    texts = all(isinstance(one, str) for one in value)
    head = struct.pack("<IIQ", _ARRAY, _STRING if texts else _INT32, len(value))
    return head + b"".join(_text(one) if isinstance(one, str) else struct.pack("<i", one) for one in value)
