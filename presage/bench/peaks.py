"""The most that this machine was seen to do: products of matrices, and copying."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from presage.bench.figures import Figure, Machine
from presage.core.device import measure

COPY_BYTES = 256 << 20
"""Well beyond any cache."""


def measured(seconds: float, threads: int | None = None) -> Machine:
    """The device that training would choose, and its peaks."""
    device = measure(seconds, threads)
    device.apply()
    return Machine(device, copy_rate(device.device, torch.float32, seconds), seconds)


def figures(machine: Machine) -> Iterator[Figure]:
    """Of every precision, and of copying."""
    for name, rate in machine.device.matmul.items():
        yield Figure("peaks", f"matmul, {name}", rate / 1e9, "GFLOP/s")
    yield Figure("peaks", "copy, read and written", machine.copy / 1e9, "GB/s")


def copy_rate(device: str, dtype: torch.dtype, seconds: float) -> float:
    """Bytes per second, read and written, of copying one large tensor into another: the best within `seconds`."""
    source = torch.ones(COPY_BYTES // dtype.itemsize, dtype=dtype, device=device)
    target = torch.empty_like(source)
    target.copy_(source)  # maps the pages
    best, deadline = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        target.copy_(source)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * COPY_BYTES / best
