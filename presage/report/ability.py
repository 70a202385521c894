"""The section on a capability: how often the target passes problems, promised and actual. Only where it was sealed."""

from __future__ import annotations

from collections.abc import Iterator

from presage.report import ability_figure
from presage.report.ability_figure import LAWS, scored
from presage.report.blocks import Block, Cell, Items, Pairs, Picture, Quote, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.figures import FORECAST
from presage.report.tables import absent, interval

ALL = f"{LAWS}.0"
WRITTEN = ("target_attempts", "tables/attempts.csv")
PROBLEMS = ("target_attempts", "artifacts/problems.jsonl")


def promised(s: Sources) -> bool:
    """Whether the forecast promises a capability: without that there is no such section, and nothing is missing."""
    return bool(s.get(*FORECAST, LAWS))


def sentence(s: Sources) -> Text:
    """The headline's second sentence."""
    return Text(
        "On the {kept} problems that every fitted budget solves we promised a mean −log pass rate of {value} ({lo} to "
        "{hi}); it came out at {actual}, {inside} the interval.",
        kept=_fact(s, ALL, "problems.kept"),
        value=_fact(s, ALL, "value", "loss"),
        lo=_fact(s, ALL, "lo", "loss"),
        hi=_fact(s, ALL, "hi", "loss"),
        actual=scored(s, ALL, "actual"),
        inside=scored(s, ALL, "inside", "verdict"),
    )


def limits(s: Sources) -> list[Text]:
    """What the promise, or what both do not say."""
    if not promised(s):
        return [
            Text(
                "The promise is about one number, bits per byte on held-out files of this corpus, for one recipe. It "
                "says nothing about any ability of the model, nor about other text, another recipe or another "
                "tokenizer."
            )
        ]
    return [
        Text(
            "The promises are about two numbers, bits per byte on held-out files of this corpus and the mean −log pass "
            "rate on these problems, for one recipe. They say nothing about any other ability of the model, nor about "
            "other text, another recipe or another tokenizer."
        ),
        Text(
            "The pass rate is that of the problems kept. Those that some fitted budget never solved are not among "
            "them, so the law is about the easier ones, and other problems of the same kind would give another number. "
            "Its interval covers counting, luck with problems and of runs, the law's numbers, and a drift with every "
            "decade beyond the rungs. An ability that comes or goes at once is not covered."
        ),
    ]


def section(s: Sources) -> Section:
    """The figure, the buckets, the laws, how it was measured, and what the target wrote."""
    blocks: list[Block] = [Picture(ability_figure.capability(s), _caption(s)), _outcomes(s), *_doubts(s), _law(s)]
    if len(_laws(s)) > 1:
        blocks.append(_bucket_laws(s))
    blocks += [_method(s), _settings(s), *_written(s)]
    return Section("capability", "Promised and actual: a capability", blocks)


def _caption(s: Sources) -> Text:
    panels = Text("The small panels are the buckets from the easiest to the hardest, each on a scale of its own.")
    return Text(
        "Mean −log pass rate against training compute, drawn as Figure 2 of the GPT-4 report. Dots: the ladder's "
        "budgets, with the standard error of counting. Dashed: the law {form} with its {level} interval. Diamond: the "
        "target, {value} promised and {actual} measured, which a panel shows alone. {panels}",
        form=_fact(s, ALL, "law.form"),
        level=_fact(s, ALL, "level", "share"),
        value=_fact(s, ALL, "value", "loss"),
        actual=scored(s, ALL, "actual"),
        panels=panels if len(_laws(s)) > 1 else "",
    )


def _outcomes(s: Sources) -> Table:
    """A row for all problems and one for each bucket; with the target's pass rate where the score holds it."""
    rates = any(not scored(s, law, "pass_rate").missing for law in _laws(s))
    rows: list[list[Cell]] = [
        [
            _fact(s, law, "bucket"),
            _fact(s, law, "problems.kept"),
            _fact(s, law, "problems.dropped"),
            _interval(s, law),
            scored(s, law, "actual"),
            scored(s, law, "actual", part="stderr"),
            scored(s, law, "inside", "yesno"),
            _fact(s, law, "pass_rate.value", "share"),
            *([scored(s, law, "pass_rate", "share")] if rates else []),
        ]
        for law in _laws(s)
    ]
    columns = ["bucket", "kept", "dropped", "promised, nats", "came out at", "± counting", "inside",
               "pass rate, promised", *(["pass rate, actual"] if rates else [])]  # fmt: skip
    note = Text(
        "Buckets from the easiest to the hardest. Dropped: not solved at every fitted budget; {aside} more were never "
        "solved and stand in no bucket. The pass rates are geometric means over the problems.",
        aside=_fact(s, ALL, "problems.set_aside"),
    )
    return Table("Mean −log pass rate, promised and actual", columns, rows, note)


def _law(s: Sources) -> Pairs:
    rows: list[tuple[str, Cell]] = [
        ("form", _fact(s, ALL, "law.form")),
        ("alpha, the value at the reference compute, nats", _interval(s, f"{ALL}.law.alpha")),
        ("exponent k", _interval(s, f"{ALL}.law.k")),
        ("reference compute, FLOPs", _fact(s, ALL, "law.reference", "flops")),
        ("target's compute over the largest fitted budget", _fact(s, ALL, "extrapolation", "times")),
        ("promise, nats", _interval(s, ALL)),
        ("as a pass rate, geometric mean", _interval(s, f"{ALL}.pass_rate", "share")),
        ("pass rate, arithmetic mean", _pass_at(s, ALL)),
        ("by the likelihood of the solutions instead, nats", _by_likelihood(s, ALL)),
        ("method", _fact(s, ALL, "method")),
    ]
    return Pairs("The law that was sealed, of all problems kept", rows)


def _bucket_laws(s: Sources) -> Table:
    rows: list[list[Cell]] = [
        [
            _fact(s, law, "bucket"),
            _interval(s, f"{law}.law.alpha"),
            _interval(s, f"{law}.law.k"),
            _pass_at(s, law),
            _by_likelihood(s, law),
        ]
        for law in _laws(s)[1:]
    ]
    columns = ["bucket", "alpha, nats", "exponent k", "pass rate, arithmetic mean", "promise by likelihood, nats"]
    return Table("The laws of the buckets", columns, rows, fold=True)


def _pass_at(s: Sources, law: str) -> Cell:
    known = s.get(*FORECAST, f"{law}.pass_at") is not None
    among = Text("{rate}, pass@{k}", rate=_interval(s, f"{law}.pass_at", "share"), k=_fact(s, law, "pass_at.k"))
    return among if known else _fact(s, law, "pass_at", "setting")


def _by_likelihood(s: Sources, law: str) -> Cell:
    known = s.get(*FORECAST, f"{law}.by_likelihood") is not None
    return _interval(s, f"{law}.by_likelihood") if known else _fact(s, law, "by_likelihood", "setting")


def _method(s: Sources) -> Text:
    return Text(
        "How it is measured: {models} models of the ladder made two sets of {n} attempts at every problem. One set "
        "sorts the problems by difficulty and decides which are kept, those with at least {least} pass at every fitted "
        "budget. The other is fitted, because problems sorted by the attempts that one fits look easier than they are. "
        "The mean is of the logarithm, so that a problem solved once in many attempts counts. An attempt passes if the "
        "function that it completes returns what every test of its problem expects. The problems are generated, none "
        "of them being among the generated texts that the models are trained on.",
        models=_fact(s, ALL, "n_models"),
        n=_fact(s, ALL, "n"),
        least=_fact(s, ALL, "problems.min_passed"),
    )


def _settings(s: Sources) -> Pairs:
    """What ladder and target were examined with, and what came of it in plain counts."""
    alike = s.get(*FORECAST, "capability.examined_with", {})
    rows: list[tuple[str, Cell]] = [
        (name, _fact(s, "capability.examined_with", name, "whole" if name == "seed" else "setting")) for name in alike
    ]
    for run, who in (("attempts", "ladder"), ("target_attempts", "target")):
        rows += [
            (f"attempts at each problem, {who}", s.find(run, "config.json", "samples")),
            (f"attempts in all, {who}", s.result(run, "samples", "count")),
            (f"share that passed, {who}", s.result(run, "pass_rate", "share")),
        ]
    return Pairs("The examination", rows)


def _doubts(s: Sources) -> Iterator[Items]:
    """The laws' own warnings; what all problems and a bucket share is said once."""
    said = s.get(*FORECAST, f"{ALL}.warnings", [])
    items = [Text("The law itself warns: {w}", w=_fact(s, ALL, f"warnings.{i}")) for i in range(len(said))]
    for law in _laws(s)[1:]:
        own = [i for i, w in enumerate(s.get(*FORECAST, f"{law}.warnings", [])) if w not in said]
        items += [Text("Bucket {b}: {w}", b=_fact(s, law, "bucket"), w=_fact(s, law, f"warnings.{i}")) for i in own]
    if items:
        yield Items(items)


def _written(s: Sources) -> Iterator[Block]:
    """The target's first attempt at the first problem of each level."""
    places = {row["id"]: i for i, row in enumerate(s.rows(*PROBLEMS))}
    levels = [row["level"] for row in s.rows(*PROBLEMS)]
    shown: dict[int, tuple[int, int]] = {}
    for number, row in enumerate(s.rows(*WRITTEN)):
        place = places.get(row["problem"])
        if place is not None:
            shown.setdefault(levels[place], (number, place))
    if not shown:
        yield absent(s, *WRITTEN)
        return
    yield Text(
        "What the target wrote, not chosen: at each level the first problem drawn and the first attempt at it. Prompts "
        "stand in bold or in ⟦brackets⟧."
    )
    for number, place in shown.values():
        note = Text(
            "Level {level}. Passed: {passed}.",
            level=s.fact(*PROBLEMS, f"{place}.level"),
            passed=s.fact(*WRITTEN, f"{number}.passed", "yesno"),
        )
        prompt = s.fact(*PROBLEMS, f"{place}.prompt", "stem")
        yield Quote(prompt, s.fact(*WRITTEN, f"{number}.completion"), note)


def _laws(s: Sources) -> list[str]:
    """The key of each law, that of all problems first."""
    return [f"{LAWS}.{i}" for i in range(len(s.get(*FORECAST, LAWS)))]


def _fact(s: Sources, at: str, key: str, form: str = "auto") -> Fact:
    return s.fact(*FORECAST, f"{at}.{key}", form)


def _interval(s: Sources, at: str, form: str = "loss") -> Text:
    return interval(s, FORECAST, (f"{at}.value", f"{at}.lo", f"{at}.hi"), form)
