"""The section on languages: translated MMLU as sorted bars with baselines as lines, after the GPT-4 report's figure."""

from __future__ import annotations

from typing import Any

from presage.report.blocks import Block, Cell, Code, Picture, Section, Table, Text
from presage.report.examination import finite
from presage.report.facts import Sources
from presage.report.figures import Figure
from presage.report.svg import DRAW

ROLE = "exams"
EXAMINED = "examination"
LANGUAGES, BASELINES = "tables/languages.csv", "tables/baselines.csv"
ENGLISH = "en"
BAR, HEAD = 0.24, 1.35
"""Inches: of a bar with the gap below it, and for axis and baselines' names."""


def given(s: Sources, role: str = ROLE) -> bool:
    """Whether this run was examined in any language: else there is no such section."""
    return bool(s.rows(role, LANGUAGES))


def section(s: Sources, role: str = ROLE) -> Section:
    """The chart, and how many languages stand above each baseline."""
    blocks: list[Block] = [Picture(chart(s, role), _caption(role))]
    return Section("languages", "Languages", blocks + ([_table(s, role)] if s.rows(role, BASELINES) else []))


def asked(s: Sources) -> bool:
    """Whether the model of the examination was asked in any language."""
    return given(s, EXAMINED)


def examined(s: Sources) -> Section:
    """The section for the model of the examination."""
    return section(s, EXAMINED)


def chart(s: Sources, role: str = ROLE) -> Figure:
    """Bars, the best language on top, with intervals; a line for every baseline."""
    figure = Figure(
        "languages",
        "Translated MMLU: share of right answers by language",
        "Horizontal bars, one a language, the best on top, each with its interval; English in another colour. Vertical "
        "lines are baselines, named below the bars.",
    )
    height = HEAD + BAR * len(s.rows(role, LANGUAGES)) + 0.17 * len(s.rows(role, BASELINES))
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s, role), (7.4, height), (3.9, height))


def _draw(canvas: Any, figure: Figure, s: Sources, role: str) -> None:
    axes = canvas.subplots()
    rows = s.rows(role, LANGUAGES)
    order = sorted(
        (i for i, row in enumerate(rows) if finite(row.get("value"))),
        key=lambda i: (-rows[i]["value"], str(rows[i]["language"])),
    )
    for place, i in enumerate(order):
        _bar(axes, figure, s, (role, i), place)
    baselines = _baselines(s, role)
    for i in baselines:
        _line(axes, figure, s, (role, i), len(order), len(baselines))
    axes.set_yticks(range(len(order)), [str(rows[i]["name"]) for i in order])
    axes.set_ylim(len(order) - 0.4 + 0.75 * len(baselines), -0.6)
    axes.set_xlim(0, 1)
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "25 %", "50 %", "75 %", "100 %"))
    axes.set_xlabel("share of right answers")
    axes.grid(axis="y", visible=False)


def _bar(axes: Any, figure: Figure, s: Sources, place: tuple[str, int], height: int) -> None:
    role, i = place
    value = s.fact(role, LANGUAGES, f"{i}.value", "share")
    lo, hi = (s.fact(role, LANGUAGES, f"{i}.{end}", "share") for end in ("lo", "hi"))
    gid = figure.mark(value)
    english = s.get(role, LANGUAGES, f"{i}.language") == ENGLISH
    [bar] = axes.barh([height], [value.value], height=0.78, color=DRAW["accent" if english else "second"], zorder=2)
    bar.set_gid(gid)
    end = value.value
    if not lo.missing and not hi.missing:
        axes.plot([lo.value, hi.value], [height, height], color=DRAW["ink"], linewidth=1.1, zorder=5,
                  gid=figure.mark(hi))  # fmt: skip
        end = max(end, hi.value)
    axes.annotate(value.shown, (end, height), (4, 0), textcoords="offset points", va="center", color=DRAW["ink"],
                  fontsize=8, gid=gid, zorder=6, annotation_clip=False)  # fmt: skip


def _line(axes: Any, figure: Figure, s: Sources, place: tuple[str, int], bars: int, lines: int) -> None:
    """A baseline through all bars, its name and value below them, each on a line of its own."""
    role, i = place
    value = s.fact(role, BASELINES, f"{i}.value", "share")
    gid = figure.mark(value)
    height = bars + 0.75 * (_rank(s, role, i) + 0.1)
    axes.plot([value.value, value.value], [-0.6, height], color=DRAW["target"], linewidth=1.1, linestyle=(0, (4, 2)),
              zorder=4, gid=gid)  # fmt: skip
    left = value.value > 1 / 2
    axes.annotate(f"{s.get(role, BASELINES, f'{i}.name')} {value.shown}", (value.value, height),
                  (-4 if left else 4, 0), textcoords="offset points", ha="right" if left else "left", va="center",
                  color=DRAW["target"], fontsize=8, gid=gid, zorder=6)  # fmt: skip


def _rank(s: Sources, role: str, i: int) -> int:
    """The place of a baseline's name: the lowest baseline's first."""
    rows = s.rows(role, BASELINES)
    return sorted(_baselines(s, role), key=lambda k: (rows[k]["value"], k)).index(i)


def _baselines(s: Sources, role: str) -> list[int]:
    """Places of the baselines that have a value and can be drawn."""
    return [i for i, row in enumerate(s.rows(role, BASELINES)) if finite(row.get("value"))]


def _caption(role: str) -> Text:
    return Text(
        "Multiple choice with question, options and instruction translated, the answer a letter; after the figure on "
        "languages of the GPT-4 report. Lines across the bars' ends are intervals (ninety-five per cent); dashed lines "
        "are baselines. Drawn from {languages} and {baselines}.",
        languages=Code(f"{role}/{LANGUAGES}"),
        baselines=Code(f"{role}/{BASELINES}"),
    )


def _table(s: Sources, role: str) -> Table:
    def cells(i: int) -> list[Cell]:
        forms = {"name": "auto", "value": "share", "above": "count", "surely": "count", "of": "count", "source": "auto"}
        return [s.fact(role, BASELINES, f"{i}.{name}", form) for name, form in forms.items()]

    columns = ["baseline", "score", "languages above", "with their whole interval", "of languages", "source"]
    note = Text("Above by score, as the report counts, and by interval, which takes chance into account.")
    rows = [cells(i) for i in range(len(s.rows(role, BASELINES)))]
    return Table("Languages above each baseline", columns, rows, note)
