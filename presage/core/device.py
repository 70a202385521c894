"""Where and in what precision to compute: chosen by a short measurement, once, then recorded and reused."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError, Unavailable
from presage.core.run import load_config
from presage.core.workers import usable_cores


class Device(Config):
    """The outcome of a measurement; every rung, the target and every resume use the same one."""

    device: str = "cpu"
    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: int = Field(default=1, ge=1, le=1024)
    peak_flops: float | None = Field(default=None, gt=0)
    """Measured matmul FLOP/s in this dtype with these threads."""
    matmul: dict[str, float] = {}
    """What was measured: {'float32 x 2 threads': FLOP/s, …}."""

    def apply(self) -> torch.device:
        """Set threads and allocator for this process and return the torch device.

        Raises ConfigError when `device` names none, Unavailable when it is a GPU that this machine does not have.
        """
        device = self._named()
        torch.set_num_threads(self.threads)
        keep_freed_memory()
        return device

    def _named(self) -> torch.device:
        try:
            device: torch.device | None = torch.device(self.device)
        except RuntimeError:
            device = None
        if device is None or device.type not in ("cpu", "cuda"):
            raise ConfigError(f"'{self.device}' is no device", where="device.device", hint="cpu or cuda")
        found = torch.cuda.device_count()
        if device.type == "cuda" and (device.index or 0) >= found:
            raise Unavailable(f"{self.device}: {found} CUDA devices found here", where="device.device", hint="use cpu")
        return device

    def autocast(self) -> torch.autocast:
        """bf16 matmuls over fp32 weights, or nothing."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.dtype == "bfloat16")


def measure(seconds: float = 0.5, threads: int | None = None) -> Device:
    """Time fp32 and bf16 matmuls and keep the faster, bf16 only when clearly so (1.5x).

    AMX or a GPU makes bf16 several times faster; an older CPU makes it a hundred times slower.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = threads or usable_cores()
    torch.set_num_threads(threads)
    rates = {d: matmul_rate(device, d, seconds) for d in (torch.float32, torch.bfloat16)}
    best = torch.bfloat16 if rates[torch.bfloat16] > 1.5 * rates[torch.float32] else torch.float32
    return Device(
        device=device,
        dtype="bfloat16" if best is torch.bfloat16 else "float32",
        threads=threads,
        peak_flops=rates[best],
        matmul={f"{str(d).removeprefix('torch.')} x {threads} threads": r for d, r in rates.items()},
    )


def recorded_or_measured(kind: type[Config], out: Path | str, threads: int | None = None) -> Device:
    """The device that the unfinished run of `kind` in `out` began with; a new measurement, with so many threads, where
    there is none."""
    begun = Path(out) / "config.json"
    recorded: Device | None = getattr(load_config(kind, begun), "device", None) if begun.is_file() else None
    return recorded or measure(threads=threads)


def matmul_rate(device: str, dtype: torch.dtype, seconds: float, size: int = 1024) -> float:
    """FLOP/s of a [2 size, size] x [size, size] matmul: the best of repeated timings within `seconds`."""
    a = torch.randn(2 * size, size, device=device).to(dtype)
    b = torch.randn(size, size, device=device).to(dtype)
    flops = 2 * a.shape[0] * size * size
    # A probe first: on a machine without bf16 units one full product alone would take seconds. The best of three, since
    # the very first product also starts the threads.
    probe = min(_time(lambda: a[:64] @ b, device) for _ in range(3))
    if probe * a.shape[0] / 64 > 2 * seconds:
        return 2 * 64 * size * size / probe
    best, deadline = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        best = min(best, _time(lambda: a @ b, device))
    return flops / best


def keep_freed_memory() -> None:
    """Tell glibc to reuse large freed blocks. By default each big activation is mapped and page-faulted anew."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        return  # another C library: nothing to tune


def _time(action: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    action()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start
