"""Accelerators, and what hours on them buy: dense matrix FLOP/s in bf16 as the makers state them, and memory.

Peaks printed "with sparsity" are halved; a peak with 16-bit sums, which training does not use, is not taken. Rental
prices are left out: they differ several times over between providers and change by the month.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from presage.core.errors import BudgetError, ConfigError, did_you_mean

SMALLEST, LARGEST = 1e6, 1e40  # FLOPs: outside, a number is a slip
MFU = 0.4  # share of the peak that training reaches; 30 to 50 % is usual for dense models (PaLM, appendix B: 46 %)


@dataclass(frozen=True)
class Gpu:
    """One accelerator: the unit that is rented and counted in GPU hours."""

    name: str
    peak_flops: float
    """Dense FLOP/s in bf16 (fp16 where there is no bf16) with fp32 sums."""
    memory_gb: int
    """The largest variant's, in 1e9 bytes."""
    source: str
    precision: str = "bf16"


GPUS = (
    Gpu("V100", 125e12, 32, "NVIDIA V100 datasheet, SXM2", "fp16"),
    Gpu("A100", 312e12, 80, "NVIDIA A100 datasheet"),
    Gpu("A10", 125e12, 24, "NVIDIA A10 datasheet"),
    Gpu("A10G", 70e12, 24, "NVIDIA A10G datasheet: the cloud variant of the A10, with fewer matrix units"),
    Gpu("L4", 121e12, 24, "NVIDIA L4 datasheet, half of 242 with sparsity"),
    Gpu("L40S", 362e12, 48, "NVIDIA L40S datasheet"),
    Gpu("H100 SXM", 989e12, 80, "NVIDIA H100 datasheet, half of 1,979 with sparsity"),
    Gpu("H100 PCIe", 756e12, 80, "NVIDIA H100 datasheet, half of 1,513 with sparsity"),
    Gpu("H200", 989e12, 141, "NVIDIA H200 datasheet, half of 1,979 with sparsity"),
    Gpu("B200", 2250e12, 180, "NVIDIA HGX B200 datasheet, an eighth of half of 36,000 with sparsity"),
    Gpu("RTX 3090", 71e12, 24, "NVIDIA GA102 whitepaper"),
    Gpu("RTX 4090", 165e12, 24, "NVIDIA Ada whitepaper"),
    Gpu("TPU v4", 275e12, 32, "Google Cloud TPU documentation, a chip"),
    Gpu("TPU v5e", 197e12, 16, "Google Cloud TPU documentation, a chip"),
    Gpu("TPU v5p", 459e12, 95, "Google Cloud TPU documentation, a chip"),
    Gpu("MI250X", 383e12, 128, "AMD MI250X datasheet, both dies"),
    Gpu("MI300X", 1307e12, 192, "AMD MI300X datasheet"),
)
ALIASES = {"h100": "h100sxm", "v4": "tpuv4", "v5e": "tpuv5e", "v5p": "tpuv5p", "3090": "rtx3090", "4090": "rtx4090"}


@dataclass(frozen=True)
class Budget:
    """Training FLOPs, and the hours and GPU they come from, if they do."""

    flops: float
    mfu: float = MFU
    gpu: Gpu | None = None

    def hours_on(self, gpu: Gpu) -> float:
        """Hours that one such GPU needs."""
        return self.flops / (gpu.peak_flops * self.mfu * 3600)


def budget(flops: float | None, gpu_hours: float | None, gpu: str | None, mfu: float = MFU) -> Budget:
    """FLOPs, or GPU hours x peak x mfu. ConfigError for both, neither, a GPU without hours, or nonsense numbers."""
    if (flops is None) == (gpu_hours is None):
        raise ConfigError("give either --flops or --gpu-hours with --gpu", where="plan")
    if (gpu_hours is None) != (gpu is None):
        raise ConfigError("--gpu-hours and --gpu go together", where="plan", hint="--gpu-hours 1000 --gpu H100")
    if not 0 < mfu <= 1:
        raise ConfigError(f"{mfu} is not a share of the peak", where="--mfu", hint="above 0, at most 1; 0.4 is usual")
    chosen = find(gpu) if gpu is not None else None
    for option, value in (("--flops", flops), ("--gpu-hours", gpu_hours)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{value} is not a positive number", where=option)
    total = flops if chosen is None or gpu_hours is None else gpu_hours * 3600 * chosen.peak_flops * mfu
    assert total is not None
    if not SMALLEST <= total <= LARGEST:
        raise BudgetError(f"{total:.3g} FLOPs are no training run", where="plan", hint="for example --flops 1e21")
    return Budget(total, mfu, chosen)


def find(name: str) -> Gpu:
    """The accelerator of that name; case, spaces and dashes do not matter. ConfigError with a suggestion otherwise."""
    known = {_key(gpu.name): gpu for gpu in GPUS}
    key = ALIASES.get(_key(name), _key(name))
    if key not in known:
        hint = did_you_mean(name.upper(), [gpu.name for gpu in GPUS])
        raise ConfigError(f"no accelerator '{name}'", where="--gpu", hint=hint)
    return known[key]


def _key(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum()).removeprefix("nvidia").removeprefix("amd")
