"""The figure of the section on alignment: what a policy does while it learns, step by step, whole and without parts."""

from __future__ import annotations

from typing import Any

from presage.report.alignment_tables import POLICIES, called
from presage.report.facts import Sources
from presage.report.figures import Figure, title_above
from presage.report.svg import DRAW

METRICS = "metrics.jsonl"
INKS = {"policy": DRAW["target"], "policy_alone": DRAW["accent"], "policy_no_text": DRAW["second"]}
DASHES: dict[str, tuple[float, ...]] = {"policy": (), "policy_alone": (5, 2), "policy_no_text": (2, 1.5)}
PANELS = (
    ("refusal/disallowed", "refuses what is disallowed", "share"),
    ("refusal/allowed", "refuses what is allowed", "share"),
    ("reward", "reward", "loss"),
    ("kl", "KL divergence, nats an answer", "loss"),
)
"""Column of metrics.jsonl, what it says, and its form."""


def learning(s: Sources) -> Figure | None:
    """Four panels over the steps of every policy that is given; None where none wrote a step."""
    roles = [role for role in POLICIES if s.rows(role, METRICS)]
    if not roles:
        return None
    figure = Figure(
        "alignment-learning",
        "Refusals, reward and KL divergence of the policies, step by step",
        "Four panels over the steps of reinforcement learning, a line for each policy: the share of disallowed "
        "requests that are refused, the share of allowed requests that are refused, the mean reward, and the mean KL "
        "divergence from the first model in nats an answer. Each line ends in a dot.",
    )
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s, roles, narrow), (7.4, 5.4), (3.9, 9.6))


def _draw(canvas: Any, figure: Figure, s: Sources, roles: list[str], narrow: bool) -> None:
    shape = (4, 1) if narrow else (2, 2)
    panels = canvas.subplots(*shape, sharex=True).flatten()
    for axes, (column, title, form) in zip(panels, PANELS, strict=True):
        for role in roles:
            _line(axes, figure, s, role, column, form)
        axes.margins(x=0.04, y=0.14)
        axes.locator_params(axis="both", integer=form != "share", nbins=5)
        if form == "share":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        title_above(axes, title)
    for axes in panels[-1:] if narrow else panels[-2:]:
        axes.set_xlabel("step")
    handles = [
        panels[0].plot([], [], color=INKS[role], dashes=DASHES[role], linewidth=1.6, label=called(s, role))[0]
        for role in roles
    ]
    canvas.legend(handles=handles, loc="outside upper left", ncols=len(roles), frameon=False)


def _line(axes: Any, figure: Figure, s: Sources, role: str, column: str, form: str) -> None:
    """One policy's; its last step is a dot that carries the fact. Nothing where the run has no such column."""
    rows = [row for row in s.rows(role, METRICS) if row.get(column) is not None]
    if not rows:
        return
    ink, last = INKS[role], s.last(role, METRICS, column, form)
    x, y = [row["step"] for row in rows], [row[column] for row in rows]
    axes.plot(x, y, color=ink, dashes=DASHES[role], linewidth=1.6, zorder=5 if role == "policy" else 4)
    axes.plot(x[-1], y[-1], "o", color=ink, markersize=5, zorder=6, clip_on=False, gid=figure.mark(last))
