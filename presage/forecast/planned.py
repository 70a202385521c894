"""Stage: what to train for a budget and which small runs to buy first, from a ladder, as a run that reports can read.

What `presage plan` answers, with what the maker of a recipe knows (prior, drift), and with larger runs of the same
recipe counted like rungs: once the target is trained, the plan of the next one rests on it as well.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError
from presage.core.look import whole
from presage.core.run import RunDir
from presage.forecast import advice, gpus, plan
from presage.forecast import ladder as ladders
from presage.forecast.prior import Prior

__all__ = ["Config", "run"]

BUY = ["runs", "compute", "cost", "n_params", "tokens"]
UNITS = {"flops": "FLOPs", "largest": "FLOPs", "spend": "FLOPs", "cost": "FLOPs", "tokens": "tokens",
         "n_params": "parameters", "price": "USD/hour", "usd": "USD", "buy_usd": "USD", "gpu_hours": "hours",
         "train_bytes": "bytes", "checkpoint_bytes": "bytes", "weights_bytes": "bytes"}  # fmt: skip
LOSSES = frozenset({"loss", "lo", "hi", "loss_half", "loss_double", "lo_after", "hi_after"})
ELSEWHERE = frozenset({"advice", "buy", "warnings"})
"""Of a plan: a place on this machine, and what stands in tables."""


class Config(BaseConfig):
    ladder: Parent
    runs: tuple[Parent, ...] = ()
    """Larger runs by the ladder's rule on its tokens: they count like rungs."""
    flops: float | None = Field(default=None, gt=0)
    """Of the run to plan; or else hours times GPUs."""
    gpu_hours: float | None = Field(default=None, gt=0)
    gpu: str | None = None
    mfu: float = gpus.MFU
    """Share of the GPU's peak that training reaches."""
    price: float | None = Field(default=None, ge=0)
    """USD an hour of one GPU."""
    flops_per_second: float | None = Field(default=None, gt=0)
    """Of the machine at hand, as measured: for the time that the runs would take on it."""
    spend: float | None = Field(default=None, gt=0)
    """FLOPs that small runs may take together; a tenth of the run to plan if not given."""
    level: float = Field(default=0.9, gt=0, lt=1)
    prior: Prior = Prior()
    drift: float = Field(default=0.0, ge=0)
    """As in a sealed forecast: what the recipe's maker knows the law to be off by per decade; relative."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """The plan as results, tables/buy.csv with the runs to buy, tables/warnings.csv.

    Raises ConfigError for an impossible price or spend and for a run on other tokens, BudgetError for a target that is
    not above the largest run, DataError for losses that no law fits, RunError and CorruptError for bad parents.
    """
    money = gpus.budget(config.flops, config.gpu_hours, config.gpu, config.mfu)
    made = plan.make(money, _advice(config), level=config.level, price=config.price, spend=config.spend)
    directory = RunDir.create(out, "plan", config, resume=resume)
    with directory:
        write(directory, made, config.flops_per_second)
        directory.finish()
    return directory


def write(directory: RunDir, made: plan.Plan, flops_per_second: float | None) -> None:
    """The plan into a run: what applies of it, with seconds at the given speed, where there is one."""
    facts = {name: value for name, value in made.as_dict().items() if name not in ELSEWHERE and value is not None}
    if flops_per_second:
        facts |= {"seconds": made.flops / flops_per_second, "buy_seconds": (made.cost or 0.0) / flops_per_second}
    units = UNITS | dict.fromkeys(LOSSES, made.unit) | dict.fromkeys(("seconds", "buy_seconds"), "seconds")
    for name, value in facts.items():
        directory.result(name, value, **({"unit": units[name]} if name in units else {}))
    directory.table("buy", [{key: getattr(row, key) for key in BUY} for row in made.buy], BUY)
    directory.table("warnings", [{"warning": text} for text in made.warnings], ["warning"])


def _advice(config: Config) -> advice.Advice:
    """Sizes by the ladder's rule, losses by the law through its fitted rungs and the further runs."""
    ladder = whole(ladders.of_text(config.ladder).path, "ladder")
    further = [_further(path, ladder) for path in config.runs]
    return advice.from_ladder(ladder.path, further, config.drift, config.prior)


def _further(path: Path, ladder: RunDir) -> tuple[float, float]:
    """(FLOPs, bits per byte) of a run on the ladder's tokens."""
    run = whole(path, "pretrain")
    if run.origin["parents"]["shards"]["digest"] != ladder.origin["parents"]["shards"]["digest"]:
        raise ConfigError("trained on other tokens than the ladder", where=path, hint="its loss cannot be compared")
    return float(run.value("flops")), float(run.value("val/bpb"))
