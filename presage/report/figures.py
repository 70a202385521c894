"""The figures: the forecast (Figure 1 of the GPT-4 report, for this run) and the learning curves.

Everything is drawn from Sources and nothing is computed but positions on the page. Each figure comes twice, wide and
narrow, so that it can be read on a telephone; the page shows the one that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from presage.report import svg
from presage.report.facts import Fact, Sources
from presage.report.formats import power_tick, relative_tick
from presage.report.kinds import kind_of
from presage.report.svg import DRAW

FORECAST = ("forecast", "forecast.json")
RUNGS = ("ladder", "tables/rungs.csv")
BINS_PER_DECADE = 12
DECADES = (7, 4)  # that have room for a tick each, in a wide and in a narrow figure
SMALL = 5  # points: a mark of a small panel
FEWEST = 3  # measurements that make a line
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": DRAW["muted"],
    "axes.linewidth": 0.8,
    "axes.labelcolor": DRAW["muted"],
    "axes.titlecolor": DRAW["ink"],
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.which": "major",
    "grid.color": DRAW["grid"],
    "grid.linewidth": 0.8,
    "text.color": DRAW["ink"],
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.color": DRAW["muted"],
    "ytick.color": DRAW["muted"],
    "xtick.labelcolor": DRAW["muted"],
    "ytick.labelcolor": DRAW["muted"],
    "xtick.minor.visible": False,
    "xtick.major.size": 4,
    "ytick.major.size": 0,
}


Draw = Callable[[Any, "Figure", bool], None]


@dataclass
class Figure:
    """One figure in two widths, with the facts that its marks show."""

    name: str
    title: str
    description: str
    wide: str = ""
    narrow: str = ""
    marks: dict[str, Fact] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return f"artifacts/{self.name}.svg"

    def mark(self, fact: Fact) -> str:
        """A gid that stands for this fact."""
        name = f"mark-{fact.id}"
        self.marks[name] = fact
        return name

    def render(self, draw: Draw, wide: tuple[float, float], tall: tuple[float, float]) -> Figure:
        """Draw twice; sizes in inches."""
        for narrow, size in ((False, wide), (True, tall)):
            kind = "narrow" if narrow else "wide"
            with _canvas(size) as canvas:
                draw(canvas, self, narrow)
                raw = svg.save(canvas, f"{self.name}-{kind}")
            setattr(self, kind, svg.finish(raw, self.title, self.description, self.marks, kind))
        return self


@contextmanager
def _canvas(size: tuple[float, float]) -> Iterator[Any]:
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    defaults: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    with matplotlib.rc_context(defaults | STYLE):
        yield Canvas(figsize=size, layout="constrained")


# ---- figure 1 -------------------------------------------------------------------------------------------------


def forecast(sources: Sources) -> Figure | None:
    """Loss against compute relative to the target; None without a forecast."""
    if not sources.has(*FORECAST):
        return None
    figure = Figure(
        "figure1",
        "Final loss against training compute: rungs, law, promise and outcome",
        f"{kind_of(sources).measured.capitalize()} over training compute relative to the target, on a logarithmic "
        "axis. Filled dots are the rungs that the law was fitted to, hollow dots rungs left out of the fit, "
        "the dashed line is the law with its interval as a band, the diamond is the target.",
    )
    return figure.render(lambda c, f, narrow: _draw_forecast(c, f, narrow, sources), (7.4, 4.1), (3.9, 5.9))


def _draw_forecast(canvas: Any, figure: Figure, narrow: bool, sources: Sources) -> None:
    shape: dict[str, Any] = {"height_ratios": (2.4, 1), "hspace": 0.14} if narrow else {"width_ratios": (3.1, 1)}
    main, zoom = canvas.subplots(2 if narrow else 1, 1 if narrow else 2, gridspec_kw=shape)
    target = sources.get(*FORECAST, "target.compute")
    curve = [row for row in sources.get(*FORECAST, "curve", []) if row.get("loss") is not None]
    promise = Promise.of_loss(sources)
    draw_law(main, curve, target)
    _draw_seeds(main, figure, sources, target)
    low = _draw_points(main, figure, sources, target)
    draw_target(main, figure, promise)
    _label_law(main, curve, target, narrow)
    relative_axis(main, target, [low, *(row["compute"] / target for row in curve)], DECADES[narrow])
    title_above(main, kind_of(sources).unit)
    draw_zoom(zoom, figure, promise, narrow)


@dataclass(frozen=True)
class Promise:
    """The four facts such a figure is about."""

    point: Fact
    lo: Fact
    hi: Fact
    actual: Fact

    @classmethod
    def of_loss(cls, sources: Sources) -> Promise:
        """Of the loss. Without a score, what the target itself came to."""
        point, lo, hi = (sources.fact(*FORECAST, key, "loss") for key in ("point", "lo", "hi"))
        scored = sources.result("score", "actual", "loss")
        trained = sources.result("target", kind_of(sources).metric, "loss")
        return cls(point, lo, hi, trained if scored.missing else scored)

    @property
    def bars(self) -> list[list[float]]:
        return [[self.point.value - self.lo.value], [self.hi.value - self.point.value]]


def draw_law(axes: Any, curve: list[dict[str, float]], target: float, key: str = "loss") -> None:
    """The law as a dashed line and its interval as a band; `key` names the value in the rows of `curve`."""
    x = [row["compute"] / target for row in curve]
    axes.fill_between(x, [r["lo"] for r in curve], [r["hi"] for r in curve], color=DRAW["band"], linewidth=0, zorder=1)
    axes.plot(x, [row[key] for row in curve], color=DRAW["accent"], dashes=(5, 3), linewidth=1.4, zorder=2)


def _draw_seeds(axes: Any, figure: Figure, sources: Sources, target: float) -> None:
    column = kind_of(sources).column
    for number, row in enumerate(sources.rows(*RUNGS)):
        if isinstance(row.get(column), int | float) and row.get("compute"):
            gid = figure.mark(sources.fact(*RUNGS, f"{number}.{column}", "loss4"))
            axes.plot(row["compute"] / target, row[column], "_", color=DRAW["second"], markersize=13,
                      markeredgewidth=0.8, zorder=3, gid=gid)  # fmt: skip


def _draw_points(axes: Any, figure: Figure, sources: Sources, target: float) -> float:
    """The budget means: filled where fitted, hollow where not. Returns the leftmost position."""
    places = [1.0]
    for number, point in enumerate(sources.get(*FORECAST, "points", [])):
        x, fitted = point["compute"] / target, bool(point.get("fitted", True))
        gid = figure.mark(sources.fact(*FORECAST, f"points.{number}.loss", "loss4"))
        axes.plot(x, point["loss"], "o", markersize=6.2, markeredgewidth=1.3, markeredgecolor=DRAW["accent"],
                  markerfacecolor=DRAW["accent"] if fitted else DRAW["paper"], zorder=5, gid=gid)  # fmt: skip
        places.append(x)
    _label_points(axes, sources, target)
    return min(places)


def _label_points(axes: Any, sources: Sources, target: float) -> None:
    """One label for the fitted rungs and one for the others, beside a mark in the middle of each."""
    points = sorted(sources.get(*FORECAST, "points", []), key=lambda p: p["compute"])
    groups = (("rungs, fitted", [p for p in points if p.get("fitted", True)], (8, 7)),
              ("not fitted", [p for p in points if not p.get("fitted", True)], (8, 7)))  # fmt: skip
    for text, group, offset in groups:
        if group:
            middle = group[(len(group) - 1) // 2]
            place = (middle["compute"] / target, middle["loss"])
            axes.annotate(text, place, offset, textcoords="offset points", color=DRAW["accent"], zorder=8)


def draw_target(axes: Any, figure: Figure, promise: Promise, size: float = 6.5) -> None:
    """The promise with its interval, and what came out as a diamond; a small one is not labelled."""
    if not promise.point.missing:
        axes.errorbar([1.0], [promise.point.value], yerr=promise.bars, color=DRAW["accent"], capsize=3, linewidth=1.2,
                      fmt="_", markersize=8, zorder=6)  # fmt: skip
    if not promise.actual.missing:
        gid = figure.mark(promise.actual)
        axes.plot([1.0], [promise.actual.value], "D", color=DRAW["target"], markersize=size, zorder=7,
                  markeredgecolor=DRAW["paper"], markeredgewidth=0.8, gid=gid)  # fmt: skip
    if not promise.actual.missing and size > SMALL:
        missed = not promise.lo.missing and promise.actual.value < promise.lo.value  # above it the promise has its bar
        axes.annotate("target", (1.0, promise.actual.value), (-2, -20 if missed else 11), textcoords="offset points",
                      ha="center", color=DRAW["target"], weight="bold", zorder=8)  # fmt: skip


def _label_law(axes: Any, curve: list[dict[str, float]], target: float, narrow: bool) -> None:
    if len(curve) < 2:
        return
    largest = math.log(curve[-1]["compute"])
    place = min(curve, key=lambda r: abs(math.log(r["compute"]) - (largest - (1.5 if narrow else 2.2))))
    text = "the law,\nsealed before" if narrow else "the law, sealed before\nthe target ran"
    axes.annotate(text, (place["compute"] / target, place["lo"]), (-4, -7), textcoords="offset points",
                  ha="right", va="top", color=DRAW["accent"], zorder=8)  # fmt: skip


def relative_axis(axes: Any, target: float, places: list[float], decades: int) -> None:
    """Compute in units of the target's, as in the figures of the GPT-4 report; `places` are all that must fit.

    Beyond so many `decades` every second one has a tick.
    """
    low = math.floor(math.log10(min(places)) + 1e-9)
    step = 2 if -low > decades else 1
    ticks = [10.0**e for e in range(0, low - 1, -step)]
    axes.set_xscale("log")
    axes.set_xlim(min(places) / 1.8, 2.2)
    axes.set_xticks(ticks, [relative_tick(t) for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training compute, relative to the target")


def powers_axis(axes: Any, name: str) -> None:
    """Make the axis "x" or "y" one of powers of ten, with plain ticks: formulas are off (STYLE)."""
    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    (axes.set_xscale if name == "x" else axes.set_yscale)("log")
    axis.set_major_formatter(lambda value, _: power_tick(value))
    axes.minorticks_off()


def draw_zoom(axes: Any, figure: Figure, promise: Promise, narrow: bool) -> None:
    """The target alone: what was promised, with its interval, beside what came out."""
    axes.set_xlim(-0.7, 1.7)
    axes.set_xticks([0, 1], ["promised", "actual"])
    axes.tick_params(axis="x", length=0)
    title_above(axes, "at the target")
    seen = [f.value for f in (promise.lo, promise.hi, promise.actual) if not f.missing]
    if not seen:
        return
    margin = (max(seen) - min(seen)) * (0.34 if narrow else 0.22) or 0.05  # room for a number beyond either end
    axes.set_ylim(min(seen) - margin, max(seen) + margin)
    if not promise.point.missing:
        axes.axhspan(promise.lo.value, promise.hi.value, color=DRAW["band"], linewidth=0, zorder=1)
        axes.errorbar([0], [promise.point.value], yerr=promise.bars, fmt="o", color=DRAW["accent"], capsize=4,
                      markersize=6, linewidth=1.4, zorder=5)  # fmt: skip
        for fact, offset, va in ((promise.hi, 4, "bottom"), (promise.lo, -4, "top")):
            axes.annotate(fact.shown, (0, fact.value), (0, offset), textcoords="offset points", ha="center", va=va,
                          color=DRAW["muted"], size=9, gid=figure.mark(fact), zorder=8)  # fmt: skip
        axes.annotate(promise.point.shown, (0, promise.point.value), (8, 0), textcoords="offset points", va="center",
                      color=DRAW["accent"], weight="bold", gid=figure.mark(promise.point), zorder=8)  # fmt: skip
    if not promise.actual.missing:
        axes.plot([1], [promise.actual.value], "D", color=DRAW["target"], markersize=7, zorder=6)
        # On the side away from the promise, whose own label reaches across when the two are close.
        below = not promise.point.missing and promise.actual.value < promise.point.value
        offset, va = (-9, "top") if below else (9, "bottom")
        axes.annotate(promise.actual.shown, (1, promise.actual.value), (0, offset), textcoords="offset points",
                      ha="center", va=va, color=DRAW["target"], weight="bold", gid=figure.mark(promise.actual),
                      zorder=8)  # fmt: skip


def title_above(axes: Any, text: str) -> None:
    """The vertical axis is named above it, horizontally, where it can be read."""
    axes.set_title(text, loc="left", fontsize=10, color=DRAW["muted"], pad=9)


# ---- learning curves ------------------------------------------------------------------------------------------


def learning_curves(sources: Sources, rungs: list[str]) -> Figure | None:
    """Training loss and that on what is held out, of the target and of `rungs` (names under ladder/rungs)."""
    runs = [f"ladder/rungs/{name}" for name in rungs] + ["target"]
    runs = [run for run in runs if sources.has(run, "metrics.jsonl")]
    if not runs:
        return None
    figure = Figure(
        "figure2",
        "Learning curves of the target and the rungs",
        "Training loss in nats per token, averaged in equal steps of the logarithm of tokens, and "
        f"{kind_of(sources).measured}, over training compute; the target is drawn heavier.",
    )
    return figure.render(lambda c, f, narrow: _draw_curves(c, f, narrow, sources, runs), (7.4, 3.5), (3.9, 6.2))


def _draw_curves(canvas: Any, figure: Figure, narrow: bool, sources: Sources, runs: list[str]) -> None:
    left, right = canvas.subplots(2 if narrow else 1, 1 if narrow else 2)
    for run in runs:
        rows, heavy = sources.rows(run, "metrics.jsonl"), run == "target"
        colour = DRAW["target"] if heavy else DRAW["second"]
        width, order = (1.7, 5) if heavy else (0.9, 3)
        left.plot(*smoothed(rows, "tokens", "train/loss"), color=colour, linewidth=width, zorder=order)
        _draw_held_out(right, figure, sources, run, {"color": colour, "linewidth": width, "zorder": order})
    for axes, label, name in ((left, "tokens", "training loss, nats per token"),
                              (right, "training compute, FLOPs", f"held-out, {kind_of(sources).unit}")):  # fmt: skip
        powers_axis(axes, "x")
        axes.set_xlabel(label)
        axes.margins(x=0.06, y=0.16)
        title_above(axes, name)


def _draw_held_out(axes: Any, figure: Figure, sources: Sources, run: str, style: dict[str, Any]) -> None:
    """A line of what was measured during training, or a point at its end where nothing was."""
    metric, heavy = kind_of(sources).metric, run == "target"
    x, y = _pairs(sources.rows(run, "metrics.jsonl"), "flops", metric)
    if not x:
        _draw_end(axes, figure, sources, run, style["color"])
        return
    lonely = len(x) < FEWEST
    axes.plot(x, y, marker="o" if heavy or lonely else "", markersize=3 if heavy else 2, **style)
    if heavy:
        _label_end(axes, figure, sources.last(run, "metrics.jsonl", metric, "loss"), (x[-1], y[-1]))


def _draw_end(axes: Any, figure: Figure, sources: Sources, run: str, colour: str) -> None:
    loss, flops = sources.result(run, kind_of(sources).metric, "loss"), sources.result(run, "flops", "flops")
    if loss.missing or flops.missing:
        return
    place = (flops.value, loss.value)
    axes.plot(*place, "o", color=colour, markersize=5, zorder=5, gid=figure.mark(loss))
    if run == "target":
        _label_end(axes, figure, loss, place)


def _label_end(axes: Any, figure: Figure, fact: Fact, place: tuple[float, float]) -> None:
    axes.annotate(f"target {fact.shown}", place, (0, -7), textcoords="offset points", ha="right", va="top",
                  color=DRAW["target"], weight="bold", gid=figure.mark(fact), zorder=8)  # fmt: skip


def _pairs(rows: list[dict[str, Any]], x: str, y: str) -> tuple[list[float], list[float]]:
    kept = [row for row in rows if row.get(x) and row.get(y) is not None]
    return [row[x] for row in kept], [row[y] for row in kept]


def smoothed(rows: list[dict[str, Any]], x: str, y: str) -> tuple[list[float], list[float]]:
    """Means of x and y over equal steps of log x: what a line on a logarithmic axis can show."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for a, b in zip(*_pairs(rows, x, y), strict=True):
        bins.setdefault(int(math.log10(a) * BINS_PER_DECADE), []).append((a, b))
    means = [(sum(a for a, _ in v) / len(v), sum(b for _, b in v) / len(v)) for _, v in sorted(bins.items())]
    return [a for a, _ in means], [b for _, b in means]
