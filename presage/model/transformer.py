"""The trunk: embeddings in, hidden states out, and a head. It reads like the papers' equations.

    h_0 = embed(tokens) + position          (position only when learned; RoPE enters inside attention)
    h_l = block_l(h_{l-1})                  l = 1 … n_layers
    logits = norm(h_n) @ head^T

The trunk sees embeddings, positions and a mask; it knows nothing of where they came from.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from presage.core.errors import ConfigError
from presage.core.seeds import derive
from presage.model.attention import Attention, KeyValueStore
from presage.model.config import ModelConfig, VisionConfig
from presage.model.layers import Rotary, build_mlp, build_norm
from presage.model.vision import Vision, begin_vision


class Block(nn.Module):
    """Pre-norm: x + f(norm(x)), for attention then MLP (GPT-2 on)."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = build_norm(config, config.d_model)
        self.attention = Attention(config, layer)
        self.mlp_norm = build_norm(config, config.d_model)
        self.mlp = build_mlp(config)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()

    def forward(
        self, x: Tensor, positions: Tensor, rotary: Rotary | None, mask: Tensor | None, store: KeyValueStore | None
    ) -> Tensor:
        return self.think(self.attend(x, positions, rotary, mask, store))

    def attend(
        self, x: Tensor, positions: Tensor, rotary: Rotary | None, mask: Tensor | None, store: KeyValueStore | None
    ) -> Tensor:
        """The half in which positions see each other."""
        out: Tensor = x + self.dropout(self.attention(self.attention_norm(x), positions, rotary, mask, store))
        return out

    def think(self, x: Tensor) -> Tensor:
        """The half in which each position is by itself: x is [..., D]."""
        out: Tensor = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return out


class PostNormBlock(Block):
    """GPT-1: norm(x + f(x)), for attention then MLP."""

    def attend(
        self, x: Tensor, positions: Tensor, rotary: Rotary | None, mask: Tensor | None, store: KeyValueStore | None
    ) -> Tensor:
        """The half in which positions see each other."""
        out: Tensor = self.attention_norm(x + self.dropout(self.attention(x, positions, rotary, mask, store)))
        return out

    def think(self, x: Tensor) -> Tensor:
        """The half in which each position is by itself."""
        out: Tensor = self.mlp_norm(x + self.dropout(self.mlp(x)))
        return out


class Transformer(nn.Module):
    """A decoder-only Transformer built from a ModelConfig."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        learned = config.position == "learned"
        self.position_embed = nn.Embedding(config.context_length, config.d_model) if learned else None
        self.rotary = None if learned else Rotary(config)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        block = {"pre": Block, "post": PostNormBlock}[config.block]
        self.blocks = nn.ModuleList(block(config, layer) for layer in range(config.n_layers))
        self.norm: nn.Module = build_norm(config, config.d_model) if config.block == "pre" else nn.Identity()
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embed.weight
        self.score = nn.Linear(config.d_model, config.scores) if config.scores else None
        self.vision = Vision(config.vision, config.d_model) if config.vision else None

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T] -> logits [B, T, V]."""
        return self.logits(self.hidden(tokens))

    def hidden(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens [B, T] -> the states [B, T, D] the head reads."""
        return self.trunk(self.embed(tokens), torch.arange(tokens.shape[1], device=tokens.device), mask)

    def trunk(
        self, x: Tensor, positions: Tensor, mask: Tensor | None = None, store: KeyValueStore | None = None
    ) -> Tensor:
        """Embeddings [B, T, D] at `positions` ([T] or [B, T]) -> states [B, T, D]; mask True = may attend."""
        x = self._placed(x, positions)
        for block in self.blocks:
            x = block(x, positions, self.rotary, mask, store)
        out: Tensor = self.norm(x)
        return out

    def states(
        self, x: Tensor, positions: Tensor, mask: Tensor | None, store: KeyValueStore | None, wanted: Tensor
    ) -> Tensor:
        """As `trunk`, of the positions `wanted` [N] of the flattened batch: [N, D], to rounding the same.

        Whatever follows the last attention is computed for those alone.
        """
        x = self._placed(x, positions)
        for block in self.blocks[:-1]:
            x = block(x, positions, self.rotary, mask, store)
        last = cast(Block, self.blocks[-1])
        x = last.attend(x, positions, self.rotary, mask, store).flatten(0, 1)[wanted]
        out: Tensor = self.norm(last.think(x))
        return out

    def _placed(self, x: Tensor, positions: Tensor) -> Tensor:
        if self.position_embed is not None:
            x = x + self.position_embed(positions)
        out: Tensor = self.dropout(x)
        return out

    def scored(self, hidden: Tensor) -> Tensor:
        """States [..., D] -> scores [..., config.scores]. Raises ConfigError for a model that has none."""
        if self.score is None:
            raise ConfigError("this model has no scores", hint="set model.scores")
        out: Tensor = self.score(hidden)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        out: Tensor = self.head(hidden)
        return out


def build(config: ModelConfig, seed: int) -> Transformer:
    """A model initialised from its own generator: the same weights whatever was drawn before, nothing disturbed."""
    with torch.random.fork_rng(devices=[]):
        model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    rule = {"mup": _init_mup, "gpt1": _init_gpt, "gpt2": _init_gpt}[config.init]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name == "score.weight" or name.startswith("vision."):
                continue  # with their own generators, so that the trunk is the same with and without them
            if parameter.ndim == 2:
                parameter.normal_(0.0, rule(name, parameter, config), generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
        if model.score is not None:
            begin_scores(model, seed)
        if model.vision is not None:
            begin_vision(model.vision, seed)
    return model


def begin_scores(model: Transformer, seed: int) -> None:
    """Small random weights for the scores, N(0, 1/(d_model + 1)), and no bias (Stiennon et al. 2020, appendix)."""
    if model.score is None:
        raise ConfigError("this model has no scores", hint="set model.scores")
    generator = torch.Generator().manual_seed(derive(seed, "score"))
    with torch.no_grad():
        model.score.weight.normal_(0.0, (model.config.d_model + 1) ** -0.5, generator=generator)
        model.score.bias.zero_()


def with_scores(model: Transformer, scores: int, seed: int) -> Transformer:
    """A copy of a model that also gives so many scores, which begin at random; the trunk's weights are the model's."""
    scored = _copied(model, strict=False, scores=scores)
    begin_scores(scored, seed)
    return scored.to(model.embed.weight.device)


def with_vision(model: Transformer, vision: VisionConfig, seed: int) -> Transformer:
    """A copy of a model that also reads images, with an encoder that begins at random; the trunk's weights are its."""
    seeing = _copied(model, strict=False, vision=vision)
    begin_vision(cast(Vision, seeing.vision), seed)
    return seeing.to(model.embed.weight.device)


def with_context(model: Transformer, length: int) -> Transformer:
    """A copy that reads `length` tokens; its weights are the model's. What lies beyond its old end it has yet to learn.

    Raises ConfigError for positions that are learned: there is none to begin with.
    """
    if model.config.position != "rope":
        raise ConfigError(f"positions are learned, and end at {model.config.context_length}", where="context_length")
    return _copied(model, strict=True, context_length=length).to(model.embed.weight.device)


def _copied(model: Transformer, *, strict: bool, **changes: object) -> Transformer:
    """A model of the changed config on the CPU, with the other's weights; what it has besides begins at random."""
    with torch.random.fork_rng(devices=[]):
        copied = Transformer(model.config.model_copy(update=changes))
    copied.load_state_dict(model.state_dict(), strict=strict)
    return copied


def _init_mup(name: str, weight: Tensor, config: ModelConfig) -> float:
    """Standard deviation that keeps activations of order one at any width and depth (Yang et al. 2022, 2023)."""
    if name.startswith("head"):
        return 0.0 if not config.tie_embeddings else 1 / math.sqrt(config.d_model)
    if "embed" in name:
        return 1 / math.sqrt(config.d_model) if config.tie_embeddings else 1.0
    residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
    return (1 / math.sqrt(2 * config.n_layers) if residual else 1.0) / math.sqrt(weight.shape[1])


def _init_gpt(name: str, weight: Tensor, config: ModelConfig) -> float:
    """N(0, 0.02); GPT-2 draws positions at 0.01 and divides residual outputs by sqrt(2 n_layers)."""
    residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
    if config.init == "gpt1":
        return 0.02
    if name.startswith("position_embed"):
        return 0.01
    return 0.02 / math.sqrt(2 * config.n_layers) if residual else 0.02
