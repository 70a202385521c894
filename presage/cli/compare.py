"""`presage eval --compare A B`: two models on the same examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from presage.cli.grammar import dumps, emit, in_columns, warn
from presage.core.errors import CorruptError

if TYPE_CHECKING:
    from presage.evaluate.compare import Apart, Comparison

TAIL = 160  # characters of a prompt's end


def show_comparison(a: Path, b: Path, *, page: Path | None = None, json: bool = False) -> None:
    """Print what B does other than A: a row a task and metric, then the examples that differ most.

    Warnings go to standard error: prompts that differ, examples that only one has, differences too small to be seen.
    page: also write both models' answers side by side, as one HTML file.
    """
    from presage.core.files import prepare_new
    from presage.evaluate.compare import compare

    if page is not None:
        prepare_new(page, "--page")
    for path in (a, b):
        _check_whole(path)
    found = compare(a, b)
    warn([*found.warnings, *filter(None, (row.too_small for row in found.rows))])
    emit([dumps(found.as_json())] if json else _lines(found))
    if page is not None:
        from presage.report.examples import write

        write(a, page, other=b, labels=found.labels)


def _check_whole(path: Path) -> None:
    """Raises CorruptError naming a file of a run that is not as it was when the run was finished."""
    from presage.core.run import RunDir

    wrong = next(iter(RunDir.open(path, "eval").problems()), None)
    if wrong is not None:
        name, what = wrong
        raise CorruptError(what, where=path / name, hint="presage check names every such file")


def _lines(found: Comparison) -> Iterator[str]:
    from presage.evaluate.compare import cells

    yield f"A: {found.a}"
    yield f"B: {found.b}"
    yield from in_columns(cells(found.rows))
    if len({row.task for row in found.rows}) > 1:
        yield "p (Holm): corrected for the number of tasks, each by its first metric"
    yield from (f"{row.task}, {row.metric}: {row.note}" for row in found.rows if row.note)
    for example in found.examples:
        yield from _example(example)


def _example(one: Apart) -> Iterator[str]:
    tail = " ".join(one.prompt.split())
    yield ""
    yield f"{one.task} {one.id}: {one.metric} {one.a:g} -> {one.b:g}"
    yield f"  asked  {'…' * (len(tail) > TAIL)}{tail[-TAIL:]}"
    yield f"  A      {' '.join(one.answer_a.split())[:TAIL]}"
    yield f"  B      {' '.join(one.answer_b.split())[:TAIL]}"
