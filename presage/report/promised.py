"""What was promised and what came of it: figure and law, learning curves, the ladder, and what the law missed."""

from __future__ import annotations

from collections.abc import Iterable

from presage.report import ability_figure, collapse, figures
from presage.report.blocks import Block, Cell, Pairs, Picture, Section, Table, Text
from presage.report.facts import Fact, Sources, leaves
from presage.report.kinds import kind_of
from presage.report.tables import absent, csv_table, form_of, interval, label_of

FORECAST = figures.FORECAST
RUNGS = figures.RUNGS
KNOWN_POINT = ("compute", "loss", "stderr", "n", "n_params", "tokens", "fitted")


def promise(s: Sources) -> Section:
    """Figure 1, the law and the seal."""
    section, unit = Section("promise", "Promised and actual"), kind_of(s).unit
    figure = figures.forecast(s)
    if figure:
        section.blocks.append(Picture(figure, _figure_1_caption(s)))
    else:
        section.blocks.append(Text("Figure: {it}.", it=s.fact(*FORECAST, "points")))
    law: list[tuple[str, Cell]] = [
        ("form", s.fact(*FORECAST, "law.form")),
        ("a", s.fact(*FORECAST, "law.a", "auto")),
        ("b", s.fact(*FORECAST, "law.b", "power")),
        (f"c, the floor, {unit}", s.fact(*FORECAST, "law.c", "loss")),
        ("floor, with its interval", interval(s, FORECAST, ("floor.value", "floor.lo", "floor.hi"))),
        ("target's compute, FLOPs", s.fact(*FORECAST, "target.compute", "flops")),
        ("target's compute over the largest fitted rung's", s.fact(*FORECAST, "extrapolation", "times")),
        (f"promise, {unit}", interval(s, FORECAST, ("point", "lo", "hi"))),
        ("noise of one run, of its loss", s.fact(*FORECAST, "noise", "share")),
        ("how far the law's slope strays among the rungs, of the loss per decade", _share(s, "wander")),
        ("how far single budgets lie off any smooth curve, of the loss", _share(s, "misfit")),
        ("added by the recipe's maker, per decade beyond the rungs", _share(s, "drift")),
    ]
    prior = leaves({"prior": s.get(*FORECAST, "prior", {})})
    assumed: list[tuple[str, Cell]] = [
        (label_of(key.removeprefix("prior.")), s.fact(*FORECAST, key)) for key in prior if key != "prior"
    ]
    section.blocks.append(Pairs("The law that was sealed", law))
    section.blocks += [Pairs("What was assumed before any rung", assumed, fold=True)] if assumed else []
    section.blocks.append(Pairs("The seal, three times", seals(s)))
    return section


def _figure_1_caption(s: Sources) -> Text:
    return Text(
        "Final loss against training compute, drawn as Figure 1 of the GPT-4 report. Filled dots: means of the rungs "
        "that the law was fitted to; hollow dots: rungs left out of the fit; faint strokes: single seeds. Dashed: the "
        "law {form} with its {level} interval. The smaller panel shows the target alone: {point} promised, "
        "{actual} measured.",
        form=s.fact(*FORECAST, "law.form"),
        level=s.fact(*FORECAST, "level", "share"),
        point=s.fact(*FORECAST, "point", "loss"),
        actual=s.result("score", "actual", "loss"),
    )


def _share(s: Sources, key: str) -> Fact:
    return s.fact(*FORECAST, key, "share")


def curves(s: Sources) -> Section:
    """Loss against tokens and compute, target and rungs."""
    names = [str(row["name"]) for row in s.rows(*RUNGS) if row.get("name")]
    figure = figures.learning_curves(s, names)
    if not figure:
        return Section("curves", "Learning curves", [absent(s, "target", "metrics.jsonl")])
    caption = Text(
        "Learning curves of the rungs (thin) and of the target (heavy). Left: training loss, averaged in equal steps "
        f"of the logarithm of tokens. {kind_of(s).curves} the target and of every run in `ladder/rungs`, which "
        "the table of rungs lists with their digests."
    )
    return Section("curves", "Learning curves", [Picture(figure, caption)])


def rungs(s: Sources) -> Section:
    """The rungs, averaged by budget and one by one, and whether their learning curves are of one recipe."""
    return Section("rungs", "The ladder", [_budget_table(s), _rung_table(s), *collapse.blocks(s)])


def _budget_table(s: Sources) -> Block:
    points = s.get(*FORECAST, "points", [])
    if not points:
        return absent(s, *FORECAST, key="points")
    more = sorted({key for p in points for key in p if key not in KNOWN_POINT and not isinstance(p[key], list | dict)})
    rows: list[list[Cell]] = []
    for i in range(len(points)):
        at = f"points.{i}"
        rows.append([
            s.fact(*FORECAST, f"{at}.compute / target.compute", "relative"),
            s.fact(*FORECAST, f"{at}.compute", "flops"),
            s.fact(*FORECAST, f"{at}.n_params", "short"),
            s.fact(*FORECAST, f"{at}.tokens", "short"),
            s.fact(*FORECAST, f"{at}.n"),
            s.fact(*FORECAST, f"{at}.loss", "loss4"),
            s.fact(*FORECAST, f"{at}.stderr", "loss4"),
            *(s.fact(*FORECAST, f"{at}.{key}", form_of(key)) for key in more),
            s.fact(*FORECAST, f"{at}.fitted", "yesno"),
        ])  # fmt: skip
    columns = ["of the target", "FLOPs", "parameters", "tokens", "seeds", kind_of(s).unit,
               "± standard error", *(key.replace("_", " ") for key in more), "fitted"]  # fmt: skip
    return Table("Budgets: means over seeds, as sealed", columns, rows)


def _rung_table(s: Sources) -> Block:
    count = len(s.rows(*RUNGS))
    if not count:
        return absent(s, *RUNGS)

    def row(i: int) -> list[Cell]:
        def cell(column: str, form: str = "auto") -> Fact:
            return s.fact(*RUNGS, f"{i}.{column}", form)

        shape = Text("{l} × {d} × {h}", l=cell("n_layers"), d=cell("d_model"), h=cell("n_heads"))
        return [cell("name"), cell("compute", "flops"), cell("n_params", "short"), shape, cell("context_length"),
                cell("tokens", "short"), cell("batch_tokens", "count"), cell("steps", "count"), cell("lr"),
                cell("seed", "whole"), cell(kind_of(s).column, "loss4"), cell("fitted", "yesno"),
                cell("digest", "hex12")]  # fmt: skip

    columns = ["rung", "FLOPs", "parameters", "layers × width × heads", "context", "tokens", "batch", "steps", "lr",
               "seed", kind_of(s).unit, "fitted", "digest of the run"]  # fmt: skip
    return Table("Every rung", columns, [row(i) for i in range(count)], fold=True)


def seals(s: Sources) -> list[tuple[str, Fact]]:
    """The seal, where each run has it: these must be the same 64 digits."""
    return [
        ("in the forecast", s.fact(*FORECAST, "seal")),
        ("in the target, written before its first step", s.fact("target", "origin.json", "seal")),
        ("in the score", s.result("score", "seal")),
    ]


def residuals(s: Sources) -> Section:
    """The miss at the target, and whatever tables the forecast wrote."""
    section = Section("missed", "What the law missed")
    rows: list[tuple[str, Cell]] = [
        ("error at the target, of the promise", s.result("score", "error_percent", "signed_percent")),
        ("target inside the interval", s.result("score", "inside", "yesno")),
        *((label_of(name), s.result("score", name, form_of(name))) for name in _other_scores(s)),
    ]
    section.blocks.append(Pairs("The target against the law", rows))
    section.blocks += [csv_table(s, "forecast", file, file.split("/")[1].removesuffix(".csv").replace("-", " "))
                       for file in _tables(s, "forecast")]  # fmt: skip
    return section


def _other_scores(s: Sources) -> Iterable[str]:
    shown = {"promised", "lo", "hi", "actual", "error_percent", "inside", "seal"}
    found = s.data("score", "result.json") or {}
    return [name for name in found if name not in shown and not name.startswith(ability_figure.SCORED)]


def _tables(s: Sources, run: str) -> list[str]:
    base = s.path(run)
    return sorted(f"tables/{p.name}" for p in base.glob("tables/*.csv")) if base else []
