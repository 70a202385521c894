"""The section on scores against compute: an examination of every rung of a ladder at K = 0, 1 and many shots.

As the figures of the GPT-3 report that compare zero, one and few shots by size. Only where a ladder was examined.
"""

from __future__ import annotations

from typing import Any

from presage.report.blocks import Block, Cell, Picture, Section, Table, Text
from presage.report.examination import NONE, counts, estimate, finite, warnings
from presage.report.facts import Sources
from presage.report.figures import Figure, powers_axis, title_above
from presage.report.svg import DRAW

ROLE = "scaling"
LADDER, WARNINGS = (ROLE, "tables/ladder.csv"), (ROLE, "tables/warnings.csv")
MANY = "many"
INKS: dict[Any, str] = {0: "second", 1: "accent", MANY: "target"}
"""Of lines, by their number of shots."""
PANELS, ACROSS = 9, 3
Panel = tuple[str, str]


def given(s: Sources) -> bool:
    """Whether a ladder was examined."""
    return s.runs.get(ROLE) is not None


def section(s: Sources) -> Section:
    """A panel for each task, and every score."""
    drawn = [panel for panel in panels(s) if _lines(s, panel)]
    blocks: list[Block] = [Picture(_figure(s, drawn[:PANELS]), _caption(len(drawn)))] if drawn else []
    return Section(ROLE, "Scores against compute", [*blocks, _table(s), *warnings(s, WARNINGS)])


def panels(s: Sources) -> list[Panel]:
    """(task, metric), the first metric of each task first where there are several."""
    return list(dict.fromkeys((str(row["task"]), str(row["metric"])) for row in s.rows(*LADDER)))


def _caption(count: int) -> Text:
    more = " The first ones only; the table has all." if count > PANELS else ""
    return Text(
        "Every rung of the ladder, examined with several numbers of shots K, against its training compute in FLOPs on "
        f"a logarithmic axis; strokes are one standard error. Dotted: what chance gives.{more}"
    )


def _lines(s: Sources, panel: Panel) -> dict[Any, list[int]]:
    """{shots: places of its rows, by compute}; those without compute or value cannot be drawn."""
    lines: dict[Any, list[int]] = {}
    rows = s.rows(*LADDER)
    for i, row in enumerate(rows):
        if (str(row["task"]), str(row["metric"])) == panel and row.get("flops") and finite(row.get("value")):
            lines.setdefault(row["shots"], []).append(i)
    known = sorted(lines, key=lambda shots: (isinstance(shots, str), shots if not isinstance(shots, str) else 0))
    return {shots: sorted(lines[shots], key=lambda i: rows[i]["flops"]) for shots in known}


def _figure(s: Sources, drawn: list[Panel]) -> Figure:
    figure = Figure(
        "scores-by-compute",
        "Scores against training compute, by number of shots",
        "For each task the score of every rung against its training compute on a logarithmic axis, one line for each "
        "number of shots, and a dotted line for chance.",
    )
    across = min(ACROSS, len(drawn))
    rows = -(-len(drawn) // across)
    wide, tall = (7.4, 2.9 * rows + 0.4), (3.9, 3.0 * len(drawn))
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s, drawn, 1 if narrow else across), wide, tall)


def _draw(canvas: Any, figure: Figure, s: Sources, drawn: list[Panel], across: int) -> None:
    axes = canvas.subplots(-(-len(drawn) // across), across, squeeze=False).ravel()
    canvas.get_layout_engine().set(h_pad=0.12)
    for one, panel in zip(axes, drawn, strict=False):
        _draw_panel(one, figure, s, panel)
    for one in axes[len(drawn) :]:
        one.set_axis_off()
    _legend(canvas, {shots for panel in drawn for shots in _lines(s, panel)})


def _ink(shots: Any) -> str:
    return DRAW[INKS.get(shots, INKS[MANY])]


def _draw_panel(axes: Any, figure: Figure, s: Sources, panel: Panel) -> None:
    rows = s.rows(*LADDER)
    for shots, places in _lines(s, panel).items():
        ink = _ink(shots)
        axes.plot(
            [rows[i]["flops"] for i in places], [rows[i]["value"] for i in places], color=ink, linewidth=1.2, zorder=3
        )
        for i in places:
            x, y, error = rows[i]["flops"], rows[i]["value"], rows[i].get("stderr") or 0.0
            axes.plot([x, x], [y - error, y + error], color=ink, linewidth=0.9, zorder=4)
            gid = figure.mark(s.fact(*LADDER, f"{i}.value"))
            axes.plot(x, y, "o", color=ink, markersize=4, zorder=5, gid=gid)
    _chance(axes, figure, s, panel)
    powers_axis(axes, "x")
    axes.margins(x=0.08, y=0.14)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="y", nbins=5)
    axes.set_xlabel("training compute, FLOPs", fontsize=9)
    title_above(axes, f"{panel[0]}, {panel[1]}")


def _chance(axes: Any, figure: Figure, s: Sources, panel: Panel) -> None:
    rows = s.rows(*LADDER)
    known = [i for i, row in enumerate(rows) if (str(row["task"]), str(row["metric"])) == panel
             and finite(row.get("chance"))]  # fmt: skip
    if known:
        fact = s.fact(*LADDER, f"{known[0]}.chance")
        axes.axhline(fact.value, color=DRAW["muted"], dashes=(1, 2), linewidth=1.1, zorder=2, gid=figure.mark(fact))


def _legend(canvas: Any, shots: set[Any]) -> None:
    """One entry for none, for one and for all larger numbers, which differ from task to task."""
    from matplotlib.lines import Line2D

    many = sorted((k for k in shots if k not in INKS), key=lambda k: (isinstance(k, str), k))
    names: dict[Any, str] = {k: f"K = {k}" for k in (0, 1) if k in shots}
    names |= {MANY: f"K = {', '.join(map(str, many))}"} if many else {MANY: f"K = {MANY}"} if MANY in shots else {}
    handles = [Line2D([], [], color=_ink(k), marker="o", markersize=4, linewidth=1.2) for k in names]
    canvas.legend(handles, list(names.values()), loc="outside upper left", ncols=len(names), frameon=False, fontsize=9,
                  labelcolor=DRAW["muted"], handlelength=1.6, columnspacing=1.4)  # fmt: skip


def _table(s: Sources) -> Table:
    rows: list[list[Cell]] = [
        [s.fact(*LADDER, f"{i}.model"), _flops(s, i), s.fact(*LADDER, f"{i}.task"), s.fact(*LADDER, f"{i}.shots"),
         s.fact(*LADDER, f"{i}.metric"), estimate(s, LADDER, f"{i}.value", f"{i}.stderr"), counts(s, LADDER, i)]
        for i in range(len(s.rows(*LADDER)))
    ]  # fmt: skip
    columns = ["model", "FLOPs", "task", "shots", "metric", "value", "invalid, cut"]
    note = Text("Cut prompts were too long for the context and lost their beginning: of the shots, the first ones.")
    return Table("Every rung’s scores", columns, rows, note, fold=True)


def _flops(s: Sources, i: int) -> Cell:
    return s.fact(*LADDER, f"{i}.flops", "flops") if s.get(*LADDER, f"{i}.flops") is not None else NONE
