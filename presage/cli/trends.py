"""Metrics that may turn (`presage forecast trend`), and jumps that may be the metric's own (`forecast emergence`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from presage.cli.grammar import AsJson, dumps, emit, forecast, percent, warn

if TYPE_CHECKING:
    from presage.forecast.emergence import Break, Emergence
    from presage.forecast.trend import Trend


@forecast.command
def trend(
    points: Path,
    /,
    *,
    at: Annotated[list[float], Parameter(negative="")],
    column: str | None = None,
    level: float = 0.9,
    json: AsJson = False,
) -> None:
    """Tell whether a metric improves with compute, worsens or reverses, and print what it may be at another compute.

    Where it does not simply improve there is no point forecast, but an interval that covers both continuations.

    Parameters
    ----------
    points
        CSV with a row for each model: columns compute (FLOPs), the metric, and stderr, or n (of how many trials a share
        is). Several rows of one compute are runs of their own.
    at
        The compute to predict for, in FLOPs, beyond the largest in the table; may be given several times.
    column
        The metric's column, if not accuracy, value, loss or bpb. One named loss, bpb, nll or perplexity is better when
        lower; any other must be a share between 0 and 1.
    level
        The probability that the interval should hold the metric with.
    """
    from presage.forecast import trend as trends
    from presage.forecast.measured import read_points
    from presage.forecast.table import about

    with about(points):
        measured, scale = read_points(points, column)
        found = [trends.trend(measured, compute, scale, level) for compute in at]
    if json:
        emit([dumps([one.as_json() for one in found])])
        return
    warn(text for one in found for text in one.warnings)
    emit(line for one in found for line in _trend_lines(one))


@forecast.command
def emergence(items: Path, /, *, level: float = 0.9, json: AsJson = False) -> None:
    """Tell whether accuracy jumps because the model does, or only because the metric has a threshold.

    Accuracy and the log-probability of the right answer are each compared with a smooth rise and with a break.

    Parameters
    ----------
    items
        CSV with a row for each item and model: columns item, compute (FLOPs), correct (0 or 1), logprob (nats, of the
        right answer). Optional: margin (nats, over the best wrong answer), run (tells repetitions at one compute
        apart). Every item must be there for every model.
    level
        The probability that the intervals of the breaks' places should hold with.
    """
    from presage.forecast import emergence as test
    from presage.forecast.table import about

    with about(items):
        found = test.emergence(test.read_items(items), level)
    if json:
        emit([dumps(found.as_json())])
        return
    warn(found.warnings)
    emit(_emergence_lines(found))


def _trend_lines(found: Trend) -> Iterator[str]:
    value = "no forecast" if found.value is None else f"{found.value:.4f}"
    yield f"{value}  [{found.lo:.4f}, {found.hi:.4f}]  at {found.at:.3g} FLOPs, {percent(found.level)} interval"
    yield "; ".join(f"{name.replace('_', ' ')} {p:.2f}" for name, p in found.probability.items())
    yield (
        f"probability of a reversal: within the data {found.p_reversed_in_data:.2f}, "
        f"from there to the target {found.p_reversal_before_target:.2f}"
    )
    (a, b), (c, d) = found.goes_on, found.reverses
    yield f"if the trend goes on [{a:.4f}, {b:.4f}], if it reverses on the way [{c:.4f}, {d:.4f}]"


def _emergence_lines(found: Emergence) -> Iterator[str]:
    yield f"{found.verdict}: {found.n_items} items, {found.n_models} models, {percent(found.level)} intervals"
    for name, one in {"accuracy": found.accuracy, **found.scores}.items():
        yield f"{name:<9} {one.answer:<12} {_break(one)}"


def _break(one: Break) -> str:
    place = f"a break at {one.at:.3g} [{one.at_lo:.3g}, {one.at_hi:.3g}] FLOPs"
    return (
        f"log Bayes factor {one.log_bayes_factor:+.1f} for {place}; "
        f"a step with probability {one.p_step:.2f}, of {one.step:+.3g} ± {one.step_stderr:.2g}"
    )
