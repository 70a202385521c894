"""Settings of reinforcement learning, each with its source where it has one."""

from __future__ import annotations

from pydantic import Field, model_validator

from presage.align.grading import RulesConfig
from presage.align.learners import LARGEST, LEARNERS, Objective
from presage.align.prompts import read_prompts
from presage.core.config import Config as BaseConfig
from presage.core.config import File, Parent
from presage.core.device import Device
from presage.model.config import ModelConfig
from presage.model.weights import load_run
from presage.train.optim import OptimConfig


class Penalty(BaseConfig):
    """β of the KL penalty against the policy that training begins with."""

    beta: float = Field(default=0.02, ge=0, le=LARGEST)
    """InstructGPT's. Of ppo a reward on each token, of grpo a term of the loss."""
    target: float | None = Field(default=None, gt=0)
    """Nats a completion that an adaptive β aims at (Ziegler et al. 2019, section 2.2); none: β is fixed."""
    horizon: int = Field(default=10_000, gt=0)
    """Completions over which it adapts."""
    stop: float | None = Field(default=None, gt=0)
    """Nats a completion beyond which training ends."""


class Ptx(BaseConfig):
    """Pretraining gradients mixed into the policy's."""

    shards: Parent
    coefficient: float = Field(default=1.0, gt=0, le=LARGEST)
    """γ: times the mean loss of a token of text, beside the mean surrogate of a token. InstructGPT's 27.8 belongs to
    sums of other sizes."""
    windows: int = Field(default=8, gt=0)
    """Windows of a whole context for each update (InstructGPT: 8 examples of text for each episode)."""


class Config(BaseConfig):
    """One policy. Numbers not said to be otherwise are InstructGPT's, those of batches and rates for smaller models."""

    policy: Parent
    """The run that it begins as and is held to: fine-tuned on demonstrations."""
    prompts: tuple[File, ...] = Field(min_length=1)
    """Files of prompts (presage.align.prompts)."""
    reward: Parent | None = None
    """A reward model; the value model begins as it (InstructGPT §3.5)."""
    rules: RulesConfig | None = None
    objective: Objective = Objective()
    penalty: Penalty = Penalty()
    ptx: Ptx | None = None
    steps: int = Field(default=100, gt=0)
    batch_prompts: int = Field(default=64, gt=0)
    """Prompts of a step, each with objective.group completions."""
    minibatch: int = Field(default=32, gt=0)
    """Completions of an update."""
    epochs: int = Field(default=1, gt=0)
    """Passes over a step's completions; Ziegler et al. 2019: 4."""
    answer_tokens: int = Field(default=64, gt=0)
    temperature: float = Field(default=1.0, gt=0)
    unfinished: float = Field(default=-1.0, ge=-LARGEST, le=0)
    """Added to the reward of a completion that does not come to an end (Ziegler et al. 2019); 0 switches it off."""
    normalise: bool = False
    """Rewards over the deviation that the starting policy's have, so that β and the value's clip mean the same whatever
    the reward model's scale (Ziegler et al. 2019, section 2.1)."""
    optim: OptimConfig = OptimConfig(kind="adamw", lr=1e-5, weight_decay=0.0, transfer=False)
    value_optim: OptimConfig = OptimConfig(kind="adamw", lr=1e-5, weight_decay=0.0, transfer=False)
    warmup_steps: int = Field(default=10, ge=0)
    """Steps over which the rate rises from a tenth."""
    final: float = Field(default=1.0, ge=0, le=1)
    """Share of the rate at the end, to which it falls in a line; InstructGPT's is constant."""
    mean_decay: float | None = Field(default=None, gt=0, lt=1)
    """Of a running mean of the weights, which is then the result (0.992); none: the last weights are."""
    device: Device | None = None
    seed: int = 0
    checkpoint_every: int = Field(default=0, ge=0)
    """Steps."""
    keep_checkpoints: int = Field(default=2, gt=0)
    samples: int = Field(default=4, ge=0)
    """Completions of each tenth step to write into samples.jsonl, unpicked."""
    model: ModelConfig | None = None
    """The policy's; filled in."""
    template: str = Field(default="chat", pattern="^chat$")

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.objective.name != "ppo" and self.objective.group < 2:
            raise ValueError(f"objective.group: {self.objective.name} compares completions of a prompt, 2 at least")
        if self.minibatch % self.objective.group:
            raise ValueError(f"minibatch {self.minibatch} is not a multiple of objective.group {self.objective.group}")
        if self.reward is None and self.rules is None:
            raise ValueError("neither a reward model nor rules: nothing to learn from")
        return self

    def plan(self) -> dict[str, object]:
        """What it will be, for --dry-run: the prompts are read, nothing is written."""
        shape = load_run(self.policy)[0].config
        episodes = self.steps * self.batch_prompts * self.objective.group
        models = 2 + (self.reward is not None) + LEARNERS[self.objective.name].needs_values
        states = 4 * 4 * (1 + LEARNERS[self.objective.name].needs_values)  # weights, gradients, two moments
        return {
            "parameters": shape.n_params,
            "models": models,
            "prompts": len(read_prompts(self.prompts)),
            "episodes": episodes,
            "updates": self.steps * self.epochs * -(-self.batch_prompts * self.objective.group // self.minibatch),
            "tokens written, at most": episodes * self.answer_tokens,
            "weights and their states, GB": round(shape.n_params * (states + 8) / 1e9, 3),
        }
