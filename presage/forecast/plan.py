"""What to train for a budget: size, tokens, time, memory, the loss to expect, and which small runs to buy first.

A budget (FLOPs, or GPU hours on a named GPU) and advice (a ladder, a table of runs, or a published law) make a Plan.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from presage.core.errors import BudgetError, ConfigError
from presage.forecast import design, gpus, law
from presage.forecast.advice import Advice
from presage.forecast.published import GRADIENT_BYTES

GPU_COUNTS = (1, 8, 64, 512)
COMMON = ("A100", "H100 SXM", "B200")  # whose hours are given when the budget is in FLOPs
SPEND = 0.1  # share of the target's FLOPs that may go to more small runs, unless told


@dataclass(frozen=True)
class Buy:
    """One line of the shopping list."""

    compute: float
    runs: int
    cost: float
    n_params: float
    tokens: float


@dataclass(frozen=True)
class Plan:
    """Everything `presage plan --json` prints, flat; what does not apply is null."""

    flops: float
    """Of the target run."""
    gpu: str | None
    peak_flops: float | None
    """One GPU's dense FLOP/s in `precision`."""
    precision: str | None
    """bf16, or fp16 on GPUs without it."""
    mfu: float
    """Share of the peak that was assumed."""
    gpu_hours: float | None
    """Hours times GPUs."""
    hours: dict[str, float]
    """Wall-clock hours: on 1, 8, 64, 512 of the GPUs given, or on one each of some common ones."""
    price: float | None
    """USD an hour of one GPU, as given."""
    usd: float | None
    advice: str
    """The ladder, table or law."""
    sizing: str
    n_params: float
    tokens: float
    tokens_per_param: float
    shape: str | None
    """Layers and width, where a ladder's rule fixes them."""
    train_bytes: float
    """Weights, gradients and optimizer state: 16 bytes a parameter with AdamW, 12 for matrices under Muon."""
    gpus_for_memory: int | None
    """GPUs that `train_bytes` fill, activations left out."""
    checkpoint_bytes: float
    """Weights and optimizer state in fp32."""
    weights_bytes: float
    """Weights alone, bf16."""
    loss: float
    lo: float
    hi: float
    level: float
    loss_half: float
    """The loss to expect for half the FLOPs."""
    loss_double: float
    unit: str
    about: str
    """What the loss and its interval are about."""
    largest: float
    """FLOPs of the largest run the forecast rests on."""
    spend: float | None
    """FLOPs that more small runs may take together; null with a published law."""
    cost: float | None
    """FLOPs that the runs in `buy` take."""
    buy: list[Buy]
    """Runs to buy next: FLOPs each, how many, FLOPs together, parameters, tokens. Empty when nothing is worth it."""
    buy_usd: float | None = None
    lo_after: float | None = None
    """The interval to expect once they are run; null when nothing is bought."""
    hi_after: float | None = None
    narrowing: float | None = None
    """Half-width after over before, of the best set within `spend`, worth buying or not."""
    narrowing_tenth: float | None = None
    """The same for a tenth of `spend`."""
    narrowing_third: float | None = None
    warnings: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `hours` becomes hours_1, hours_8, … or hours_a100, …"""
        plain = asdict(self)
        hours = {f"hours_{key.lower().replace(' ', '_')}": value for key, value in plain.pop("hours").items()}
        return plain | hours


def make(
    money: gpus.Budget, source: Advice, *, level: float = 0.9, price: float | None = None, spend: float | None = None
) -> Plan:
    """The whole plan. ConfigError for an impossible price, level or spend; BudgetError for a target among the rungs."""
    _check(money, source, level, price, spend)
    size, expected = source.size(money.flops), source.expect(money.flops, level)
    gpu = money.gpu
    hours = money.hours_on(gpu) if gpu else None
    usd = price * hours if price is not None and hours is not None else None
    shopping = _shopping(source, money.flops, spend, expected)
    return Plan(
        flops=money.flops,
        gpu=gpu.name if gpu else None,
        peak_flops=gpu.peak_flops if gpu else None,
        precision=gpu.precision if gpu else None,
        mfu=money.mfu,
        gpu_hours=hours,
        hours=_hours(money),
        price=price,
        usd=usd,
        buy_usd=usd * shopping["cost"] / money.flops if usd is not None and shopping["buy"] else None,
        advice=source.title,
        sizing=source.sizing,
        n_params=size.n_params,
        tokens=size.tokens,
        tokens_per_param=size.tokens / size.n_params,
        shape=size.shape or None,
        train_bytes=size.train_bytes,
        gpus_for_memory=math.ceil(size.train_bytes / (gpu.memory_gb * 1e9)) if gpu else None,
        checkpoint_bytes=size.train_bytes - GRADIENT_BYTES * size.n_params,
        weights_bytes=2 * size.n_params,
        loss=expected.value,
        lo=expected.lo,
        hi=expected.hi,
        level=level,
        loss_half=source.expect(money.flops / 2, level).value,
        loss_double=source.expect(money.flops * 2, level).value,
        unit=source.unit,
        about=source.about,
        largest=source.largest,
        warnings=source.warnings(money.flops),
        **shopping,
    )


def _check(money: gpus.Budget, source: Advice, level: float, price: float | None, spend: float | None) -> None:
    if not 0 < level < 1:
        raise ConfigError(f"{level} is not between 0 and 1", where="--level")
    if price is not None and not 0 <= price < math.inf:
        raise ConfigError(f"{price} is not a price", where="--price", hint="USD an hour of one GPU")
    if price is not None and money.gpu is None:
        raise ConfigError("a price an hour needs --gpu-hours and --gpu", where="--price")
    if spend is not None and not 0 < spend < math.inf:
        raise ConfigError(f"{spend} FLOPs cannot be spent", where="--spend")
    if spend is not None and source.outlook is None:
        raise ConfigError("nothing tells what more runs are worth", where="--spend", hint="give --ladder or --points")
    if money.flops <= source.beyond:
        raise BudgetError(
            f"the target, {money.flops:.3g} FLOPs, is not above the largest rung, {source.largest:.3g}",
            hint="a plan is about a larger run than those at hand",
        )


def _hours(money: gpus.Budget) -> dict[str, float]:
    if money.gpu is None:
        return {name: money.hours_on(gpus.find(name)) for name in COMMON}
    return {str(count): money.hours_on(money.gpu) / count for count in GPU_COUNTS}


def _shopping(source: Advice, target: float, spend: float | None, now: law.Estimate) -> dict[str, Any]:
    """The part of a plan about runs to buy next."""
    outlook = source.outlook
    if outlook is None:
        return {"spend": None, "cost": None, "buy": []}
    limit = SPEND * target if spend is None else spend
    if target / design.NEAREST < min(p.compute for p in outlook.points):
        return {"spend": limit, "cost": 0.0, "buy": []}
    market = design.Market(outlook, target)
    best, third, tenth = (market.best(share * limit) for share in (1, 1 / 3, 1 / 10))
    widths = {"narrowing": best.narrowing, "narrowing_third": third.narrowing, "narrowing_tenth": tenth.narrowing}
    if not best.worthwhile:
        return widths | {"spend": limit, "cost": 0.0, "buy": []}
    sizes = [source.size(p.compute) for p in best.purchases]
    rows = zip(best.purchases, sizes, strict=True)
    return widths | {
        "spend": limit,
        "cost": best.cost,
        "buy": [Buy(p.compute, p.runs, p.cost, s.n_params, s.tokens) for p, s in rows],
        "lo_after": now.value - (now.value - now.lo) * best.narrowing,
        "hi_after": now.value + (now.hi - now.value) * best.narrowing,
    }
