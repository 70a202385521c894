"""What a policy learns from its rollouts, one interface for four objectives of presage.align.objectives.

| objective | what a completion is worth | loss |
| :-- | :-- | :-- |
| ppo | KL penalty on each token, score on the last; GAE with a value model | clipped surrogate |
| grpo | its score against those of its group | clipped surrogate, KL in the loss |
| best | 1 for the best of its group, 0 for the others | −log P |
| dpo | the best of its group is preferred to the worst | DPO against the reference |

`prepare` turns the rollouts of a step into what each is worth, `loss` is what is minimised of one minibatch, given
log P under the policy as it now is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from pydantic import Field
from torch import Tensor

from presage.align.objectives import (
    Stats,
    advantages_of,
    group_advantages,
    group_loss,
    masked_mean,
    policy_loss,
    preference_loss,
    token_rewards,
    whiten,
)
from presage.align.rollout import Batch
from presage.core.config import Config

Name = Literal["ppo", "grpo", "best", "dpo"]
NAMES: tuple[Name, ...] = get_args(Name)
LARGEST = 1e6
"""Of a coefficient: beyond it sums of a step overflow."""


class Objective(Config):
    """How a policy learns; every trick can be switched off."""

    name: Name = "ppo"
    group: int = Field(default=1, gt=0)
    """Completions of a prompt; 2 or more for all but ppo."""
    clip: float = Field(default=0.2, gt=0, le=LARGEST)
    """ε of the surrogate (Schulman et al. 2017); a large number switches it off."""
    value_clip: float | None = Field(default=0.2, gt=0, le=LARGEST)
    """How far a value may move from what it was (Ziegler et al. 2019); none: as far as it likes."""
    gamma: float = Field(default=1.0, gt=0, le=1)
    lam: float = Field(default=0.95, ge=0, le=1)
    """λ of GAE; 1: no bootstrapping."""
    whiten: bool = True
    """Advantages of a step to mean 0 and variance 1 (Ziegler et al. 2019); of grpo: over the group's deviation."""
    dpo_beta: float = Field(default=0.1, gt=0)


class Learner(ABC):
    """An objective at work."""

    needs_values = False

    def __init__(self, config: Objective) -> None:
        self.config = config

    @abstractmethod
    def prepare(self, batches: Sequence[Batch], beta: float) -> list[Batch]:
        """The minibatches of a step, each of whole groups, with what their completions are worth."""

    @abstractmethod
    def loss(self, new: Tensor, batch: Batch, beta: float) -> tuple[Tensor, Stats]:
        """What is minimised, given log P [B, T − 1] under the policy as it is now."""


class Ppo(Learner):
    """InstructGPT §3.5 with the details of Ziegler et al. 2019."""

    needs_values = True

    def prepare(self, batches: Sequence[Batch], beta: float) -> list[Batch]:
        """Advantages and returns by GAE; whitened over the whole step."""
        found = []
        for one in batches:
            rewards = token_rewards(one.scores, one.old, one.reference, one.mask, beta)
            ahead = advantages_of(rewards, one.values, one.mask, self.config.gamma, self.config.lam)
            found.append(one.with_(advantages=ahead, returns=ahead + one.values))
        return _whitened(found) if self.config.whiten else found

    def loss(self, new: Tensor, batch: Batch, beta: float) -> tuple[Tensor, Stats]:
        """The clipped surrogate."""
        return policy_loss(new, batch.old, batch.advantages, batch.mask, self.config.clip)


class Grpo(Learner):
    """Shao et al. 2024: the group's mean in place of a value model."""

    def prepare(self, batches: Sequence[Batch], beta: float) -> list[Batch]:
        """One advantage a completion."""
        return [
            one.with_(advantages=group_advantages(one.scores, self.config.group, scale=self.config.whiten))
            for one in batches
        ]

    def loss(self, new: Tensor, batch: Batch, beta: float) -> tuple[Tensor, Stats]:
        """The clipped surrogate and β KL."""
        return group_loss(new, batch.old, batch.reference, batch.advantages, batch.mask, self.config.clip, beta)


class _Grouped(Learner):
    """Of every group one completion is picked out, or several."""

    def prepare(self, batches: Sequence[Batch], beta: float) -> list[Batch]:
        """`_sides` of each group; 0 where all of it are alike."""
        found = []
        for one in batches:
            groups = one.scores.view(-1, self.config.group)
            differ = (groups != groups[:, :1]).any(1, keepdim=True)
            found.append(one.with_(advantages=(self._sides(groups) * differ).flatten()))
        return found

    @abstractmethod
    def _sides(self, groups: Tensor) -> Tensor:
        """What every completion counts, given the scores of groups [G, n]."""


class Best(_Grouped):
    """Best of n, learned: fine-tuning on the completion with the highest score (Stiennon et al. 2020 compare with the
    n-fold sampling that this imitates). Where all of a group are alike, none is learned."""

    def _sides(self, groups: Tensor) -> Tensor:
        """1 for the first best."""
        return torch.zeros_like(groups).scatter_(1, groups.argmax(1, keepdim=True), 1.0)

    def loss(self, new: Tensor, batch: Batch, beta: float) -> tuple[Tensor, Stats]:
        """−log P, the mean over the tokens of those."""
        mask = batch.mask & (batch.advantages[:, None] > 0)
        return -masked_mean(new, mask), {"learned": float(batch.advantages.mean())}


class Dpo(_Grouped):
    """Rafailov et al. 2023 on the policy's own completions: the best of a group against its worst."""

    def _sides(self, groups: Tensor) -> Tensor:
        """+1 for the best and −1 for the worst."""
        best = torch.zeros_like(groups).scatter_(1, groups.argmax(1, keepdim=True), 1.0)
        return best.scatter(1, groups.argmin(1, keepdim=True), -1.0)

    def loss(self, new: Tensor, batch: Batch, beta: float) -> tuple[Tensor, Stats]:
        """DPO's, over the groups that teach."""
        sides = batch.advantages.view(-1, self.config.group)
        teaches = (sides != 0).any(1)
        if not bool(teaches.any()):
            return 0.0 * new.sum(), {"learned": 0.0}
        said, shown = ((values * batch.mask).sum(1).view(sides.shape)[teaches] for values in (new, batch.reference))
        best, worst = sides[teaches].argmax(1, keepdim=True), sides[teaches].argmin(1, keepdim=True)
        one, other, shown_one, shown_other = (
            values.gather(1, side)[:, 0] for values in (said, shown) for side in (best, worst)
        )
        loss, stats = preference_loss(one, other, shown_one, shown_other, self.config.dpo_beta)
        return loss, stats | {"learned": float(teaches.float().mean())}


LEARNERS: dict[Name, type[Learner]] = {"ppo": Ppo, "grpo": Grpo, "best": Best, "dpo": Dpo}


def _whitened(batches: Sequence[Batch]) -> list[Batch]:
    flat = torch.cat([one.advantages[one.mask] for one in batches])
    white = whiten(flat, torch.ones_like(flat, dtype=torch.bool))
    parts = torch.split(white, [int(one.mask.sum()) for one in batches])
    found = []
    for one, part in zip(batches, parts, strict=True):
        advantages = torch.zeros_like(one.advantages)
        advantages[one.mask] = part
        found.append(one.with_(advantages=advantages))
    return found
