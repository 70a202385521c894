"""Looking at runs: show, diff, check."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from presage.cli.grammar import LOOK, AsJson, app, dumps, emit, verdict
from presage.core.errors import PresageError

PURE = "1"
"""The unit of what has none, a correlation say."""


@app.command(group=LOOK)
def show(directory: Path, /, *more: Path, json: AsJson = False) -> None:
    """What run directories hold: stage, state, digest, results; every run at or below each DIR."""
    from presage.core.look import runs_below, summary

    found = {str(run.path): summary(run) for root in (directory, *more) for run in runs_below(root)}
    emit([dumps(found)] if json else [line for path, facts in found.items() for line in _describe(path, facts)])


@app.command(group=LOOK)
def diff(a: Path, b: Path, /, *, json: AsJson = False) -> None:
    """What differs between two runs: config, code, libraries, parents, results. Exit code 0 either way."""
    from presage.core.look import compare
    from presage.core.run import RunDir

    changed = compare(RunDir(a), RunDir(b))
    emit([dumps(changed)] if json else [f"{key}: {left} -> {right}" for key, (left, right) in changed.items()])


@app.command(group=LOOK)
def check(directory: Path, /, *more: Path) -> None:
    """Verify every run directory at or below each DIR: digests, parents, and the seal of a forecast.

    Prints one line a run; names each file that differs and exits 1 when something does.
    """
    from presage.core.look import damage, runs_below

    wrong: list[tuple[str, str]] = []
    for run in [run for root in (directory, *more) for run in runs_below(root)]:
        found = [(f"{run.path}/{name}", problem) for name, problem in damage(run)]
        if not found and (run.path / "forecast.json").is_file():
            verify = importlib.import_module("presage.forecast.verify").verify
            found = [(n if "/" in n else f"{run.path}/{n}", problem) for n, problem in verify(run.path)]
        emit([f"{'damaged' if found else 'ok':8} {_stage_of(run):10} {run.path}"])
        wrong += found
    verdict(wrong)


def _stage_of(run: Any) -> str:
    try:
        return str(run.stage)
    except (PresageError, KeyError, TypeError):
        return "?"


def _describe(path: str, facts: dict[str, Any]) -> Iterable[str]:
    yield f"{path}  {facts['stage']}, {facts['state']}  {(facts['digest'] or '')[:12]}"
    for role, parent in facts["parents"].items():
        yield f"  parent {role}: {parent['stage']} {parent['digest'][:12]}"
    for name, entry in facts["results"].items():
        value = entry["value"]
        shown = f"{value:.6g}" if isinstance(value, float) else value
        unit = entry.get("unit") or ""
        yield f"  {name} = {shown}{_spread(entry)} {'' if unit == PURE else unit}".rstrip()


def _spread(entry: dict[str, Any]) -> str:
    """The interval where there is one: of 0 of 30 the error is 0."""
    if entry.get("lo") is not None and entry.get("hi") is not None:
        return f" ({entry['lo']:.3g} to {entry['hi']:.3g})"
    return f" ± {entry['stderr']:.3g}" if entry.get("stderr") is not None else ""
