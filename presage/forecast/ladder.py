"""Stage: train a ladder of small models from one dial, several seeds each, and write one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, field_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, measure, recorded_or_measured
from presage.core.errors import ConfigError
from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.seeds import derive
from presage.core.workers import usable_cores, workers
from presage.forecast.law import summarise
from presage.forecast.scaling import Rule
from presage.train import pretrain

__all__ = ["Config", "run"]

Launcher = Callable[[], AbstractContextManager[Executor]]
"""Opens what rungs are handed to."""
COLUMNS = ["name", "budget", "compute", "n_params", "n_params_non_embedding", "n_layers", "d_model", "n_heads"]
COLUMNS += ["context_length", "tokens", "batch_tokens", "steps", "lr", "seed", "bpb", "loss", "fitted", "digest"]


class Config(BaseConfig):
    """Budgets in FLOPs; every rung follows `rule`, none is tuned on its own."""

    shards: Parent
    rule: Rule
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
    seed: int = 0

    @field_validator("budgets")
    @classmethod
    def _ascending(cls, budgets: tuple[float, ...]) -> tuple[float, ...]:
        if any(b <= 0 for b in budgets) or list(budgets) != sorted(set(budgets)):
            raise ValueError("budgets must be positive, different and in ascending order")
        return budgets

    def plan(self) -> dict[str, object]:
        """Rungs and their sum, for --dry-run."""
        rungs = plan(self)
        flops = [r.model.flops_per_token() * r.tokens for _, _, r in rungs]
        return {
            "rungs": len(rungs),
            "FLOPs": sum(flops),
            "tokens": sum(r.tokens for _, _, r in rungs),
            "smallest": f"{rungs[0][2].model.n_params:,} parameters, {rungs[0][2].tokens:,} tokens",
            "largest": f"{rungs[-1][2].model.n_params:,} parameters, {rungs[-1][2].tokens:,} tokens",
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
        directory.table("rungs", rows, COLUMNS)
        points, noise = summarise([(r["budget"], r["bpb"]) for r in rows])
        means = [{"compute": p.compute, "bpb": p.loss, "stderr": p.stderr, "n": p.n} for p in points]
        directory.table("budgets", means)
        directory.result("rungs", len(rows), unit="runs")
        directory.result("budgets", len(points))
        directory.result("flops", sum(r["compute"] for r in rows), unit="FLOPs")
        directory.result("noise", noise, unit="relative, one run")
        directory.finish()
    return directory


def plan(config: Config) -> list[tuple[str, float, pretrain.Config]]:
    """(name, budget, full config) of every rung, smallest budget first. BudgetError when one is too small."""
    device = config.device.model_copy(update={"threads": 1}) if config.device else None
    rungs = []
    for budget, repeats in zip(config.budgets, config.counts(), strict=True):
        for repeat in range(repeats):
            seed = derive(config.seed, "rung", f"{budget:.6g}", repeat) % 2**31
            changes: dict[str, object] = {"eval_tokens": config.eval_tokens, "keep_checkpoints": 1, "log_every": 20}
            rung = config.rule.config(budget, config.shards, seed=seed, device=device, **changes)
            if config.checkpoints > 1:
                every = {"checkpoint_every": rung.tokens // config.checkpoints}
                rung = rung.model_copy(update=every | {"keep_checkpoints": config.checkpoints + 1})
            rungs.append((f"c{budget:.3g}-{repeat}", budget, rung))
    return rungs


def train_all(
    rungs: list[tuple[str, float, pretrain.Config]],
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

    Raises RunError when it is no ladder.
    """
    by_budget: dict[float, list[dict[str, str]]] = {}
    for row in RunDir.open(ladder, "ladder").read_table("rungs"):
        if row["fitted"] == "1":
            by_budget.setdefault(float(row["budget"]), []).append(row)
    return [row for budget in sorted(by_budget) for row in by_budget[budget][:each]]


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


def _rung(config: pretrain.Config, out: Path) -> str:
    return pretrain.run(config, out, resume=out.exists()).digest


def _row(name: str, budget: float, path: Path, config: Config) -> dict[str, Any]:
    rung = RunDir.open(path, "pretrain")
    made, results = rung.config(pretrain.Config), rung.results()
    values = {key: results[key]["value"] for key in ("n_params", "n_params_non_embedding", "tokens", "steps")}
    shape = {key: getattr(made.model, key) for key in ("n_layers", "d_model", "n_heads", "context_length")}
    return (
        values
        | shape
        | {
            "name": name,
            "budget": budget,
            "compute": results["flops"]["value"],
            "batch_tokens": made.batch_tokens,
            "lr": made.optim.lr,
            "seed": made.seed,
            "bpb": results["val/bpb"]["value"],
            "loss": results["val/loss"]["value"],
            "fitted": int(budget >= config.fit_from),
            "digest": rung.digest,
        }
    )
