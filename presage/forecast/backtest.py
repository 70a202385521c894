"""Backtesting: forecasts of runs that are already known, made without looking, and how good they were.

An exercise is a ladder of small runs and one target further up. `exercises` reads everything except the targets'
losses, which it does not even parse; `truths` reads those, for scoring alone.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.errors import DataError
from presage.core.files import atomic_write
from presage.forecast import law, least_squares, normals
from presage.forecast.points import Estimate, Run, summarise
from presage.forecast.prior import Prior
from presage.forecast.table import Row, about, read_table

BINS = ((8.0, "up to 8x"), (32.0, "8x to 32x"), (128.0, "32x to 128x"), (math.inf, "beyond 128x"))
BASELINES = {
    "a*C^b+c": least_squares.with_floor,
    "a*C^b": least_squares.without_floor,
    "last point": least_squares.last_point,
}
NEEDED = ("exercise", "role", "compute", "loss")
SIZES = ("n_params", "tokens")


@dataclass(frozen=True)
class Exercise:
    """A ladder and the compute of its target, in FLOPs of its source's own convention."""

    name: str
    source: str
    runs: tuple[Run, ...]
    target: float
    place: str = ""
    """The table that it stands in, and its name there."""

    @property
    def ratio(self) -> float:
        """Target over the largest fitted budget."""
        return self.target / max(run.compute for run in self.runs)


@dataclass(frozen=True)
class Forecast:
    """What was predicted for an exercise, with the score's ingredients."""

    exercise: Exercise
    estimate: Estimate
    baselines: dict[str, float]
    sample: np.ndarray
    """Quantiles of the predictive distribution, for the CRPS."""


@dataclass(frozen=True)
class Score:
    """One line of the score table; errors in per cent of the truth, CRPS as well."""

    name: str
    count: int
    median: float
    p90: float
    covered: int | None
    half_width: float | None
    crps: float


def exercises(path: Path) -> list[Exercise]:
    """Columns exercise, role (fit or target), compute, loss; optional source, n_params, tokens.

    Raises DataError naming the line.
    """
    groups: dict[str, list[Row]] = {}
    for row in _rows(path):
        groups.setdefault(row["exercise"], []).append(row)
    return [_exercise(rows, f"{path}: exercise '{name}'") for name, rows in groups.items()]


def truths(path: Path) -> dict[str, float]:
    """The targets' losses, where they are given. Never read before the predictions are made."""
    rows = (row for row in _rows(path) if row["role"] == "target" and row["loss"])
    return {row["exercise"]: row.positive("loss") for row in rows}


def predict(exercise: Exercise, level: float = 0.9, prior: Prior | None = None) -> Forecast:
    """The law's forecast and the baselines'. Raises DataError naming the exercise when its ladder cannot be fitted."""
    points, noise = summarise(exercise.runs)
    with about(exercise.place or f"exercise '{exercise.name}'"):
        fitted = law.fit(points, noise, prior=prior)
    mixture = fitted.mixture(exercise.target)
    compute, loss = np.array([p.compute for p in points]), np.array([p.loss for p in points])
    baselines = {name: float(f(compute, loss, exercise.target)[0]) for name, f in BASELINES.items()}
    return Forecast(exercise, fitted.predict(exercise.target, level), baselines, normals.sample(*mixture))


def scores(forecasts: Sequence[Forecast], truth: dict[str, float]) -> list[tuple[str, list[Score]]]:
    """[(bin, lines)]: the law and every baseline, for all exercises and for each bin of extrapolation."""
    known = [f for f in forecasts if f.exercise.name in truth]
    table = []
    low = 0.0
    for high, name in (*BINS, (math.inf, "all")):
        part = [f for f in known if (low < f.exercise.ratio <= high or name == "all")]
        low = high
        if part:
            lines = [_score_law(part, truth)] + [_score_baseline(part, truth, baseline) for baseline in BASELINES]
            table.append((name, lines))
    return table


def write_predictions(forecasts: Sequence[Forecast], out: Path) -> None:
    """CSV with columns exercise, loss, lo, hi; written whole or not at all. DataError where no file can be."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["exercise", "loss", "lo", "hi"])
    for f in forecasts:
        writer.writerow([f.exercise.name, f.estimate.value, f.estimate.lo, f.estimate.hi])
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(out) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=out, hint="--out names a file") from None


def crps(sample: np.ndarray, truth: float) -> float:
    """Continuous ranked probability score of a distribution given by evenly spaced quantiles: |error| for a point."""
    spread = np.abs(sample[:, None] - sample[None, :]).mean()
    return float(np.abs(sample - truth).mean() - 0.5 * spread)


def _rows(path: Path) -> list[Row]:
    rows = read_table(path).rows(NEEDED, ("source", *SIZES))
    for row in rows:
        if row["role"] not in ("fit", "target"):
            raise row.error(f"role '{row['role']}' is neither fit nor target")
    return rows


def _exercise(rows: Sequence[Row], place: str) -> Exercise:
    fitted = tuple(_run(row) for row in rows if row["role"] == "fit")
    targets = [row.positive("compute") for row in rows if row["role"] == "target"]
    if len(targets) != 1:
        raise DataError(f"{len(targets)} targets instead of one", where=place)
    if not fitted:
        raise DataError("no rows to fit", where=place)
    largest = max(run.compute for run in fitted)
    if targets[0] <= largest:
        what = f"the target ({targets[0]:.3g} FLOPs) is not beyond the fitted range (up to {largest:.3g})"
        raise DataError(what, where=place)
    return Exercise(rows[0]["exercise"], rows[0]["source"], fitted, targets[0], place)


def _run(row: Row) -> Run:
    sizes: dict[str, Any] = {name: row.positive(name) for name in SIZES if row[name]}
    return Run(row.positive("compute"), row.positive("loss"), place=row.place, **sizes)


def _score_law(part: Sequence[Forecast], truth: dict[str, float]) -> Score:
    of = [truth[f.exercise.name] for f in part]
    errors = [100 * abs(f.estimate.value / t - 1) for f, t in zip(part, of, strict=True)]
    covered = sum(f.estimate.lo <= t <= f.estimate.hi for f, t in zip(part, of, strict=True))
    width = statistics.median(100 * f.estimate.half_width / f.estimate.value for f in part)
    ranked = [100 * crps(f.sample, t) / t for f, t in zip(part, of, strict=True)]
    return Score("presage", len(part), *_summary(errors), covered, width, float(np.mean(ranked)))


def _score_baseline(part: Sequence[Forecast], truth: dict[str, float], name: str) -> Score:
    errors = [100 * abs(f.baselines[name] / truth[f.exercise.name] - 1) for f in part]
    return Score(name, len(part), *_summary(errors), None, None, float(np.mean(errors)))


def _summary(errors: Sequence[float]) -> tuple[float, float]:
    return float(np.median(errors)), float(np.percentile(errors, 90))
