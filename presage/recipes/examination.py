"""Examinations made of several stages: a ladder's models one by one, and the whole of a model with its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, PresageError
from presage.core.run import RunDir
from presage.core.strict import whole_number
from presage.evaluate import run as examination
from presage.evaluate import scaling
from presage.evaluate.asking import Asked, exam_of
from presage.forecast.ladder import fitted_rungs
from presage.infer.opening import is_url
from presage.report import examples
from presage.report import render as report_stage
from presage.tasks.library import SUITE
from presage.tasks.user import find_task

PART_OF_ENDPOINT = 16


def asked_of(names: Sequence[str], shots: Sequence[int] = (), **settings: Any) -> tuple[Asked, ...]:
    """Tasks by name, "mmlu" or with shots "mmlu@5"; each once for every number of `shots`, where given.

    What is a task with its "@", as humaneval:20@1 or a file's path, is one without shots. Raises ConfigError.
    """
    named = [name.strip() for name in names if name.strip()]
    return tuple(one for name in named for one in _asked(name, tuple(shots) or (None,), settings))


def _asked(name: str, shots: Sequence[int | None], settings: dict[str, Any]) -> list[Asked]:
    task, at, number = name.rpartition("@")
    if at and not _is_task(name):
        if (count := whole_number(number)) is not None:
            return [Asked.parse({"task": task, "shots": count} | settings, where=name)]
        if _is_task(task):
            raise ConfigError(f"'{number:.60}' is no number of shots", where=task, hint="write TASK@5")
    return [Asked.parse({"task": name, "shots": k} | settings, where=name) for k in shots]


def check_known(asked: Sequence[Asked]) -> None:
    """Raises ConfigError or DataError for a name that stands for no task, before any model is opened."""
    for one in asked:
        if exam_of(one.task) is None:
            find_task(one.task)


def _is_task(name: str) -> bool:
    try:
        find_task(name)
    except PresageError:
        return False
    return True


def examined(spec: str, out: Path, *, resume: bool = False, **settings: Any) -> RunDir:
    """One examination of one model. An endpoint's answers, which cost money, are kept in smaller parts."""
    config = examination.Config.parse(_model(spec) | _part(spec) | settings, where=spec)
    return _stage(examination, config, out, resume)


def _part(spec: str) -> dict[str, Any]:
    return {"part": PART_OF_ENDPOINT} if is_url(spec) else {}


def _model(spec: str) -> dict[str, Any]:
    """A run is a parent, recorded by its digest; anything else is a name."""
    return {"model": spec} if spec.startswith("hf:") or is_url(spec) else {"run": Path(spec)}


def over_ladder(ladder: Path, out: Path, *, runs_per_budget: int = 1, resume: bool = False, **settings: Any) -> RunDir:
    """Examine the fitted models of a ladder: OUT/models/NAME each, then OUT/scaling with all of them by compute."""
    evals = []
    for name in (row["name"] for row in fitted_rungs(ladder, runs_per_budget)):
        config = examination.Config.parse({"run": ladder / "rungs" / name} | settings, where=name)
        evals.append(_stage(examination, config, out / "models" / name, resume).path)
    return _stage(scaling, scaling.Config.parse({"evals": tuple(evals)}, where=ladder), out / "scaling", resume)


def whole(spec: str, out: Path, *, resume: bool = False, **settings: Any) -> RunDir:
    """OUT/eval, the suite as far as this model and these files allow, OUT/examples.html, and OUT/report on it."""
    config = examination.Config.parse(_model(spec) | _part(spec) | settings | {"skip_missing": True}, where=spec)
    examined = _stage(examination, config, out / "eval", resume)
    (out / "examples.html").unlink(missing_ok=True)
    examples.write(examined.path, out / "examples.html")
    report = report_stage.Config(examination=examined.path, title="An examination")
    return _stage(report_stage, report, out / "report", resume)


def suite(limit: int | None) -> tuple[Asked, ...]:
    """What `presage examine` asks: every task that stands for its kind, at the shots it declares."""
    return tuple(Asked.parse({"task": name, "limit": limit}, where="--limit") for name in SUITE)


def _stage(stage: Any, config: Any, out: Path, resume: bool) -> RunDir:
    """Run a stage; with `resume`, go on with it or take it as it is."""
    if resume and (out / "DONE").is_file():
        done = RunDir.open(out)
        begun = done.config(type(config))
        found = {"threads": begun.threads} if getattr(config, "threads", 0) is None else {}
        if changed := done.changed(config.model_copy(update=found)):
            raise ConfigError(f"was made with another {', '.join(changed)}", where=out, hint="choose another --out")
        return done
    made: RunDir = stage.run(config, out, resume=resume)
    return made
