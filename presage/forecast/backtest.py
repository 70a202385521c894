"""Backtesting: forecasts of runs that are already known, made without looking, and how good they were.

An exercise is a ladder of small runs and one target further up. `exercises` reads everything except the targets'
losses, which it does not even parse; `truths` reads those, for scoring alone.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.errors import DataError
from presage.core.files import atomic_write
from presage.forecast import law, least_squares, normals
from presage.forecast.points import Estimate, Run, number, summarise
from presage.forecast.prior import Prior

BINS = ((8.0, "up to 8x"), (32.0, "8x to 32x"), (128.0, "32x to 128x"), (math.inf, "beyond 128x"))
BASELINES = {
    "a*C^b+c": least_squares.with_floor,
    "a*C^b": least_squares.without_floor,
    "last point": least_squares.last_point,
}
NEEDED = ("exercise", "role", "compute", "loss")


@dataclass(frozen=True)
class Exercise:
    """A ladder and the compute of its target, in FLOPs of its source's own convention."""

    name: str
    source: str
    runs: tuple[Run, ...]
    target: float

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
    groups: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for place, row in _rows(path):
        groups.setdefault(row["exercise"], []).append((place, row))
    return [_exercise(name, rows, path) for name, rows in groups.items()]


def truths(path: Path) -> dict[str, float]:
    """The targets' losses, where they are given. Never read before the predictions are made."""
    return {
        row["exercise"]: number(row["loss"], f"{place}: loss")
        for place, row in _rows(path)
        if row["role"] == "target" and (row["loss"] or "").strip()
    }


def predict(exercise: Exercise, level: float = 0.9, prior: Prior | None = None) -> Forecast:
    """The law's forecast and the baselines'. Raises DataError naming the exercise when its ladder cannot be fitted."""
    points, noise = summarise(exercise.runs)
    try:
        fitted = law.fit(points, noise, prior=prior)
    except DataError as error:
        raise DataError(error.what, where=f"exercise '{exercise.name}': {error.where or 'fit rows'}") from None
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


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            for needed in NEEDED:
                if needed not in (rows.fieldnames or []):
                    columns = ", ".join(rows.fieldnames or []) or "none"
                    raise DataError(f"no column '{needed}'", where=f"{path}:1", hint=f"columns: {columns}")
            for row in rows:
                place = f"{path}:{rows.line_num}"
                if row["role"] not in ("fit", "target"):
                    raise DataError(f"role '{row['role']}' is neither fit nor target", where=place)
                yield place, row
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV table: {error}", where=path) from None


def _exercise(name: str, rows: Sequence[tuple[str, dict[str, str]]], path: Path) -> Exercise:
    fitted = tuple(_run(place, row) for place, row in rows if row["role"] == "fit")
    targets = [number(row["compute"], f"{place}: compute") for place, row in rows if row["role"] == "target"]
    if len(targets) != 1:
        raise DataError(f"{len(targets)} targets instead of one", where=f"{path}: exercise '{name}'")
    if not fitted:
        raise DataError("no rows to fit", where=f"{path}: exercise '{name}'")
    largest = max(run.compute for run in fitted)
    if targets[0] <= largest:
        raise DataError(
            f"the target ({targets[0]:.3g} FLOPs) is not beyond the fitted range (up to {largest:.3g})",
            where=f"{path}: exercise '{name}'",
        )
    return Exercise(name, rows[0][1].get("source") or "", fitted, targets[0])


def _run(place: str, row: dict[str, str]) -> Run:
    sized: dict[str, Any] = {key: number(row[key], f"{place}: {key}") for key in ("n_params", "tokens") if row.get(key)}
    return Run(number(row["compute"], f"{place}: compute"), number(row["loss"], f"{place}: loss"), **sized)


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
