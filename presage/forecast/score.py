"""Stage: compare a sealed forecast with the run it was about."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import SealError
from presage.core.look import whole
from presage.core.run import RunDir, note
from presage.forecast import ability
from presage.forecast.kinds import Training, kind_of
from presage.forecast.seal import Config as Sealed
from presage.forecast.seal import begun_under, covering, description_digest, description_of, other_data, seal_digest

__all__ = ["Config", "run"]


class Config(BaseConfig):
    forecast: Parent
    target: Parent
    attempts: Parent | None = None
    """The target's attempts at the problems the forecast promised a pass rate on."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Promised against actual. A miss is a result; SealError only when these two do not belong together."""
    sealed = whole(config.forecast, "seal")
    forecast = sealed.read_json("forecast.json")
    promised = sealed.config(Sealed)
    target = whole(config.target, kind_of(promised.target).stage)
    _check_pair(forecast, sealed.digest, promised.target, target)
    abilities = _abilities(config, promised.attempts, forecast, target)
    directory = RunDir.create(out, "score", config, resume=resume)
    with directory:
        actual = target.results()[forecast["metric"]]
        point, unit = forecast["point"], forecast["unit"]
        interval = {"lo": forecast["lo"], "hi": forecast["hi"], "level": forecast["level"]}
        directory.result("promised", point, unit=unit, **interval)
        directory.result("lo", forecast["lo"], unit=unit)
        directory.result("hi", forecast["hi"], unit=unit)
        directory.result("actual", actual["value"], stderr=actual.get("stderr"), unit=unit)
        directory.result("error_percent", 100 * (actual["value"] / point - 1), unit="% of promised")
        directory.result(
            "half_width_percent", 100 * (forecast["hi"] - forecast["lo"]) / 2 / point, unit="% of promised"
        )
        directory.result("inside", int(forecast["lo"] <= actual["value"] <= forecast["hi"]))
        directory.result("seal", forecast["seal"])
        if covered := covering(target):
            directory.result("forecasts", 1 + len(covered), unit="of this target, sealed together")
            directory.result("covered_by", str(target.origin["seal"]))
        for name, facts in abilities:
            directory.result(name, **facts)
        directory.finish()
    error = directory.value("error_percent")
    note(f"promised {point:.4f}, came out at {actual['value']:.4f} {unit}: {error:+.2f} %")
    return directory


def _abilities(
    config: Config, ladder: Path | None, forecast: dict[str, Any], target: RunDir
) -> list[tuple[str, dict[str, Any]]]:
    """[(name, result)] for every bucket of the sealed capability laws; none where the target was not examined."""
    promised = forecast.get("capability")
    if config.attempts is None or promised is None or ladder is None:
        return []
    attempted = whole(config.attempts, "attempts")
    if attempted.origin["parents"].get("run", {}).get("digest") != target.digest:
        raise SealError("these are not this target's attempts", where=attempted.path)
    actual = ability.outcome(ladder, attempted.path, promised)
    return [row for law in promised["laws"] for row in _ability(law, *actual[law["bucket"]])]


def _ability(law: dict[str, Any], value: float, stderr: float) -> list[tuple[str, dict[str, Any]]]:
    name, unit = f"capability/{law['bucket']}", law["unit"]
    interval = {"lo": law["lo"], "hi": law["hi"], "level": law["level"], "unit": unit}
    return [
        (f"{name}/promised", {"value": law["value"], **interval}),
        (f"{name}/actual", {"value": value, "stderr": stderr, "unit": unit}),
        (f"{name}/pass_rate", {"value": math.exp(-value), "unit": "geometric mean"}),
        (f"{name}/inside", {"value": int(law["lo"] <= value <= law["hi"])}),
    ]


def _check_pair(forecast: dict[str, Any], digest: str, sealed: Training, target: RunDir) -> None:
    if seal_digest(forecast) != forecast["seal"]:
        raise SealError("forecast.json does not match its own seal", where=forecast["seal"])
    if not begun_under(target, forecast["seal"], digest):
        raise SealError("this run was not started under this seal", where=target.path)
    for role in other_data(target, sealed, forecast["inputs"]):
        raise SealError(f"this run was trained on other {role} than were sealed", where=target.path)
    if description_digest(description_of(target)) != forecast["target"]["config_digest"]:
        raise SealError("this run's config is not the sealed one", where=target.path / "config.json")
