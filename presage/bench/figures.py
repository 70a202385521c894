"""Figures and how they are taken: systems take turns, and each figure is the median of its turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from presage.bench.areas import Area
from presage.core.device import Device

ROUNDS = 3
Action = Callable[[], float]
"""Does some work and says how much: tokens, bytes, …"""


@dataclass(frozen=True)
class Figure:
    """One line. share: of what this machine does at most, `of`; ratio: ours over a peer's, on its line."""

    area: Area
    what: str
    value: float
    unit: str
    share: float | None = None
    of: str = ""
    ratio: float | None = None


@dataclass(frozen=True)
class Machine:
    """What is measured on, and its peaks. copy: bytes read and written a second; seconds: for each turn."""

    device: Device
    copy: float
    seconds: float

    @property
    def matmul(self) -> float:
        """FLOP/s in the precision chosen."""
        return self.device.peak_flops or 0.0

    @property
    def matmul_float32(self) -> float:
        """FLOP/s in fp32."""
        return next((rate for name, rate in self.device.matmul.items() if name.startswith("float32")), 0.0)

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.device != "cpu":
            torch.cuda.synchronize()


def rates(systems: Mapping[str, Action], machine: Machine) -> dict[str, float]:
    """Work a second of each system, one unmeasured turn first; they take turns, for other programs come and go."""
    for action in systems.values():
        action()
    turns: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(ROUNDS):
        for name, action in systems.items():
            turns[name].append(_turn(action, machine))
    return {name: statistics.median(found) for name, found in turns.items()}


def _turn(action: Action, machine: Machine) -> float:
    machine.wait()
    begun, done = time.perf_counter(), 0.0
    while True:
        done += action()
        machine.wait()
        taken = time.perf_counter() - begun
        if taken >= machine.seconds:
            return done / taken


def beside(found: Sequence[Figure], peer: str, rate: float | None) -> list[Figure]:
    """Ours, and the peer's line with how many times as fast the first of ours is."""
    if rate is None:
        return [*found]
    first = found[0]
    return [*found, Figure(first.area, f"{first.what}: {peer}", rate, first.unit, ratio=first.value / rate)]
