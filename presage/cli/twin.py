"""`presage contamination --retrain-clean`: what contamination was worth to a model, by training its clean twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presage.cli.grammar import dumps, emit, in_columns
from presage.core.errors import CheckFailed, PresageError

if TYPE_CHECKING:
    from presage.core.run import RunDir

WHERE = "contamination"


def check_combination(items: Sequence[Path], out: Path | None, others: Mapping[str, object]) -> tuple[Path, Path]:
    """(the file of items, the folder to write). PresageError for options that do not go with --retrain-clean."""
    given = next((name for name, value in others.items() if value), None)
    if given == "--corpus":
        raise PresageError(
            "--corpus does not go with --retrain-clean, which looks in the run's own corpus", where=WHERE,
            hint="leave it out",
        )  # fmt: skip
    if given is not None:
        raise PresageError(f"{given} does not go with --retrain-clean", where=WHERE, hint="scan with it first")
    if len(items) > 1:
        raise PresageError("--retrain-clean takes one file of --items", where=WHERE, hint="join them")
    if out is None:
        raise PresageError("--retrain-clean needs --out", where=WHERE, hint="name a folder for the twin")
    if (out / "config.json").exists():
        raise PresageError("is a run directory itself: --retrain-clean writes several", where=out, hint="name another")
    return items[0], out


def retrain_clean(
    items: Path, run: Path, out: Path, methods: Sequence[str], seed: int, *, fail: bool, json: bool
) -> None:
    """Train the twin, compare, print. Raises CheckFailed where `fail` is set and an item is in the training corpus."""
    from presage.recipes import retrain

    clean, compared = retrain.run(items, run, out, methods=methods, seed=seed)
    if json:
        emit([dumps(_as_json(clean, compared))])
    else:
        emit(_nothing(clean) if compared is None else _worth(clean, compared))
    if fail and clean.value("items/flagged"):
        said = f"{clean.value('items/flagged')} of {clean.value('items/all')} items are in the training corpus"
        raise CheckFailed(said, where=items)


def _as_json(clean: RunDir, compared: RunDir | None) -> dict[str, Any]:
    """{"items", "removed", "worth"}: results of both runs; "worth" is null where nothing was trained."""
    counts = {name: clean.value(f"items/{name}") for name in ("all", "flagged", "untestable")}
    removed = {name: clean.value(f"removed/{name}") for name in ("documents", "bytes")}
    return {"items": counts, "removed": removed, "worth": None if compared is None else compared.results()}


def _nothing(clean: RunDir) -> Iterator[str]:
    tested = clean.value("items/all") - clean.value("items/untestable")
    yield f"none of {tested} testable items is in the training corpus: there is nothing to retrain"


def _worth(clean: RunDir, compared: RunDir) -> Iterator[str]:
    yield (
        f"{clean.value('items/flagged')} of {clean.value('items/all')} items are in the training corpus; "
        f"{clean.value('removed/documents')} documents that hold items were left out "
        f"({clean.value('train/documents')} stay for training)"
    )
    yield ""
    rows = [["bits per byte", "items", "the run", "clean twin", "twin - run"]]
    for row in compared.read_table("worth"):
        cells = (_mean(row, what) for what in ("original", "twin", "difference"))
        rows.append([f"{row['items']} items", row["n"], *cells])
    yield from in_columns(rows)
    yield from ["", str(compared.path)]


def _mean(row: Mapping[str, str], what: str) -> str:
    from presage.evaluate.paired import Mean

    value, stderr = (float(row[key]) if row[key] else None for key in (what, f"{what}_stderr"))
    return Mean(value, stderr, int(row["n"])).text
