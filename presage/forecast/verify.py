"""Verify a seal from the run directories alone: recompute every digest and name the file that differs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from presage.core import origin
from presage.core.errors import PresageError, RunError
from presage.core.look import altered, changed_parents, damage, runs_below
from presage.core.run import RunDir
from presage.forecast import ability, seal
from presage.forecast import ledger as ledgers
from presage.train import pretrain

Problem = tuple[str, str]
TOLERANCE = 1e-6
"""Relative; what another build of numpy or scipy may move the refitted law by."""
LEDGER = "ledger.jsonl"


def verify(path: Path | str, ledger: Path | str | None = None) -> list[Problem]:
    """[(file, what is wrong)] for the forecast at `path` (its run, or a folder that holds it); empty when all holds.

    Checks the seal against forecast.json, every input and rung against the digests in it, the promise against a new
    fit of the rungs, and the target, where there is one, against the sealed config and seal. Of a folder also every
    other run in it: its content, the parents it records, and a score against forecast and target. A ledger (by
    default ledger.jsonl in that folder, if there) is checked too, and fixes the forecast, the score and the target:
    without one, nothing can tell that the last run of a chain was rewritten as a whole.
    """
    path = Path(path)
    sealed = RunDir(_forecast_dir(path))
    found = _gather(sealed, _problems(sealed))
    others = [] if sealed.path == path else _others(path, sealed)
    found += [problem for run in others for problem in _named(run, altered(run))]
    chain = Path(ledger) if ledger else path / LEDGER
    if ledger or chain.is_file():
        found += ledgers.problems(chain)
    if not found:  # what follows from a changed file is no news
        found += _gather(sealed, _lineage(sealed, others))
    if not found and (ledger or chain.is_file()):
        found += _gather(sealed, _recorded(chain, sealed, others))
    return list(dict.fromkeys(found))


def omitted(path: Path | str) -> int:
    """Files that are listed by digest but not included below `path` (a published copy leaves out the large ones)."""
    return sum(len(p.read_text().split("\n")) - 1 for p in Path(path).rglob("OMITTED"))


def _gather(sealed: RunDir, problems: Iterable[Problem]) -> list[Problem]:
    found: list[Problem] = []
    try:
        found.extend(problems)
    except PresageError as error:
        found.append((str(error.where or sealed.path), error.what))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # A changed file often cannot be read either: it has been named then, and what follows from it is no news.
        if not found:
            found.append((str(sealed.path / "forecast.json"), f"not in the form that presage writes ({error!r:.60})"))
    return found


def _forecast_dir(path: Path) -> Path:
    for folder in (path, path / "forecast"):
        if (folder / "forecast.json").is_file():
            return folder
    if any((path / "forecast" / mark).is_file() for mark in ("DONE", "config.json", "origin.json")):
        return path / "forecast"  # a forecast without its forecast.json: damage, to be named like any other
    raise RunError("no forecast.json here", where=path, hint="give the forecast's run directory, or the demo's folder")


# ---- the forecast, what it rests on, its target ---------------------------------------------------------------------


def _problems(sealed: RunDir) -> Iterator[Problem]:
    yield from _checked(sealed)
    forecast = sealed.read_json("forecast.json")
    if seal.seal_digest(forecast) != forecast["seal"]:
        yield str(sealed.path / "forecast.json"), "its content does not give its seal"
    config = sealed.config(seal.Config)
    yield from _agreement(sealed, config, forecast)
    inputs = forecast["inputs"]
    for role, place in _places(config).items():
        yield from _input(role, RunDir(place), str(inputs.get(role)))
    for name, digest in inputs["rungs"].items():
        yield from _input(f"rung {name}", RunDir(config.ladder / "rungs" / name), digest)
    for extra in sorted(p for p in (config.ladder / "rungs").glob("*") if p.is_dir() and p.name not in inputs["rungs"]):
        yield str(extra), "a rung that was not sealed"
    yield from _refit(sealed, config, forecast)
    target = _target_of(sealed, config)
    if any(target.path.glob("*")):
        yield from _target(target, forecast)


def _places(config: seal.Config) -> dict[str, Path]:
    places = {"corpus": config.corpus, "tokenizer": config.tokenizer, "shards": config.target.shards}
    return places | {"ladder": config.ladder} | ({"attempts": config.attempts} if config.attempts else {})


def _target_of(sealed: RunDir, config: seal.Config) -> RunDir:
    return RunDir(Path(os.path.normpath(sealed.path / config.target_run)))


def _agreement(sealed: RunDir, config: seal.Config, forecast: dict[str, Any]) -> Iterator[Problem]:
    """The forecast's own config and origin say what forecast.json says."""
    description = seal.description_digest(seal.target_description(config.target))
    said = {"level": config.level, "facts": config.facts}
    if description != forecast["target"]["config_digest"] or said != {key: forecast[key] for key in said}:
        yield str(sealed.path / "config.json"), "not the config that forecast.json was made from"
    if sealed.origin["code"] != forecast["inputs"]["code"]:
        yield str(sealed.path / "origin.json"), "names another version of the code than was sealed"


def _input(role: str, run: RunDir, digest: str) -> Iterator[Problem]:
    if not run.path.is_dir():
        yield str(run.path), f"missing ({role})"
        return
    found = list(_checked(run))
    yield from found
    if not found and run.digest != digest:
        yield str(run.path / "DONE"), f"a whole run, but not the one that was sealed as {role}"


def unseen(path: Path | str) -> list[str]:
    """What of the chain is not there to be checked, in words."""
    sealed = RunDir(_forecast_dir(Path(path)))
    target = _target_of(sealed, sealed.config(seal.Config))
    missing = [] if any(target.path.glob("*")) else [f"no target at {target.path}: only the promise was checked"]
    scores = [run for run in (_others(Path(path), sealed) if sealed.path != Path(path) else []) if run.stage == "score"]
    return missing if scores or missing or sealed.path == Path(path) else ["no score in this folder"]


def other_version(path: Path | str) -> bool:
    """Whether the forecast was sealed by another version of presage: its promise is then not fitted again."""
    return bool(_sealed_by_other(RunDir(_forecast_dir(Path(path))).read_json("forecast.json")))


def _sealed_by_other(forecast: dict[str, Any]) -> bool:
    return bool(forecast["inputs"]["code"] != origin.code_digest())


def _refit(sealed: RunDir, config: seal.Config, forecast: dict[str, Any]) -> Iterator[Problem]:
    """The promise against a new fit, by the version that made it: another one's law may rightly differ."""
    if _sealed_by_other(forecast):
        return
    compute = forecast["target"]["compute"]
    pairs = [("", seal.promise(RunDir(config.ladder), compute, config), forecast, ("point", "lo", "hi"))]
    again = ability.promise(config.attempts, compute, config.level)[0] if config.attempts else None
    if again and forecast["capability"]:
        laws = zip(again["laws"], forecast["capability"]["laws"], strict=True)
        pairs += [(f"capability/{new['bucket']} ", new, old, ("value", "lo", "hi")) for new, old in laws]
    for name, new, old, keys in pairs:
        for key in (key for key in keys if abs(new[key] - old[key]) > TOLERANCE * abs(old[key])):
            what = f"{name}{key} is {old[key]:.6f}, the rungs give {new[key]:.6f}"
            yield str(sealed.path / "forecast.json"), what


def _target(target: RunDir, forecast: dict[str, Any]) -> Iterator[Problem]:
    if not _running(target):
        yield from _checked(target)
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


def _running(target: RunDir) -> bool:
    return not target.done and not (target.path / "result.json").exists()


def _differ(a: dict[str, Any], b: dict[str, Any], key: str) -> bool:
    return json.dumps(a.get(key)) != json.dumps(b.get(key))


# ---- the other runs of the folder -----------------------------------------------------------------------------------


def _others(folder: Path, sealed: RunDir) -> list[RunDir]:
    """Runs below `folder` that are neither the forecast, nor its target, nor among what it rests on."""
    known = {sealed.path.resolve()}
    try:
        config = sealed.config(seal.Config)
        rungs = (config.ladder / "rungs").glob("*")
        known |= {p.resolve() for p in (*_places(config).values(), *rungs, _target_of(sealed, config).path)}
    except PresageError:
        pass  # its config cannot be read, which has been said; then nothing is known, and everything is checked
    return [run for run in runs_below(folder) if run.path.resolve() not in known]


def _lineage(sealed: RunDir, others: Sequence[RunDir]) -> Iterator[Problem]:
    """Of whole runs: each one's parents are those it was made from, and a score says what follows from them."""
    for run in others:
        yield from _checked(run)
    forecast, target = sealed.read_json("forecast.json"), _target_of(sealed, sealed.config(seal.Config))
    for run in (run for run in others if run.stage == "score" and _parent(run, "forecast") == sealed.path.resolve()):
        if not target.done:
            yield str(target.path / "DONE"), f"missing: {run.path.name} was made from a finished run"
        elif _score(run) != _due(forecast, target.value(forecast["metric"])):
            yield str(run.path / "result.json"), "not what the forecast and the target give"


def _parent(run: RunDir, role: str) -> Path:
    return Path(os.path.normpath(run.path / str(run.read_json("config.json")["config"].get(role)))).resolve()


def _score(run: RunDir) -> dict[str, Any]:
    results = run.results()
    values = {key: results[key]["value"] for key in ("promised", "lo", "hi", "actual", "inside", "seal")}
    return values | {"error_percent": f"{results['error_percent']['value']:.9e}"}


def _due(forecast: dict[str, Any], actual: float) -> dict[str, Any]:
    lo, hi = forecast["lo"], forecast["hi"]
    values = {"promised": forecast["point"], "lo": lo, "hi": hi, "actual": actual, "inside": int(lo <= actual <= hi)}
    return values | {"seal": forecast["seal"], "error_percent": f"{100 * (actual / forecast['point'] - 1):.9e}"}


def _recorded(chain: Path, sealed: RunDir, others: Sequence[RunDir]) -> Iterator[Problem]:
    """The runs are the ones that the ledger entered; they need not be in it yet."""
    mine = [entry for entry in ledgers.read(chain) if entry.what.seal == sealed.read_json("forecast.json")["seal"]]
    target = _target_of(sealed, sealed.config(seal.Config))
    for entry in mine:
        what, place = entry.what, f"entry {entry.number} of {chain.name}"
        if isinstance(what, ledgers.Sealed):
            if what.run != sealed.digest:
                yield str(sealed.path / "DONE"), f"a whole run, but not the forecast of {place}"
            continue
        if target.done and target.digest != what.target:
            yield str(target.path / "DONE"), f"a whole run, but not the target of {place}"
        leaves = [run for run in others if run.stage != "report"]
        if what.run not in [run.digest for run in leaves]:
            yield from ((str(run.path / "DONE"), f"a whole run, but not the score of {place}") for run in leaves)


def _checked(run: RunDir) -> Iterator[Problem]:
    """What is wrong with a run; of a parent that became another run, the parent as well."""
    found = damage(run)
    yield from _named(run, found)
    if found and not altered(run):
        for role, parent in changed_parents(run):
            yield str(parent.path / "DONE"), f"a whole run, but not the '{role}' that {run.path.name} was made from"


def _named(run: RunDir, problems: list[Problem]) -> list[Problem]:
    return [(str(run.path / name), what) for name, what in problems]
