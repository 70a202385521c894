"""`presage scores`: evaluation results as they should be shown, raw beside clean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from presage.cli.contamination import SCORES
from presage.cli.grammar import PLACE, AsJson, Resume, app, dumps, emit, in_columns, warn
from presage.core.errors import PresageError

if TYPE_CHECKING:
    from presage.evaluate.joined import Joined


@app.command(group=SCORES)
def scores(
    file: Path,
    /,
    *more: Path,
    contamination: Path | None = None,
    method: str | None = None,
    out: Annotated[Path | None, PLACE] = None,
    resume: Resume = False,
    json: AsJson = False,
) -> None:
    """Print scores of evaluation items, all beside the clean and the contaminated ones, with standard errors.

    A row a task: items, contaminated and untestable ones, the mean of all (raw), of the clean and of the contaminated
    items, clean - raw, and that as the GPT-4 report's degradation and in the GPT-3 report's symmetric form. The last
    column says which mean to quote: the worse of raw and clean. docs/contamination.md has the format and the formulas.

    Parameters
    ----------
    file
        Scores as JSON lines: {"id", "score"} with any of "task", "stderr", "n", "better"; several files are joined.
    contamination
        What was found of the same items: a run that `presage contamination --out` wrote, or what --json printed.
        Without it nothing is checked, and the table says so.
    method
        An item is contaminated if this method flags it; if any does, unless one is named.
    out
        Also write a run directory, for a report.
    """
    from presage.evaluate.joined import join
    from presage.evaluate.scored import read_scan, read_scores

    files = [file, *more]
    if out is None and resume:
        raise PresageError("--resume needs --out", where="scores", hint="name a run directory")
    if method is not None and contamination is None:
        raise PresageError("--method needs --contamination", where="scores", hint="name the scan that it was used in")
    scan = read_scan(contamination, method) if contamination else None
    joined = join(read_scores(files), scan)
    if out:
        _keep(files, contamination, method, out, resume)
    show_scores(joined, json=json)


def show_scores(joined: Joined, *, json: bool) -> None:
    """The view of every evaluation result: as a table or as JSON, warnings on standard error."""
    from presage.evaluate.joined import cells

    warn(joined.warnings)
    emit([dumps(joined.as_json())] if json else in_columns(cells(joined.rows)))


def _keep(files: list[Path], contamination: Path | None, method: str | None, out: Path, resume: bool) -> None:
    from presage.evaluate import scores as stage

    if contamination is not None and not contamination.is_dir():
        raise PresageError("--out needs a run as --contamination", where="scores", hint="presage contamination --out")
    relative = tuple(Path(os.path.relpath(path, out)) for path in files)
    stage.run(stage.Config(scores=relative, contamination=contamination, method=method), out, resume=resume)
