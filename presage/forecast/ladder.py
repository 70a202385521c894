"""Stage: train a ladder of small models from one dial, several seeds each, and write one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator, model_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, measure, recorded_or_measured
from presage.core.errors import ConfigError, RunError
from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.seeds import derive
from presage.core.workers import usable_cores, workers
from presage.forecast.kinds import TEXT, Size, Training, config_of, kind_of
from presage.forecast.law import summarise
from presage.forecast.points import METRICS
from presage.forecast.scaling import Rule
from presage.forecast.seeing import Seeing
from presage.train import vision

__all__ = ["Config", "run"]

Launcher = Callable[[], AbstractContextManager[Executor]]
"""Opens what rungs are handed to."""
COLUMNS = ["name", "budget", "compute", "n_params", "n_params_non_embedding", "n_layers", "d_model", "n_heads"]
COLUMNS += ["context_length", "tokens", "batch_tokens", "steps", "lr", "seed", "bpb", "loss", "fitted", "digest"]


class Config(BaseConfig):
    """Budgets in FLOPs; every rung follows `rule`, none is tuned on its own. They read `shards`, or learn `sight`."""

    shards: Parent | None = None
    sight: vision.Config | None = None
    """A training with images that every rung is cut from; of `rule` the shapes alone count then."""
    rule: Rule | None = None
    """None where all rungs begin with one base, and differ in nothing but what they read."""
    budgets: tuple[float, ...] = Field(min_length=1)
    repeats: tuple[int, ...] = (1,)
    """Seeds per budget, in the order of `budgets`; a single number holds for all."""
    fit_from: float = 0.0
    """Budgets below this are trained and shown but left out of the fit: the law does not hold there yet."""
    device: Device | None = None
    """None: measured once here; the rungs, the target and every resume use the outcome."""
    checkpoints: int = Field(default=1, gt=0)
    """Checkpoints a rung keeps, evenly spaced; decay branches start from those of the stable phase."""
    jobs: int = Field(default=0, ge=0)
    """Rungs trained side by side, one thread each; 0: one per core, or per GPU."""
    eval_tokens: int = Field(default=200_000, gt=0)
    """Of the held-out text of `shards`."""
    seed: int = 0

    @model_validator(mode="after")
    def _of_one_kind(self) -> Config:
        if (self.shards is None) == (self.sight is None):
            raise ValueError("a ladder is of shards, or of sight: exactly one of them")
        grow = self.sight is None or self.sight.base is None
        if grow and self.rule is None:
            raise ValueError("rungs of several sizes follow a rule, and there is none")
        if not grow and self.rule is not None:
            raise ValueError("rungs that begin with one base follow no rule")
        return self

    @field_validator("budgets")
    @classmethod
    def _ascending(cls, budgets: tuple[float, ...]) -> tuple[float, ...]:
        if any(b <= 0 for b in budgets) or list(budgets) != sorted(set(budgets)):
            raise ValueError("budgets must be positive, different and in ascending order")
        return budgets

    def plan(self) -> dict[str, object]:
        """Rungs and their sum, for --dry-run."""
        sizes = [size for *_, size in _sized(self)]
        return {
            "rungs": len(sizes),
            "FLOPs": sum(size.flops for size in sizes),
            "tokens": sum(size.tokens for size in sizes),
            "smallest": f"{sizes[0].n_params:,} parameters, {sizes[0].tokens:,} tokens",
            "largest": f"{sizes[-1].n_params:,} parameters, {sizes[-1].tokens:,} tokens",
        }

    def counts(self) -> tuple[int, ...]:
        """Repeats for every budget. ConfigError when the lengths do not fit."""
        if len(self.repeats) not in (1, len(self.budgets)) or min(self.repeats) < 1:
            raise ConfigError(f"{len(self.repeats)} repeats for {len(self.budgets)} budgets", where="repeats")
        return self.repeats * (len(self.budgets) if len(self.repeats) == 1 else 1)


def target_and_rungs(target: float, ratio: float, rungs: int, decades: float) -> tuple[float, ...]:
    """'Target C, fit at most C / ratio, n rungs': budgets evenly spaced in logarithm over `decades` below C / ratio."""
    step = 10 ** (decades / max(rungs - 1, 1))
    return tuple(sorted(target / ratio / step**i for i in range(rungs)))


def run(config: Config, out: Path, *, resume: bool = False, launcher: Launcher | None = None) -> RunDir:
    """Train every rung (finished ones are kept on resume), then write tables/rungs.csv and the pooled noise.

    launcher: of other places than this machine; what is not given about the device is measured there.
    """
    device = _device(config, out, launcher)
    config = config.model_copy(update={"device": device})
    rungs = plan(config)
    directory = RunDir.create(out, "ladder", config, seed=config.seed, resume=resume, device=device.model_dump())
    with directory:
        train_all(rungs, directory.path / "rungs", config, launcher=launcher)
        rows = [_row(name, budget, directory.path / "rungs" / name, config) for name, budget, _ in rungs]
        column = kind_of(rungs[0][2]).column
        directory.table("rungs", rows, [name for name in COLUMNS if name in rows[0]])
        points, noise = summarise([(r["budget"], r[column]) for r in rows])
        means = [{"compute": p.compute, column: p.loss, "stderr": p.stderr, "n": p.n} for p in points]
        directory.table("budgets", means)
        directory.result("rungs", len(rows), unit="runs")
        directory.result("budgets", len(points))
        directory.result("flops", sum(r["compute"] for r in rows), unit="FLOPs")
        directory.result("noise", noise, unit="relative, one run")
        directory.finish()
    return directory


def plan(config: Config) -> list[tuple[str, float, Training]]:
    """(name, budget, full config) of every rung, smallest budget first. BudgetError when one is too small."""
    return [(name, budget, rung) for name, budget, rung, _ in _sized(config)]


def _sized(config: Config) -> list[tuple[str, float, Training, Size]]:
    """The same, and what each comes to."""
    device = config.device.model_copy(update={"threads": 1}) if config.device else None
    cut, size_of = _cut(config)
    rungs = []
    for budget, repeats in zip(config.budgets, config.counts(), strict=True):
        for repeat in range(repeats):
            seed = derive(config.seed, "rung", f"{budget:.6g}", repeat) % 2**31
            rung = cut(budget, seed=seed, device=device, keep_checkpoints=1, log_every=20)
            size = size_of(rung)
            if config.checkpoints > 1:
                every = {"checkpoint_every": size.tokens // config.checkpoints}
                rung = rung.model_copy(update=every | {"keep_checkpoints": config.checkpoints + 1})
            rungs.append((f"c{budget:.3g}-{repeat}", budget, rung, size))
    return rungs


def _cut(config: Config) -> tuple[Callable[..., Training], Callable[[Any], Size]]:
    """From a budget to a rung, and from that to what it comes to."""
    if config.sight is not None:
        seeing = Seeing(config.sight, config.rule)
        return seeing.config, seeing.size
    assert config.shards is not None and config.rule is not None  # by the config's own check
    return partial(config.rule.config, shards=config.shards, eval_tokens=config.eval_tokens), TEXT.size


def train_all(
    rungs: Sequence[tuple[str, float, Training]],
    folder: Path,
    config: Config,
    label: str = "ladder",
    launcher: Launcher | None = None,
) -> None:
    """Runs side by side, finished ones left out; longest first, so that the pool empties evenly."""
    waiting = [r for r in reversed(rungs) if not (folder / r[0] / "DONE").is_file()]
    done = sum(r[1] for r in rungs) - sum(r[1] for r in waiting)
    with Progress(label, sum(r[1] for r in rungs), unit="FLOP") as bar, (launcher or _here(config, waiting))() as pool:
        bar.begin(done)
        futures: dict[Future[Any], float] = {
            pool.submit(_rung, rung, folder / name): budget for name, budget, rung in waiting
        }
        while futures:
            finished, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done += futures.pop(future)
            bar.update(done, left=len(futures))


def fitted_rungs(ladder: Path, each: int | None = None) -> list[dict[str, str]]:
    """Rows of a finished ladder's rungs that the law is fitted to, by budget, least first; `each`: so many of a budget.

    Raises RunError when it is no ladder of text.
    """
    by_budget: dict[float, list[dict[str, str]]] = {}
    for row in of_text(ladder).read_table("rungs"):
        if row["fitted"] == "1":
            by_budget.setdefault(float(row["budget"]), []).append(row)
    return [row for budget in sorted(by_budget) for row in by_budget[budget][:each]]


def of_text(path: Path) -> RunDir:
    """A ladder whose rungs read text. Raises RunError where they see, or as `RunDir.open`."""
    run = RunDir.open(path, "ladder")
    if run.config(Config).sight is not None:
        raise RunError("a ladder of images, and this is for ladders of text", where=path)
    return run


def _here(config: Config, waiting: Sequence[object]) -> Launcher:
    """Processes of this machine: one per core, or per GPU."""
    gpus = torch.cuda.device_count() if config.device is not None and config.device.device == "cuda" else 0
    places = usable_cores() if config.device is None or config.device.device == "cpu" else max(gpus, 1)
    return partial(workers, min(config.jobs or places, max(len(waiting), 1)), gpus)


def _device(config: Config, out: Path, launcher: Launcher | None) -> Device:
    """What is given, what an unfinished ladder in `out` began with, or what is measured where its rungs will be."""
    if launcher is None:
        return config.device or recorded_or_measured(Config, out)
    with launcher() as pool:  # before anything is written: there may be no such place
        if config.device is not None or (out / "config.json").is_file():
            return config.device or recorded_or_measured(Config, out)
        return pool.submit(measure).result()


def _rung(config: Training, out: Path) -> str:
    return kind_of(config).train(config, out, resume=out.exists()).digest


def _row(name: str, budget: float, path: Path, config: Config) -> dict[str, Any]:
    rung = RunDir.open(path)
    made, results = config_of(rung), rung.results()
    assert made.model is not None  # every run fills it in
    counts = {key: results[key]["value"] for key in ("n_params", "tokens", "steps")}
    losses = {key: results[f"val/{key}"]["value"] for key in METRICS if f"val/{key}" in results}
    shape = {key: getattr(made.model, key) for key in ("n_layers", "d_model", "n_heads", "context_length")}
    if isinstance(made, vision.Config):
        batch = made.batch_rows * vision.row_length(made, made.model)
    else:
        batch = made.batch_tokens
    return (
        counts
        | shape
        | losses
        | {
            "name": name,
            "budget": budget,
            "compute": results["flops"]["value"],
            "n_params_non_embedding": made.model.n_params_non_embedding,
            "batch_tokens": batch,
            "lr": made.optim.lr,
            "seed": made.seed,
            "fitted": int(budget >= config.fit_from),
            "digest": rung.digest,
        }
    )
