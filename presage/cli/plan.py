"""What to train for a budget, what loss to expect, and which small runs to buy first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from presage.cli.grammar import CHAIN, AsJson, app, dumps, emit, percent, warn

if TYPE_CHECKING:
    from presage.forecast.plan import Plan


@app.command(group=CHAIN)
def plan(
    *,
    flops: float | None = None,
    gpu_hours: float | None = None,
    gpu: str | None = None,
    mfu: float = 0.4,
    price: float | None = None,
    ladder: Path | None = None,
    points: Path | None = None,
    law: str | None = None,
    level: float = 0.9,
    spend: float | None = None,
    json: AsJson = False,
) -> None:
    """What to train for a budget: size, tokens, time, memory, expected loss, and which small runs to buy first.

    Give --flops, or --gpu-hours with --gpu. The forecast rests on your own runs (--ladder or --points) or, much less
    certain, on a published law.

    Parameters
    ----------
    flops
        Training FLOPs of the big run.
    gpu_hours
        Or: hours times GPUs.
    gpu
        Which GPU: H100, A100, RTX 4090, TPU v5e, MI300X, …
    mfu
        Share of the GPU's peak that training reaches.
    price
        USD an hour of one GPU; without it no cost is printed.
    ladder
        A finished ladder run: sizes by its rule, loss by its rungs.
    points
        CSV of your runs: columns compute and loss or bpb; with n_params and tokens, sizes follow them.
    law
        A published law: chinchilla, besiroglu (its corrected fit; the default), kaplan or cerebras.
    level
        The probability that the interval should hold the loss with.
    spend
        FLOPs that more small runs may take; a tenth of the target if not given.
    """
    from presage.forecast import advice, gpus
    from presage.forecast import plan as planning

    money = gpus.budget(flops, gpu_hours, gpu, mfu)
    source = advice.find(ladder=ladder, points=points, law_name=law)
    made = planning.make(money, source, level=level, price=price, spend=spend)
    if json:
        emit([dumps(made.as_dict())])
        return
    warn(made.warnings)
    emit(f"{name:<12}{text}".rstrip() for name, text in _lines(made))


def _lines(plan: Plan) -> Iterator[tuple[str, str]]:
    yield from _money(plan)
    yield "train", f"{_count(plan.n_params)} parameters on {_count(plan.tokens)} tokens{_shape(plan)}"
    yield "", f"{plan.tokens_per_param:.3g} tokens a parameter: {plan.sizing}"
    yield from _machine(plan)
    yield "loss", f"{plan.loss:.4g} {plan.unit}, {percent(plan.level)} interval {plan.lo:.4g} to {plan.hi:.4g}"
    yield "", f"from {plan.advice}"
    yield "", plan.about
    yield "", f"half the budget: {plan.loss_half:.4g}; twice the budget: {plan.loss_double:.4g}"
    if plan.spend is not None:
        yield from _shopping(plan)


def _shape(plan: Plan) -> str:
    return f", {plan.shape}" if plan.shape else ""


def _money(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.gpu is None or plan.gpu_hours is None or plan.peak_flops is None:
        yield "budget", f"{plan.flops:.3g} FLOPs"
        return
    peak = f"{plan.peak_flops / 1e12:,.0f} TFLOP/s {plan.precision}"
    yield "budget", f"{plan.flops:.3g} FLOPs: {_hours(plan.gpu_hours)} of {plan.gpu} at {plan.mfu:.0%} of {peak}"
    if plan.usd is not None:
        yield "cost", f"{plan.usd:,.0f} USD at {plan.price:,.2f} an hour, the target run alone"


def _machine(plan: Plan) -> Iterator[tuple[str, str]]:
    times = [f"{_hours(hours)} on {name if plan.gpu else 'one ' + name}" for name, hours in plan.hours.items()]
    yield "time", f"{', '.join(times)}, all at {plan.mfu:.0%} of the peak"
    fill = "" if plan.gpus_for_memory is None else f"; fills {plan.gpus_for_memory:,} x {plan.gpu}"
    each = plan.train_bytes / plan.n_params
    yield "memory", f"{_bytes(plan.train_bytes)}: weights, gradients, optimizer, {each:.3g} bytes a parameter{fill}"
    yield "", "activations come on top"
    yield "checkpoint", f"{_bytes(plan.checkpoint_bytes)} to resume from, {_bytes(plan.weights_bytes)} of bf16 weights"


def _shopping(plan: Plan) -> Iterator[tuple[str, str]]:
    limit = f"{plan.spend:.3g} FLOPs, {plan.spend / plan.flops:.2g} of the target" if plan.spend else ""
    if not plan.buy or plan.lo_after is None or plan.hi_after is None:
        yield "buy next", f"nothing: no set of small runs within {limit}, narrows the interval by more than 5 %"
        return
    yield "buy next", f"small runs for at most {limit}:"
    yield "", f"{'runs':>4} {'FLOPs each':>11} {'FLOPs':>9} {'parameters':>14} {'tokens':>14}"
    for row in plan.buy:
        yield (
            "",
            f"{row.runs:>4} {row.compute:>11.3g} {row.cost:>9.3g} {_count(row.n_params):>14} {_count(row.tokens):>14}",
        )
    if plan.buy_usd is not None:
        yield "", f"{plan.buy_usd:,.0f} USD"
    yield "", f"expected to narrow the interval to {plan.lo_after:.4g} to {plan.hi_after:.4g}, {_share(plan.narrowing)}"
    third, tenth = _share(plan.narrowing_third), _share(plan.narrowing_tenth)
    yield "", f"for a third of that spend: {third}; for a tenth: {tenth}"


def _share(narrowing: float | None) -> str:
    return f"{narrowing or 1:.0%} of its width"


def _hours(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.0f} h" if hours >= 99.5 else f"{hours:.3g} h"
    return f"{60 * hours:.3g} min" if hours >= 1 / 60 else f"{3600 * hours:.3g} s"


def _bytes(count: float) -> str:
    return _scaled(count, ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB")), " bytes")


def _count(number: float) -> str:
    return _scaled(number, ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")), "")


def _scaled(number: float, units: tuple[tuple[float, str], ...], plain: str) -> str:
    """1.42e9 -> '1.42 billion'."""
    for size, name in units:
        if number >= size:
            value = number / size
            return f"{value:,.0f}{name}" if value >= 99.5 else f"{value:.3g}{name}"
    return f"{number:,.0f}{plain}"
