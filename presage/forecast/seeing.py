"""Rungs that learn to see: one training with images, cut to each budget.

A whole config of `presage vision` is given. With a base, a budget says how much of its images is read, and nothing
else changes. From scratch it says how wide the model is as well: the trunk by the ladder's rule, the encoder in the
same proportion. Rates, batch and whatever else the config says are those of every rung and of the target.
"""

from __future__ import annotations

from presage.core.device import Device
from presage.core.errors import BudgetError, ConfigError
from presage.forecast.scaling import Rule
from presage.model.config import ModelConfig, VisionConfig
from presage.train import vision

FEWEST_STEPS = 8
ROUND = 4
"""What widths within an encoder are multiples of."""


class Seeing:
    """Cuts one training; its images and base are read once. Raises as `presage vision` would refuse them, and
    ConfigError where the rule is of another model, or there is none and no base."""

    def __init__(self, whole: vision.Config, rule: Rule | None = None) -> None:
        self.whole = whole
        self.extent, self.shape = vision.extent_and_shape(whole)
        self.rule = None if whole.base else _fitting(rule, self.shape)

    def config(self, compute: float, *, seed: int, device: Device | None, **changes: object) -> vision.Config:
        """The config of the run that spends `compute` FLOPs. BudgetError when that is too little for one."""
        model = self.rule.model(compute, self._cost, self._with_eyes) if self.rule else self.shape
        rows = round(compute / (self._cost(model) * self.extent.length))
        if rows < FEWEST_STEPS * self.whole.batch_rows:
            what = f"{compute:.3g} FLOPs buy {rows} rows, fewer than {FEWEST_STEPS} batches of {self.whole.batch_rows}"
            raise BudgetError(what, hint="raise the budget, or lower batch_rows")
        epochs = rows * (1 - self.whole.text_share) / self.extent.own
        share = rows / self.extent.rows(self.whole)
        horizons = ("warmup_tokens", "decay_tokens")
        schedule = self.whole.schedule.model_copy(
            update={name: round(share * getattr(self.whole.schedule, name)) for name in horizons}
        )
        own = {"model": model, "epochs": epochs, "schedule": schedule, "seed": seed, "device": device, "forecast": None}
        return self.whole.model_copy(update=own | changes)

    def _cost(self, model: ModelConfig) -> float:
        return sum(self.extent.flops_per_token(self.whole, model))

    def _with_eyes(self, trunk: ModelConfig) -> ModelConfig:
        assert self.shape.vision is not None
        return trunk.model_copy(update={"vision": _scaled(self.shape.vision, trunk.d_model / self.shape.d_model)})


def _fitting(rule: Rule | None, shape: ModelConfig) -> Rule:
    if rule is None:
        raise ConfigError("rungs from scratch follow a rule, and there is none", where="rule")
    wrong = [name for name in ("vocab_size", "context_length") if getattr(rule, name) != getattr(shape, name)]
    if wrong:
        said = ", ".join(f"{name} {getattr(rule, name)}, the model's {getattr(shape, name)}" for name in wrong)
        raise ConfigError(f"the rule is of another model: {said}", where="rule")
    return rule


def _scaled(eyes: VisionConfig, factor: float) -> VisionConfig:
    """An encoder of other widths; its depth, heads and grid stay."""
    step = ROUND * eyes.n_heads
    wide = {"d_model": max(1, round(factor * eyes.d_model / step)) * step}
    wide |= {name: max(1, round(factor * getattr(eyes, name) / ROUND)) * ROUND for name in ("d_ff", "d_project")}
    return eyes.model_copy(update=wide)
