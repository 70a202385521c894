"""The rungs' learning curves laid over one another, and how far each rung is off. Only where they were compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from presage.report.blocks import Block, Items, Picture, Text
from presage.report.facts import Sources
from presage.report.figures import Figure, powers_axis, title_above
from presage.report.svg import DRAW

CURVES = ("collapse", "tables/curves.csv")
RUNGS = ("collapse", "tables/rungs.csv")
WARNINGS = ("collapse", "tables/warnings.csv")
WHY_NOT = "not_compared"


def blocks(s: Sources) -> Iterator[Block]:
    """The figure with its sentence and what the comparison warns of; why there is none; nothing without the run."""
    why = s.get("collapse", "result.json", f"{WHY_NOT}.value")
    if why is not None:
        yield Text("The rungs' learning curves were not compared: {why}.", why=s.result("collapse", WHY_NOT))
    if not s.rows(*CURVES):
        return
    yield Picture(_figure(s), _caption(s))
    yield _worst(s)
    doubts = range(len(s.rows(*WARNINGS)))
    if doubts:
        yield Items([Text("The comparison warns: {w}", w=s.fact(*WARNINGS, f"{i}.warning")) for i in doubts])


def _caption(s: Sources) -> Text:
    return Text(
        "Learning curves of the rungs, normalised onto one another: loss above the floor of {floor} nats per token "
        "over what is left of it at the end, against the share of the tokens seen. Where one recipe holds at every "
        "size, they are one curve. Thin: rungs, means over seeds; dotted: rungs left out of the fit; dashed: the "
        "fitted rungs' median; heavy: the fitted rung that is furthest off; shaded: the part that is compared, "
        "{start} to {stop} of the tokens. Beside it: how far each rung ends above or below where its curve and the "
        "trend of the fitted rungs would have taken it.",
        floor=s.result("collapse", "floor", "loss"),
        start=s.result("collapse", "compared_from", "share"),
        stop=s.result("collapse", "compared_to", "share"),
    )


def _worst(s: Sources) -> Text:
    known = s.get("collapse", "result.json", "seeds_percent.value") is not None
    seeds = Text("; seeds of one rung differ by {it}", it=s.result("collapse", "seeds_percent", "percent"))
    return Text(
        "The fitted rung that is furthest off, {rung}, ends {apart} of its loss from where the others' curve would "
        "have taken it, {z} robust deviations{seeds}. Off beyond doubt: {off} of {fitted} fitted rungs.",
        rung=s.result("collapse", "worst/rung"),
        apart=s.result("collapse", "worst/apart_percent", "signed_percent"),
        z=s.result("collapse", "worst/z", "loss"),
        seeds=seeds if known else "",
        off=s.result("collapse", "off"),
        fitted=s.result("collapse", "fitted"),
    )


def _figure(s: Sources) -> Figure:
    figure = Figure(
        "collapse",
        "The rungs' learning curves, normalised onto one another",
        "Left: reducible loss over its final value against the share of tokens seen, one line for each rung, with "
        "their median dashed. Right: how far each rung ends above or below the others' trend, in per cent of its "
        "loss, against its compute.",
    )
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, narrow, s), (7.4, 3.6), (3.9, 6.0))


def _draw(canvas: Any, figure: Figure, narrow: bool, s: Sources) -> None:
    shape: dict[str, Any] = {"height_ratios": (1.5, 1)} if narrow else {"width_ratios": (1.6, 1)}
    left, right = canvas.subplots(2 if narrow else 1, 1 if narrow else 2, gridspec_kw=shape)
    _draw_curves(left, figure, s)
    _draw_ends(right, figure, s)


def _draw_curves(axes: Any, figure: Figure, s: Sources) -> None:
    rows, worst = s.rows(*CURVES), s.result("collapse", "worst/rung")
    x = [row["share"] for row in rows]
    stable = [s.result("collapse", f"compared_{end}").value for end in ("from", "to")]
    axes.axvspan(*stable, color=DRAW["band"], linewidth=0, zorder=1)
    for rung in s.rows(*RUNGS):
        name, style = rung["rung"], "-" if rung["fitted"] else ":"
        axes.plot(x, [row[name] for row in rows], style, color=DRAW["second"], linewidth=0.9, zorder=3)
    off = [row[worst.value] for row in rows]
    axes.plot(x, off, color=DRAW["target"], linewidth=1.6, zorder=5, gid=figure.mark(worst))
    axes.plot(x, [row["common"] for row in rows], color=DRAW["accent"], dashes=(5, 3), linewidth=1.6, zorder=6)
    axes.set_xlabel("share of the tokens seen")
    title_above(axes, "reducible loss over its final value")


def _draw_ends(axes: Any, figure: Figure, s: Sources) -> None:
    worst = s.result("collapse", "worst/rung")
    axes.axhline(0, color=DRAW["accent"], dashes=(5, 3), linewidth=1.2, zorder=2)
    for number, rung in enumerate(s.rows(*RUNGS)):
        fact = s.fact(*RUNGS, f"{number}.apart_percent", "signed_percent")
        furthest = rung["rung"] == worst.value
        colour = DRAW["target"] if furthest else DRAW["accent"]
        axes.plot(rung["compute"], fact.value, "o", markersize=6, markeredgewidth=1.3, markeredgecolor=colour,
                  markerfacecolor=colour if rung["fitted"] else DRAW["paper"], zorder=4,
                  gid=figure.mark(fact))  # fmt: skip
        if furthest:
            axes.annotate(worst.shown, (rung["compute"], fact.value), (0, 9), textcoords="offset points", ha="center",
                          color=colour, gid=figure.mark(worst), zorder=8)  # fmt: skip
    powers_axis(axes, "x")
    axes.margins(x=0.1, y=0.2)
    axes.set_xlabel("training compute, FLOPs")
    title_above(axes, "end, % from the others")
