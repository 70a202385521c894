"""Laws of loss for anybody's runs: fit one, and see how good such forecasts have been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presage.cli.grammar import AsJson, Place, check_level, dumps, emit, forecast, percent, warn
from presage.core.errors import DataError, PresageError

POINT = ("compute", "loss", "stderr", "n")  # what the JSON answer says of a fitted point


@forecast.command
def fit(
    points: Path,
    /,
    *,
    at: list[float],
    level: float = 0.9,
    metric: str | None = None,
    json: AsJson = False,
) -> None:
    """Fit the law of loss against compute to a table of runs and print the loss expected further up.

    Parameters
    ----------
    points
        CSV with a row a run: columns compute (FLOPs) and loss or bpb, optionally seed, stderr, n_params, tokens; a
        ladder's tables/rungs.csv will do. Or a folder of finished runs of one recipe, of text or of images.
    at
        The compute to predict for, in FLOPs; may be given several times.
    level
        The probability that the interval should hold the loss with.
    metric
        The column to fit, if not bpb or loss.
    """
    import math

    from presage.forecast import law
    from presage.forecast.finished import runs_below
    from presage.forecast.points import read_runs
    from presage.forecast.table import about

    check_level(level, "forecast fit")
    if not all(0 < compute < math.inf for compute in at):
        raise PresageError("--at must be positive and finite", where="forecast fit")
    with about(points):
        runs = runs_below(points, metric) if points.is_dir() else read_runs(points, metric)
        fitted = law.fit(*law.summarise(runs))
    for compute in at:
        _check_outside(fitted, compute)
    answers = [_answer(fitted, compute, level) for compute in at]
    warn(text for answer in answers for text in answer["warnings"])
    emit([dumps(answers)] if json else [line for answer in answers for line in _lines(answer)])


@forecast.command
def backtest(exercises: Path, /, *, out: Place, level: float = 0.9, json: AsJson = False) -> None:
    """Forecast targets that are already known, without looking at them; print how good that was.

    Parameters
    ----------
    exercises
        CSV with columns exercise, role (fit or target), compute, loss; optionally source, n_params, tokens.
    out
        CSV to write: exercise, loss, lo, hi.
    level
        The probability that each interval should hold its target's loss with.
    """
    from dataclasses import asdict

    from presage.forecast import backtest as tests

    check_level(level, "forecast backtest")
    if out.resolve() == exercises.resolve():
        raise DataError("would be overwritten", where=exercises, hint="give another --out")
    forecasts = [tests.predict(exercise, level) for exercise in tests.exercises(exercises)]
    tests.write_predictions(forecasts, out)
    table = tests.scores(forecasts, tests.truths(exercises))
    if json:
        emit([dumps([{"extrapolation": name, **asdict(line)} for name, lines in table for line in lines])])
        return
    emit([f"{len(forecasts)} forecasts in {out}"])
    emit(_table(table) if table else ["no target's loss is given: nothing to score"])


def _check_outside(fitted: Any, compute: float) -> None:
    from presage.forecast.points import check_compute, check_not_far_below

    check_compute(compute)
    check_not_far_below(compute, [point.compute for point in fitted.points])
    low, high = fitted.points[0].compute, fitted.points[-1].compute
    if low <= compute <= high:
        raise DataError(
            f"{compute:.4g} FLOPs lie within the fitted budgets ({low:.4g} to {high:.4g}): nothing to forecast",
            where="--at",
            hint="leave the larger runs out of the table to test a forecast of them",
        )


def _answer(fitted: Any, compute: float, level: float) -> dict[str, Any]:
    """One object of the JSON answer; docs/forecasting.md lists its keys."""
    from presage.forecast.least_squares import bootstrap
    from presage.forecast.warnings import warnings

    expected, exact = fitted.predict(compute, level), fitted.predict(compute, level, wander=False)
    plain, floor = bootstrap(fitted.points, fitted.noise, compute, level), fitted.floor(level)
    return {
        "compute": compute,
        "loss": expected.value,
        "lo": expected.lo,
        "hi": expected.hi,
        "level": level,
        "law": fitted.law.model_dump(),
        "floor": {"value": floor.value, "lo": floor.lo, "hi": floor.hi},
        "extrapolation": compute / fitted.points[-1].compute,
        "n_points": len(fitted.points),
        "method": "posterior of (a*C^b+c)*(1+g), g a slowly wandering slope; docs/forecasting.md",
        "if_the_form_held": {"loss": exact.value, "lo": exact.lo, "hi": exact.hi},
        "least_squares": {"loss": plain.value, "lo": plain.lo, "hi": plain.hi},
        "noise": fitted.noise,
        "wander": fitted.wander,
        "misfit": fitted.misfit,
        "prior": fitted.prior.model_dump(),
        "points": [{key: getattr(point, key) for key in POINT} for point in fitted.points],
        "warnings": warnings(fitted, compute),
    }


def _lines(answer: dict[str, Any]) -> list[str]:
    law, floor, plain = answer["law"], answer["floor"], answer["least_squares"]
    head = "{loss:.4f}  [{lo:.4f}, {hi:.4f}]  at {compute:.3g} FLOPs".format(**answer)
    return [
        f"{head}, {percent(answer['level'])} interval, {answer['extrapolation']:.3g} times the largest run",
        f"  law {law['a']:.4g} * C^{law['b']:.4g} + {law['c']:.4g}; floor [{floor['lo']:.3f}, {floor['hi']:.3f}]; "
        f"least squares alone says {plain['loss']:.4f}",
    ]


def _table(table: Any) -> list[str]:
    lines = [
        f"{'extrapolation':<14} {'method':<11} {'n':>3} {'median':>7} {'p90':>7} {'inside':>8} {'width':>7} {'CRPS':>6}"
    ]
    for name, scores in table:
        for s in scores:
            inside = f"{s.covered} of {s.count}" if s.covered is not None else ""
            width = f"{s.half_width:.2f}" if s.half_width is not None else ""
            cells = f"{s.count:>3} {s.median:>7.2f} {s.p90:>7.2f} {inside:>8} {width:>7} {s.crps:>6.2f}"
            lines.append(f"{name:<14} {s.name:<11} {cells}")
    return [*lines, "median, p90 (of |error|), width (half the interval) and CRPS in per cent of the loss"]
