"""The section on exams: percentiles as bars, as in the exam figure of the GPT-4 report, and scores raw and clean.

Bars show the lower end of the percentile band, exams in the order of the first model's percentiles, models side by
side. An exam without a percentile table stands in the table of scores alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from presage.report.blocks import Block, Cell, Code, Items, Picture, Section, Table, Text
from presage.report.examination import estimate, model, untestable_beside
from presage.report.facts import Sources
from presage.report.figures import Figure
from presage.report.svg import DRAW

ROLE = "exams"
EXAMINED = "examination"
FILE = "tables/exams.csv"
INKS = ("accent", "target", "second", "muted")
BAR, GAP, HEAD = 0.2, 0.16, 0.95
"""Inches: of a bar, between exams, and for axis and legend."""


def given(s: Sources, roles: Sequence[str] = (ROLE,)) -> bool:
    """Whether any of these runs has scores of exams: else there is no such section."""
    return any(s.rows(role, FILE) for role in _there(s, roles))


def section(s: Sources, roles: Sequence[str] = (ROLE,)) -> Section:
    """The chart where there are percentiles, a table for every run with exams, and what the numbers do not say."""
    roles = [role for role in _there(s, roles) if s.rows(role, FILE)]
    figure = chart(s, roles)
    blocks: list[Block] = [Picture(figure, _caption(s, roles))] if figure else []
    return Section(ROLE, "Exams", [*blocks, *(_table(s, role) for role in roles), _limits(roles)])


def sat(s: Sources) -> bool:
    """Whether the model of the examination sat any exam."""
    return given(s, (EXAMINED,))


def examined(s: Sources) -> Section:
    """The section for the model of the examination."""
    return section(s, (EXAMINED,))


def _there(s: Sources, roles: Sequence[str]) -> list[str]:
    return [role for role in roles if s.has(role, FILE)]


# ---- the chart -------------------------------------------------------------------------------------------------------


def chart(s: Sources, roles: Sequence[str]) -> Figure | None:
    """Bars of the lower percentile with its interval; None where no exam has any."""
    order = ordered(s, roles)
    if not order:
        return None
    figure = Figure(
        "exam-percentiles",
        "Exam results: lower ends of the percentile bands, by exam and model",
        "Horizontal bars from 0 to 100, a group for each exam and a bar for each model. A bar is the lower end of the "
        "band of percentiles of the model's score; a line across its end is the interval of that end. Exams stand in "
        "the order of the first model's percentiles, the highest on top.",
    )
    height = HEAD + len(order) * (BAR * max(2, len(roles)) + GAP)
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s, roles, narrow), (7.4, height), (3.9, height))


def ordered(s: Sources, roles: Sequence[str]) -> list[str]:
    """The exams that have a percentile from any model, the first model's highest first, then those it did not sit."""
    found: dict[str, tuple[int, float]] = {}
    for number, role in enumerate(roles):
        for row in s.rows(role, FILE):
            if row.get("percentile_lower") is not None:
                found.setdefault(str(row["exam"]), (number, -float(row["percentile_lower"])))
    return sorted(found, key=lambda exam: (*found[exam], exam))


def _place(s: Sources, role: str, exam: str) -> int | None:
    """The row of an exam in a run's table."""
    return next((i for i, row in enumerate(s.rows(role, FILE)) if str(row["exam"]) == exam), None)


def _draw(canvas: Any, figure: Figure, s: Sources, roles: Sequence[str], narrow: bool) -> None:
    axes = canvas.subplots()
    exams = ordered(s, roles)
    pitch = len(roles) * BAR + GAP
    for number, role in enumerate(roles):
        ink = DRAW[INKS[number % len(INKS)]]
        for place, exam in enumerate(exams):
            row = _place(s, role, exam)
            if row is not None and s.get(role, FILE, f"{row}.percentile_lower") is not None:
                _bar(axes, figure, s, (role, row), place * pitch + number * BAR, ink)
        axes.barh([0], [0], color=ink, label=str(model(s, role)))
    middle = (len(roles) - 1) * BAR / 2
    axes.set_yticks([place * pitch + middle for place in range(len(exams))], [_title(s, roles, exam) for exam in exams])
    axes.set_ylim(len(exams) * pitch - GAP - BAR / 2 + 0.05, -BAR / 2 - 0.05)
    axes.set_xlim(0, 100)
    axes.set_xticks((0, 20, 40, 60, 80, 100))
    axes.set_xlabel("percentile, lower end" if narrow else "percentile of test-takers, lower end of band")
    axes.grid(axis="y", visible=False)
    if len(roles) > 1:
        canvas.legend(loc="outside upper left", ncols=1 if narrow else len(roles), frameon=False)


def _bar(axes: Any, figure: Figure, s: Sources, place: tuple[str, int], height: float, ink: str) -> None:
    """A bar with its interval and its number beyond both; the bar and the number are marked with their facts."""
    role, row = place
    value = s.fact(role, FILE, f"{row}.percentile_lower", "whole")
    lo, hi = (s.fact(role, FILE, f"{row}.{name}") for name in ("percentile_lo", "percentile_hi"))
    gid = figure.mark(value)
    [bar] = axes.barh([height], [value.value], height=0.86 * BAR, color=ink, zorder=3)
    bar.set_gid(gid)
    end = value.value
    if not lo.missing and not hi.missing:
        axes.plot([lo.value, hi.value], [height, height], color=DRAW["ink"], linewidth=1.1, zorder=5, clip_on=False,
                  gid=figure.mark(hi))  # fmt: skip
        end = max(end, hi.value)
    axes.annotate(value.shown, (end, height), (4, 0), textcoords="offset points", va="center", color=DRAW["ink"],
                  fontsize=8, gid=gid, zorder=6, annotation_clip=False)  # fmt: skip


def _title(s: Sources, roles: Sequence[str], exam: str) -> str:
    rows = (row for role in roles for row in s.rows(role, FILE) if str(row["exam"]) == exam)
    return next((str(row["title"]) for row in rows if row.get("title")), exam)


def _caption(s: Sources, roles: Sequence[str]) -> Text:
    models = Text(" and ".join(f"{{m{i}}}" for i in range(len(roles))),
                  **{f"m{i}": model(s, role) for i, role in enumerate(roles)})  # fmt: skip
    return Text(
        "Drawn as the exam figure of the GPT-4 report, for {models}. A score stands for a band of percentiles, from "
        "the share of test-takers below it to that below the next score; a bar ends at the lower end. The line across "
        "it is the interval from drawing the questions anew (ninety-five per cent).",
        models=models,
    )


# ---- the table -------------------------------------------------------------------------------------------------------


def _table(s: Sources, role: str) -> Table:
    rows = [_row(s, role, i) for i in range(len(s.rows(role, FILE)))]
    columns = [
        "exam",
        "score",
        "of",
        "percentile",
        "clean score",
        "to quote",
        "questions",
        "contaminated",
        "unreadable",
    ]
    note = Text(
        "Percentile: the band of the score. Clean: of the questions looked for in the training text and not "
        "found. To quote is the lower of score and clean score, as in the first table of the GPT-4 report. Unreadable "
        "answers count as wrong. ± is a standard error, from drawing the questions anew. From {table}.",
        table=Code(f"{role}/{FILE}"),
    )
    return Table(f"Exams: {model(s, role)}", columns, rows, note)


def _row(s: Sources, role: str, i: int) -> list[Cell]:
    def cell(name: str, form: str = "auto") -> Cell:
        return "–" if s.get(role, FILE, f"{i}.{name}") is None else s.fact(role, FILE, f"{i}.{name}", form)

    return [
        cell("title"),
        estimate(s, (role, FILE), f"{i}.score", f"{i}.score_stderr"),
        cell("max"),
        _band(s, role, i),
        estimate(s, (role, FILE), f"{i}.clean_score", f"{i}.clean_stderr"),
        cell("quoted"),
        cell("n", "count"),
        untestable_beside(s, (role, FILE), i, cell("contaminated", "count"))
        if s.get(role, FILE, f"{i}.contaminated") is not None
        else "not checked",
        cell("invalid", "count"),
    ]


def _band(s: Sources, role: str, i: int) -> Cell:
    if s.get(role, FILE, f"{i}.percentile_lower") is None:
        return "no table"
    lower, upper = (s.fact(role, FILE, f"{i}.percentile_{end}") for end in ("lower", "upper"))
    return Text("{lower} to {upper}", lower=lower, upper=upper)


def _limits(roles: Sequence[str]) -> Items:
    def said() -> Iterator[Text]:
        yield Text(
            "Multiple choice was asked as an answer key after worked examples, free response graded by a judge; images "
            "are shown as file names that mean nothing. The questions are public, and may be of several papers; how "
            "points become scores is said in each exam's declaration."
        )
        yield Text("Every question, explanation and grade is in {log}.", log=Code(f"{roles[0]}/samples.jsonl"))

    return Items(list(said()) if roles else [])
