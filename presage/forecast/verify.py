"""Verify a seal from the run directories alone: recompute every digest and name the file that differs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from presage.core import origin
from presage.core.errors import PresageError, RunError
from presage.core.look import altered, changed_parents, displaced, runs_below
from presage.core.run import RunDir
from presage.forecast import ability, seal
from presage.forecast import ledger as ledgers
from presage.forecast.kinds import BRANCH, Training

Problem = tuple[str, str]
TOLERANCE = 1e-6
"""Relative; what another build of numpy or scipy may move the refitted law by."""
LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Verdict:
    """What was found, and what there is to say where nothing was."""

    problems: list[Problem]
    """[(file, what is wrong)]; empty when all holds."""
    omitted: int = 0
    """Files that are listed by digest but not included."""
    unseen: tuple[str, ...] = ()
    """What of the chain is not there to be checked, in words."""
    other_version: bool = False
    """The forecast was sealed by another version of presage, whose law may rightly differ from this one's."""
    refitted: bool = True
    """The promise follows from the rungs under this version's law."""


def verify(path: Path | str, ledger: Path | str | None = None) -> list[Problem]:
    """[(file, what is wrong)] for the forecast at `path` (its run, or a folder that holds it); empty when all holds.

    Checks the seal against forecast.json, every input and rung against the digests in it, the promise against a new
    fit of the rungs, and the target, where there is one, against the sealed config and seal. Of a folder also every
    other run in it: its content, the parents it records, and a score against forecast and target. A ledger (by
    default ledger.jsonl in that folder, if there) is checked too, and fixes the forecast, the score and the target:
    without one, nothing can tell that the last run of a chain was rewritten as a whole.
    """
    return examine(path, ledger).problems


def examine(path: Path | str, ledger: Path | str | None = None) -> Verdict:
    """As `verify`, with what it could not see. Every file is hashed once. RunError where there is no forecast."""
    path = Path(path)
    chain = _Chain(path)
    record = Path(ledger) if ledger else path / LEDGER
    recorded = ledger or record.is_file()
    chains = [chain, *chain.covered]
    found = [problem for each in chains for problem in _gather(each, _problems(each))]
    found += [problem for run in chain.others for problem in _named(run, altered(run))]
    if recorded:
        found += ledgers.problems(record)
    if not found:  # what follows from a changed file is no news
        found += _gather(chain, _lineage(chain))
    if not found and recorded:
        found += _gather(chain, _recorded(record, chain))
    if found:
        return Verdict(list(dict.fromkeys(found)))
    return Verdict([], omitted(path), tuple(_unseen(chain)), chain.by_other_version, _follows(chain))


def omitted(path: Path | str) -> int:
    """Files that are listed by digest but not included below `path` (a published copy leaves out the large ones)."""
    return sum(len(p.read_text().split("\n")) - 1 for p in Path(path).rglob("OMITTED"))


class _Chain:
    """The forecast at `path`, opened once, and the runs around it. What cannot be read raises where it is asked for."""

    def __init__(self, path: Path, seen: set[Path] | None = None) -> None:
        self.path, self.sealed = path, RunDir(_forecast_dir(path))
        self.seen: set[Path] = set() if seen is None else seen
        """Runs whose files were compared with their digests already."""

    @cached_property
    def forecast(self) -> dict[str, Any]:
        found: dict[str, Any] = self.sealed.read_json("forecast.json")
        return found

    @cached_property
    def config(self) -> seal.Config:
        return self.sealed.config(seal.Config)

    @cached_property
    def target(self) -> RunDir:
        return RunDir(Path(os.path.normpath(self.sealed.path / self.config.target_run)))

    @cached_property
    def by_other_version(self) -> bool:
        return bool(self.forecast["inputs"]["code"] != origin.code_digest())

    @cached_property
    def moved(self) -> list[str]:
        """Where the promise differs from a new fit of the rungs, in words."""
        return list(_refit(self.config, self.forecast))

    @cached_property
    def covered(self) -> list[_Chain]:
        """The other forecasts of the target that this seal covers."""
        try:
            return [_Chain(place, self.seen) for place in self.config.beside]
        except PresageError:
            return []  # as in `others`: what is wrong with its config or with a missing one has been said

    @property
    def is_folder(self) -> bool:
        """Whether `path` holds the forecast beside other runs."""
        return self.sealed.path != self.path

    @cached_property
    def others(self) -> list[RunDir]:
        """Runs of the folder that are neither the forecast, nor its target, nor among what it rests on."""
        if not self.is_folder:
            return []
        known = {self.sealed.path.resolve()}
        for chain in (self, *self.covered):
            try:
                rungs = (chain.config.ladder / "rungs").glob("*")
                known |= {p.resolve() for p in (*seal.inputs_of(chain.config).values(), *rungs, chain.target.path)}
            except PresageError:
                continue  # its config cannot be read, which has been said; nothing of it is known, and all is checked
        return [run for run in runs_below(self.path) if run.path.resolve() not in known]


def _gather(chain: _Chain, problems: Iterable[Problem]) -> list[Problem]:
    found: list[Problem] = []
    try:
        found.extend(problems)
    except PresageError as error:
        found.append((str(error.where or chain.sealed.path), error.what))
    except (OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        # A changed file often cannot be read either: it has been named then, and what follows from it is no news.
        if not found:
            place = str(chain.sealed.path / "forecast.json")
            found.append((place, f"not in the form that presage writes ({error!r:.60})"))
    return found


def _forecast_dir(path: Path) -> Path:
    for folder in (path, path / "forecast"):
        if (folder / "forecast.json").is_file():
            return folder
    if any((path / "forecast" / mark).is_file() for mark in ("DONE", "config.json", "origin.json")):
        return path / "forecast"  # a forecast without its forecast.json: damage, to be named like any other
    raise RunError("no forecast.json here", where=path, hint="give the forecast's run directory, or the demo's folder")


# ---- the forecast, what it rests on, its target ---------------------------------------------------------------------


def _problems(chain: _Chain) -> Iterator[Problem]:
    sealed = chain.sealed
    yield from _checked(sealed, chain.seen)
    forecast = chain.forecast
    if seal.seal_digest(forecast) != forecast["seal"]:
        yield str(sealed.path / "forecast.json"), "its content does not give its seal"
    config = chain.config
    yield from _agreement(sealed, config, forecast)
    inputs = forecast["inputs"]
    for role, place in seal.inputs_of(config).items():
        if role in inputs or role != BRANCH:  # which was not sealed before it could be
            yield from _input(role, RunDir(place), str(inputs.get(role)), chain.seen)
    for name, digest in inputs["rungs"].items():
        yield from _input(f"rung {name}", RunDir(config.ladder / "rungs" / name), digest, chain.seen)
    for extra in sorted(p for p in (config.ladder / "rungs").glob("*") if p.is_dir() and p.name not in inputs["rungs"]):
        yield str(extra), "a rung that was not sealed"
    if any(chain.target.path.glob("*")):
        yield from _target(chain, config.target, forecast)
    if not chain.by_other_version:  # last: of a table that was swapped for something else nothing can be fitted
        yield from ((str(sealed.path / "forecast.json"), what) for what in chain.moved)


def _agreement(sealed: RunDir, config: seal.Config, forecast: dict[str, Any]) -> Iterator[Problem]:
    """The forecast's own config and origin say what forecast.json says."""
    recorded = sealed.read_json("config.json")["config"]["target"]
    description = seal.description_digest(seal.target_description(config.target, recorded))
    said = {"level": config.level, "facts": config.facts}
    if description != forecast["target"]["config_digest"] or said != {key: forecast[key] for key in said}:
        yield str(sealed.path / "config.json"), "not the config that forecast.json was made from"
    if sealed.origin["code"] != forecast["inputs"]["code"]:
        yield str(sealed.path / "origin.json"), "names another version of the code than was sealed"


def _input(role: str, run: RunDir, digest: str, seen: set[Path]) -> Iterator[Problem]:
    if not run.path.is_dir():
        yield str(run.path), f"missing ({role})"
        return
    found = list(_checked(run, seen))
    yield from found
    if not found and run.digest != digest:
        yield str(run.path / "DONE"), f"a whole run, but not the one that was sealed as {role}"


def _unseen(chain: _Chain) -> list[str]:
    if not any(chain.target.path.glob("*")):
        return [f"no target at {chain.target.path}: only the promise was checked"]
    if not chain.is_folder:
        return []
    scored = {_parent(run, "forecast") for run in chain.others if run.stage == "score"}
    lacking = [each for each in (chain, *chain.covered) if each.sealed.path.resolve() not in scored]
    return ["no score in this folder"] if lacking else []


def _follows(chain: _Chain) -> bool:
    """Whether this version's law gives the sealed promise; not where it refuses what another version fitted."""
    try:
        return not chain.moved
    except PresageError:
        return False


def _refit(config: seal.Config, forecast: dict[str, Any]) -> Iterator[str]:
    compute = forecast["target"]["compute"]
    pairs = [("", seal.promise(RunDir(config.ladder), compute, config), forecast, ("point", "lo", "hi"))]
    again = ability.promise(config.attempts, compute, config.level)[0] if config.attempts else None
    if again and forecast["capability"]:
        laws = zip(again["laws"], forecast["capability"]["laws"], strict=True)
        pairs += [(f"capability/{new['bucket']} ", new, old, ("value", "lo", "hi")) for new, old in laws]
    for name, new, old, keys in pairs:
        for key in (key for key in keys if abs(new[key] - old[key]) > TOLERANCE * abs(old[key])):
            yield f"{name}{key} is {old[key]:.6f}, the rungs give {new[key]:.6f}"


def _target(chain: _Chain, sealed: Training, forecast: dict[str, Any]) -> Iterator[Problem]:
    target = chain.target
    if not _running(target):
        yield from _checked(target, chain.seen)
    if target.origin.get("code") != forecast["inputs"]["code"]:
        yield str(target.path / "origin.json"), "the target was trained by another version of the code than was sealed"
    if not seal.begun_under(target, forecast["seal"], chain.sealed.digest):
        yield str(target.path / "origin.json"), "the target was not started under this seal"
    for role in seal.other_data(target, sealed, forecast["inputs"]):
        yield str(target.path / "origin.json"), f"the target was trained on other {role} than were sealed"
    description = seal.description_of(target)
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


def _lineage(chain: _Chain) -> Iterator[Problem]:
    """Of whole runs: each one's parents are those it was made from, and a score says what follows from them."""
    for run in chain.others:
        yield from _parents(run)
    promised = {each.sealed.path.resolve(): each for each in (chain, *chain.covered)}
    for run in (run for run in chain.others if run.stage == "score" and _parent(run, "forecast") in promised):
        its = promised[_parent(run, "forecast")]
        if not its.target.done:
            yield str(its.target.path / "DONE"), f"missing: {run.path.name} was made from a finished run"
        elif _score(run) != _due(its.forecast, its.target.value(its.forecast["metric"])):
            yield str(run.path / "result.json"), "not what the forecast and the target give"


def _parent(run: RunDir, role: str) -> Path:
    return Path(os.path.normpath(run.path / str(run.read_json("config.json")["config"].get(role)))).resolve()


def _score(run: RunDir) -> dict[str, Any]:
    """What it says; nothing where that is not in the form of a score, which a run can be whole without."""
    results = run.results()
    try:
        values = {key: results[key]["value"] for key in ("promised", "lo", "hi", "actual", "inside", "seal")}
        return values | {"error_percent": f"{results['error_percent']['value']:.9e}"}
    except (KeyError, TypeError, ValueError):
        return {}


def _due(forecast: dict[str, Any], actual: float) -> dict[str, Any]:
    lo, hi = forecast["lo"], forecast["hi"]
    values = {"promised": forecast["point"], "lo": lo, "hi": hi, "actual": actual, "inside": int(lo <= actual <= hi)}
    return values | {"seal": forecast["seal"], "error_percent": f"{100 * (actual / forecast['point'] - 1):.9e}"}


def _recorded(ledger: Path, chain: _Chain) -> Iterator[Problem]:
    """The runs are the ones that the ledger entered; they need not be in it yet."""
    target = chain.target
    promised = {each.forecast["seal"]: each.sealed for each in (chain, *chain.covered)}
    for entry in (entry for entry in ledgers.read(ledger) if entry.what.seal in promised):
        what, place = entry.what, f"entry {entry.number} of {ledger.name}"
        sealed = promised[what.seal]
        if isinstance(what, ledgers.Sealed):
            if what.run != sealed.digest:
                yield str(sealed.path / "DONE"), f"a whole run, but not the forecast of {place}"
            continue
        if target.done and target.digest != what.target:
            yield str(target.path / "DONE"), f"a whole run, but not the target of {place}"
        scores = [run for run in chain.others if run.stage == "score"] or chain.others
        if what.run not in [run.digest for run in chain.others]:
            yield from ((str(run.path / "DONE"), f"a whole run, but not the score of {place}") for run in scores)


def _checked(run: RunDir, seen: set[Path]) -> Iterator[Problem]:
    """What is wrong with a run; of a parent that became another run, the parent as well. Nothing the second time."""
    place = run.path.resolve()
    if place in seen:
        return
    seen.add(place)
    found = altered(run)
    yield from _named(run, found) if found else _parents(run)


def _parents(run: RunDir) -> Iterator[Problem]:
    """What is wrong with the parents of a run that is whole."""
    found = displaced(run)
    yield from _named(run, found)
    for role, parent in changed_parents(run) if found else ():
        yield str(parent.path / "DONE"), f"a whole run, but not the '{role}' that {run.path.name} was made from"


def _named(run: RunDir, problems: list[Problem]) -> list[Problem]:
    return [(str(run.path / name), what) for name, what in problems]
