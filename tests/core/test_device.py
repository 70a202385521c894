"""A device that a person named and this machine does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from presage.core import device
from presage.core.device import Device
from presage.core.errors import ConfigError, Unavailable
from tests.tiny import tiny_run


@pytest.mark.parametrize("values", [{"threads": 0}, {"peak_flops": 0.0}])
def test_values_that_no_machine_has_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Device.parse(values)


def test_a_name_that_is_no_device_is_bad_input() -> None:
    with pytest.raises(ConfigError, match=r"device\.device: 'foo' is no device \(cpu or cuda\)"):
        Device(device="foo").apply()


def test_a_gpu_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert Device(device="cuda:0").apply().type == "cuda"
    with pytest.raises(Unavailable, match="cuda:1"):
        Device(device="cuda:1").apply()


def test_a_dry_run_gives_no_time_for_a_device_whose_speed_nobody_measured() -> None:
    assert tiny_run(Path()).plan()["hours (estimate)"] == "not measured"
    measured = tiny_run(Path(), device=Device(peak_flops=1e3))
    assert measured.plan()["hours (estimate)"] > 0  # type: ignore[operator]


def test_a_slow_first_product_does_not_pass_for_the_machines_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first product starts the threads: far slower than the rest, it once made a target 3 times too small."""
    times = iter([1.0, 1e-6, 1e-6])
    monkeypatch.setattr(device, "_time", lambda work, where: next(times, 1e-4))
    assert device.matmul_rate("cpu", torch.float32, 0.01, size=64) == pytest.approx(2 * 128 * 64 * 64 / 1e-4)
