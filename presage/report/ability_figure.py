"""The figure of a capability: Figure 2 of the GPT-4 report, for this run, and its buckets below it."""

from __future__ import annotations

from typing import Any

from presage.report.facts import Fact, Sources
from presage.report.figures import (
    DECADES,
    FORECAST,
    SMALL,
    Figure,
    Promise,
    draw_law,
    draw_target,
    draw_zoom,
    relative_axis,
    title_above,
)
from presage.report.svg import DRAW

LAWS = "capability.laws"
SCORED = "capability/"
"""What the names of a score's results begin with that are about a capability."""
TALLEST = 1.12  # the vertical axis's end over the largest value: it begins at 0, as in the GPT-4 report
ACROSS = 3  # panels beside each other in the narrow figure


def scored(s: Sources, law: str, name: str, form: str = "loss", part: str = "value") -> Fact:
    """What the score says about the bucket of this law (its key in forecast.json): actual, inside, …"""
    bucket = s.get(*FORECAST, f"{law}.bucket")
    return s.result("score", f"{SCORED}{bucket}/{name}", form, part)


def capability(s: Sources) -> Figure:
    """Mean −log pass rate against compute relative to the target; below it one small panel for each bucket."""
    figure = Figure(
        "capability-law",
        "Mean −log pass rate against training compute: rungs, law, promise and outcome",
        "Mean −log pass rate over training compute relative to the target, on a logarithmic axis. Dots are the "
        "ladder's budgets, the dashed line is the law with its interval as a band, the diamond is the target. Small "
        "panels show the same for each bucket of problems.",
    )
    buckets = len(s.get(*FORECAST, LAWS)) - 1
    rows = -(-buckets // ACROSS)
    wide, tall = (7.4, 4.0 + 1.75 * bool(buckets)), (3.9, 5.6 + 1.5 * rows)
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, narrow, s, buckets), wide, tall)


def _draw(canvas: Any, figure: Figure, narrow: bool, s: Sources, buckets: int) -> None:
    across = min(ACROSS, buckets) if narrow else buckets
    rows = -(-buckets // across) if buckets else 0
    heights = (5.6, 1.5 * rows) if narrow else (4.0, 1.75)
    parts = canvas.subfigures(2, 1, height_ratios=heights, hspace=0.02) if buckets else [canvas]
    shape: dict[str, Any] = {"height_ratios": (2.4, 1), "hspace": 0.14} if narrow else {"width_ratios": (3.1, 1)}
    main, zoom = parts[0].subplots(2 if narrow else 1, 1 if narrow else 2, gridspec_kw=shape)
    _draw_main(main, figure, s, narrow)
    draw_zoom(zoom, figure, _promise(s, 0), narrow)
    if buckets:
        panels = parts[1].subplots(rows, across, squeeze=False).ravel()
        for number, axes in enumerate(panels, 1):
            _draw_bucket(axes, figure, s, number) if number <= buckets else axes.set_axis_off()


def _promise(s: Sources, law: int) -> Promise:
    at = f"{LAWS}.{law}"
    value, lo, hi = (s.fact(*FORECAST, f"{at}.{key}", "loss") for key in ("value", "lo", "hi"))
    return Promise(value, lo, hi, scored(s, at, "actual"))


def _draw_main(axes: Any, figure: Figure, s: Sources, narrow: bool) -> None:
    target, curve = s.get(*FORECAST, "target.compute"), s.get(*FORECAST, "capability.curve.0", [])
    places = _draw_trend(axes, figure, s, 0, 6.2)
    draw_target(axes, figure, _promise(s, 0))
    relative_axis(axes, target, places, DECADES[narrow])
    title_above(axes, "−mean log pass rate")
    points = s.get(*FORECAST, "capability.points.0", [])
    if points:
        place = points[(len(points) - 1) // 2]
        axes.annotate("rungs", (place["compute"] / target, place["value"]), (7, 7), textcoords="offset points",
                      color=DRAW["accent"], zorder=8)  # fmt: skip
    if curve:
        place = curve[round(0.62 * len(curve))]
        text = "the law,\nsealed before" if narrow else "the law, sealed before\nthe target ran"
        axes.annotate(text, (place["compute"] / target, place["hi"]), (2, 6), textcoords="offset points",
                      ha="left", va="bottom", color=DRAW["accent"], zorder=8)  # fmt: skip


def _draw_bucket(axes: Any, figure: Figure, s: Sources, law: int) -> None:
    target = s.get(*FORECAST, "target.compute")
    places = _draw_trend(axes, figure, s, law, 3.4)
    draw_target(axes, figure, _promise(s, law), SMALL)
    relative_axis(axes, target, places, 1)
    axes.set_xlabel("")
    axes.locator_params(axis="y", nbins=3)
    axes.tick_params(labelsize=8)
    name = s.fact(*FORECAST, f"{LAWS}.{law}.bucket")
    axes.set_title(f"bucket {name}", loc="left", fontsize=9, color=DRAW["muted"], pad=6, gid=figure.mark(name))


def _draw_trend(axes: Any, figure: Figure, s: Sources, law: int, size: float) -> list[float]:
    """Dots, law and band of one bucket. Returns the places along the axis, relative to the target."""
    target, curve = s.get(*FORECAST, "target.compute"), s.get(*FORECAST, f"capability.curve.{law}", [])
    draw_law(axes, curve, target, "value")
    places, heights = [1.0, *(row["compute"] / target for row in curve)], [row["hi"] for row in curve]
    for number, point in enumerate(s.get(*FORECAST, f"capability.points.{law}", [])):
        x, y = point["compute"] / target, point["value"]
        gid = figure.mark(s.fact(*FORECAST, f"capability.points.{law}.{number}.value", "loss"))
        axes.plot([x, x], [y - point["stderr"], y + point["stderr"]], color=DRAW["second"], linewidth=0.9, zorder=4)
        axes.plot(x, y, "o", markersize=size, color=DRAW["accent"], zorder=5, gid=gid)
        places.append(x)
        heights.append(y + point["stderr"])
    promise = _promise(s, law)
    heights += [fact.value for fact in (promise.hi, promise.actual) if not fact.missing]
    axes.set_ylim(0, TALLEST * max(heights))
    return places
