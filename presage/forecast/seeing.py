"""Rungs that learn to see: one training with images, cut to each budget.

A whole config of `presage vision` is given. With a base, a budget says how much of its images is read, warm-up and
decay in proportion. From scratch it says how wide the model is as well: the trunk by the ladder's rule, the encoder as
wide beside it as in the model that is given, but for the channels that its convolutions begin with. Rates, batch and
whatever else is learned by are those of the config in every rung and in the target.
"""

from __future__ import annotations

from presage.core.device import Device
from presage.core.errors import BudgetError, ConfigError, DataError
from presage.forecast.kinds import Size
from presage.forecast.scaling import Rule
from presage.model.config import ModelConfig, VisionConfig
from presage.train import vision

FEWEST_STEPS = 8
PLACES = 4
"""What each head of an encoder is a multiple of: it turns by row and column, two numbers each."""
EVEN = 4
"""What other widths within an encoder are multiples of."""


class Seeing:
    """Cuts one training; its images and base are read once.

    Raises as `presage vision` would refuse them, DataError where no documents are held out to promise a loss of, and
    ConfigError where the rule is of another model, or there is none and no base, or where rungs would see other images
    than the target for the order they come in.
    """

    def __init__(self, whole: vision.Config, rule: Rule | None = None) -> None:
        if whole.astray < 1:
            hint = "astray=1: a rung reads a part of every run of images"
            raise ConfigError("a curriculum: rungs would not come to its end", where="sight.astray", hint=hint)
        self.whole = whole
        self.extent, self.shape = vision.extent_and_shape(whole)
        self.rule = None if whole.base else _fitting(rule, self.shape)
        self._shapes: dict[float, ModelConfig] = {}
        if not vision.held_out_rows(whole, self.shape):
            hint = "make the images with held_out=0.02"
            raise DataError("no held-out documents, whose loss could be promised", where=whole.images[0], hint=hint)

    def config(self, compute: float, *, seed: int, device: Device | None, **changes: object) -> vision.Config:
        """The config of the run that spends `compute` FLOPs. BudgetError when that is too little for one."""
        model = self._shape(compute)
        row, least = self._cost(model) * self.extent.length, FEWEST_STEPS * self.whole.batch_rows
        rows = round(compute / row)
        if rows < least:
            what = f"{compute:.3g} FLOPs buy {rows} rows, fewer than {FEWEST_STEPS} batches of {self.whole.batch_rows}"
            raise BudgetError(what, hint=f"{row * least:.3g} FLOPs or more, or a smaller batch_rows")
        epochs = rows * (1 - self.whole.text_share) / self.extent.own
        share = rows / self.extent.rows(self.whole)
        horizons = ("warmup_tokens", "decay_tokens")
        schedule = self.whole.schedule.model_copy(
            update={name: round(share * getattr(self.whole.schedule, name)) for name in horizons}
        )
        own = {"model": model, "epochs": epochs, "schedule": schedule, "seed": seed, "device": device, "forecast": None}
        return self.whole.model_copy(update=own | changes)

    def size(self, config: vision.Config) -> Size:
        """What a training cut from this one comes to."""
        assert config.model is not None  # every one has it
        tokens, flops = self.extent.tokens(config), self.extent.flops(config, config.model)
        return Size(config.model.n_params, tokens, float(flops))

    def _shape(self, compute: float) -> ModelConfig:
        if self.rule is None:
            return self.shape
        if compute not in self._shapes:
            self._shapes[compute] = self.rule.model(compute, self._cost, self._with_eyes)
        return self._shapes[compute]

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
    """An encoder of other widths; its depth, heads, grid and stem_width stay."""
    steps = {"d_model": PLACES * eyes.n_heads, "d_ff": EVEN, "d_project": EVEN}
    wide = {name: max(1, round(factor * getattr(eyes, name) / step)) * step for name, step in steps.items()}
    return eyes.model_copy(update=wide)
