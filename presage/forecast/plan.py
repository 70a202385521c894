"""What to train for a budget: size, tokens, time, memory, the loss to expect, and which small runs to buy first.

    budget (FLOPs, or GPU hours on a named GPU)  +  advice (a ladder, a table of runs, or a published law)  ->  Plan

Three kinds of advice answer the same questions; only runs of one's own can say what further runs are worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from presage.core.errors import BudgetError, ConfigError
from presage.forecast import design, gpus, law, published, surface
from presage.forecast.points import Run, read_runs
from presage.forecast.published import ADAMW_BYTES, GRADIENT_BYTES, MUON_BYTES, Size, sized
from presage.forecast.sized import FEWEST, read_points
from presage.forecast.table import about, read_table
from presage.forecast.warnings import warnings

GPU_COUNTS = (1, 8, 64, 512)
COMMON = ("A100", "H100 SXM", "B200")  # whose hours are given when the budget is in FLOPs
DEFAULT_LAW = "besiroglu"
STRAY = 0.2  # of ln N about a power of C: above it, sizes vary on their own, and the best one is to be found
SPEND = 0.1  # share of the target's FLOPs that may go to more small runs, unless told


class Advice(Protocol):
    """Where sizes and expected losses come from."""

    @property
    def title(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def about(self) -> str:
        """What the loss is about: which text, which runs."""

    @property
    def sizing(self) -> str:
        """The rule that sizes follow."""

    @property
    def largest(self) -> float:
        """FLOPs of the largest run behind it."""

    @property
    def beyond(self) -> float:
        """FLOPs that a target must exceed; 0 where any will do."""

    @property
    def outlook(self) -> design.Outlook | None:
        """What tells the worth of more runs; None where nothing does."""

    def size(self, compute: float) -> Size: ...
    def expect(self, compute: float, level: float) -> law.Estimate: ...
    def warnings(self, compute: float) -> list[str]: ...


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


# ---- advice ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunsAdvice:
    """A fit to one's own runs, and the rule that gave them their sizes."""

    title: str
    fit: law.Fit
    unit: str
    sizing: str
    sizes: Callable[[float], Size]

    @property
    def largest(self) -> float:
        return max(p.compute for p in self.fit.points)

    @property
    def beyond(self) -> float:
        return self.largest

    @property
    def outlook(self) -> design.Outlook | None:
        return self.fit

    @property
    def about(self) -> str:
        return f"one more run like these, {len(self.fit.points)} budgets up to {self.largest:.3g} FLOPs"

    def size(self, compute: float) -> Size:
        return self.sizes(compute)

    def expect(self, compute: float, level: float) -> law.Estimate:
        return self.fit.predict(compute, level)

    def warnings(self, compute: float) -> list[str]:
        return warnings(self.fit, compute)


@dataclass(frozen=True)
class SurfaceAdvice:
    """A law of size and tokens fitted to one's own runs, and its optimum."""

    title: str
    fit: surface.SurfaceFit
    unit: str
    flops_each: float
    """FLOPs a parameter and token."""
    largest: float
    sizing: str = "the optimum of L(N, D) fitted to these points"
    outlook: design.Outlook | None = None

    @property
    def beyond(self) -> float:
        return self.largest

    @property
    def about(self) -> str:
        return f"one more run like these {len(self.fit.points)}, of the best size for its compute"

    def size(self, compute: float) -> Size:
        best = self.fit.frontier(compute, self.flops_each)
        return sized(best.n_params.value, best.tokens.value)

    def expect(self, compute: float, level: float) -> law.Estimate:
        return self.fit.frontier(compute, self.flops_each, level).loss

    def warnings(self, compute: float) -> list[str]:
        best = self.size(compute)
        return surface.warnings(self.fit, best.n_params, best.tokens)


def advice(*, ladder: Path | None = None, points: Path | None = None, law_name: str | None = None) -> Advice:
    """The one that was asked for; a published law when none was. ConfigError for more than one."""
    if sum(source is not None for source in (ladder, points, law_name)) > 1:
        raise ConfigError("give one of --ladder, --points and --law", where="plan")
    if ladder is not None:
        return from_ladder(ladder)
    if points is not None:
        return from_points(points)
    return published.find(law_name or DEFAULT_LAW)


def from_ladder(path: Path) -> RunsAdvice:
    """The rungs of a finished ladder run, bits per byte, sizes by its own rule."""
    from presage.core.run import RunDir
    from presage.forecast import ladder  # imports torch, which the other kinds of advice do without

    run = RunDir.open(path, "ladder")
    rule = run.config(ladder.Config).rule
    rows = run.read_table("rungs")
    points, noise = law.summarise([(float(row["budget"]), float(row["bpb"])) for row in rows])
    fitted = {float(row["budget"]) for row in rows if float(row["fitted"])}
    with about(path):
        fit = law.fit([p for p in points if p.compute in fitted], noise)

    def size(compute: float) -> Size:
        model = rule.model(compute)
        tokens = compute / model.flops_per_token()
        weights = model.n_params_non_embedding + model.vocab_size * model.d_model
        if tokens > 2 * weights * rule.tokens_per_param:  # beyond the widest shape that the rule knows
            return sized(*published.by_ratio(rule.tokens_per_param)(compute))
        rest = model.n_params - model.n_params_non_embedding
        memory = MUON_BYTES * model.n_params_non_embedding + ADAMW_BYTES * rest
        return Size(model.n_params, tokens, memory, f"{model.n_layers} layers, width {model.d_model}")

    sizing = f"the ladder's rule, {rule.tokens_per_param:g} tokens for each weight in blocks and head"
    return RunsAdvice(f"ladder {path}", fit, "bits/byte", sizing, size)


def from_points(path: Path) -> Advice:
    """A table of runs as for `presage forecast fit`; columns n_params and tokens say how sizes go.

    Sizes and tokens that vary on their own belong to a law of both; those of one recipe, to a law of compute.
    """
    with about(path):
        return _from_runs(path, read_runs(path))


def _from_runs(path: Path, runs: Sequence[Run]) -> Advice:
    unit = "bits/byte" if "bpb" in read_table(path).columns else "in the unit of the points"
    sizes = [(r.compute, r.n_params, r.tokens) for r in runs if r.n_params is not None and r.tokens is not None]
    logs = np.log(np.array(sizes, dtype=float)).reshape(-1, 3)
    title = f"points {path}"
    if len(runs) == len(sizes) >= FEWEST and _stray(logs) > STRAY:
        largest = max(r.compute for r in runs)
        return SurfaceAdvice(
            title, surface.fit(*surface.summarise(read_points(path))), unit, _flops_each(logs), largest
        )
    fit = law.fit(*law.summarise(runs))
    if len(logs) < 2 or np.ptp(logs[:, 0]) == 0:
        sizing = "a rule of thumb; columns n_params and tokens would say how your runs grow"
        ratio = published.by_ratio(published.TOKENS_PER_PARAM)
        return RunsAdvice(title, fit, unit, sizing, lambda compute: sized(*ratio(compute)))
    growth = [np.polyfit(logs[:, 0], logs[:, column], 1) for column in (1, 2)]

    def size(compute: float) -> Size:
        n, d = (math.exp(float(np.polyval(line, math.log(compute)))) for line in growth)
        return sized(n, d)

    sizing = "as in these points, parameters grow as C^{:.2f} and tokens as C^{:.2f}"
    return RunsAdvice(title, fit, unit, sizing.format(growth[0][0], growth[1][0]), size)


def _stray(logs: Any) -> float:
    """How far sizes stray from one power of compute, in logarithm; rows of log C, log N, log D."""
    return float(np.std(logs[:, 1] - np.polyval(np.polyfit(logs[:, 0], logs[:, 1], 1), logs[:, 0])))


def _flops_each(logs: Any) -> float:
    """C / (N D), about 6, as whoever made the table counted; rows of log C, log N, log D."""
    return math.exp(float((logs[:, 0] - logs[:, 1] - logs[:, 2]).mean()))


# ---- plan -----------------------------------------------------------------------------------------------------------


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
