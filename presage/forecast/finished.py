"""Points for a fit from finished runs of one recipe: what each cost, all of it, and its held-out loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.forecast.points import METRICS, Run

OF_RUNS = {name: f"val/{name}" for name in METRICS}


def runs_below(folder: Path, metric: str | None = None) -> list[Run]:
    """A point for each finished run directly below a folder that has FLOPs and a held-out loss, by name.

    metric: bpb or loss; by default the first that all have. The FLOPs are those of the run itself, encoders of images
    and their tokens included. Raises DataError where there are none, or not all were trained on the same data.
    """
    finished = [RunDir.open(mark.parent) for mark in sorted(folder.glob("*/DONE"))]
    found = [run for run in finished if "flops" in run.results()]
    if not found:
        raise DataError("no finished runs with FLOPs below it", where=folder, hint="give a CSV table, or their folder")
    _check_alike(found)
    names = [metric] if metric else METRICS
    chosen = next((name for name in names if all(OF_RUNS.get(name, name) in run.results() for run in found)), None)
    if chosen is None:
        raise DataError(f"not all runs have {' or '.join(names)}", where=folder)
    return [_point(run, OF_RUNS.get(chosen, chosen)) for run in found]


def _point(run: RunDir, metric: str) -> Run:
    values = {name: float(run.value(name)) for name in ("n_params", "tokens") if name in run.results()}
    compute, loss = float(run.value("flops")), float(run.value(metric))
    return Run(compute, loss, seed=run.path.name, place=str(run.path), **values)


def _check_alike(runs: Sequence[RunDir]) -> None:
    """Losses on other data, or after another beginning, are no points of one law."""
    first = runs[0]
    for run in runs[1:]:
        if (run.stage, run.origin["parents"]) != (first.stage, first.origin["parents"]):
            raise DataError(f"not of the same stage, data and base as {first.path.name}", where=run.path)
