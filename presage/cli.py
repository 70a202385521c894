"""The command line: one grammar, verbs to stages by table, everything heavy imported only when its verb runs.

Standard output carries results (for pipes); progress, notes and errors go to standard error. Exit codes: 0 done;
1 a check or verification failed; 2 bad input; 3 an isolation or hardware requirement is missing; 4 stopped by a signal,
resumable; 70 an internal error.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from presage import __version__
from presage.core.errors import CheckFailed, PresageError, Stopped

BAD_INPUT, STOPPED, INTERNAL = 2, 4, 70
# What the operating system refuses is about the machine or the place written to, not about our code.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENAMETOOLONG}

STAGES = {
    "corpus": ("presage.data.corpus", "Files to documents: read, clean, merge duplicates, split train and validation."),
    "tokenizer": ("presage.data.tokenizer", "Documents to a byte-level BPE vocabulary."),
    "shards": ("presage.data.shards", "Documents to memory-mapped tokens."),
    "pretrain": ("presage.train.pretrain", "Tokens to a model."),
    "ladder": ("presage.forecast.ladder", "Many small models, from a list of compute budgets."),
    "report": ("presage.report.render", "Run directories to one self-contained page."),
}

CHAIN = Group("The whole chain", sort_key=0)
STEPS = Group("Stages", sort_key=1)
LOOK = Group("Looking at runs", sort_key=2)
MODELS = Group("Models", sort_key=3)

app = App(
    name="presage",
    help="Know what a big language model will be before paying for it: train small models, seal a forecast, "
    "train the big one, score it.",
    version=__version__,
    help_format="markdown",
    suppress_keyboard_interrupt=False,
)
forecast = App(name="forecast", help="Fit a law to small runs, seal a forecast, verify and score it.", group=CHAIN)
app.command(forecast)

Out = Annotated[Path, Parameter(help="the run directory to write; new or empty, unless resuming")]
Quiet = Annotated[bool, Parameter(negative="", help="plain lines on standard error, no progress bar")]
Resume = Annotated[bool, Parameter(negative="", help="go on where an interrupted run of the same config stopped")]
DryRun = Annotated[bool, Parameter(negative="", help="print the resolved config and what it costs; write nothing")]
AsJson = Annotated[bool, Parameter(negative="", help="print JSON instead of text")]
Overrides = Annotated[str, Parameter(help="key=value: fields to change, dotted for nested ones (optim.lr=0.01)")]


# ---- stages: one grammar for all ------------------------------------------------------------------------------------


def _add_stage(verb: str, module: str, help_: str) -> None:
    def command(
        recipe: Annotated[str, Parameter(help="a recipe's name, FILE.py:function, a run or its config.json")],
        /,
        *overrides: Overrides,
        out: Out,
        resume: Resume = False,
        dry_run: DryRun = False,
        quiet: Quiet = False,
    ) -> None:
        from presage.recipes.loading import resolve

        stage = importlib.import_module(module)
        config = resolve(recipe, verb, stage.Config).override(overrides)
        _dry_run(config) if dry_run else _run(stage, config, out, resume=resume, quiet=quiet)

    app.command(command, name=verb, help=help_, group=STEPS)


def _run(stage: Any, config: Any, out: Path, *, resume: bool = False, quiet: bool = False) -> None:
    _be_quiet(quiet)
    run = stage.run(config, out, resume=resume)
    emit([str(run.path)])


def _dry_run(config: Any) -> None:
    from presage.core.config import flatten

    emit(f"{key} = {value}" for key, value in flatten(config).items())
    emit(["", *(f"{name}: {value}" for name, value in config.plan().items())])


def _be_quiet(quiet: bool) -> None:
    from presage.core import progress

    progress.QUIET = quiet


for _verb, (_module, _help) in STAGES.items():
    _add_stage(_verb, _module, _help)


# ---- the chain ------------------------------------------------------------------------------------------------------


@app.command(group=CHAIN)
def demo(
    *,
    out: Path = Path("runs/demo"),
    minutes: float = 15,
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

    _be_quiet(quiet)
    recipe.run(out, minutes=minutes, corpus=corpus, seed=seed)
    emit([str(out / "report" / "report.html")])


@forecast.command
def seal(*, ladder: Path, target: Path, out: Out, resume: Resume = False, quiet: Quiet = False) -> None:
    """Promise the target's loss before its first step: writes OUT/forecast.json and prints its seal.

    Parameters
    ----------
    ladder
        The finished ladder run.
    target
        A JSON file with the target's full pretrain config.
    """
    from presage.forecast import seal as stage

    _run(stage, stage.Config(ladder=ladder, target=target), out, resume=resume, quiet=quiet)


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

    _run(stage, stage.Config(forecast=forecast, target=target), out, resume=resume, quiet=quiet)


@forecast.command
def verify(directory: Path, /) -> None:
    """Recompute every digest a sealed forecast stands on; names the files that differ and exits 1 if any does.

    Parameters
    ----------
    directory
        The run with the sealed forecast.
    """
    from presage.forecast import seal as stage

    _verdict([(f"{directory}/{name}", problem) for name, problem in stage.verify(directory)])
    emit([f"{directory}: the seal holds"])


# ---- looking at runs ------------------------------------------------------------------------------------------------


@app.command(group=LOOK)
def show(directory: Path, /, *more: Path, json: AsJson = False) -> None:
    """What run directories hold: stage, state, digest, results; every run at or below each DIR."""
    from presage.core.look import runs_below, summary

    found = {str(run.path): summary(run) for root in (directory, *more) for run in runs_below(root)}
    emit([_dumps(found)] if json else [line for path, facts in found.items() for line in _describe(path, facts)])


@app.command(group=LOOK)
def diff(a: Path, b: Path, /, *, json: AsJson = False) -> None:
    """What differs between two runs: config, code, libraries, parents, results. Exit code 0 either way."""
    from presage.core.look import compare
    from presage.core.run import RunDir

    changed = compare(RunDir(a), RunDir(b))
    emit([_dumps(changed)] if json else [f"{key}: {left} -> {right}" for key, (left, right) in changed.items()])


@app.command(group=LOOK)
def check(directory: Path, /, *more: Path) -> None:
    """Verify every run directory at or below each DIR: digests, parents, and the seal of a forecast.

    Prints one line a run; names each file that differs and exits 1 when something does.
    """
    from presage.core.look import damage, runs_below

    wrong: list[tuple[str, str]] = []
    for run in [run for root in (directory, *more) for run in runs_below(root)]:
        found = damage(run)
        if not found and (run.path / "forecast.json").is_file():
            found = importlib.import_module("presage.forecast.seal").verify(run.path)
        emit([f"{'damaged' if found else 'ok':8} {_stage_of(run):10} {run.path}"])
        wrong += [(f"{run.path}/{name}", problem) for name, problem in found]
    _verdict(wrong)


def _stage_of(run: Any) -> str:
    try:
        return str(run.stage)
    except (PresageError, KeyError, TypeError):
        return "?"


def _verdict(problems: Sequence[tuple[str, str]]) -> None:
    emit(f"{name}: {problem}" for name, problem in problems)
    if problems:
        count = len({name for name, _ in problems})
        raise CheckFailed("1 file differs" if count == 1 else f"{count} files differ", where=problems[0][0])


def _describe(path: str, facts: dict[str, Any]) -> Iterable[str]:
    yield f"{path}  {facts['stage']}, {facts['state']}  {(facts['digest'] or '')[:12]}"
    for role, parent in facts["parents"].items():
        yield f"  parent {role}: {parent['stage']} {parent['digest'][:12]}"
    for name, entry in facts["results"].items():
        spread = f" ± {entry['stderr']:.3g}" if entry.get("stderr") is not None else ""
        yield f"  {name} = {entry['value']}{spread} {entry.get('unit') or ''}".rstrip()


def _dumps(data: Any) -> str:
    from json import dumps

    return dumps(data, indent=2, ensure_ascii=False)


# ---- models ---------------------------------------------------------------------------------------------------------


@app.command(group=MODELS)
def export(run: Path, /, *, to: Literal["hf"] = "hf", out: Path) -> None:
    """Write a trained run as a directory that transformers loads.

    Parameters
    ----------
    run
        A finished pretrain run.
    to
        The format.
    out
        The directory to write.
    """
    from presage.model import weights

    weights.export_hf(run, out)
    emit([str(out)])


@app.command(name="import", group=MODELS)
def import_(directory: Path, /, *, out: Path) -> None:
    """Read a transformers directory (GPT-2 or Qwen3 shapes) into a run.

    Parameters
    ----------
    directory
        The directory with config.json and model.safetensors.
    out
        The run directory to write.
    """
    from presage.model import weights

    weights.import_hf(directory, out)
    emit([str(out)])


@app.command(show=False)
def reference() -> None:
    """Print docs/cli.md."""
    sys.argv[0] = app.name[0]  # the name that usage lines show, however this process was started
    emit([app.generate_docs(usage_name="presage").rstrip()])


# ---- entry ----------------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(" ".join(str(error).split()), BAD_INPUT)
    except PresageError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("stopped by Ctrl-C", STOPPED)
    except BrokenPipeError:
        _close_stdout()
    except Exception as error:
        return _report_crash(error)
    return 0


def emit(lines: Iterable[str]) -> None:
    """Lines of results on standard output. A reader that went away (`| head`) is no error."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        _close_stdout()


def _close_stdout() -> None:
    """Later prints, and the flush at exit, must not raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(number: int, _: object) -> NoReturn:
    raise Stopped(f"stopped by {signal.Signals(number).name}", hint="run again with --resume")


def _complain(text: str, code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"presage: {text}", file=sys.stderr)
    return code


def _report_crash(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return _complain(f"{error.filename or 'the system refused'}: {error.strerror}", BAD_INPUT)
    handle, name = tempfile.mkstemp(prefix="presage-crash-", suffix=".txt")
    with open(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return _complain(f"internal error: {text} (please report it; details in {name})", INTERNAL)
