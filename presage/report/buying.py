"""The section on the next run: what it would be, what to expect of it, which small runs to buy first. Where planned."""

from __future__ import annotations

from collections.abc import Iterator

from presage.report.blocks import Block, Cell, Items, Pairs, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.tables import interval, label_of

PLAN = ("planned", "result.json")
BUY = ("planned", "tables/buy.csv")
WARNINGS = ("planned", "tables/warnings.csv")
LOSS = ("loss.value", "lo.value", "hi.value")
AFTER = ("lo_after.value", "hi_after.value")
HOURS = "hours_"
# label, result, form; a row whose result a plan does not have is left out
RUN = (
    ("training compute, FLOPs", "flops", "flops"),
    ("parameters", "n_params", "count"),
    ("shape", "shape", "auto"),
    ("tokens", "tokens", "count"),
    ("tokens for each parameter", "tokens_per_param", "auto"),
    ("rule for the size", "sizing", "auto"),
    ("time at the speed measured here", "seconds", "seconds"),
    ("GPU", "gpu", "auto"),
    ("GPU hours", "gpu_hours", "auto"),
    ("price, USD", "usd", "auto"),
    ("weights, gradients and optimizer, without activations", "train_bytes", "bytes"),
    ("checkpoint to resume from", "checkpoint_bytes", "bytes"),
)
EXPECTED = (
    ("loss for half the compute", "loss_half", "loss"),
    ("loss for twice the compute", "loss_double", "loss"),
    ("the interval is about", "about", "auto"),
)
SPENT = (
    ("compute of these runs together, FLOPs", "cost", "flops"),
    ("their time at the speed measured here", "buy_seconds", "seconds"),
    ("their price, USD", "buy_usd", "auto"),
    ("the most that was to be spent, FLOPs", "spend", "flops"),
    ("width left for a third of that", "narrowing_third", "share"),
    ("width left for a tenth of that", "narrowing_tenth", "share"),
)


def given(s: Sources) -> bool:
    """Whether there is a plan: without one there is no such section, and nothing is missing."""
    return s.runs.get("planned") is not None


def section(s: Sources) -> Section:
    """The next run in a sentence and in full, the runs to buy first with the interval before and after, doubts."""
    expected: list[tuple[str, Cell]] = [("loss, with its interval", interval(s, PLAN, LOSS)), *_rows(s, EXPECTED)]
    return Section("next", "What to buy next", [
        _sentence(s),
        Pairs("The next run", [*_rows(s, RUN), *_hours(s)]),
        Pairs("What to expect of it", expected),
        *_purchases(s),
        *_doubts(s),
    ])  # fmt: skip


def _sentence(s: Sources) -> Text:
    return Text(
        "A run of {times} the compute of the largest one at hand would be a model of {n} parameters on {d} tokens. "
        "Expected: {loss} {unit} ({level} interval {lo} to {hi}). This is a plan, not a promise: it is not sealed.",
        times=s.fact(*PLAN, "flops.value / largest.value", "times"),
        n=s.result("planned", "n_params", "short"),
        d=s.result("planned", "tokens", "short"),
        loss=s.fact(*PLAN, LOSS[0], "loss"),
        unit=s.result("planned", "loss", part="unit"),
        level=s.result("planned", "level", "share"),
        lo=s.fact(*PLAN, LOSS[1], "loss"),
        hi=s.fact(*PLAN, LOSS[2], "loss"),
    )


def _purchases(s: Sources) -> Iterator[Block]:
    """The shopping list and its effect; a sentence where no list is worth it."""
    count, left = len(s.rows(*BUY)), s.result("planned", "narrowing", "share")
    if not count:
        yield Text(
            "Buy nothing first: no set of small runs for {spend} FLOPs or less narrows the interval enough{best}.",
            spend=s.result("planned", "spend", "flops"),
            best=Text(", the best one leaves {it} of its width", it=left) if not left.missing else "",
        )
        return
    forms = {"runs": "auto", "compute": "flops", "cost": "flops", "n_params": "short", "tokens": "short"}
    rows = [[s.fact(*BUY, f"{i}.{name}", form) for name, form in forms.items()] for i in range(count)]
    columns = ["runs", "FLOPs each", "FLOPs together", "parameters", "tokens"]
    yield Table("Small runs to buy first", columns, rows)
    yield Text(
        "They are expected to narrow the interval from {lo} to {hi} before to {lo_after} to {hi_after} after, {left} "
        "of its width, whatever they show.",
        lo=s.fact(*PLAN, LOSS[1], "loss"),
        hi=s.fact(*PLAN, LOSS[2], "loss"),
        lo_after=s.fact(*PLAN, AFTER[0], "loss"),
        hi_after=s.fact(*PLAN, AFTER[1], "loss"),
        left=left,
    )
    yield Pairs("What that takes, and what less would do", _rows(s, SPENT))


def _rows(s: Sources, rows: tuple[tuple[str, str, str], ...]) -> list[tuple[str, Cell]]:
    found: list[tuple[str, Fact]] = [(label, s.result("planned", name, form)) for label, name, form in rows]
    return [(label, fact) for label, fact in found if not fact.missing]


def _hours(s: Sources) -> list[tuple[str, Cell]]:
    """Hours on so many of the GPU that was asked for; on some usual ones only where no speed was measured."""
    asked = s.get(*PLAN, "gpu.value") is not None
    where = "hours on {} of these" if asked else "hours on one {}"
    shown = asked or s.get(*PLAN, "seconds.value") is None
    names = [name for name in s.data(*PLAN) or {} if name.startswith(HOURS) and shown]
    return [(where.format(label_of(name.removeprefix(HOURS))), s.result("planned", name)) for name in names]


def _doubts(s: Sources) -> Iterator[Items]:
    count = len(s.rows(*WARNINGS))
    if count:
        yield Items([Text("The plan itself warns: {w}", w=s.fact(*WARNINGS, f"{i}.warning")) for i in range(count)])
