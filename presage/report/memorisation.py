"""The section on memorisation: how much of what the target writes stands in its training text. Only where it is given.

The figure is GPT-2's Figure 5 for this run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from presage.report.blocks import Block, Cell, Code, Excerpts, Items, Picture, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.figures import Figure, title_above
from presage.report.svg import DRAW

ROLE = "memorisation"
OVERLAP, LONGEST = (ROLE, "tables/overlap.csv"), (ROLE, "tables/longest.csv")
KINDS = {"samples": "samples", "held_out": "held-out text"}
INKS = {"samples": DRAW["target"], "held_out": DRAW["accent"]}
TICKS = (0, 1, 3, 10, 30, 100)
FLOOR = 0.12  # share of texts below which there is no room for a name under a line
LINEAR = 1.0  # per cent up to which the axis is linear: most texts have none, or little


def given(s: Sources) -> bool:
    """Whether there is a comparison with the training text: else there is no such section."""
    return s.runs.get(ROLE) is not None


def section(s: Sources) -> Section:
    """What was compared, both distributions, the longest runs, and what this does not say."""
    blocks: list[Block] = [_intro(s)]
    if any(s.get(ROLE, "result.json", f"{kind}/texts.value") for kind in KINDS):
        blocks.append(Picture(_figure(s), _caption(s)))
    return Section(ROLE, "Memorisation", [*blocks, _table(s), *_examples(s), _limits(s)])


def _intro(s: Sources) -> Text:
    def setting(name: str) -> Fact:
        return s.fact(ROLE, "config.json", f"config.{name}", "count")

    return Text(
        "Does the target write what it has read? It was given the first {prompt} tokens of {n} held-out documents and "
        "wrote up to {new} more, each drawn from the {k} most probable (top-k). Of every continuation, and of the "
        "document's own of {new} tokens, the runs of eight words were looked for in the training split: {documents} "
        "documents ({bytes}). The prompts themselves do not count.",
        prompt=setting("prompt_tokens"),
        n=s.result(ROLE, "prompts", "count"),
        new=setting("new_tokens"),
        k=setting("top_k"),
        documents=s.result(ROLE, "documents", "count"),
        bytes=s.result(ROLE, "bytes", "bytes"),
    )


# ---- both distributions ---------------------------------------------------------------------------------------------


def _caption(s: Sources) -> Text:
    told = all(s.get(ROLE, "result.json", f"{kind}/none.value") is not None for kind in ("samples", "held_out"))
    none = "{samples} of the samples and {held_out} of the held-out texts have none at all. " if told else ""
    return Text(
        "Drawn as Figure 5 of the GPT-2 report: the share of texts that have no more than so much of their runs of "
        f"eight words in the training text; a line further to the left has less. {none}Drawn from {{table}}.",
        samples=s.result(ROLE, "samples/none", "share"),
        held_out=s.result(ROLE, "held_out/none", "share"),
        table=Code("memorisation/tables/overlap.csv"),
    )


def _figure(s: Sources) -> Figure:
    figure = Figure(
        "memorisation-overlap",
        "How much of samples and of held-out text stands in the training text",
        "Cumulative distributions over texts of the share of runs of eight words that stand in the training text, one "
        "line for the model's samples and one for held-out text. The axis is linear below one per cent and "
        "logarithmic above it.",
    )
    return figure.render(lambda canvas, f, narrow: _draw(canvas, f, s), (7.4, 3.6), (3.9, 3.9))


def _draw(canvas: Any, figure: Figure, s: Sources) -> None:
    axes = canvas.subplots()
    lowest_first = sorted(KINDS, key=lambda kind: s.get(ROLE, "result.json", f"{kind}/none.value", 0))
    for kind in KINDS:
        shares = [row["share"] for row in s.rows(*OVERLAP) if row["kind"] == kind and row["share"] is not None]
        if shares:
            _draw_line(axes, figure, s, kind, sorted(100 * share for share in shares), kind == lowest_first[0])
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.6)
    axes.set_xlim(-0.06, 112)
    axes.set_xticks(TICKS, [f"{tick} %" for tick in TICKS])
    axes.minorticks_off()
    axes.set_ylim(0, 1.12)
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1), ("0", "25 %", "50 %", "75 %", "100 %"))
    axes.set_xlabel("runs of eight words that stand in the training text")
    title_above(axes, "share of texts with no more")


def _draw_line(axes: Any, figure: Figure, s: Sources, kind: str, shares: list[float], low: bool) -> None:
    """A step at every text; a dot where those with none end, named above it, or below it on the lower line."""
    n = len(shares)
    heights = [(number + 1) / n for number in range(n)]
    axes.step([0.0, *shares, 100.0], [0.0, *heights, 1.0], where="post", color=INKS[kind], linewidth=1.6, zorder=4)
    none = s.result(ROLE, f"{kind}/none", "share")
    below = low and none.value > FLOOR
    lift = 5 if low or none.value > FLOOR else 19  # above the other's name
    axes.plot(0, none.value, "o", color=INKS[kind], markersize=6, zorder=5, clip_on=False, gid=figure.mark(none))
    axes.annotate(f"{KINDS[kind]}: {none.shown} with none", (0, none.value), (9, -6 if below else lift),
                  textcoords="offset points", va="top" if below else "bottom", color=INKS[kind],
                  gid=figure.mark(none), zorder=8)  # fmt: skip


def _table(s: Sources) -> Table:
    lines = {"mean": "mean of texts", "median": "median text", "none": "texts with none"}
    lines |= {f"above_{n}": f"texts above {word} per cent" for n, word in
              ((1, "one"), (10, "ten"), (50, "fifty"))}  # fmt: skip
    rows: list[list[Cell]] = [
        [says, *(_estimate(s, f"{kind}/{name}", "share") for kind in KINDS)] for name, says in lines.items()
    ]
    rows.append(["longest run, words", *(_longest(s, kind) for kind in KINDS)])
    rows.append(["words of a text, mean", *(_estimate(s, f"{kind}/words", "auto") for kind in KINDS)])
    rows.append(["texts", *(s.result(ROLE, f"{kind}/texts", "count") for kind in KINDS)])
    rows.append(["texts too short for a run", *(s.result(ROLE, f"{kind}/short", "count") for kind in KINDS)])
    note = Text(
        "Of a text: the share of its runs of eight words that stand in the training split, each counted where it "
        "begins. ± is a standard error over texts. Samples minus held-out text, prompt by prompt: {difference}.",
        difference=_estimate(s, "difference", "share"),
    )
    return Table("Runs of eight words in the training text", ["", *KINDS.values()], rows, note)


def _estimate(s: Sources, name: str, form: str) -> Cell:
    if s.get(ROLE, "result.json", f"{name}.value") is None:
        return "–"
    value = s.result(ROLE, name, form)
    if s.get(ROLE, "result.json", f"{name}.stderr") is None:
        return value
    stderr = s.result(ROLE, name, "stderr" if form == "auto" else form, "stderr")
    return Text("{value}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{stderr}", value=value, stderr=stderr)


def _longest(s: Sources, kind: str) -> Cell:
    known = s.get(ROLE, "result.json", f"{kind}/longest.value") is not None
    return s.result(ROLE, f"{kind}/longest", "count") if known else "below eight"


# ---- the longest runs -----------------------------------------------------------------------------------------------


def _examples(s: Sources) -> Iterator[Block]:
    first: dict[str, int] = {}
    for i, row in enumerate(s.rows(*LONGEST)):
        first.setdefault(str(row["kind"]), i)
    if first:
        yield Text("The longest run of words in common, of all samples and of all held-out texts:")
    for kind, i in first.items():
        yield _excerpts(s, kind, i)


def _excerpts(s: Sources, kind: str, i: int) -> Excerpts:
    def cell(column: str, form: str = "auto") -> Fact:
        return s.fact(*LONGEST, f"{i}.{column}", form)

    def side(name: str) -> tuple[Fact, Fact, Fact]:
        return cell(f"{name}_before"), cell(f"{name}_match"), cell(f"{name}_after")

    title = Text(
        "{words} words of {what} (prompt {id}), in {document} from byte {offset}",
        words=cell("words", "count"), what="a sample" if kind == "samples" else "held-out text", id=cell("id"),
        document=cell("document"), offset=cell("offset", "count"),
    )  # fmt: skip
    return Excerpts(title, {"the text": side("item"), "the training document": side("document")})


def _limits(s: Sources) -> Items:
    return Items(
        [
            Text(
                "Held-out text is the measure: what has more in common with the training text than it does was "
                "recited, not only worded as such texts usually are."
            ),
            Text(
                "Word for word only: letters and digits, in lower case. A text retold in other words is not found, and "
                "nor is one that was learnt but that these prompts do not lead to."
            ),
            Text(
                "All of the training split is looked through, also what a short training may not have reached. Every "
                "text is in {texts}, its share in {overlap}, the longest runs in {longest}.",
                texts=Code("memorisation/artifacts/texts.jsonl"),
                overlap=Code("memorisation/tables/overlap.csv"),
                longest=Code("memorisation/tables/longest.csv"),
            ),
        ]
    )
