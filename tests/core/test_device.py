"""A device that a person named and this machine does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

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
