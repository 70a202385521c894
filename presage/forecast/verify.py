"""Verify a seal from the run directories alone: recompute every digest and name the file that differs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError, RunError
from presage.core.look import damage
from presage.core.run import RunDir
from presage.forecast import seal
from presage.train import pretrain

Problem = tuple[str, str]
TOLERANCE = 1e-6
"""Relative; what another build of numpy or scipy may move the refitted law by."""


def verify(path: Path | str) -> list[Problem]:
    """[(file, what is wrong)] for the forecast at `path` (its run, or a folder that holds it); empty when all holds.

    Checks the seal against forecast.json, every input and rung against the digests in it, the promise against a new
    fit of the rungs, and the target, where there is one, against the sealed config and seal.
    """
    root = _forecast_dir(Path(path))
    sealed = RunDir(root)
    found: list[Problem] = []
    try:
        found.extend(_problems(sealed))
    except PresageError as error:
        found.append((str(error.where or root), error.what))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # A changed file often cannot be read either: it has been named then, and what follows from it is no news.
        if not found:
            found.append((str(root / "forecast.json"), f"not in the form that presage writes ({error!r:.60})"))
    return found


def omitted(path: Path | str) -> int:
    """Files that are listed by digest but not included below `path` (a published copy leaves out the large ones)."""
    return sum(len(p.read_text().split("\n")) - 1 for p in Path(path).rglob("OMITTED"))


def _forecast_dir(path: Path) -> Path:
    for folder in (path, path / "forecast"):
        if (folder / "forecast.json").is_file():
            return folder
    raise RunError("no forecast.json here", where=path, hint="give the forecast's run directory, or the demo's folder")


def _problems(sealed: RunDir) -> Iterator[Problem]:
    yield from _named(sealed, damage(sealed))
    forecast = sealed.read_json("forecast.json")
    if seal.seal_digest(forecast) != forecast["seal"]:
        yield str(sealed.path / "forecast.json"), "its content does not give its seal"
    config = sealed.config(seal.Config)
    inputs = forecast["inputs"]
    places = {"corpus": config.corpus, "tokenizer": config.tokenizer, "shards": config.target.shards}
    for role, place in (places | {"ladder": config.ladder}).items():
        yield from _input(role, RunDir(place), inputs[role])
    for name, digest in inputs["rungs"].items():
        yield from _input(f"rung {name}", RunDir(config.ladder / "rungs" / name), digest)
    yield from _refit(sealed, config, forecast)
    target = RunDir(Path(os.path.normpath(sealed.path / config.target_run)))
    if any(target.path.glob("*")):
        yield from _target(target, forecast)


def _input(role: str, run: RunDir, digest: str) -> Iterator[Problem]:
    if not run.path.is_dir():
        yield str(run.path), f"missing ({role})"
        return
    found = damage(run)
    yield from _named(run, found)
    if not found and run.digest != digest:
        yield str(run.path / "DONE"), f"a whole run, but not the one that was sealed as {role}"


def _refit(sealed: RunDir, config: seal.Config, forecast: dict[str, Any]) -> Iterator[Problem]:
    again = seal.promise(RunDir(config.ladder), forecast["target"]["compute"], config)
    for key in ("point", "lo", "hi"):
        if abs(again[key] / forecast[key] - 1) > TOLERANCE:
            yield str(sealed.path / "forecast.json"), f"{key} is {forecast[key]:.6f}, the rungs give {again[key]:.6f}"


def _target(target: RunDir, forecast: dict[str, Any]) -> Iterator[Problem]:
    if target.done or (target.path / "result.json").exists():
        yield from _named(target, damage(target))
    if target.origin.get("code") != forecast["inputs"]["code"]:
        yield str(target.path / "origin.json"), "the target was trained by another version of the code than was sealed"
    if target.origin.get("seal") != forecast["seal"]:
        yield str(target.path / "origin.json"), "the target was not started under this seal"
    if target.origin["parents"]["shards"]["digest"] != forecast["inputs"]["shards"]:
        yield str(target.path / "origin.json"), "the target was trained on other tokens than the sealed ones"
    description = seal.target_description(target.config(pretrain.Config))
    if seal.description_digest(description) != forecast["target"]["config_digest"]:
        sealed_config = forecast["target"]["config"]
        keys = [k for k in sorted(description.keys() | sealed_config.keys()) if _differ(description, sealed_config, k)]
        yield str(target.path / "config.json"), f"not the sealed config: {', '.join(keys)}"
    if seal.description_digest(forecast["target"]["config"]) != forecast["target"]["config_digest"]:
        yield "forecast.json", "target.config does not give target.config_digest"


def _differ(a: dict[str, Any], b: dict[str, Any], key: str) -> bool:
    return json.dumps(a.get(key)) != json.dumps(b.get(key))


def _named(run: RunDir, problems: list[Problem]) -> list[Problem]:
    return [(str(run.path / name), what) for name, what in problems]
