"""The section on code: pass@k with its errors, and in what isolation the programs ran. Only where programs were run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from presage.report.blocks import Block, Cell, Items, Pairs, Picture, Section, Table, Text
from presage.report.examination import NONE, ROLE, TASKS, estimate
from presage.report.facts import Sources
from presage.report.figures import Figure, title_above
from presage.report.svg import DRAW

PASS = re.compile(r"pass@(\d+)")
CHOSEN = ("pass_random", "pass_mean_logprob", "pass_sum_logprob")
"""Of one sample of each problem: any, or the one of the highest mean or summed log-probability."""
INKS = ("accent", "target", "second", "muted")
INTERPRETED = ("Microcode",)
"""Methods whose programs presage interprets itself: nothing of them runs."""
ISOLATION = ("isolation", "kernel")
"""Results that say what the programs ran in."""


def given(s: Sources) -> bool:
    """Whether any task has a pass@k."""
    return bool(_rows(s))


def section(s: Sources) -> Section:
    """pass@k by task and k, a figure where there are several k, the isolation, and what pass@k is."""
    blocks: list[Block] = [_table(s)]
    if any(len(places) > 1 for places in _by_task(s).values()):
        blocks.insert(0, Picture(_figure(s), CAPTION))
    return Section("code", "Code", [*blocks, *_isolation(s), _limits()])


def _rows(s: Sources) -> list[tuple[int, int]]:
    """(place, k) of the rows of the table of tasks that are a pass@k."""
    found = [(i, PASS.fullmatch(str(row["metric"]))) for i, row in enumerate(s.rows(*TASKS))]
    return [(i, int(match[1])) for i, match in found if match]


def _by_task(s: Sources) -> dict[str, list[tuple[int, int]]]:
    by: dict[str, list[tuple[int, int]]] = {}
    for i, k in _rows(s):
        by.setdefault(str(s.get(*TASKS, f"{i}.task")), []).append((i, k))
    return {task: sorted(places, key=lambda place: place[1]) for task, places in by.items()}


def _table(s: Sources) -> Table:
    rows: list[list[Cell]] = [
        [s.fact(*TASKS, f"{i}.task"), s.fact(*TASKS, f"{i}.metric"), s.fact(*TASKS, f"{i}.n", "count"),
         estimate(s, TASKS, f"{i}.value", f"{i}.stderr"), _interval(s, i), s.fact(*TASKS, f"{i}.method")]
        for i in [*(i for i, _ in _rows(s)), *_chosen(s)]
    ]  # fmt: skip
    columns = ["task", "metric", "problems", "value", "interval", "asked by"]
    note = Text(
        "± is a standard error over problems. pass_random, pass_mean_logprob and pass_sum_logprob are of one sample of "
        "each problem, chosen at random or by its log-probability."
        if _chosen(s)
        else "± is a standard error over problems."
    )
    return Table("Programs that pass their tests", columns, rows, note)


def _chosen(s: Sources) -> list[int]:
    return [i for i, row in enumerate(s.rows(*TASKS)) if row["metric"] in CHOSEN]


def _interval(s: Sources, i: int) -> Cell:
    if s.get(*TASKS, f"{i}.lo") is None:
        return NONE
    lo, hi = (s.fact(*TASKS, f"{i}.{name}", "share") for name in ("lo", "hi"))
    return Text("{lo} to {hi}", lo=lo, hi=hi)


CAPTION = Text(
    "pass@k: the chance that at least one of k samples of a problem passes all its tests, a mean over problems, with "
    "one standard error. The horizontal axis is logarithmic."
)


def _figure(s: Sources) -> Figure:
    figure = Figure(
        "pass-at-k",
        "pass@k against k",
        "The mean over problems of the chance that at least one of k samples passes, against k on a logarithmic axis, "
        "a line for each task.",
    )
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s), (7.4, 3.2), (3.9, 3.4))


def _draw(canvas: Any, figure: Figure, s: Sources) -> None:
    axes = canvas.subplots()
    ks: set[int] = set()
    for number, (task, places) in enumerate(_by_task(s).items()):
        ink = DRAW[INKS[number % len(INKS)]]
        facts = [s.fact(*TASKS, f"{i}.value", "share") for i, _ in places]
        xs, ys = [k for _, k in places], [fact.value for fact in facts]
        axes.plot(xs, ys, color=ink, linewidth=1.2, zorder=3)
        for (i, k), fact in zip(places, facts, strict=True):
            error = s.get(*TASKS, f"{i}.stderr", 0.0)
            axes.plot([k, k], [fact.value - error, fact.value + error], color=ink, linewidth=1.0, zorder=4)
            axes.plot(k, fact.value, "o", color=ink, markersize=5.5, zorder=5, gid=figure.mark(fact))
        axes.annotate(f"{task} {facts[-1].shown}", (xs[-1], ys[-1]), (0, 10), textcoords="offset points", ha="right",
                      color=ink, gid=figure.mark(facts[-1]), zorder=8)  # fmt: skip
        ks |= set(xs)
    axes.set_xscale("log")
    axes.set_xticks(sorted(ks), [str(k) for k in sorted(ks)])
    axes.minorticks_off()
    axes.set_ylim(0, 1.12)
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1), ("0", "25 %", "50 %", "75 %", "100 %"))
    axes.margins(x=0.08)
    axes.set_xlabel("k, samples of a problem")
    title_above(axes, "problems solved by at least one of k")


def _isolation(s: Sources) -> Iterator[Block]:
    told = [name for name in ISOLATION if s.get(ROLE, "result.json", f"{name}.value") is not None]
    found: list[tuple[str, Cell]] = [(name, s.result(ROLE, name)) for name in told]
    if found:
        yield Pairs("What the programs ran in", found)
    elif any(s.get(*TASKS, f"{i}.method") not in INTERPRETED for i, _ in _rows(s)):
        yield Text(
            "The run does not say in what isolation the programs ran: {it}.",
            it=s.fact(ROLE, "result.json", "isolation"),
        )


def _limits() -> Items:
    return Items(
        [
            Text(
                "pass@k is the unbiased estimate from all samples of a problem of the Codex paper, of samples drawn at "
                "one temperature. Programs that ran without isolation are not comparable with others."
            )
        ]
    )
