"""The training loop, for every stage that trains: it takes a loss function and batches, and nothing calls back.

The batch of a step is a pure function of (seed, sequences seen), the rate of (tokens seen): a run resumed from a
checkpoint makes the same updates, to the bit on a CPU.
"""

from __future__ import annotations

import contextlib
import math
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from presage.core.device import Device
from presage.core.errors import PresageError, Stopped
from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.seeds import derive
from presage.model.transformer import Transformer
from presage.train.optim import OptimConfig, Optimizer, clip_gradients
from presage.train.parallel import ALONE, Ranks
from presage.train.schedule import BatchRamp, ScheduleConfig
from presage.train.state import TrainState

Batch = Any
Loss = Callable[[Transformer, Batch], tuple[Tensor, float]]
"""(model, batch) -> (summed loss in nats, number of tokens it sums over, each as often as it counts)."""

GUARD_WINDOW = 64
GUARD_FACTOR = 20.0
GUARD_PATIENCE = 8


class Settings(Protocol):
    """What the config of every stage that trains says about its loop."""

    @property
    def micro_batch(self) -> int: ...
    @property
    def optim(self) -> OptimConfig: ...
    @property
    def schedule(self) -> ScheduleConfig: ...
    @property
    def seed(self) -> int: ...
    @property
    def log_every(self) -> int: ...
    @property
    def checkpoint_every(self) -> int: ...
    @property
    def keep_checkpoints(self) -> int: ...


@dataclass(frozen=True)
class Plan:
    """What to do and when; every interval is in tokens or steps, never in seconds."""

    tokens: int
    batch_sequences: int
    micro_batch: int
    sequence_tokens: int
    """What each sequence counts, however much of it is filling."""
    flops_per_token: int
    schedule: ScheduleConfig
    seed: int = 0
    ramp: BatchRamp | None = None
    grad_clip: float = 1.0
    log_every: int = 10
    eval_every: int = 0
    """Tokens; 0: only at the end."""
    checkpoint_every: int = 0
    keep: int = 2

    @classmethod
    def of(cls, config: Settings, **particulars: Any) -> Plan:
        """The plan of a stage: what every config says, and `particulars`, fields of a Plan, which go before it."""
        common: dict[str, Any] = {
            "micro_batch": config.micro_batch,
            "schedule": config.schedule,
            "seed": config.seed,
            "grad_clip": config.optim.grad_clip,
            "log_every": config.log_every,
            "checkpoint_every": config.checkpoint_every,
            "keep": config.keep_checkpoints,
        }
        return cls(**common | particulars)

    def sequences(self, state: TrainState) -> int:
        """Sequences of the next batch; the last one stops at `tokens` exactly."""
        full = self.batch_sequences
        now = self.ramp.sequences(state.tokens, full, self.sequence_tokens) if self.ramp else full
        return min(now, (self.tokens - state.tokens) // self.sequence_tokens)


def fit(
    model: Transformer,
    optimizer: Optimizer,
    batches: Callable[[int, int], Batch],
    loss: Loss,
    plan: Plan,
    run: RunDir,
    device: Device,
    evaluate: Callable[[], dict[str, float]] | None = None,
    label: str = "train",
    ranks: Ranks = ALONE,
) -> TrainState:
    """Train until `plan.tokens`, resuming from the newest whole checkpoint in `run`.

    `batches(first, count)` gives sequences first … first+count-1; `evaluate()` returns values for metrics.jsonl. Of
    `ranks` each computes its share of every batch, and the first one evaluates and writes.
    Raises Stopped after saving when SIGTERM or SIGINT arrives, PresageError when updates keep being refused.
    """
    state = ranks.newest(run.path, model, optimizer) or TrainState()
    run.cut_rows(state.step)
    model.train()
    with stop_signals() as signals, Progress(label, plan.tokens, shown=ranks.first) as progress:
        progress.begin(state.tokens)
        mark, marked = time.perf_counter(), state.tokens
        while plan.sequences(state) > 0:
            count, before = plan.sequences(state), state.tokens
            factor = plan.schedule.factor(state.tokens, plan.tokens)
            logged = (state.step + 1) % plan.log_every == 0
            torch.manual_seed(derive(plan.seed, "dropout", state.step, *([ranks.rank] if ranks.rank else [])))

            ranks.at(state.step)
            mean_loss = _gradients(model, optimizer, batches, loss, plan, state, count, device, logged, ranks)
            norm = clip_gradients(optimizer.gradients(), plan.grad_clip, ranks.everywhere)
            if sound(state, mean_loss, norm, plan.grad_clip):
                state.updates += 1
                with device.autocast():
                    optimizer.step(factor, state.updates)
            else:
                _, error = ranks.tried(partial(refuse, state, run, mean_loss, norm))
                if error is not None:
                    raise ranks.told(error)
            optimizer.zero_grad()

            state.step += 1
            state.sequences += count
            state.tokens += count * plan.sequence_tokens
            state.flops += count * plan.sequence_tokens * plan.flops_per_token

            row: dict[str, float] = {}
            if logged or state.tokens >= plan.tokens:
                row = _finite({"train/loss": mean_loss, "lr": factor * optimizer.config.lr, "grad_norm": norm})
                row |= _noise_row(state)
            if evaluate and _passed(before, state.tokens, plan.eval_every) and state.tokens < plan.tokens:
                row |= evaluate() if ranks.evaluates else {}
            if row:
                run.metric(step=state.step, tokens=state.tokens, flops=state.flops, **row)
                seconds = time.perf_counter() - mark
                rate = (state.tokens - marked) / seconds
                share = rate * plan.flops_per_token / (device.peak_flops * ranks.world) if device.peak_flops else None
                run.timing(step=state.step, seconds=seconds, tokens_per_s=rate, peak_share=share)
                mark, marked = time.perf_counter(), state.tokens
                shown = {"loss": f"{mean_loss:.3f}"} | ({"of peak": f"{100 * share:.0f} %"} if share else {})
                progress.update(state.tokens, **shown)
            (stopping,) = ranks.total([len(signals)])
            last = plan.sequences(state) == 0
            due = last or _passed(before, state.tokens, plan.checkpoint_every)
            if due or stopping:
                ranks.save(run.path, model, optimizer, state, plan.keep, passing=not due, last=last)
            if stopping and not last:
                stopped = f"stopped by a signal at step {state.step}, saved"
                raise ranks.told(Stopped(stopped, where=run.path, hint="--resume goes on"))
    return state


def _gradients(
    model: Transformer,
    optimizer: Optimizer,
    batches: Callable[[int, int], Batch],
    loss: Loss,
    plan: Plan,
    state: TrainState,
    count: int,
    device: Device,
    estimate_noise: bool,
    ranks: Ranks,
) -> float:
    """Leave the gradient of the batch's mean loss in .grad, summed over micro-batches and ranks; returns that mean."""
    total, tokens = 0.0, 0.0
    small: tuple[float, float] | None = None
    for number, (start, size, weight) in enumerate(ranks.passes(count, plan.micro_batch)):
        with device.autocast():
            value, n = loss(model, batches(state.sequences + start, size))
        (value if weight else value * 0.0).backward()  # type: ignore[no-untyped-call]
        total, tokens = total + weight * value.item(), tokens + weight * n
        if estimate_noise and number == 0 and ranks.evaluates:
            first = ranks.everywhere(tokens)
            small = (ranks.everywhere(_square(optimizer)) / max(first, 1) ** 2, first)
    total, tokens = ranks.total([total, tokens])  # first: here who does not come is named
    ranks.sum_gradients([*optimizer.named.values()])
    torch._foreach_div_(optimizer.gradients(), max(tokens, 1))
    if small is not None:
        _update_noise(state, small, (ranks.everywhere(_square(optimizer)), tokens))
    return total / max(tokens, 1)


def sound(state: TrainState, mean_loss: float, norm: float, clip: float) -> bool:
    """Whether to apply the update: finite, and the norm not both beyond what is clipped and far beyond the recent
    median, which of what is learnt by heart is next to nothing."""
    usual = statistics.median(state.norms) if len(state.norms) >= GUARD_WINDOW // 2 else math.inf
    if not (math.isfinite(mean_loss) and math.isfinite(norm)) or norm > max(clip, GUARD_FACTOR * usual):
        return False
    state.norms = [*state.norms[-GUARD_WINDOW + 1 :], norm]
    state.skipped_in_row = 0
    return True


def refuse(state: TrainState, run: RunDir, mean_loss: float, norm: float) -> None:
    """Count and tell an update that was not made. Raises PresageError after GUARD_PATIENCE in a row."""
    state.skipped += 1
    state.skipped_in_row += 1
    run.log(f"step {state.step + 1}: update skipped, loss {mean_loss:.4g}, gradient norm {norm:.4g}")
    if state.skipped_in_row >= GUARD_PATIENCE:
        raise PresageError(
            f"{GUARD_PATIENCE} updates in a row were not finite or exploded (loss {mean_loss:.4g}, norm {norm:.4g})",
            where=f"{run.path} step {state.step + 1}",
            hint="lower the learning rate, or look at this part of the data",
        )


def _square(optimizer: Optimizer) -> float:
    norms = torch._foreach_norm(optimizer.gradients())
    return float(torch.stack(norms).square().sum())


def _update_noise(state: TrainState, small: tuple[float, float], big: tuple[float, float]) -> None:
    """Running means of tr(Sigma) and |G|^2 from two batch sizes (McCandlish et al. 2018, appendix A.1)."""
    (square_small, n_small), (square_big, n_big) = small, big
    if n_small >= n_big or not math.isfinite(square_small + square_big):
        return
    values = {
        "trace": (square_small - square_big) / (1 / n_small - 1 / n_big),
        "square": (n_big * square_big - n_small * square_small) / (n_big - n_small),
    }
    for key, value in values.items():
        state.noise[key] = 0.9 * state.noise.get(key, value) + 0.1 * value


def _noise_row(state: TrainState) -> dict[str, float]:
    """Gradient noise scale in tokens: about the batch beyond which more data per step stops paying."""
    trace, square = state.noise.get("trace", 0.0), state.noise.get("square", 0.0)
    return {"noise_scale": trace / square} if trace > 0 and square > 0 else {}


def _finite(row: dict[str, float]) -> dict[str, float]:
    """What of a row can be written: a loss that is not a number is missing, and log.txt says so."""
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _passed(before: int, now: int, every: int) -> bool:
    return bool(every) and before // every != now // every


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that becomes non-empty at the first SIGTERM or SIGINT; the second one ends the process at once."""
    received: list[int] = []

    def receive(number: int, _: object) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    try:
        before = {number: signal.signal(number, receive) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: whoever owns it handles signals
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
