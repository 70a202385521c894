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
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from presage.core import origin
from presage.core.config import Config as BaseConfig
from presage.core.config import Parent, diff, flatten
from presage.core.errors import SealError
from presage.core.look import whole
from presage.core.run import RunDir, note
from presage.forecast import ability, law
from presage.forecast import ladder as ladders
from presage.forecast.kinds import BRANCH, Training, config_of, data_of, kind_of, opened
from presage.forecast.prior import Prior
from presage.forecast.warnings import warnings
from presage.train import pretrain, vision

__all__ = ["Config", "run"]


TARGET = "target.json"
"""The target's config as it was sealed, to be run from."""
BESIDE = "beside."
"""Roles of other forecasts of the same target."""


class Config(BaseConfig):
    corpus: Parent | None = None
    """Of a target that reads text, and its tokenizer: what its shards were made from."""
    tokenizer: Parent | None = None
    ladder: Parent
    attempts: Parent | None = None
    """The ladder's attempts at problems: with them the forecast promises a pass rate as well."""
    target: pretrain.Config | vision.Config
    """The full config of the big run; it must take this forecast as its `forecast`, which is not part of the seal."""
    beside: tuple[Parent, ...] = ()
    """Other sealed forecasts of this target, each from rungs of its own: this seal covers theirs."""
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

    @field_validator("target", mode="before")
    @classmethod
    def _of_its_kind(cls, target: Any) -> Any:
        if not isinstance(target, dict):
            return target
        return (vision.Config if "images" in target else pretrain.Config).parse(target, where="target")

    @model_validator(mode="after")
    def _of_known_text(self) -> Config:
        if isinstance(self.target, pretrain.Config) and not (self.corpus and self.tokenizer):
            raise ValueError("a target that reads text is sealed with its corpus and its tokenizer")
        return self


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Write forecast.json, and target.json: the target's config to be run as it is, with this forecast as its own.

    What the target leaves open is settled now: the device is the ladder's, of images the model is the base's. Raises
    SealError when the target has begun or an input does not belong.
    """
    begun = Path(os.path.normpath(Path(out) / config.target_run))  # `out` need not be there yet
    if (begun / "config.json").exists() or (begun / "origin.json").exists():
        raise SealError(
            "the target has already begun: a forecast can only be sealed before its first step", where=begun
        )
    _check_inputs(config)
    config = config.model_copy(update={"target": _settled(config)})
    _check_beside(config, begun)
    directory = RunDir.create(out, "seal", config, seed=config.target.seed, resume=resume)
    with directory:
        forecast = _forecast(config)
        forecast["seal"] = seal_digest(forecast)
        directory.write_json("forecast.json", forecast)
        target = config.target.model_copy(update={"forecast": directory.path})
        directory.write_config(TARGET, kind_of(target).stage, target)
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


def _settled(config: Config) -> Training:
    ladder = RunDir.open(config.ladder, "ladder").config(ladders.Config)
    target = config.target
    if target.device is None:
        target = target.model_copy(update={"device": ladder.device})
    if isinstance(target, vision.Config):
        target = target.model_copy(update={"model": vision.shape_of(target)})
    return target


def target_description(config: Training, recorded: dict[str, Any] | None = None) -> dict[str, Any]:
    """The target's flat config without paths: parents are sealed by digest, wherever they lie.

    `recorded`: what a config.json says of the same config. A field that configs have gained since is not in it, and no
    part of what was sealed.
    """
    paths = {re.sub(r"\.\d+$", "", role) for role in config.parents()} | {"forecast"}  # a list's are numbered
    return {key: value for key, value in flatten(recorded or config).items() if key not in paths}


def description_of(target: RunDir) -> dict[str, Any]:
    """The description of the config that a target was made with."""
    return target_description(config_of(target), target.read_json("config.json")["config"])


def inputs_of(config: Config) -> dict[str, Path]:
    """{role: run} of everything that a forecast rests on, but for the rungs."""
    parts = {"corpus": config.corpus, "tokenizer": config.tokenizer}
    parts |= data_of(config.target) | {"ladder": config.ladder, "attempts": config.attempts}
    parts |= {f"{BESIDE}{number}": path for number, path in enumerate(config.beside)}
    return {role: path for role, path in parts.items() if path is not None}


def covering(target: RunDir) -> set[str]:
    """Digests of the forecasts that the seal a target was started under covers; empty where none are."""
    named = config_of(target).forecast
    if named is None:
        return set()
    first = RunDir.open(named, "seal").read_json("forecast.json")
    if seal_digest(first) != target.origin.get("seal"):
        return set()
    return {digest for role, digest in first["inputs"].items() if role.startswith(BESIDE)}


def begun_under(target: RunDir, seal: str, digest: str) -> bool:
    """Whether a target was started under this forecast's seal, or under one that covers its run, of this digest."""
    return target.origin.get("seal") == seal or digest in covering(target)


def other_data(target: RunDir, sealed: Training, inputs: Mapping[str, str]) -> list[str]:
    """Roles in which a target was trained on other data than was sealed: more of it, less, or of another digest."""
    recorded, wanted = target.origin["parents"], data_of(sealed)
    digests = {role: recorded.get(role, {}).get("digest") for role in data_of(config_of(target))}
    other = [role for role, digest in digests.items() if digest != inputs.get(role, digest)]
    return sorted({*other, *(digests.keys() ^ wanted.keys())})


def description_digest(description: dict[str, Any]) -> str:
    """sha256 of the canonical JSON of a target's description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def promise(ladder: RunDir, compute: float, config: Config) -> dict[str, Any]:
    """The part of a forecast that follows from the rungs alone: law, point, interval, floor, points, warnings."""
    column = kind_of(config.target).column
    rows = [_typed(row, column) for row in ladder.read_table("rungs")]
    points, noise = law.summarise([(r["budget"], r[column]) for r in rows])
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
    """The target and the rungs learn from the same data, made from this corpus with this tokenizer."""
    ladder = whole(config.ladder, "ladder")
    wanted = [(f"target.{role}", *of_ladder, ladder) for role, of_ladder in _shared(config, ladder).items()]
    if isinstance(config.target, pretrain.Config):
        shards = whole(config.target.shards, "shards")
        made_from = shards.origin["parents"]
        parts = {"corpus": config.corpus, "tokenizer": config.tokenizer}
        wanted += [(role, made_from[role], whole(str(path), role), shards) for role, path in parts.items()]
    if config.attempts:
        attempted = whole(config.attempts, "attempts")
        if "ladder" not in attempted.origin["parents"]:
            raise SealError("these are not a ladder's attempts", where=attempted.path)
        wanted.append(("ladder", attempted.origin["parents"]["ladder"], ladder, attempted))
    for key, recorded, parent, child in wanted:
        if recorded is None or recorded["digest"] != parent.digest:
            raise SealError(f"{key} is not what {child.path} was made from", where=parent.path)


def _check_beside(config: Config, begun: Path) -> None:
    """The other forecasts are of this target, its data, its place and this code, each from rungs of its own."""
    wanted = {role: opened(path).digest for role, path in data_of(config.target).items()}
    wanted |= {"code": origin.code_digest(), "target_config": description_digest(target_description(config.target))}
    ladders = {RunDir.open(config.ladder, "ladder").digest}
    for path in config.beside:
        other = whole(path, "seal")
        forecast = other.read_json("forecast.json")
        theirs: dict[str, Any] = forecast.get("inputs", {})
        place = Path(os.path.normpath(other.path / other.config(Config).target_run))
        differ = sorted(role for role, digest in wanted.items() if theirs.get(role) != digest)
        differ += ["target_run"] if place.resolve() != begun.resolve() else []
        if differ or seal_digest(forecast) != forecast.get("seal"):
            raise SealError(f"not a forecast of this target: other {', '.join(differ) or 'content'}", where=other.path)
        if theirs.get("ladder") in ladders:
            raise SealError("rests on the rungs of another of these forecasts", where=other.path)
        ladders.add(theirs["ladder"])


def _shared(config: Config, ladder: RunDir) -> dict[str, tuple[dict[str, str] | None, RunDir]]:
    """{role in the target: (what the ladder recorded of its own, the target's)}."""
    own = "" if isinstance(config.target, pretrain.Config) else "sight."
    recorded = ladder.origin["parents"]
    wanted = {role: path for role, path in data_of(config.target).items() if role != BRANCH}
    rungs = {role.removeprefix(own) for role in recorded if role.startswith(own) and role != f"{own}forecast"}
    for role in sorted(rungs - wanted.keys()):
        raise SealError(f"the rungs have {role}, the target has not", where=config.ladder)
    return {role: (recorded.get(own + role), opened(path)) for role, path in wanted.items()}


def _say_capability(directory: RunDir, capability: dict[str, Any] | None) -> None:
    for bucket in capability["laws"] if capability else ():
        interval = {key: bucket[key] for key in ("lo", "hi", "level", "unit")}
        directory.result(f"capability/{bucket['bucket']}", bucket["value"], **interval)


def _forecast(config: Config) -> dict[str, Any]:
    ladder = RunDir.open(config.ladder, "ladder")
    kind = kind_of(config.target)
    size = kind.size(config.target)
    compute = size.flops
    capability, doubt = ability.promise(config.attempts, compute, config.level) if config.attempts else (None, "")
    promised = promise(ladder, compute, config)
    promised["warnings"] += [doubt] if doubt else []
    promised["warnings"] += _unlike(config.target, ladder, size.tokens)
    description = target_description(config.target)
    return {
        "metric": kind.metric,
        "unit": kind.unit,
        "target": {
            "compute": compute,
            "config": description,
            "config_digest": description_digest(description),
        },
        **promised,
        "capability": capability,
        "facts": config.facts,
        "inputs": {
            "attempts": None,
            **{role: RunDir.open(path).digest for role, path in inputs_of(config).items()},
            "rungs": {row["name"]: row["digest"] for row in ladder.read_table("rungs")},
            "code": origin.code_digest(),
            "target_config": description_digest(description),
        },
    }


def _unlike(target: Training, ladder: RunDir, tokens: int) -> Iterator[str]:
    """What of a training on images is otherwise than in the rungs."""
    cut = ladder.config(ladders.Config).sight
    if cut is None or not isinstance(target, vision.Config):
        return
    names = set(diff(target.model_dump(exclude=OWN), cut.model_dump(exclude=OWN)))
    if names:
        yield f"the target is not trained as the rungs were: {', '.join(sorted(names))}"
    times = target.epochs * max(float(row["tokens"]) for row in ladder.read_table("rungs")) / tokens
    if target.epochs > MOST_EPOCHS >= times:
        yield f"the target reads its images {target.epochs:.3g} times, the rungs {times:.2g} times at most"


OWN = {"model", "epochs", "schedule", "seed", "device", "forecast", "samples", "log_every", "checkpoint_every"}
OWN |= {"keep_checkpoints", "images", "base", "shards", "eval_tokens", "micro_batch"}
"""What each run has to itself, its data aside: those have to be the same."""
MOST_EPOCHS = 4.0
"""Up to which repeated data are about as good as new (Muennighoff et al. 2023)."""


def _typed(row: dict[str, str], column: str) -> dict[str, Any]:
    numbers: dict[str, Any] = {key: float(row[key]) for key in ("budget", column, "n_params", "tokens")}
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
