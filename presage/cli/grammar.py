"""What every verb shares: the app, groups of verbs, options, and how results are printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Group, Parameter, Token

from presage import __version__
from presage.core.errors import CheckFailed, PresageError
from presage.core.strict import whole_number
from presage.core.terminal import visible

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


def _whole(kind: Any, tokens: Sequence[Token]) -> int:
    """A whole number as it is written; the parser's own reading rounds 1.5."""
    text = tokens[0].value
    number = whole_number(text.removeprefix("-"))
    if number is None:
        raise ValueError("not a whole number")
    return -number if text.startswith("-") else number


def _place(kind: Any, tokens: Sequence[Token]) -> Path:
    """A path as it is written; an empty one, as an unset variable of a shell leaves, would be this folder."""
    if not tokens[0].value:
        raise ValueError("an empty name")
    return Path(tokens[0].value)


def _folder(kind: Any, tokens: Sequence[Token]) -> Path:
    """The path of a run directory: one that is a file cannot become one."""
    path = _place(kind, tokens)
    if path.is_file():
        raise ValueError("a file of this name is there, and a folder is to be made: remove it, or choose another")
    return path


WHOLE, PLACE, FOLDER = Parameter(converter=_whole), Parameter(converter=_place), Parameter(converter=_folder)
Whole = Annotated[int, WHOLE]
Place = Annotated[Path, PLACE]
Out = Annotated[Path, FOLDER, Parameter(help="the run directory to write; new or empty, unless resuming")]
Flag = Annotated[bool, Parameter(negative="")]
Quiet = Annotated[bool, Parameter(negative="", help="plain lines on standard error, no progress bar")]
Resume = Annotated[bool, Parameter(negative="", help="go on where an interrupted run of the same config stopped")]
DryRun = Annotated[bool, Parameter(negative="", help="print the resolved config and what it costs; write nothing")]
AsJson = Annotated[bool, Parameter(negative="", help="print JSON instead of text")]
Overrides = Annotated[str, Parameter(help="key=value: fields to change, dotted for nested ones (optim.lr=0.01)")]


def run_stage(
    stage: Any, config: Any, out: Path, *, resume: bool = False, quiet: bool = False, **particulars: Any
) -> None:
    """Run one stage, with what it alone takes, and print where its run directory is."""
    be_quiet(quiet)
    run = stage.run(config, out, resume=resume, **particulars)
    emit([str(run.path)] if run.speaks else [])


def check_level(level: float, verb: str) -> None:
    """PresageError for what is no probability of an interval."""
    if not 0 < level < 1:
        raise PresageError("--level must lie between 0 and 1", where=verb)


def percent(level: float) -> str:
    """A probability as it was given, never rounded up to certainty: 0.999 -> '99.9%'."""
    return f"{(100 * Decimal(str(level))).normalize():f}%"


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table, each column as wide as its widest cell: the first to the left, the others to the right. Names come from
    files: each cell is shown as one line of text."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells])


def warn(warnings: Iterable[str]) -> None:
    """Each once, on standard error."""
    for text in dict.fromkeys(warnings):
        print(f"presage: {visible(text)}", file=sys.stderr)


def be_quiet(quiet: bool) -> None:
    """Progress for everything that this process runs: shown, or not."""
    from presage.core import progress

    progress.QUIET = quiet


def emit(lines: Iterable[str]) -> None:
    """Lines of results on standard output. A reader that went away (`| head`) is no error."""
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()


def close_stdout() -> None:
    """Later prints, and the flush at exit, must not raise again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def verdict(problems: Sequence[tuple[str, str]]) -> None:
    """Print what is wrong, file by file. Raises CheckFailed when anything is."""
    emit(f"{name}: {problem}" for name, problem in problems)
    if problems:
        count = len({name for name, _ in problems})
        raise CheckFailed("1 file differs" if count == 1 else f"{count} files differ", where=problems[0][0])


def dumps(data: Any) -> str:
    """JSON for people and pipes."""
    import json

    return json.dumps(data, indent=2, ensure_ascii=False)
