"""Energy of a run: read from the machine's counters where it has them, otherwise an estimate that says so."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

from presage.core.workers import usable_cores

WATTS_PER_CORE = 10.0  # a server core under load; the label says that this is an assumption
RAPL = Path("/sys/class/powercap")


class EnergyMeter:
    """Joules since construction, and how they were found: RAPL for the CPU, NVML for a GPU, or an estimate."""

    def __init__(self, cores: int | None = None) -> None:
        self._start = time.perf_counter()
        self._cores = cores or usable_cores()
        self._counters = {path: value for path in _rapl_packages() if (value := _read(path)) is not None}
        self._gpu = _gpu_millijoules()

    def joules(self) -> tuple[float, str]:
        """(energy in J, method): the counters' difference, or cores x 10 W x seconds."""
        cpu, method = self._cpu()
        now = _gpu_millijoules()
        if self._gpu is None or now is None:
            return cpu, method
        return cpu + (now - self._gpu) / 1e3, f"{method} + NVML"

    def _cpu(self) -> tuple[float, str]:
        if self._counters:
            return sum(self._used(path, before) for path, before in self._counters.items()) / 1e6, "RAPL packages"
        seconds = time.perf_counter() - self._start
        return seconds * self._cores * WATTS_PER_CORE, f"estimate: {self._cores} cores x {WATTS_PER_CORE:.0f} W"

    @staticmethod
    def _used(path: Path, before: int) -> int:
        wrap = _read(path.with_name("max_energy_range_uj")) or 0
        difference = (_read(path) or before) - before
        return difference + wrap if difference < 0 else difference


def _rapl_packages() -> list[Path]:
    return sorted(RAPL.glob("intel-rapl:?/energy_uj")) if RAPL.is_dir() else []


def _gpu_millijoules() -> int | None:
    """The first GPU's energy counter, through NVIDIA's own library; None where there is none."""
    total, device = ctypes.c_ulonglong(), ctypes.c_void_p()
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
        calls = (
            nvml.nvmlInit_v2(),
            nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)),
            nvml.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(total)),
        )
    except (OSError, AttributeError):
        return None
    return total.value if not any(calls) else None


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
