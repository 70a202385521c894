"""One dial: compute fixes shape, tokens, batch, learning rates and warm-up by written rules.

Predictability is a property of the recipe. Every rung and the target follow the same rule, and no rung is tuned by
hand; docs/LOG.md holds the sweeps in which the rule's learning rate was compared with the best one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from presage.core.config import Config
from presage.core.device import Device
from presage.core.errors import BudgetError
from presage.model.config import ModelConfig, qwen3
from presage.train import pretrain
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

REFERENCE = 1e12  # FLOPs at which `batch_tokens` and `lr` hold


class Rule(Config):
    """How everything follows from compute C. Exponents apply to C / 1e12 FLOPs."""

    vocab_size: int = Field(gt=0)
    context_length: int = Field(gt=0)
    tokens_per_param: float = Field(default=8.0, gt=0)
    """Tokens per parameter, embeddings left out but the output head counted: what every token is multiplied with."""
    n_layers: int = Field(default=2, gt=0)
    layers_exponent: float = 0.0
    """Depth grows as C to this power."""
    d_head: int = Field(default=64, gt=0)
    width_step: int = Field(default=4, gt=0)
    rope_theta: float = 10_000.0
    qkv_bias: bool = False
    """Biases on queries, keys and values: a query that depends on position alone, such as for the token before, is then
    learned at once, and models this small attend from their first hundred steps on (docs/LOG.md)."""
    batch_tokens: int = Field(default=1792, gt=0)
    batch_exponent: float = 0.33
    lr: float = 0.02
    lr_exponent: float = 0.0
    adam_lr: float = 0.04
    adam_lr_exponent: float = -0.15
    weight_decay: float = 0.1
    warmup: float = 0.02
    """Share of the tokens."""
    decay: float = 0.5
    """Share of the tokens in the final linear decay."""

    def model(
        self,
        compute: float,
        cost: Callable[[ModelConfig], float] = ModelConfig.flops_per_token,
        whole: Callable[[ModelConfig], ModelConfig] = lambda shape: shape,
    ) -> ModelConfig:
        """The width whose token count at this compute is nearest to tokens_per_param (in logarithm).

        cost: FLOPs of training on a token; whole: the model around a trunk of some width.
        """
        layers = max(1, round(self.n_layers * (compute / REFERENCE) ** self.layers_exponent))
        widths = range(2 * self.width_step, 20_000, self.width_step)
        shapes = (whole(self._shape(width, layers)) for width in widths)
        return min(shapes, key=lambda shape: self._mismatch(shape, compute / cost(shape)))

    def _shape(self, width: int, layers: int) -> ModelConfig:
        """At least two heads of about d_head each, so that shapes change smoothly with width."""
        heads = max(2, round(width / self.d_head))
        shape: dict[str, object] = {
            "n_heads": heads,
            "n_kv_heads": heads,
            "d_head": max(1, round(width / heads / 2)) * 2,
            "rope_theta": self.rope_theta,
            "qkv_bias": self.qkv_bias,
        }
        hidden = max(1, round(8 * width / 3 / self.width_step)) * self.width_step
        return qwen3(self.vocab_size, self.context_length, layers, width, d_ff=hidden, **shape)

    def _mismatch(self, shape: ModelConfig, tokens: float) -> float:
        weights = shape.n_params_non_embedding + shape.vocab_size * shape.d_model
        ratio = tokens / (weights * self.tokens_per_param)
        return max(ratio, 1 / ratio)

    def affords(self, compute: float) -> bool:
        """Whether `compute` buys a run under this rule."""
        try:
            self.config(compute, Path(), seed=0, device=None)
        except BudgetError:
            return False
        return True

    def config(
        self, compute: float, shards: Path, *, seed: int, device: Device | None, **changes: object
    ) -> pretrain.Config:
        """The full config of the run that spends `compute` FLOPs. BudgetError when that is too little for one."""
        model = self.model(compute)
        scale = compute / REFERENCE
        length = self.context_length
        batch = max(1, round(self.batch_tokens * scale**self.batch_exponent / length)) * length
        tokens = round(compute / model.flops_per_token() / length) * length
        if tokens < 8 * batch:
            raise BudgetError(
                f"{compute:.3g} FLOPs buy {tokens} tokens, fewer than 8 batches of {batch}",
                hint="raise the budget, or lower batch_tokens or context_length",
            )
        lr, adam_lr = self.lr * scale**self.lr_exponent, self.adam_lr * scale**self.adam_lr_exponent
        config = pretrain.Config(
            shards=shards,
            model=model,
            tokens=tokens,
            batch_tokens=batch,
            micro_batch=16,
            optim=OptimConfig(lr=lr, adam_lr=adam_lr, weight_decay=self.weight_decay, base_depth=self.n_layers),
            schedule=ScheduleConfig(warmup_tokens=int(self.warmup * tokens), decay_tokens=int(self.decay * tokens)),
            device=device,
            seed=seed,
        )
        return pretrain.Config.parse(config.model_dump(mode="json") | changes)
