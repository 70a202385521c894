"""What the report says, section by section; every value through Sources, nothing computed here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from presage.report import (
    ability,
    ability_figure,
    alignment,
    buying,
    calibration,
    code,
    collapse,
    contamination,
    datasheet,
    examination,
    exams,
    figures,
    languages,
    limitations,
    machine,
    memorisation,
    record,
    scaling,
    sight,
)
from presage.report.blocks import Block, Cell, Items, Pairs, Picture, Quote, Section, Table, Text
from presage.report.facts import Fact, Sources, leaves
from presage.report.tables import absent, csv_table, form_of, interval, label_of, results

FORECAST = figures.FORECAST
RUNGS = figures.RUNGS
SAMPLES = 6
CHAIN = ("corpus", "tokenizer", "shards", "ladder", "forecast", "target", "score")
EXAMINED = (
    examination.section, exams.examined, languages.examined, calibration.section, code.section, limitations.section,
    scaling.section,
)  # fmt: skip
ALONE: tuple[tuple[Callable[[Sources], bool], Callable[[Sources], Text]], ...] = (
    (examination.given, examination.headline), (alignment.given, alignment.headline), (sight.given, sight.headline),
)  # fmt: skip
KNOWN_POINT = ("compute", "loss", "stderr", "n", "n_params", "tokens", "fitted")


def headline(s: Sources) -> Text:
    """The one sentence the whole run was made for, and a second where a capability was promised too."""
    if examined_alone(s):
        return next(tell(s) for given, tell in ALONE if given(s))
    if s.get(*FORECAST, "point") is None:
        return Text("There is no forecast in this run: the promise is {point}.", point=s.fact(*FORECAST, "point"))
    promise = Text(
        "Before training the target we promised {point} ± {half} bits per byte ({level} interval {lo} to {hi}).",
        point=s.fact(*FORECAST, "point", "loss"),
        half=s.fact(*FORECAST, "(hi - lo) / 2", "loss"),
        level=s.fact(*FORECAST, "level", "share"),
        lo=s.fact(*FORECAST, "lo", "loss"),
        hi=s.fact(*FORECAST, "hi", "loss"),
    )
    outcome = Text(
        "{promise} It came out at {actual}: an error of {error}, {inside} the interval.",
        promise=promise,
        actual=s.result("score", "actual", "loss"),
        error=s.result("score", "error_percent", "signed_percent"),
        inside=s.result("score", "inside", "verdict"),
    )
    return Text("{loss} {ability}", loss=outcome, ability=ability.sentence(s)) if ability.promised(s) else outcome


def examined_alone(s: Sources) -> bool:
    """Whether the report is on a model that somebody has, on assistants or on what is seen, and not on a chain."""
    told = any(given(s) for given, _ in ALONE)
    return told and all(s.runs.get(role) is None for role in CHAIN)


def seals(s: Sources) -> list[tuple[str, Fact]]:
    """The seal, where each run has it: these must be the same 64 digits."""
    if examined_alone(s):
        return []
    return [
        ("in the forecast", s.fact(*FORECAST, "seal")),
        ("in the target, written before its first step", s.fact("target", "origin.json", "seal")),
        ("in the score", s.result("score", "seal")),
    ]


def sections(s: Sources) -> list[Section]:
    """The whole report, in the order of reading; without what was neither promised nor given."""
    makers: tuple[Callable[[Sources], Section], ...] = (
        promise, ability.section, curves, rungs, residuals, *EXAMINED, contamination.section, memorisation.section,
        alignment.section, sight.section, record.section, buying.section, samples, corpus, target, machine.section,
        limits, withheld)  # fmt: skip
    if examined_alone(s):
        makers = (*EXAMINED, contamination.section, memorisation.section, alignment.section, sight.section)
    unasked = {ability.section: ability.promised, contamination.section: contamination.given,
               memorisation.section: memorisation.given, record.section: record.given,
               buying.section: buying.given, examination.section: examination.given,
               calibration.section: calibration.given, code.section: code.given,
               scaling.section: scaling.given, exams.examined: exams.sat, languages.examined: languages.asked,
               limitations.section: limitations.given, alignment.section: alignment.given,
               sight.section: sight.given}  # fmt: skip
    return [make(s) for make in makers if make not in unasked or unasked[make](s)]


def promise(s: Sources) -> Section:
    """Figure 1, the law and the seal."""
    section = Section("promise", "Promised and actual")
    figure = figures.forecast(s)
    if figure:
        section.blocks.append(Picture(figure, _figure_1_caption(s)))
    else:
        section.blocks.append(Text("Figure: {it}.", it=s.fact(*FORECAST, "points")))
    law: list[tuple[str, Cell]] = [
        ("form", s.fact(*FORECAST, "law.form")),
        ("a", s.fact(*FORECAST, "law.a", "auto")),
        ("b", s.fact(*FORECAST, "law.b", "power")),
        ("c, the floor, bits per byte", s.fact(*FORECAST, "law.c", "loss")),
        ("floor, with its interval", interval(s, FORECAST, ("floor.value", "floor.lo", "floor.hi"))),
        ("target's compute, FLOPs", s.fact(*FORECAST, "target.compute", "flops")),
        ("target's compute over the largest fitted rung's", s.fact(*FORECAST, "extrapolation", "times")),
        ("promise, bits per byte", interval(s, FORECAST, ("point", "lo", "hi"))),
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
        "of the logarithm of tokens. Right: held-out bits per byte, each point a measurement during training. Drawn "
        "from `metrics.jsonl` of the target and of every run in `ladder/rungs`, which "
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
    columns = ["of the target", "FLOPs", "parameters", "tokens", "seeds", "bits per byte", "± standard error",
               *(key.replace("_", " ") for key in more), "fitted"]  # fmt: skip
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
                cell("seed", "whole"), cell("bpb", "loss4"), cell("fitted", "yesno"),
                cell("digest", "hex12")]  # fmt: skip

    columns = ["rung", "FLOPs", "parameters", "layers × width × heads", "context", "tokens", "batch", "steps", "lr",
               "seed", "bits per byte", "fitted", "digest of the run"]  # fmt: skip
    return Table("Every rung", columns, [row(i) for i in range(count)], fold=True)


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


def samples(s: Sources) -> Section:
    """What the target writes, unpicked."""
    rows = s.rows("target", "samples.jsonl")
    section = Section("samples", "Samples from the target")
    if not rows:
        section.blocks.append(absent(s, "target", "samples.jsonl"))
        return section
    last = max(row.get("step", 0) for row in rows)
    chosen = [i for i, row in enumerate(rows) if row.get("step", 0) == last][:SAMPLES]
    step = s.fact("target", "samples.jsonl", f"{chosen[0]}.step", "count")
    section.blocks.append(
        Text("Not chosen: the first ones written, at step {step}. Prompts stand in bold or in ⟦brackets⟧.", step=step)
    )
    section.blocks += [
        Quote(s.fact("target", "samples.jsonl", f"{i}.prompt", "sample"),
              s.fact("target", "samples.jsonl", f"{i}.completion", "sample"))
        for i in chosen
    ]  # fmt: skip
    return section


def corpus(s: Sources) -> Section:
    """Documents, sources, packages, tokenizer and shards."""
    blocks = [
        results(s, "corpus", "Documents"),
        *datasheet.blocks(s),
        _tokenizer(s),
        _index(s),
    ]
    return Section("corpus", "Corpus and tokenizer", blocks)


def _tokenizer(s: Sources) -> Pairs:
    settings = [("vocabulary", "vocab_size"), ("split pattern", "pattern"), ("special tokens", "special_tokens")]
    rows: list[tuple[str, Cell]] = [(label, s.find("tokenizer", "config.json", key)) for label, key in settings]
    rows += [
        (label_of(name), s.result("tokenizer", name, form_of(name)))
        for name in s.data("tokenizer", "result.json") or {}
    ]
    return Pairs("Tokenizer: byte-level BPE", rows)


def _index(s: Sources) -> Pairs:
    file = "artifacts/index.json"
    rows: list[tuple[str, Cell]] = []
    for split in s.get("shards", file, "splits", {"train": {}, "val": {}}):
        for key in ("documents", "tokens", "bytes"):
            form = "bytes" if key == "bytes" else "count"
            rows.append((f"{split}: {key}", s.fact("shards", file, f"splits.{split}.{key}", form)))
    return Pairs("Shards", rows)


def target(s: Sources) -> Section:
    """The target's shape, its training and every setting."""
    shape = [("layers", "n_layers"), ("width", "d_model"), ("heads", "n_heads"), ("key and value heads", "n_kv_heads"),
             ("head width", "d_head"), ("hidden width", "d_ff"), ("context", "context_length"),
             ("vocabulary", "vocab_size"), ("position", "position"),
             ("normalisation", "norm"), ("block", "block"), ("hidden layer", "mlp"),
             ("QK-norm", "qk_norm"), ("embeddings tied", "tie_embeddings"), ("biases", "bias")]  # fmt: skip
    model: list[tuple[str, Cell]] = [(label, s.find("target", "config.json", key)) for label, key in shape]
    model += [("parameters", s.result("target", "n_params", "count")),
              ("parameters without embeddings", s.result("target", "n_params_non_embedding", "count"))]  # fmt: skip
    measures = [("tokens", "tokens", "count"), ("steps", "steps", "count"),
                ("steps skipped", "skipped_steps", "count"),
                ("FLOPs, by the exact formula", "flops", "flops"),
                ("FLOPs, by the shorthand 6ND", "flops_6nd", "flops"),
                ("training loss, nats per token", "train/loss", "loss4"),
                ("held-out loss, nats per token", "val/loss", "loss4"),
                ("held-out, bits per byte", "val/bpb", "loss4")]  # fmt: skip
    training: list[tuple[str, Cell]] = [(label, s.result("target", name, form)) for label, name, form in measures]
    training.append(("± standard error of that", s.result("target", "val/bpb", "loss4", "stderr")))
    flat = [key for key in leaves(s.data("target", "config.json")) if key.startswith("config.")]
    every: list[tuple[str, Cell]] = [
        (
            key.removeprefix("config."),
            s.fact("target", "config.json", key, "whole" if key.endswith("seed") else "setting"),
        )
        for key in flat
    ]
    settings = Pairs("Every setting of the target", every, fold=True) if every else absent(s, "target", "config.json")
    return Section("target", "The target", [Pairs("Model", model), Pairs("Training", training), settings])


def limits(s: Sources) -> Section:
    """The forecast's own warnings, and what no report of this kind can show."""
    said = [Text("The forecast itself warns: {w}", w=s.fact(*FORECAST, f"warnings.{i}"))
            for i in range(len(s.get(*FORECAST, "warnings", [])))]  # fmt: skip
    fixed = [
        *ability.limits(s),
        Text(
            "The interval of the loss covers the noise of one run, what the rungs leave open about the law's numbers, "
            "and its form: beyond the rungs the slope may wander as it did among them. A bend of which the rungs show "
            "nothing is not covered, nor is a target that is trained otherwise than they were."
        ),
        Text(
            "The seal proves that forecast, rungs, corpus, tokenizer, code and the target's settings belong together "
            "and are unchanged. It cannot prove when it was made: whoever rewrites the whole history, seal and all, "
            "is found out only against the digest if it was published beforehand."
        ),
        Text(
            "Wall-clock and energy are outside the digests of the runs: another machine gives the same losses only as "
            "far as its arithmetic is the same, and never the same seconds."
        ),
        Text(
            "The target's standard error is that of one trained model on the held-out files; another seed would come "
            "out a little differently, as the seeds of the rungs do."
        ),
    ]
    return Section("limits", "What this does not say", [Items(said + fixed)])


def withheld(s: Sources) -> Section:
    """The GPT-4 report's list of what it does not say, filled in for this run."""
    intro = Text(
        "The GPT-4 report “contains no further details about the architecture (including model size), hardware, "
        "training compute, dataset construction, training method, or similar”. For this run:"
    )

    def setting(name: str) -> Fact:
        return s.find("target", "config.json", name)

    rows: list[list[Cell]] = [
        ["Architecture", Text(
            "decoder-only Transformer, {l} layers of width {d}, {h} heads, hidden width {f}, context {t}, "
            "position {p}, normalisation {n} ({b}), hidden layer {m}",
            l=setting("n_layers"), d=setting("d_model"), h=setting("n_heads"), f=setting("d_ff"),
            t=setting("context_length"), p=setting("position"), n=setting("norm"), b=setting("block"),
            m=setting("mlp"))],
        ["Model size", Text("{n} parameters, {e} without embeddings", n=s.result("target", "n_params", "count"),
                            e=s.result("target", "n_params_non_embedding", "count"))],
        ["Hardware", machine.hardware(s)],
        ["Training compute", Text("{c} FLOPs by the exact formula, {six} by 6ND; energy {j} ({how})",
                                  c=s.result("target", "flops", "flops"), six=s.result("target", "flops_6nd", "flops"),
                                  j=s.last("target", "timing.jsonl", "energy_joules", "joules"),
                                  how=s.last("target", "timing.jsonl", "energy_method"))],
        ["Dataset construction", Text(
            "{d} training documents ({b}), held out {v} documents ({vb}), split by file; every source and package is "
            "in `corpus/tables`; digest {h}",
            d=s.result("corpus", "train/documents", "count"), b=s.result("corpus", "train/bytes", "bytes"),
            v=s.result("corpus", "val/documents", "count"), vb=s.result("corpus", "val/bytes", "bytes"),
            h=s.fact("corpus", "DONE", "digest", "hex12"))],
        ["Training method", Text(
            "next-token prediction on {t} tokens in {n} steps, {o}; every setting is in `target/config.json`",
            t=s.result("target", "tokens", "count"), n=s.result("target", "steps", "count"),
            o=machine.optimizer(s))],
        *alignment.disclosed(s),
    ]  # fmt: skip
    table = Table("Disclosed here", ["withheld there", "this run"], rows)
    return Section("withheld", "What the GPT-4 report withheld", [intro, table])
