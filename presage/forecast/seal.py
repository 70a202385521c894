"""Stage: fit the law to the rungs and seal a forecast of the target, before the target's first step.

The seal is one sha256 over forecast.json: the promise (point, interval, law) and the digests of everything it rests
on: every rung, the corpus, tokenizer and shards, the code, and the target's full config. Published before the run, it
lets anyone check later that nothing was changed. Someone who rewrites all of these files together can make a new,
consistent seal; only the digest published beforehand gives that away.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from presage.core import origin
from presage.core.config import Config as BaseConfig
from presage.core.config import Parent, flatten
from presage.core.errors import SealError
from presage.core.look import whole
from presage.core.run import RunDir, note
from presage.forecast import ability, law
from presage.forecast.prior import Prior
from presage.forecast.warnings import warnings
from presage.train import pretrain

__all__ = ["Config", "run"]


class Config(BaseConfig):
    corpus: Parent
    tokenizer: Parent
    ladder: Parent
    attempts: Parent | None = None
    """The ladder's attempts at problems: with them the forecast promises a pass rate as well."""
    target: pretrain.Config
    """The full config of the big run; it must take this forecast as its `forecast`, which is not part of the seal."""
    target_run: str = "../target"
    """Where the target will be written, relative to this run: sealing is refused once something stands there."""
    level: float = Field(default=0.9, gt=0, lt=1)
    prior: Prior = Prior()
    """What is known about the law before the rungs; a recipe with a history of its own may know more."""
    drift: float = Field(default=0.0, ge=0)
    """What the recipe's maker knows the law to be off by per decade beyond the largest rung, on top of what the rungs
    show; relative, one standard deviation."""
    doubts: tuple[str, ...] = ()
    """What whoever made the recipe knows against this forecast; printed with its own warnings."""
    facts: dict[str, float] = {}
    """Measured circumstances that fixed the target's size (speeds, minutes); sealed with the rest."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Write forecast.json. Raises SealError when the target has begun or an input does not belong."""
    begun = Path(os.path.normpath(Path(out) / config.target_run))  # `out` need not be there yet
    if (begun / "config.json").exists() or (begun / "origin.json").exists():
        raise SealError(
            "the target has already begun: a forecast can only be sealed before its first step", where=begun
        )
    _check_inputs(config)
    directory = RunDir.create(out, "seal", config, seed=config.target.seed, resume=resume)
    with directory:
        forecast = _forecast(config)
        forecast["seal"] = seal_digest(forecast)
        directory.write_json("forecast.json", forecast)
        for key in ("point", "lo", "hi"):
            directory.result(key, forecast[key], level=config.level, unit=forecast["unit"])
        _say_capability(directory, forecast["capability"])
        directory.result("seal", forecast["seal"])
        directory.finish()
    for warning in forecast["warnings"]:
        note(f"presage: {warning}")
    note(f"sealed: {forecast['point']:.4f} {forecast['unit']}, {forecast['lo']:.4f} to {forecast['hi']:.4f}")
    note(f"seal, to be published before the target runs: {forecast['seal']}")
    return directory


def seal_digest(forecast: dict[str, Any]) -> str:
    """sha256 of the canonical JSON (sorted keys, no spaces) of a forecast without its own seal."""
    body = {key: value for key, value in forecast.items() if key != "seal"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def target_description(config: pretrain.Config, recorded: dict[str, Any] | None = None) -> dict[str, Any]:
    """The target's flat config without paths: parents are sealed by digest, wherever they lie.

    `recorded`: what a config.json says of the same config. A field that configs have gained since is not in it, and no
    part of what was sealed.
    """
    flat, parents = flatten(recorded or config), config.parents()
    return {key: value for key, value in flat.items() if key not in parents and not key.startswith("forecast")}


def description_of(target: RunDir) -> dict[str, Any]:
    """The description of the config that a run of pretraining was made with."""
    return target_description(target.config(pretrain.Config), target.read_json("config.json")["config"])


def description_digest(description: dict[str, Any]) -> str:
    """sha256 of the canonical JSON of a target's description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def promise(ladder: RunDir, compute: float, config: Config) -> dict[str, Any]:
    """The part of a forecast that follows from the rungs alone: law, point, interval, floor, points, warnings."""
    rows = [_typed(row) for row in ladder.read_table("rungs")]
    points, noise = law.summarise([(r["budget"], r["bpb"]) for r in rows])
    fitted = {r["budget"] for r in rows if r["fitted"]}
    level = config.level
    fit = law.fit([p for p in points if p.compute in fitted], noise, config.drift, config.prior)
    estimate, floor = fit.predict(compute, level), fit.floor(level)
    return {
        "law": fit.law.model_dump(),
        "point": estimate.value,
        "lo": estimate.lo,
        "hi": estimate.hi,
        "level": level,
        "floor": {"value": floor.value, "lo": floor.lo, "hi": floor.hi},
        "noise": noise,
        "wander": fit.wander,
        "misfit": fit.misfit,
        "drift": config.drift,
        "prior": config.prior.model_dump(mode="json"),
        "points": [_point(p, rows, p.compute in fitted, fit.law.loss(p.compute)) for p in points],
        "curve": _curve(fit, min(p.compute for p in points), 2 * compute, level),
        "extrapolation": compute / max(fitted),
        "warnings": [*config.doubts, *warnings(fit, compute)],
    }


def _check_inputs(config: Config) -> None:
    """The target and the rungs learn from the same tokens, made from this corpus with this tokenizer."""
    shards = whole(config.target.shards, "shards")
    ladder = whole(config.ladder, "ladder")
    made_from = shards.origin["parents"]
    wanted = {
        "corpus": (made_from["corpus"], whole(config.corpus, "corpus"), shards),
        "tokenizer": (made_from["tokenizer"], whole(config.tokenizer, "tokenizer"), shards),
        "target.shards": (ladder.origin["parents"]["shards"], shards, ladder),
    }
    if config.attempts:
        attempted = whole(config.attempts, "attempts")
        if "ladder" not in attempted.origin["parents"]:
            raise SealError("these are not a ladder's attempts", where=attempted.path)
        wanted["ladder"] = (attempted.origin["parents"]["ladder"], ladder, attempted)
    for key, (recorded, parent, child) in wanted.items():
        if recorded["digest"] != parent.digest:
            raise SealError(f"{key} is not what {child.path} was made from", where=parent.path)


def _say_capability(directory: RunDir, capability: dict[str, Any] | None) -> None:
    for bucket in capability["laws"] if capability else ():
        interval = {key: bucket[key] for key in ("lo", "hi", "level", "unit")}
        directory.result(f"capability/{bucket['bucket']}", bucket["value"], **interval)


def _forecast(config: Config) -> dict[str, Any]:
    ladder = RunDir.open(config.ladder, "ladder")
    compute = float(config.target.model.flops_per_token() * config.target.tokens)
    capability, doubt = ability.promise(config.attempts, compute, config.level) if config.attempts else (None, "")
    promised = promise(ladder, compute, config)
    promised["warnings"] += [doubt] if doubt else []
    description = target_description(config.target)
    return {
        "metric": "val/bpb",
        "unit": "bits/byte",
        "target": {
            "compute": compute,
            "config": description,
            "config_digest": description_digest(description),
        },
        **promised,
        "capability": capability,
        "facts": config.facts,
        "inputs": {
            "corpus": RunDir.open(config.corpus, "corpus").digest,
            "tokenizer": RunDir.open(config.tokenizer, "tokenizer").digest,
            "shards": RunDir.open(config.target.shards, "shards").digest,
            "ladder": ladder.digest,
            "attempts": RunDir.open(config.attempts, "attempts").digest if config.attempts else None,
            "rungs": {row["name"]: row["digest"] for row in ladder.read_table("rungs")},
            "code": origin.code_digest(),
            "target_config": description_digest(description),
        },
    }


def _typed(row: dict[str, str]) -> dict[str, Any]:
    numbers: dict[str, Any] = {key: float(row[key]) for key in ("budget", "bpb", "n_params", "tokens")}
    return numbers | {"name": row["name"], "digest": row["digest"], "fitted": row["fitted"] == "1"}


def _point(point: law.Point, rows: Sequence[dict[str, Any]], fitted: bool, on_law: float) -> dict[str, Any]:
    first = next(r for r in rows if r["budget"] == point.compute)
    return {
        "compute": point.compute,
        "loss": point.loss,
        "stderr": point.stderr,
        "n": point.n,
        "n_params": first["n_params"],
        "tokens": first["tokens"],
        "fitted": fitted,
        "residual_percent": 100 * (point.loss / on_law - 1),
    }


def _curve(fit: law.Fit, start: float, stop: float, level: float) -> list[dict[str, float]]:
    """The law and the band of a new run for the figure."""
    curve = []
    for compute in np.geomspace(start, stop, 48):
        at = fit.predict(float(compute), level)
        curve.append({"compute": float(compute), "loss": at.value, "lo": at.lo, "hi": at.hi})
    return curve
