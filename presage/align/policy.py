"""One step of learning from rollouts: the models that take part, and their updates.

Everything that differs between objectives is in presage.align.learners; what stands here is the same for all of them.
log P of the rollouts is computed in the very minibatches that are learned from, so that the ratio of new to old is
exactly 1 until the first update (tests).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from presage.align.learners import Learner
from presage.align.objectives import Stats, value_loss
from presage.align.rollout import Batch, Rollout, batch_of, spoken, valued
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.model.losses import cross_entropy
from presage.model.transformer import Transformer
from presage.train.loop import refuse, sound
from presage.train.optim import Optimizer, clip_gradients
from presage.train.state import TrainState

Windows = Callable[[int, int], tuple[Tensor, Tensor]]
"""(first, count) -> pretraining windows, x and y [count, T]."""


@dataclass
class Models:
    """The policy and what it is compared with. `value` is there where the objective needs one."""

    policy: Transformer
    optimizer: Optimizer
    reference: Transformer
    value: Transformer | None = None
    value_optimizer: Optimizer | None = None
    mean: dict[str, Tensor] = field(default_factory=dict)
    """A running mean of the policy's weights, where one is kept."""

    def further(self) -> dict[str, Mapping[str, Tensor]]:
        """What a checkpoint holds besides the policy and its optimizer."""
        found: dict[str, Mapping[str, Tensor]] = {"mean": self.mean} if self.mean else {}
        if self.value is not None and self.value_optimizer is not None:
            found |= {"value": dict(self.value.named_parameters()), "value_optimizer": self.value_optimizer.state}
        return found


@dataclass(frozen=True)
class Update:
    """How a step's rollouts are learned from. ptx: γ of PPO-ptx; 0 switches it off. windows: of pretraining text, for
    each minibatch. mean_decay: of the running mean of weights; None keeps none."""

    learner: Learner
    epochs: int
    minibatch: int
    group: int
    grad_clip: float
    value_clip: float | None
    ptx: float
    windows: int
    mean_decay: float | None
    seed: int

    def batches(self, rollouts: Sequence[Rollout], scores: Sequence[float], models: Models, step: int) -> list[Batch]:
        """Minibatches of whole groups in a random order, with log P under policy and reference, and values."""
        groups = len(rollouts) // self.group
        order = stream(self.seed, "minibatches", step).permutation(groups)
        size = max(1, self.minibatch // self.group)
        found = []
        for start in range(0, groups, size):
            rows = [g * self.group + k for g in order[start : start + size] for k in range(self.group)]
            made = batch_of([rollouts[i] for i in rows], [scores[i] for i in rows], models.policy.embed.weight.device)
            found.append(_known(made, models))
        return found

    def learn(
        self, batches: Sequence[Batch], models: Models, state: TrainState, factor: float, beta: float,
        windows: Windows | None, run: RunDir,
    ) -> Stats:  # fmt: skip
        """`epochs` passes over prepared minibatches; means of what each reports."""
        seen: list[Stats] = []
        for epoch in range(self.epochs):
            order = stream(self.seed, "epoch", state.step, epoch).permutation(len(batches))
            for batch in (batches[place] for place in order.tolist()):
                stats = self._update(batch, models, state, factor, beta, windows, run)
                seen.append(stats)
        return _means(seen)

    def _update(
        self, batch: Batch, models: Models, state: TrainState, factor: float, beta: float,
        windows: Windows | None, run: RunDir,
    ) -> Stats:  # fmt: skip
        stats = self.gradients(batch, models, beta, None if windows is None else self._next(windows, state))
        norm = clip_gradients(models.optimizer.gradients(), self.grad_clip)
        if sound(state, stats["policy/loss"], norm, self.grad_clip):
            state.updates += 1
            models.optimizer.step(factor, state.updates)
            self._average(models)
        else:
            refuse(state, run, stats["policy/loss"], norm)
        models.optimizer.zero_grad()
        return stats | {"grad_norm": norm} | self._learn_value(batch, models, state, factor)

    def gradients(self, batch: Batch, models: Models, beta: float, text: tuple[Tensor, Tensor] | None = None) -> Stats:
        """Leave the policy's gradient in .grad: the objective's, plus γ times that of log P of pretraining text, the
        mean over tokens of each, computed one after the other and accumulated (InstructGPT, appendix C.4)."""
        new, spread = spoken(models.policy, batch)
        loss, stats = self.learner.loss(new, batch, beta)
        loss.backward()  # type: ignore[no-untyped-call]
        found = {"policy/loss": loss.item(), "entropy": spread.item()} | {f"policy/{k}": v for k, v in stats.items()}
        if text is None:
            return found
        x, y = text
        nats = cross_entropy(models.policy.hidden(x), models.policy.head.weight, y) / y.numel()
        (self.ptx * nats).backward()  # type: ignore[no-untyped-call]
        return found | {"ptx/loss": nats.item()}

    def _next(self, windows: Windows, state: TrainState) -> tuple[Tensor, Tensor]:
        return windows(state.updates * self.windows, self.windows)

    def _learn_value(self, batch: Batch, models: Models, state: TrainState, factor: float) -> Stats:
        if models.value is None or models.value_optimizer is None:
            return {}
        loss, stats = value_loss(valued(models.value, batch), batch.values, batch.returns, batch.mask, self.value_clip)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = clip_gradients(models.value_optimizer.gradients(), self.grad_clip)
        if math.isfinite(norm):
            models.value_optimizer.step(factor, max(1, state.updates))
        models.value_optimizer.zero_grad()
        return {"value/loss": loss.item()} | {f"value/{name}": value for name, value in stats.items()}

    @torch.no_grad()
    def _average(self, models: Models) -> None:
        if self.mean_decay is None:
            return
        for name, parameter in models.policy.named_parameters():
            models.mean[name].lerp_(parameter, 1 - self.mean_decay)


@torch.no_grad()
def _known(batch: Batch, models: Models) -> Batch:
    old, _ = spoken(models.policy, batch)
    reference, _ = spoken(models.reference, batch)
    values = batch.values if models.value is None else valued(models.value, batch)
    return batch.with_(old=old, reference=reference, values=values)


def kl_of(batches: Sequence[Batch]) -> float:
    """Mean over completions of log π − log π_ref, nats a completion: an estimate of KL(π, π_ref) by its own samples."""
    sums = torch.cat([((one.old - one.reference) * one.mask).sum(1) for one in batches])
    return float(sums.mean())


def _means(seen: Sequence[Stats]) -> Stats:
    names = dict.fromkeys(name for one in seen for name in one)
    return {name: statistics.fmean(one[name] for one in seen if name in one) for name in names}
