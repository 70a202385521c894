"""The whole chain: the demo, and forecasts step by step."""

from __future__ import annotations

import sys
from pathlib import Path

from presage.cli.grammar import (
    CHAIN,
    AsJson,
    Out,
    Quiet,
    Resume,
    app,
    be_quiet,
    dumps,
    emit,
    forecast,
    run_stage,
    verdict,
)
from presage.core.errors import PresageError


@app.command(group=CHAIN)
def demo(
    *,
    out: Path = Path("runs/demo"),
    minutes: float = 12,
    corpus: Path | None = None,
    seed: int = 0,
    quiet: Quiet = False,
) -> None:
    """The whole chain: corpus, tokenizer, shards, ladder, sealed forecast, target, score and report.

    Parameters
    ----------
    out
        Folder for the run directories; the report is OUT/report/report.html.
    minutes
        How long it may take; the target's compute is scaled to the measured speed of this machine.
    corpus
        Your own files instead of the Python documentation on this machine.
    seed
        Seed of everything random.
    """
    from presage.recipes import demo as recipe

    be_quiet(quiet)
    recipe.run(out, minutes=minutes, corpus=corpus, seed=seed)
    emit([str(out / "report" / "report.html")])


@forecast.command
def fit(points: Path, /, *, at: float, level: float = 0.9, metric: str | None = None, json: AsJson = False) -> None:
    """Fit a*C^b+c to a table of runs and print the loss expected at another compute.

    Parameters
    ----------
    points
        CSV with a row a run: columns compute (FLOPs) and loss or bpb; a ladder's tables/rungs.csv will do.
    at
        The compute to predict for, in FLOPs.
    level
        The probability that the interval should hold the loss with.
    metric
        The column to fit, if not bpb or loss.
    """
    import math
    from dataclasses import asdict

    from presage.forecast import law
    from presage.forecast.points import read_runs

    if not 0 < level < 1 or not 0 < at < math.inf:
        raise PresageError("--at must be positive and finite, and --level between 0 and 1", where="forecast fit")
    runs, noise = law.summarise(read_runs(points, metric))
    fitted = law.fit(runs, noise)
    expected, floor, warnings = fitted.predict(at, level), fitted.floor(level), law.warnings(fitted, at)
    for warning in warnings:
        print(f"presage: {warning}", file=sys.stderr)
    if json:
        facts = {"at": at, **asdict(expected), "floor": asdict(floor), "law": fitted.law.model_dump()}
        emit([dumps(facts | {"noise": noise, "points": [asdict(p) for p in runs], "warnings": warnings})])
        return
    curve = fitted.law
    emit([f"{expected.value:.4f}  [{expected.lo:.4f}, {expected.hi:.4f}]  at {at:.3g} FLOPs, {level:.0%} interval"])
    emit([f"law {curve.a:.4g} * C^{curve.b:.4g} + {curve.c:.4g}; floor [{floor.lo:.3f}, {floor.hi:.3f}]"])


@forecast.command
def seal(
    *,
    ladder: Path,
    target: str,
    out: Out,
    target_run: str = "../target",
    level: float = 0.9,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Promise the target's loss before its first step: writes OUT/forecast.json.

    Parameters
    ----------
    ladder
        The finished ladder run.
    target
        The target's full pretrain config: a JSON file, or any other RECIPE.
    target_run
        Where the target will be written, relative to OUT: sealing is refused once it has begun there.
    level
        The probability that the interval should hold the target's loss with.
    """
    from presage.core.run import RunDir
    from presage.data import shards
    from presage.forecast import seal as stage
    from presage.recipes.loading import resolve
    from presage.train import pretrain

    config = resolve(target, "pretrain", pretrain.Config)
    tokens = RunDir.open(config.shards, "shards").config(shards.Config)
    inputs = {"corpus": tokens.corpus, "tokenizer": tokens.tokenizer, "ladder": ladder, "target": config}
    data = inputs | {"target_run": target_run, "level": level}
    run_stage(stage, stage.Config.parse(data, where="forecast seal"), out, resume=resume, quiet=quiet)


@forecast.command
def score(*, forecast: Path, target: Path, out: Out, resume: Resume = False, quiet: Quiet = False) -> None:
    """Promised against actual. A forecast that missed is a result: the exit code is 0.

    Parameters
    ----------
    forecast
        The run with the sealed forecast.
    target
        The finished target run.
    """
    from presage.forecast import score as stage

    run_stage(stage, stage.Config.parse({"forecast": forecast, "target": target}), out, resume=resume, quiet=quiet)


@forecast.command
def verify(directory: Path, /) -> None:
    """Recompute every digest a sealed forecast stands on; names the files that differ and exits 1 if any does.

    Parameters
    ----------
    directory
        The run with the sealed forecast, or the folder of the demo it belongs to.
    """
    from presage.forecast import verify as verification

    verdict(verification.verify(directory))
    left_out = verification.omitted(directory)
    note = f" ({left_out} large files are listed by digest but not included here)" if left_out else ""
    emit([f"{directory}: the seal holds{note}"])
