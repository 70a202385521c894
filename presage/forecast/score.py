"""Stage: compare a sealed forecast with the run it was about."""

from __future__ import annotations

from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import SealError
from presage.core.run import RunDir, note
from presage.forecast.seal import description_digest, seal_digest, target_description
from presage.train import pretrain

__all__ = ["Config", "run"]


class Config(BaseConfig):
    forecast: Parent
    target: Parent


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Promised against actual. A miss is a result; SealError only when these two do not belong together."""
    sealed, target = RunDir.open(config.forecast, "seal"), RunDir.open(config.target, "pretrain")
    forecast = sealed.read_json("forecast.json")
    _check_pair(forecast, target)
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
        directory.finish()
    error = directory.value("error_percent")
    note(f"promised {point:.4f}, came out at {actual['value']:.4f} {unit}: {error:+.2f} %")
    return directory


def _check_pair(forecast: dict[str, object], target: RunDir) -> None:
    if seal_digest(forecast) != forecast["seal"]:
        raise SealError("forecast.json does not match its own seal", where=forecast["seal"])
    if target.origin.get("seal") != forecast["seal"]:
        raise SealError("this run was not started under this seal", where=target.path)
    description, inputs = forecast["target"], forecast["inputs"]
    assert isinstance(description, dict)
    assert isinstance(inputs, dict)
    if target.origin["parents"]["shards"]["digest"] != inputs["shards"]:
        raise SealError("this run was trained on other tokens than the sealed ones", where=target.path)
    if description_digest(target_description(target.config(pretrain.Config))) != description["config_digest"]:
        raise SealError("this run's config is not the sealed one", where=target.path / "config.json")
