"""The shape of a Transformer, its exact parameter and FLOP counts, and the published shapes as presets."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from presage.core.config import Config
from presage.core.errors import ConfigError, did_you_mean
from presage.data.images.grid import Grid
from presage.model.rope import Stretch


class VisionConfig(Grid):
    """The encoder of images in front of a trunk (presage.model.vision)."""

    n_layers: int = Field(default=2, ge=0)
    d_model: int = Field(default=128, gt=0)
    n_heads: int = Field(default=4, gt=0)
    d_ff: int = Field(default=352, gt=0)
    d_project: int = Field(default=256, gt=0)
    stem: Literal["conv", "linear"] = "conv"
    stem_width: int = Field(default=16, gt=0)
    """Channels after the first halving; each further one doubles them, up to d_model."""
    rope_theta: float = 100.0

    @model_validator(mode="after")
    def _sees(self) -> Self:
        if self.d_model % (4 * self.n_heads):
            raise ValueError(f"d_model {self.d_model} is not a multiple of 4 x n_heads: heads turn by row and column")
        if self.stem == "conv" and self.patch & (self.patch - 1):
            raise ValueError(f"convolutions halve: patch {self.patch} is not a power of 2 (or stem=linear)")
        return self

    @property
    def d_head(self) -> int:
        """Width of a head."""
        return self.d_model // self.n_heads

    @property
    def stem_widths(self) -> list[int]:
        """Channels after each halving."""
        halvings = self.patch.bit_length() - 1
        return [min(self.d_model, self.stem_width << number) for number in range(halvings)]

    def as_blocks(self) -> ModelConfig:
        """The shape of the encoder's blocks."""
        shape = {"vocab_size": 1, "context_length": 1, "n_layers": max(1, self.n_layers), "d_model": self.d_model}
        heads = {"n_heads": self.n_heads, "n_kv_heads": self.n_heads, "d_head": self.d_head, "d_ff": self.d_ff}
        return ModelConfig.parse(shape | heads)

    def n_params(self, width: int) -> int:
        """All trained numbers, the projector to a trunk of `width` included."""
        blocks = self.n_layers * self.as_blocks()._block_params
        stem = sum(wide * (9 * narrow + 9 * wide + 6) for narrow, wide, _ in self._halvings())
        stem += self.d_model * ((self.stem_widths or [3])[-1] + 1)
        stem = stem if self.stem == "conv" else self.d_model * (3 * self.patch**2 + 1)
        merged = self.d_model * self.merge**2
        return stem + blocks + merged + (merged + 1) * self.d_project + (self.d_project + 1) * width

    def flops_forward(self, height: int, width: int, trunk: int) -> int:
        """FLOPs of one image of so many pixels, up to embeddings of a trunk of width `trunk`: its matmuls."""
        patches = height * width // self.patch**2
        return round(self.flops_of_patches(patches, patches**2, trunk))

    def flops_of_patches(self, patches: float, squares: float, trunk: int) -> float:
        """The same of many images at once, by the sum of their numbers of patches and that of the squares of these."""
        stem = sum(9 * (narrow + wide) * wide * 4**left for narrow, wide, left in self._halvings())
        stem += self.d_model * (self.stem_widths or [3])[-1]
        stem = stem if self.stem == "conv" else self.d_model * 3 * self.patch**2
        block = self.as_blocks()
        blocks, attention = self.n_layers * block._block_matmul, self.n_layers * 2 * self.d_model
        project = self.d_model * self.d_project + self.d_project * trunk / self.merge**2
        return 2 * (patches * (stem + blocks + project) + squares * attention)

    def _halvings(self) -> list[tuple[int, int, int]]:
        """(channels in, channels out, halvings still to come) of every convolution."""
        widths = [3, *self.stem_widths]
        return [(widths[i], widths[i + 1], len(widths) - 2 - i) for i in range(len(widths) - 1)]


class ModelConfig(Config):
    """A decoder-only Transformer. The defaults are Qwen3's block: RMSNorm, RoPE, SwiGLU, QK-norm, no biases."""

    vocab_size: int = Field(gt=0)
    context_length: int = Field(gt=0)
    n_layers: int = Field(gt=0)
    d_model: int = Field(gt=0)
    n_heads: int = Field(gt=0)
    n_kv_heads: int = Field(gt=0)
    d_head: int = Field(gt=0)
    d_ff: int = Field(gt=0)
    norm: Literal["rms", "layer"] = "rms"
    norm_eps: float = Field(default=1e-6, ge=0)
    block: Literal["pre", "post"] = "pre"
    """pre: x + f(norm(x)) and a final norm (GPT-2 on); post: norm(x + f(x)) and none (GPT-1)."""
    position: Literal["rope", "learned"] = "rope"
    rope_theta: float = Field(default=10_000.0, gt=0)
    mlp: Literal["swiglu", "gelu"] = "swiglu"
    bias: bool = False
    qk_norm: bool = True
    tie_embeddings: bool = False
    band: int | None = Field(default=None, gt=0)
    """Width of the local attention band in every second layer (GPT-3's sparse layers); None: all layers dense."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    init: Literal["mup", "gpt1", "gpt2"] = "mup"
    """mup: variance 1/fan_in, zero head; gpt1: N(0, 0.02); gpt2: also 1/sqrt(2 n_layers) on residual outputs."""
    scores: int | None = Field(default=None, gt=0)
    """Numbers read off each state besides the logits: the classes of a classifier, 1 for a reward or a value."""
    vision: VisionConfig | None = None
    """How images are read; None: text alone."""
    qkv_bias: bool = False
    """Biases on queries, keys and values alone (Qwen2)."""
    rope_scaling: Stretch | None = None
    """How rotary positions are stretched to a longer context than the one first trained on."""

    @model_serializer(mode="wrap")
    def _as_sealed(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Later fields only where they are set, as before there were any: seals hold the digest of a model's config."""
        data: dict[str, Any] = plain(self)
        return {key: value for key, value in data.items() if key not in _LATER or value}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_heads {self.n_heads} is not a multiple of n_kv_heads {self.n_kv_heads}")
        if self.position == "rope" and self.d_head % 2:
            raise ValueError(f"RoPE needs an even d_head, got {self.d_head}")
        if self.rope_scaling and self.position != "rope":
            raise ValueError("rope_scaling stretches position=rope, and positions are learned")
        if self.bias and self.qkv_bias:
            raise ValueError("bias has the biases of qkv_bias in it: set one of them")
        return self

    # ---- parameters -------------------------------------------------------------------------------------------

    @property
    def n_params(self) -> int:
        """All trained numbers."""
        head = 0 if self.tie_embeddings else self.vocab_size * self.d_model
        embeddings = self.vocab_size * self.d_model + self._position_params
        vision = self.vision.n_params(self.d_model) if self.vision else 0
        return self.n_params_non_embedding + embeddings + head + (self.scores or 0) * (self.d_model + 1) + vision

    @property
    def n_params_non_embedding(self) -> int:
        """The blocks alone: no embeddings, no output head (Kaplan et al. 2020's N), no encoder of images."""
        final = self._norm_params(self.d_model) if self.block == "pre" else 0
        return self.n_layers * self._block_params + final

    @property
    def _position_params(self) -> int:
        return self.context_length * self.d_model if self.position == "learned" else 0

    def _norm_params(self, width: int) -> int:
        return width * (2 if self.norm == "layer" else 1)

    @property
    def _block_matmul(self) -> int:
        """Weights that every token is multiplied with in one block."""
        queries, keys = self.n_heads * self.d_head, self.n_kv_heads * self.d_head
        attention = self.d_model * (queries + 2 * keys) + queries * self.d_model
        return attention + (3 if self.mlp == "swiglu" else 2) * self.d_model * self.d_ff

    @property
    def _block_params(self) -> int:
        queries, keys = self.n_heads * self.d_head, self.n_kv_heads * self.d_head
        hidden = (2 if self.mlp == "swiglu" else 1) * self.d_ff
        biases = queries + 2 * keys if self.bias or self.qkv_bias else 0
        biases += self.d_model + hidden + self.d_model if self.bias else 0
        qk = 2 * self._norm_params(self.d_head) if self.qk_norm else 0
        return self._block_matmul + biases + 2 * self._norm_params(self.d_model) + qk

    # ---- compute ----------------------------------------------------------------------------------------------

    def flops_forward(self, length: int | None = None) -> int:
        """FLOPs of one token's forward pass in a sequence of `length`: every matmul, logits and attention included.

        A multiply-add is 2. Attention counts the full length x length product, as it is executed (PaLM, app. B).
        """
        length = length or self.context_length
        weights = self.n_layers * self._block_matmul + self.vocab_size * self.d_model
        attention = self.n_layers * 2 * length * self.n_heads * self.d_head
        return 2 * weights + 2 * attention

    def flops_per_token(self, length: int | None = None) -> int:
        """Training FLOPs per token: forward, and twice that for the backward pass."""
        return 3 * self.flops_forward(length)

    def flops_6nd_per_token(self) -> int:
        """The usual shorthand 6N (GPT-3 app. D), N without embeddings; reported beside the exact count, never mixed."""
        return 6 * self.n_params_non_embedding


_LATER = ("scores", "vision", "qkv_bias", "rope_scaling")


def qwen3(vocab_size: int, context_length: int, n_layers: int, d_model: int, **changes: object) -> ModelConfig:
    """The default family: heads of about 64, hidden width 8/3 d_model rounded to 16 (Llama), untied head."""
    n_heads = max(1, round(d_model / 64))
    shape: dict[str, object] = {
        "vocab_size": vocab_size,
        "context_length": context_length,
        "n_layers": n_layers,
        "d_model": d_model,
        "n_heads": n_heads,
        "n_kv_heads": n_heads,
        "d_head": max(8, d_model // n_heads // 8 * 8),
        "d_ff": max(16, round(8 * d_model / 3 / 16) * 16),
    }
    return ModelConfig.parse(shape | changes)


_GPT = {
    "norm": "layer",
    "norm_eps": 1e-5,
    "position": "learned",
    "mlp": "gelu",
    "bias": True,
    "qk_norm": False,
    "tie_embeddings": True,
}

# (layers, width, heads, head width); GPT-2 table 2, GPT-3 table 2.1. GPT-3 XL and 13B are printed with sizes that
# cannot both hold; these are the ones that give the parameter counts of the paper's appendix D.
GPT2_SIZES = {
    "124M": (12, 768, 12, 64),
    "355M": (24, 1024, 16, 64),
    "774M": (36, 1280, 20, 64),
    "1.5B": (48, 1600, 25, 64),
}
GPT3_SIZES = {
    "125M": (12, 768, 12, 64),
    "350M": (24, 1024, 16, 64),
    "760M": (24, 1536, 16, 96),
    "1.3B": (24, 2048, 16, 128),
    "2.7B": (32, 2560, 32, 80),
    "6.7B": (32, 4096, 32, 128),
    "13B": (40, 5120, 40, 128),
    "175B": (96, 12288, 96, 128),
}


def gpt1(vocab_size: int = 40_478, context_length: int = 512) -> ModelConfig:
    """GPT-1's 116,534,784 parameters: post-LN, learned positions, tied, dropout 0.1 (GPT-1 paper §4.1)."""
    shape = _gpt_shape(vocab_size, context_length, (12, 768, 12, 64))
    return ModelConfig.parse(shape | {"block": "post", "init": "gpt1", "dropout": 0.1})


def gpt2(size: str = "124M", vocab_size: int = 50_257, context_length: int = 1024) -> ModelConfig:
    """GPT-2's block: pre-LN, final norm, residual initialisation scaled by 1/sqrt(2 n_layers) (GPT-2 paper §2.3)."""
    return ModelConfig.parse(_gpt_shape(vocab_size, context_length, _size(GPT2_SIZES, size)) | {"init": "gpt2"})


def gpt3(size: str = "125M", vocab_size: int = 50_257, context_length: int = 2048, band: int = 256) -> ModelConfig:
    """GPT-3: GPT-2's block with dense and locally banded layers in turn (§2.1). The band's width was not published."""
    shape = _gpt_shape(vocab_size, context_length, _size(GPT3_SIZES, size))
    return ModelConfig.parse(shape | {"init": "gpt2", "band": band})


def _size(sizes: dict[str, tuple[int, int, int, int]], name: str) -> tuple[int, int, int, int]:
    if name not in sizes:
        raise ConfigError(f"no size '{name}'", hint=did_you_mean(name, sizes))
    return sizes[name]


def _gpt_shape(vocab_size: int, context_length: int, size: tuple[int, int, int, int]) -> dict[str, object]:
    n_layers, d_model, n_heads, d_head = size
    return _GPT | {
        "vocab_size": vocab_size,
        "context_length": context_length,
        "n_layers": n_layers,
        "d_model": d_model,
        "n_heads": n_heads,
        "n_kv_heads": n_heads,
        "d_head": d_head,
        "d_ff": 4 * d_model,
    }
