"""`presage assistant`: from a base model of code to an assistant with a policy, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from presage.cli.grammar import CHAIN, Place, Quiet, Whole, app, be_quiet, emit, in_columns
from presage.core.errors import RunError, Stopped

Base = Annotated[Path, Parameter(help="the run of the base model: pretrained or imported")]
Short = Annotated[bool, Parameter(negative="", help="walk every stage on little data; the assistants are no good")]

COLUMNS = {
    "refuses disallowed": "refusal on disallowed",
    "destruction": "refusal on destruction",
    "theft": "refusal on theft",
    "safe": "refusal on safe",
    "twins": "refusal on boundary twins",
    "does the task": "task pass rate",
    "KL": "kl",
    "tax": "tax",
}
"""Headings of the printed table, and what of conduct's results stands below them."""


@app.command(group=CHAIN)
def assistant(
    base: Base,
    /,
    *,
    out: Place,
    shards: Path | None = None,
    seed: Whole = 0,
    short: Short = False,
    quiet: Quiet = False,
) -> None:
    """From a base model of code to an assistant with a policy: fine-tuning, reward model, PPO three ways, and conduct.

    Prints how often each refuses what is disallowed and what is safe, and does what is asked; KL divergence is in nats
    an answer, the tax a share of the base's bits per byte. The same command goes on where it was interrupted.

    Parameters
    ----------
    out
        Folder for the run directories and the policy world's files.
    shards
        The base's pretraining text, which is mixed in; by default what the base was trained on.
    seed
        Seed of everything random.
    """
    from presage.recipes import assistant as recipe

    be_quiet(quiet)
    try:
        runs = recipe.chain(base, shards_of(base, shards), out, seed=seed, short=short)
    except Stopped as stopped:
        raise Stopped(stopped.what, where=stopped.where, hint="the same command goes on") from None
    from presage.core.run import RunDir

    emit(in_columns(conduct_rows(RunDir.open(runs["conduct"], "conduct").results(), recipe.MODELS)))
    emit(["", *(f"{name}: {path}" for name, path in runs.items())])


def shards_of(base: Path, given: Path | None) -> Path:
    """The text to mix in: what is given, or what the base's own config names.

    Raises RunError for a base that is no finished run with a model, or where there are no such shards.
    """
    from presage.core.run import RunDir

    run = RunDir.open(base)
    config = run.read_object("config.json").get("config", {})
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise RunError("no model in this run", where=base, hint="give a pretrain or import run")
    if given is None and not isinstance(config.get("shards"), str):
        raise RunError("names no shards that it was trained on", where=base, hint="--shards DIR: text to mix in")
    shards = given or Path(os.path.normpath(run.path / config["shards"]))
    return RunDir.open(shards, "shards").path


def conduct_rows(results: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> list[list[str]]:
    """The table of conduct: a heading, a row a model."""
    return [["model", *COLUMNS], *([name, *_cells(results, name)] for name in names)]


def _cells(results: Mapping[str, Mapping[str, Any]], name: str) -> Iterator[str]:
    for measure in COLUMNS.values():
        value = results.get(f"{name}/{measure}", {}).get("value")
        yield "-" if value is None else f"{value:.3f}" if measure == "kl" else f"{100 * value:.1f}%"
