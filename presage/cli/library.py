"""`presage tasks`: what can be asked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presage.cli.contamination import SCORES
from presage.cli.grammar import AsJson, app, dumps, emit
from presage.core.errors import PresageError

if TYPE_CHECKING:
    from presage.tasks.task import Task

WIDTH = 80


@app.command(group=SCORES)
def tasks(*, data: Path | None = None, json: AsJson = False) -> None:
    """List what can be asked: what each task is about, how answers become scores, and where that is from.

    Parameters
    ----------
    data
        Also say how many examples there are in the files below this folder, or what is missing.
    """
    from presage.tasks.library.listing import areas, forms

    listed = [(area.asks, [_row(task, area.asks, data) for task in area.tasks]) for area in areas()]
    if json:
        rows = [row for _, some in listed for row in some]
        emit([dumps([*rows, *({"task": form, "asks": says} for form, says in forms().items())])])
        return
    emit(_lines(listed, forms()))


def _row(task: Task, asks: str, data: Path | None) -> dict[str, Any]:
    from presage.tasks.library.listing import how

    row = {"task": task.name, "asks": asks, "shots": task.shots, "method": how(task.method), "source": task.source}
    return row | ({"examples": _count(task, data)} if data else {})


def _count(task: Task, data: Path) -> int | str:
    try:
        return len(task.data.examples(data, 0))
    except PresageError as error:
        return error.what


def _lines(listed: list[tuple[str, list[dict[str, Any]]]], forms: dict[str, str]) -> Iterator[str]:
    for asks, rows in listed:
        yield from [*_wrapped(asks), ""]
        for row in rows:
            shots = f" ({row['shots']} shots)" if row["shots"] else ""
            yield f"  {row['task']}{shots}"
            yield from _wrapped(row["method"], "    ")
            yield from _wrapped(f"from {row['source']}", "    ")
            found = row.get("examples")
            yield from _wrapped(f"{found} examples" if isinstance(found, int) else found or "", "    ")
        yield ""
    yield from ["Besides these names:", ""]
    for form, says in forms.items():
        yield from [f"  {form}", *_wrapped(says, "    ")]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
