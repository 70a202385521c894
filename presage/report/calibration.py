"""The section on calibration: Figure 8 of the GPT-4 report for this model, scores, and selective accuracy.

Only where an examined model gave probabilities.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from presage.report.blocks import Cell, Items, Picture, Section, Table, Text
from presage.report.examination import NONE, ROLE, estimate
from presage.report.facts import Sources
from presage.report.figures import Figure, powers_axis, title_above
from presage.report.svg import DRAW

BINS, CURVE = (ROLE, "tables/calibration.csv"), (ROLE, "tables/selective.csv")
RESULTS = (ROLE, "result.json")
PANELS = 4  # tasks that are drawn; all have a row in the table
SHARES = ((0, 0.25, 0.5, 0.75, 1), ("0", "25 %", "50 %", "75 %", "100 %"))
MEASURES = {"ece": "ECE", "ece_expected": "ECE if calibrated", "brier": "Brier", "log_score": "log score, nats",
            "temperature": "temperature"}  # fmt: skip
FURTHER = {"ece_top": "ECE of the top option", "brier_option": "Brier of an option",
           "selective_area": "area under accuracy on the surest",
           "ece_rescaled": "ECE rescaled", "log_score_rescaled": "log score rescaled"}  # fmt: skip


def given(s: Sources) -> bool:
    """Whether there are bins: a model that only generates has none."""
    return bool(tasks(s))


def section(s: Sources) -> Section:
    """Reliability and accuracy on what the model is surest of, and the scores of all tasks."""
    return Section("calibration", "Calibration", [Picture(_figure(s), _caption(s)), _table(s), _further(s), _limits()])


def tasks(s: Sources) -> list[str]:
    """Those that have bins, in their order."""
    return list(dict.fromkeys(str(row["task"]) for row in s.rows(*BINS)))


def _caption(s: Sources) -> Text:
    more = " The first tasks only; the table has all." if len(tasks(s)) > PANELS else ""
    return Text(
        "Reliability, drawn as Figure 8 of the GPT-4 report: every option of every question by its probability, ten "
        "bins of equal width. A dot is the share of a bin’s options that are right ones, against their mean "
        "probability, with its interval; on the dashed line a model is calibrated. Below it how many options a "
        "bin holds, on a logarithmic scale. Then accuracy on the questions that the model is surest of, from the "
        f"surest few to all, with one standard error; where a model knows what it knows, it falls.{more}"
    )


# ---- the figure -----------------------------------------------------------------------------------------------------


def _figure(s: Sources) -> Figure:
    figure = Figure(
        "reliability",
        "Reliability, and accuracy on the questions that the model is surest of",
        "For each task the share of options that are right against their mean probability in ten bins, beside the "
        "diagonal of perfect calibration, with the number of options in each bin below it; and accuracy against the "
        "share of questions answered, where those with the highest top probability are answered first.",
    )
    shown = tasks(s)[:PANELS]
    wide, tall = (7.4, 3.6 * len(shown)), (3.9, 6.6 * len(shown))
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s, shown, narrow), wide, tall)


def _draw(canvas: Any, figure: Figure, s: Sources, shown: list[str], narrow: bool) -> None:
    rows = canvas.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for row, task in zip(rows, shown, strict=True):
        if narrow:
            grid = row.add_gridspec(3, 1, height_ratios=(3.2, 1, 2.6))
            cells = grid[0], grid[1], grid[2]
        else:
            grid = row.add_gridspec(2, 2, height_ratios=(3.2, 1), wspace=0.08)
            cells = grid[0, 0], grid[1, 0], grid[:, 1]
        upper = row.add_subplot(cells[0])
        _panel(upper, figure, s, task)
        _counts(row.add_subplot(cells[1], sharex=upper), figure, s, task)
        if any(str(line["task"]) == task for line in s.rows(*CURVE)):
            _curve(row.add_subplot(cells[2]), figure, s, task)


def _panel(axes: Any, figure: Figure, s: Sources, task: str) -> None:
    axes.plot([0, 1], [0, 1], color=DRAW["muted"], dashes=(4, 3), linewidth=1.0, zorder=2)
    places = [i for i, row in enumerate(s.rows(*BINS)) if str(row["task"]) == task and row["n"]]
    dots = [(s.fact(*BINS, f"{i}.mean_probability", "share"), s.fact(*BINS, f"{i}.fraction", "share")) for i in places]
    for i, (x, y) in zip(places, dots, strict=True):
        ends = [s.get(*BINS, f"{i}.fraction_{name}") for name in ("lo", "hi")]
        if None not in ends:
            axes.plot([x.value, x.value], ends, color=DRAW["second"], linewidth=1.4, zorder=3, clip_on=False)
        axes.plot(
            x.value, y.value, "o", color=DRAW["accent"], markersize=5, zorder=5, gid=figure.mark(y), clip_on=False
        )
    axes.plot([x.value for x, _ in dots], [y.value for _, y in dots], color=DRAW["accent"], linewidth=0.9, zorder=4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_yticks(*SHARES)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.set_title(f"{task}: right ones among options", loc="left", fontsize=10, color=DRAW["muted"], pad=9)
    _print_scores(axes, figure, s, task)


def _print_scores(axes: Any, figure: Figure, s: Sources, task: str) -> None:
    for line, (name, label) in enumerate((("ece", "ECE"), ("brier", "Brier"))):
        if s.get(*RESULTS, f"{task}/{name}.value") is not None:
            fact = s.result(ROLE, f"{task}/{name}", "loss")
            axes.annotate(f"{label} {fact.shown}", (0.03, 0.97 - 0.1 * line), xycoords="axes fraction", va="top",
                          size=9, color=DRAW["ink"], gid=figure.mark(fact), zorder=8)  # fmt: skip


def _counts(axes: Any, figure: Figure, s: Sources, task: str) -> None:
    for i, row in enumerate(s.rows(*BINS)):
        if str(row["task"]) == task and row["n"]:
            gid = figure.mark(s.fact(*BINS, f"{i}.n", "count"))
            axes.bar((row["lo"] + row["hi"]) / 2, row["n"] - 0.5, width=0.9 * (row["hi"] - row["lo"]), bottom=0.5,
                     color=DRAW["second"], linewidth=0, zorder=3, gid=gid)  # fmt: skip
    powers_axis(axes, "y")
    axes.set_ylim(bottom=0.5)
    axes.tick_params(labelsize=8)
    axes.set_xticks((0, 0.5, 1), ("0", "50 %", "100 %"))
    axes.set_xlabel("probability of an option")


def _curve(axes: Any, figure: Figure, s: Sources, task: str) -> None:
    places = [i for i, row in enumerate(s.rows(*CURVE)) if str(row["task"]) == task]
    rows = [s.rows(*CURVE)[i] for i in places]
    x, y = [row["coverage"] for row in rows], [row["accuracy"] for row in rows]
    spread = [row["stderr"] or 0.0 for row in rows]
    low, high = [a - e for a, e in zip(y, spread, strict=True)], [a + e for a, e in zip(y, spread, strict=True)]
    axes.fill_between(x, low, high, color=DRAW["band"], linewidth=0, zorder=1)
    axes.plot(x, y, color=DRAW["accent"], linewidth=1.4, zorder=3)
    last = s.fact(*CURVE, f"{places[-1]}.accuracy", "share")
    axes.plot(x[-1], y[-1], "o", color=DRAW["accent"], markersize=5, zorder=5, gid=figure.mark(last), clip_on=False)
    above = y[-1] < 0.2  # there is no room below
    axes.annotate(f"all: {last.shown}", (x[-1], y[-1]), (-4, 9 if above else -9), textcoords="offset points",
                  ha="right", va="bottom" if above else "top", size=9, color=DRAW["accent"], gid=figure.mark(last),
                  zorder=8)  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.04)
    axes.set_xticks((0, 0.5, 1), ("0", "50 %", "100 %"))
    axes.set_yticks(*SHARES)
    axes.set_xlabel("share of questions answered")
    title_above(axes, "accuracy on the surest")


# ---- scores ---------------------------------------------------------------------------------------------------------


def _table(s: Sources) -> Table:
    note = Text(
        "ECE: the mean distance of a bin’s share of right options from its mean probability, by how many options it "
        "holds. If calibrated: what chance alone gives so many questions of a model whose probabilities are right. "
        "Brier: the squared distance of the probabilities from the truth, summed over a question’s options. "
        "Temperature: what the log-probabilities would have to be divided by; above one the model is too sure; at "
        "least that much where its probabilities do not favour the right options, and any where all are alike. ± is "
        "a standard error over questions, or over what they share."
    )
    return Table("Calibration by task", ["task", *MEASURES.values()], _scores(s, MEASURES), note)


def _further(s: Sources) -> Table:
    note = Text(
        "Rescaled: with the log-probabilities divided by a temperature, each half of the questions by the one that was "
        "fitted on the other half; beside the scores as they are, what a temperature would mend."
    )
    return Table("Further measures of calibration", ["task", *FURTHER.values()], _scores(s, FURTHER), note, fold=True)


def _scores(s: Sources, names: Iterable[str]) -> list[list[Cell]]:
    return [[_name(s, task), *(_score(s, f"{task}/{name}") for name in names)] for task in tasks(s)]


def _name(s: Sources, task: str) -> Cell:
    return s.fact(*BINS, f"{next(i for i, row in enumerate(s.rows(*BINS)) if str(row['task']) == task)}.task")


def _score(s: Sources, name: str) -> Cell:
    """A score with its error; a temperature that may lie beyond the range tried, with that."""
    if s.get(*RESULTS, f"{name}.bound") is not None:
        value, bound = s.get(*RESULTS, f"{name}.value"), s.fact(*RESULTS, f"{name}.bound")
        shown = "" if value is None else s.fact(*RESULTS, f"{name}.value")
        return Text("{bound} {value}", bound=bound, value=shown) if shown else bound
    return estimate(s, RESULTS, f"{name}.value", f"{name}.stderr") if s.get(*RESULTS, name) else NONE


def _limits() -> Items:
    return Items(
        [
            Text(
                "Probabilities are those of the options among themselves, or of their letters where it was asked by "
                "letter: the softmax of their log-probabilities, however the options were scored. A model that "
                "spreads most of its probability over other texts is not seen to."
            ),
            Text(
                "ECE depends on the number of bins and is above zero even for a calibrated model; beside it stands "
                "what chance gives. The Brier score depends on no bins, but on how hard the questions are as well."
            ),
        ]
    )
