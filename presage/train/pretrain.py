"""Stage: train a model on next-token prediction over shards."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, measure, recorded_or_measured
from presage.core.energy import EnergyMeter
from presage.core.errors import BudgetError, ConfigError, RunError
from presage.core.run import RunDir, note
from presage.core.seeds import derive
from presage.data.loader import Loader, Split, Tokens, evaluation_windows
from presage.model.config import ModelConfig
from presage.model.losses import cross_entropy
from presage.model.short_attention import LONGEST
from presage.model.transformer import Transformer, build
from presage.train import state as states
from presage.train.compiled import compiled
from presage.train.loop import Plan, Settings, fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.parallel import TIMEOUT, Ranks, joined
from presage.train.schedule import BatchRamp, ScheduleConfig

__all__ = ["Config", "run"]

EVAL_BATCH = 16


class Branch(BaseConfig):
    """Start from a checkpoint of a finished run, its optimizer and data cursor included (a WSD decay branch)."""

    run: Parent
    step: int = Field(ge=0)


class Config(BaseConfig):
    """One pretraining run. Horizons are in tokens."""

    shards: Parent
    model: ModelConfig
    tokens: int = Field(gt=0)
    batch_tokens: int = Field(gt=0)
    micro_batch: int = Field(default=16, gt=0)
    """Sequences per forward pass; changes speed and memory, not the update."""
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig(kind="linear")
    ramp: BatchRamp | None = None
    device: Device | None = None
    """None: measured at the start and recorded."""
    compile: bool = False
    """The blocks compiled by torch.compile: a quarter of a minute before the first step, faster ones after it; needs a
    C++ compiler. Rounds otherwise."""
    seed: int = 0
    eval_tokens: int = Field(default=200_000, gt=0)
    eval_every: int = Field(default=0, ge=0)
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    samples: int = Field(default=0, ge=0)
    """Completions of held-out openings to write into samples.jsonl at the end."""
    forecast: Parent | None = None
    """The seal made before this run; its digest goes into origin.json."""
    branch: Branch | None = None

    def plan(self) -> dict[str, object]:
        """What this run will be, for --dry-run. The time assumes 40 % of the matmul peak measured here."""
        flops = self.model.flops_per_token() * self.tokens
        device = self.device or measure()
        peak = device.peak_flops
        states = 3 if self.optim.kind == "muon" else 4  # weights, gradients, one or two moments
        hidden = self.micro_batch * self.model.context_length * self.model.n_layers
        activations = hidden * (14 * self.model.d_model + 4 * self.model.d_ff)
        if device.device == "cpu" and self.model.context_length <= LONGEST:  # what attends to what is kept
            activations += hidden * self.model.n_heads * self.model.context_length
        return {
            "parameters": self.model.n_params,
            "parameters without embeddings": self.model.n_params_non_embedding,
            "tokens": self.tokens,
            "steps": math.ceil(self.tokens / self.batch_tokens),
            "FLOPs": flops,
            "FLOPs by 6ND": self.model.flops_6nd_per_token() * self.tokens,
            "memory, GB (estimate)": round(4 * (states * self.model.n_params + activations) / 1e9, 3),
            "device": f"{device.device}, {device.dtype}, {device.threads} threads",
            "hours (estimate)": round(flops / (0.4 * peak) / 3600, 3) if peak else "not measured",
        }


def run(
    config: Config, out: Path, *, resume: bool = False, rank_timeout: float = TIMEOUT, sharded: bool = False
) -> RunDir:
    """Train, evaluate, and write the run directory. Resume is exact to the bit on a CPU.

    Started by torchrun, every rank calls this, and the first one writes; `sharded`: each has a share of the model
    instead of the whole. Raises RunError where one does not come within `rank_timeout` seconds.
    """
    if sharded and config.compile:
        raise ConfigError("blocks of a model that is shared are not compiled", where="compile", hint="leave one away")
    with joined(rank_timeout, _sharing() if sharded else Ranks) as ranks:
        if sharded and ranks.world == 1:
            note("presage: one process alone has nobody to share the model with")
        return _run(config, out, resume, ranks)


def _sharing() -> type[Ranks]:
    from presage.train.sharded import Sharded  # a second of imports that few need

    return Sharded


def _run(config: Config, out: Path, resume: bool, ranks: Ranks) -> RunDir:
    chosen = ranks.device(lambda threads: config.device or recorded_or_measured(Config, out, threads))
    config = config.model_copy(update={"device": chosen})
    device = chosen.apply()
    tokens = Tokens(config.shards)
    split, held_out = tokens.split("train"), tokens.split("val")
    ranks.by_first(lambda: check_fits(config, split), lambda: None)
    facts = {"device": chosen.model_dump(), "seal": sealed_by(config.forecast)}
    directory = ranks.directory(out, "pretrain", config, seed=config.seed, resume=resume, **facts)
    with directory, ranks.waiting(), ExitStack() as stack:
        meter, clock = EnergyMeter(), time.perf_counter()
        model = ranks.spread(build(config.model, derive(config.seed, "init")), device)
        optimizer = Optimizer(model, config.optim, ranks.layout)
        _branch_off(config, directory, ranks, model, optimizer)
        if config.compile:
            share = math.ceil(make_plan(config).batch_sequences / ranks.world)
            stack.enter_context(compiled(model, chosen, min(config.micro_batch, share)))
        loader = Loader(split, config.model.context_length, config.seed)
        windows = evaluation_windows(held_out, config.model.context_length, config.eval_tokens)
        progress_windows = tuple(w[: max(1, len(w) // 4)] for w in windows)

        def batches(first: int, count: int) -> tuple[Tensor, Tensor]:
            x, y = loader.batch(first, count)
            return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

        state = fit(
            model,
            optimizer,
            batches,
            next_token_loss,
            make_plan(config, ramp=config.ramp, eval_every=config.eval_every),
            directory,
            chosen,
            evaluate=lambda: _values(bits_per_byte(model, progress_windows, held_out.token_bytes, chosen)),
            label=out.name,
            ranks=ranks,
        )
        final = bits_per_byte(model, windows, held_out.token_bytes, chosen) if ranks.evaluates else {}
        if not ranks.first:
            return directory
        if not any("val/bpb" in row for row in directory.rows() if row["step"] == state.step):  # killed after this line
            directory.metric(step=state.step, tokens=state.tokens, flops=state.flops, **_values(final))
        _write_results(directory, config, state, final)
        _write_samples(directory, config, ranks.whole(model, directory.path), windows[0], state.step)
        joules, method = meter.joules()
        seconds = time.perf_counter() - clock
        directory.timing(step=state.step, total_seconds=seconds, energy_joules=joules, energy_method=method)
        directory.finish()
    return directory


def next_token_loss(model: Transformer, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, int]:
    """Summed cross-entropy in nats of y given x ([B, T] each), and the number of tokens."""
    x, y = batch
    return cross_entropy(model.hidden(x), model.head.weight, y), y.numel()


def bits_per_byte(
    model: Transformer, windows: tuple[np.ndarray, ...], token_bytes: np.ndarray, device: Device | None
) -> dict[str, tuple[float, float]]:
    """{'val/bpb': (mean, stderr), 'val/loss': …} over windows (x, y), each [N, T].

    Bits per UTF-8 byte is total nats / ln 2 / total bytes of the predicted tokens; the standard error treats windows
    as independent and is that of a ratio (linearised).
    """
    return measures(window_nats(model, windows, device), windows[1], token_bytes)


def measures(nats: np.ndarray, y: np.ndarray, token_bytes: np.ndarray) -> dict[str, tuple[float, float]]:
    """The same of the windows' nats [N] and the tokens predicted [N, T]."""
    return {
        "val/bpb": ratio(nats / math.log(2), token_bytes[y].sum(axis=1).astype(np.float64)),
        "val/loss": ratio(nats, np.full_like(nats, y.shape[1])),
    }


@torch.no_grad()
def window_nats(model: Transformer, windows: tuple[np.ndarray, ...], device: Device | None) -> np.ndarray:
    """Summed cross-entropy in nats of each of the windows (x, y): [N]."""
    model.eval()
    x, y = windows
    nats = []
    target = next(model.parameters()).device
    for start in range(0, len(x), EVAL_BATCH):
        part = slice(start, start + EVAL_BATCH)
        inputs, goals = torch.from_numpy(x[part]).to(target), torch.from_numpy(y[part]).to(target)
        with (device or Device()).autocast():
            hidden = model.hidden(inputs)
            nats += [cross_entropy(h, model.head.weight, g).item() for h, g in zip(hidden, goals, strict=True)]
    model.train()
    return np.array(nats)


def ratio(top: np.ndarray, bottom: np.ndarray) -> tuple[float, float]:
    """Total over total of paired values, with its standard error (linearised), pairs taken as independent."""
    mean = top.sum() / bottom.sum()
    spread = np.sqrt(((top - mean * bottom) ** 2).sum() * len(top) / max(len(top) - 1, 1))
    return float(mean), float(spread / bottom.sum())


class Shape(Protocol):
    """What of a model the plan of a run over text depends on."""

    @property
    def vocab_size(self) -> int: ...
    @property
    def context_length(self) -> int: ...
    def flops_per_token(self) -> int: ...


class Text(Settings, Protocol):
    """A config of training on next-token prediction over shards, of whatever model."""

    @property
    def shards(self) -> Path: ...
    @property
    def model(self) -> Shape: ...
    @property
    def tokens(self) -> int: ...
    @property
    def batch_tokens(self) -> int: ...


def make_plan(config: Text, **particulars: Any) -> Plan:
    """The loop's plan for a config; batches are whole sequences."""
    length = config.model.context_length
    return Plan.of(
        config,
        tokens=config.tokens // length * length,
        batch_sequences=max(1, round(config.batch_tokens / length)),
        sequence_tokens=length,
        flops_per_token=config.model.flops_per_token(),
        **particulars,
    )


def check_fits(config: Text, split: Split) -> None:
    """Raise ConfigError where the shards have more tokens than the model, BudgetError where they are too short."""
    if split.vocab_size > config.model.vocab_size:
        raise ConfigError(
            f"the shards have token ids up to {split.vocab_size - 1}, the model only {config.model.vocab_size}",
            where="model.vocab_size",
        )
    length = config.model.context_length
    if split.n_tokens <= length:
        raise BudgetError(f"{split.n_tokens} training tokens do not fill one window of {length}", where=config.shards)
    if config.tokens < length:
        raise BudgetError(f"{config.tokens} tokens are fewer than one sequence of {length}", where="tokens")


def _values(measures: dict[str, tuple[float, float]]) -> dict[str, float]:
    return {name: value for name, (value, _) in measures.items()}


def sealed_by(forecast: Path | None) -> str | None:
    """The seal of the forecast that was made of a run, where there is one."""
    return str(RunDir.open(forecast, "seal").read_json("forecast.json")["seal"]) if forecast else None


def _branch_off(config: Config, directory: RunDir, ranks: Ranks, model: Transformer, optimizer: Optimizer) -> None:
    """Copy the branch point in as this run's first checkpoint; fit() then resumes from it as from any other."""
    if config.branch is None:
        return
    there = ranks.newest(directory.path, model, optimizer) is not None
    if any(ranks.total([there])):
        return
    folder = config.branch.run / "checkpoints" / f"{config.branch.step:08d}"
    ranks.by_first(partial(_check_branch, folder, config.branch), lambda: None)
    ranks.begin_from(folder, directory.path, model, optimizer, config.keep_checkpoints)


def _check_branch(folder: Path, branch: Branch) -> None:
    if not folder.is_dir():
        known = ", ".join(str(int(p.name)) for p in states.checkpoints(branch.run)) or "none"
        raise RunError(f"no checkpoint at step {branch.step}; steps kept: {known}", where=branch.run)


def _write_results(
    directory: RunDir, config: Config, state: states.TrainState, final: dict[str, tuple[float, float]]
) -> None:
    shape = config.model
    units = {"val/bpb": "bits/byte", "val/loss": "nats/token"}
    results: dict[str, dict[str, object]] = {
        name: {"value": value, "stderr": stderr, "n": config.eval_tokens, "unit": units[name]}
        for name, (value, stderr) in final.items()
    }
    losses = [row["train/loss"] for row in directory.rows() if "train/loss" in row]
    results["train/loss"] = {"value": losses[-1] if losses else None, "unit": "nats/token"}
    counts = {
        "n_params": shape.n_params,
        "n_params_non_embedding": shape.n_params_non_embedding,
        "flops": state.flops,
        "flops_6nd": shape.flops_6nd_per_token() * state.tokens,
        "tokens": state.tokens,
        "steps": state.step,
        "skipped_steps": state.skipped,
    }
    directory.write_json("result.json", results | {name: {"value": value} for name, value in counts.items()})


def _write_samples(directory: RunDir, config: Config, model: Transformer, x: np.ndarray, step: int) -> None:
    """Continue openings of held-out documents, drawn at temperature 0.8; unpicked."""
    if not config.samples:
        return
    from presage.data.tokenizer import Tokenizer
    from presage.model import decode

    (directory.path / "samples.jsonl").unlink(missing_ok=True)  # of a run that was killed here
    tokenizer = Tokenizer.load(config.shards)
    half = config.model.context_length // 4
    prompts = [row[:half].tolist() for row in x[: config.samples]]
    texts = decode.generate(model, prompts, 2 * half, temperature=0.8, top_p=0.95, seed=config.seed)
    for prompt, ids in zip(prompts, texts, strict=True):
        directory.sample(step=step, prompt=tokenizer.decode(prompt), completion=tokenizer.decode(ids))
