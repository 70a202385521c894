"""The whole chain: the demo, and forecasts step by step."""

from __future__ import annotations

from pathlib import Path

from presage.cli.grammar import (
    CHAIN,
    Out,
    Place,
    Quiet,
    Resume,
    Whole,
    app,
    be_quiet,
    emit,
    forecast,
    run_stage,
    verdict,
)


@app.command(group=CHAIN)
def demo(
    *,
    out: Place = Path("runs/demo"),
    minutes: float = 20,
    corpus: Path | None = None,
    microcode: bool | None = None,
    images: bool = True,
    seed: Whole = 0,
    quiet: Quiet = False,
) -> None:
    """The whole chain: corpus, tokenizer, shards, ladder, sealed forecast, target, score, assistant, images, report.

    Parameters
    ----------
    out
        Folder for the run directories; the report is OUT/report/report.html.
    minutes
        How long it may take, but for images; the target's compute is scaled to the measured speed of this machine.
    corpus
        Your own files instead of the Python documentation on this machine.
    microcode
        Mix in generated functions, forecast how often the target will write held-out ones that pass their tests, and
        make an assistant of it; by default with the embedded corpus, not with your own files.
    images
        Give the target eyes, train them on drawings and examine what it sees. This comes on top of the minutes: the
        default is 20 minutes and about 3 more for images; a short demo spends less than one more on them.
    seed
        Seed of everything random.
    """
    from presage.core.errors import Stopped
    from presage.recipes import demo as recipe

    be_quiet(quiet)
    try:
        recipe.run(out, minutes=minutes, corpus=corpus, microcode=microcode, images=images, seed=seed)
    except Stopped as stopped:
        raise Stopped(stopped.what, where=stopped.where, hint="the same command goes on") from None
    emit([str(out / "report" / "report.html")])


@forecast.command
def distant(
    *,
    corpus: list[Path] | None = None,
    out: Place = Path("runs/distant"),
    ratio: list[float] | None = None,
    flops: float | None = None,
    seed: Whole = 0,
    quiet: Quiet = False,
) -> None:
    """Corpus to scored forecast in one go, every fitted rung at most 1/RATIO of the target's compute.

    Parameters
    ----------
    corpus
        Files or folders of text, a source each; may be given several times. By default all Python source and
        documentation on this machine.
    out
        Folder for the run directories; the report is OUT/report/report.html. The same command goes on where it stopped.
    ratio
        The target's compute over the largest rung's: GPT-4's report has 10,000, the default. Of several, each gives a
        forecast of its own from its own rungs, all sealed before the target, which is trained once.
    flops
        The target's compute; by default as much as four passes over the text are worth.
    seed
        Seed of everything random.
    """
    import math

    from presage.core.errors import ConfigError
    from presage.recipes import distant as recipe

    ratios = ratio or [recipe.RATIO]
    for name, value in (*(("--ratio", one) for one in ratios), ("--flops", flops)):
        if value is not None and not 1 < value < math.inf:
            raise ConfigError(f"{value} is no number above 1", where=name)
    be_quiet(quiet)
    recipe.run(out, texts=corpus or (), ratios=ratios, flops=flops, seed=seed)
    emit([str(out / "report" / "report.html")])


@forecast.command
def seal(
    *,
    ladder: Path,
    target: str,
    out: Out,
    target_run: str = "../target",
    level: float = 0.9,
    attempts: Path | None = None,
    beside: list[Path] | None = None,
    ledger: Path | None = None,
    name: str = "",
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Promise the target's loss before its first step: writes OUT/forecast.json.

    Parameters
    ----------
    ladder
        The finished ladder run.
    target
        The target's full config, of `presage pretrain` or, of a ladder that sees, of `presage vision`: a JSON file, or
        any other RECIPE. It is to be run from OUT/target.json, which settles what it left open, such as the device.
    target_run
        Where the target will be written, relative to OUT: sealing is refused once it has begun there.
    level
        The probability that the interval should hold the target's loss with.
    attempts
        The ladder's attempts at problems: then a pass rate is promised as well.
    beside
        Another sealed forecast of the same target, from other rungs; may be given several times. This seal covers
        theirs: the target is run from this one, and all can be scored by it.
    ledger
        A ledger to enter the forecast in.
    name
        What to call it there.
    """
    from presage.core.run import RunDir
    from presage.data import shards
    from presage.forecast import seal as stage
    from presage.forecast.ladder import Config as Ladder
    from presage.forecast.ledger import append_seal
    from presage.recipes.loading import resolve
    from presage.train import pretrain, vision

    seeing = RunDir.open(ladder, "ladder").config(Ladder).sight is not None
    config = resolve(target, "vision", vision.Config) if seeing else resolve(target, "pretrain", pretrain.Config)
    data: dict[str, object] = {"ladder": ladder, "target": config, "target_run": target_run, "level": level}
    data |= {"attempts": attempts, "beside": beside or []}
    if isinstance(config, pretrain.Config):
        tokens = RunDir.open(config.shards, "shards").config(shards.Config)
        data |= {"corpus": tokens.corpus, "tokenizer": tokens.tokenizer}
    run_stage(stage, stage.Config.parse(data, where="forecast seal"), out, resume=resume, quiet=quiet)
    if ledger:
        append_seal(ledger, out, name)


@forecast.command
def score(
    *,
    forecast: Path,
    target: Path,
    out: Out,
    attempts: Path | None = None,
    ledger: Path | None = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Promised against actual. A forecast that missed is a result: the exit code is 0.

    Parameters
    ----------
    forecast
        The run with the sealed forecast.
    target
        The finished target run.
    attempts
        The target's attempts at the problems that a pass rate was promised on.
    ledger
        The ledger that the forecast was entered in.
    """
    from presage.forecast import score as stage
    from presage.forecast.ledger import append_score

    places = {"forecast": forecast, "target": target, "attempts": attempts}
    run_stage(stage, stage.Config.parse(places), out, resume=resume, quiet=quiet)
    if ledger:
        append_score(ledger, out)


@forecast.command
def verify(directory: Path, /, *, ledger: Path | None = None) -> None:
    """Recompute every digest a sealed forecast stands on; names the files that differ and exits 1 if any does.

    Parameters
    ----------
    directory
        The run with the sealed forecast, or the folder of the demo it belongs to: then every run in it is checked.
    ledger
        The ledger that holds this forecast, if not ledger.jsonl in that folder.
    """
    from presage.forecast import verify as verification

    found = verification.examine(directory, ledger)
    verdict(found.problems)
    note = f" ({found.omitted} large files are listed by digest but not included here)" if found.omitted else ""
    emit([f"{directory}: the seal holds{note}"])
    emit(found.unseen)
    if found.other_version:
        fit = "the same promise" if found.refitted else "another promise, as another version's may"
        emit([f"sealed by another version of presage: every digest was recomputed; this version's law gives {fit}"])
