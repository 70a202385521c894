"""`presage bench`: what this machine does in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from presage.bench.areas import Area
from presage.cli.grammar import LOOK, WHOLE, AsJson, Place, app, dumps, emit
from presage.core.errors import PresageError

if TYPE_CHECKING:
    from presage.bench.figures import Figure

MOST_SECONDS = 600.0


@app.command(group=LOOK)
def bench(
    *areas: Area,
    seconds: float = 1.0,
    threads: Annotated[int | None, WHOLE] = None,
    out: Place | None = None,
    json: AsJson = False,
) -> None:
    """Measure this machine in one go: its peaks, training, decoding, prompts, tokenizer, scanner and forecast.

    Systems that are compared take turns; `transformers` is one where it is installed. On a machine that is busy with
    something else figures are low and say nothing.

    Parameters
    ----------
    areas
        What to measure; everything if nothing is named.
    seconds
        Of each turn; everything takes about two minutes where it is 1.
    threads
        How many to use; all cores if not given.
    out
        Also write the page to this file, as Markdown.
    """
    from dataclasses import asdict

    from presage.bench import peaks
    from presage.bench.measured import markdown, measured
    from presage.core.files import atomic_write, prepare_new
    from presage.core.run import note

    if not 0 < seconds <= MOST_SECONDS:
        raise PresageError(f"not between 0 and {MOST_SECONDS:g}", where="--seconds")
    if threads is not None and threads < 1:
        raise PresageError("not a positive number", where="--threads")
    if out is not None:
        prepare_new(out)
    machine = peaks.measured(seconds, threads)
    figures: list[Figure] = []
    for figure in measured(areas, machine):
        note(f"{figure.area}: {figure.what}")
        figures.append(figure)
    text = markdown(figures, machine)
    if out is not None:
        with atomic_write(out) as file:
            file.write(text.encode())
    emit([dumps([asdict(one) for one in figures]) if json else text.rstrip()])
