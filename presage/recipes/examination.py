"""Examinations made of several stages: a ladder's models one by one, and the whole of a model with its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.evaluate import run as examination
from presage.evaluate import scaling
from presage.evaluate.asking import Asked
from presage.report import render as report_stage
from presage.tasks.library import SUITE

PART_OF_ENDPOINT = 16


def asked_of(names: Sequence[str], shots: Sequence[int] = (), **settings: Any) -> tuple[Asked, ...]:
    """Tasks by name, "mmlu" or with shots "mmlu@5"; each once for every number of `shots`, where given."""
    return tuple(_asked(name, k, settings) for name in names for k in (shots or (None,)))


def _asked(name: str, shots: int | None, settings: dict[str, Any]) -> Asked:
    task, at, number = name.rpartition("@")
    if not at:
        return Asked.parse({"task": name, "shots": shots} | settings, where=name)
    if not number.isdecimal():
        raise ConfigError(f"'{number}' is no number of shots", where=name, hint="write TASK@5")
    return Asked.parse({"task": task, "shots": int(number)} | settings, where=name)


def examined(spec: str, out: Path, *, resume: bool = False, **settings: Any) -> RunDir:
    """One examination of one model. An endpoint's answers, which cost money, are kept in smaller parts."""
    config = examination.Config(**_model(spec), **_part(spec), **settings)
    return examination.run(config, out, resume=resume)


def _part(spec: str) -> dict[str, Any]:
    return {"part": PART_OF_ENDPOINT} if spec.startswith(("http://", "https://")) else {}


def _model(spec: str) -> dict[str, Any]:
    """A run is a parent, recorded by its digest; anything else is a name."""
    return {"model": spec} if spec.startswith(("hf:", "http://", "https://")) else {"run": Path(spec)}


def over_ladder(ladder: Path, out: Path, *, runs_per_budget: int = 1, resume: bool = False, **settings: Any) -> RunDir:
    """Examine the fitted models of a ladder: OUT/models/NAME each, then OUT/scaling with all of them by compute."""
    evals = []
    for name in _fitted(ladder, runs_per_budget):
        config = examination.Config(run=ladder / "rungs" / name, **settings)
        evals.append(_stage(examination, config, out / "models" / name, resume).path)
    return _stage(scaling, scaling.Config(evals=tuple(evals)), out / "scaling", resume)


def whole(spec: str, out: Path, *, resume: bool = False, **settings: Any) -> RunDir:
    """OUT/eval, the suite as far as this model and these files allow, and OUT/report on it."""
    config = examination.Config(**_model(spec), **_part(spec), skip_missing=True, **settings)
    examined = _stage(examination, config, out / "eval", resume)
    report = report_stage.Config(examination=examined.path, title="An examination")
    return _stage(report_stage, report, out / "report", resume)


def suite(limit: int | None) -> tuple[Asked, ...]:
    """What `presage examine` asks: every task that stands for its kind, at the shots it declares."""
    return tuple(Asked(task=name, limit=limit) for name in SUITE)


def _fitted(ladder: Path, runs_per_budget: int) -> list[str]:
    by_budget: dict[float, list[str]] = {}
    for row in RunDir.open(ladder, "ladder").read_table("rungs"):
        if row["fitted"] == "1":
            by_budget.setdefault(float(row["budget"]), []).append(row["name"])
    return [name for budget in sorted(by_budget) for name in by_budget[budget][:runs_per_budget]]


def _stage(stage: Any, config: Any, out: Path, resume: bool) -> RunDir:
    """Run a stage; with `resume`, go on with it or take it as it is."""
    if resume and (out / "DONE").is_file():
        done = RunDir.open(out)
        if changed := done.changed(config):
            raise ConfigError(f"was made with another {', '.join(changed)}", where=out, hint="choose another --out")
        return done
    made: RunDir = stage.run(config, out, resume=resume)
    return made
