"""Images to embeddings that the trunk reads like those of tokens: patches, blocks that see all of it, a projector.

    h_0 = stem(pixels)                           one vector a patch
    h_l = h + attention(norm(h)); h + mlp(norm(h))   l = 1 … n_layers, every patch sees every other
    tokens = projector(norm(h_n))                merge x merge patches to one embedding of the trunk

Positions are those of rows and columns: as waves added to the patches, which say where each is, and by rotation (RoPE,
half of each head a direction), which says how far apart two are, so that an image may have any shape.
Images of one size are computed together, others apart: none is padded, and what an image gives depends on nothing but
itself. The GPT-4 report says nothing of its encoder; this is the common design (Dosovitskiy et al. 2020; Xiao et al.
2021 for the stem; Liu et al. 2023 for the projector).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presage.core.errors import ConfigError
from presage.core.seeds import derive
from presage.model.attention import Attention
from presage.model.config import ModelConfig, VisionConfig
from presage.model.fused import rotate
from presage.model.layers import RMSNorm, SwiGLU
from presage.model.rope import rotary_tables

WAVELENGTH = 100.0
"""The longest of the waves, in patches over 2 pi."""
HEIGHT = 0.3
"""Of the waves. Higher ones drown what is in the patches, and learning to see takes longer (docs/LOG.md)."""
NORM_EPS = 1e-5
"""Of the norms between convolutions."""
FAINT = 8.0
"""Added to the deviation of an image's values, of 256: what varies by less is not blown up."""


class Rotary2d(nn.Module):
    """Rotates half of each head's pairs by the row, half by the column; positions [P, 2]."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.width, self.theta = config.d_head // 2, config.rope_theta

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """x [B, P, H, E]: the same shape, rotated."""
        cos, sin = rotary_tables(int(positions.max()) + 1, self.width, self.theta)
        cos, sin = (table.to(x.device)[positions].flatten(-2).unsqueeze(-2) for table in (cos, sin))
        return rotate(x, cos, sin)


class PatchStem(nn.Module):
    """One linear map of each patch (Dosovitskiy et al. 2020)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, config.d_model, config.patch, config.patch)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, D, H / patch, W / patch]."""
        out: Tensor = self.patch(x)
        return out


class ConvStem(nn.Module):
    """Convolutions that halve the image until a patch is one place (Xiao et al. 2021), each followed by one that adds.

    Norms are over all of an image: what it gives does not depend on others.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        sizes = list(pairwise([3, *config.stem_widths]))
        self.halve = nn.ModuleList(nn.Conv2d(narrow, wide, 3, stride=2, padding=1) for narrow, wide in sizes)
        self.halve_norm = nn.ModuleList(nn.GroupNorm(1, wide, NORM_EPS) for _, wide in sizes)
        self.add = nn.ModuleList(nn.Conv2d(wide, wide, 3, padding=1) for _, wide in sizes)
        self.add_norm = nn.ModuleList(nn.GroupNorm(1, wide, NORM_EPS) for _, wide in sizes)
        self.out = nn.Conv2d(sizes[-1][1], config.d_model, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, D, H / patch, W / patch]."""
        for halve, halve_norm, add, add_norm in zip(self.halve, self.halve_norm, self.add, self.add_norm, strict=True):
            x = F.gelu(halve_norm(halve(x)), approximate="tanh")
            x = x + F.gelu(add_norm(add(x)), approximate="tanh")
        out: Tensor = self.out(x)
        return out


class SeeingBlock(nn.Module):
    """A block of the trunk's kind without its order: every patch attends to every other."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model, config.norm_eps)
        self.attention = Attention(config, layer)
        self.mlp_norm = RMSNorm(config.d_model, config.norm_eps)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, positions: Tensor, rotary: Rotary2d, mask: Tensor) -> Tensor:
        """x [B, P, D] -> the same shape."""
        x = x + self.attention(self.attention_norm(x), positions, rotary, mask, None)
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


class Vision(nn.Module):
    """The encoder and its projector to a trunk of `width`."""

    def __init__(self, config: VisionConfig, width: int) -> None:
        super().__init__()
        self.config = config
        block = config.as_blocks()
        self.stem: nn.Module = {"conv": ConvStem, "linear": PatchStem}[config.stem](config)
        self.rotary = Rotary2d(config)
        self.blocks = nn.ModuleList(SeeingBlock(block, layer) for layer in range(config.n_layers))
        merged = config.d_model * config.merge**2
        self.norm = RMSNorm(merged, block.norm_eps)
        self.project_in = nn.Linear(merged, config.d_project)
        self.project_out = nn.Linear(config.d_project, width)

    def forward(self, images: Sequence[np.ndarray]) -> Tensor:
        """Images, uint8 [H, W, 3] with sides that are multiples of a cell, to their tokens one after another, [P, D].

        A token is a cell of `merge` x `merge` patches; those of an image come row by row. Raises ConfigError for other
        sides. Of no image: [0, D].
        """
        found: dict[int, Tensor] = {}
        for size in sorted({image.shape for image in images}):
            self._check(size)
            places = [place for place, image in enumerate(images) if image.shape == size]
            batch = torch.from_numpy(np.stack([images[place] for place in places])).to(self.norm.weight.device)
            found |= dict(zip(places, self.encode(batch), strict=True))
        if not found:
            none: Tensor = self.project_out(self.norm.weight.new_zeros(0, self.project_out.in_features))
            return none
        return torch.cat([found[place] for place in range(len(images))])

    def encode(self, images: Tensor) -> Tensor:
        """uint8 [B, H, W, 3] of one size -> [B, tokens, D of the trunk]."""
        return self.project(self.patches(images), images.shape[1] // self.config.patch)

    def patches(self, images: Tensor) -> Tensor:
        """uint8 [B, H, W, 3] -> what the last block says of each patch, [B, P, d_model], row by row."""
        x = standardised(images.permute(0, 3, 1, 2).float())
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        rows, columns = x.shape[-2:]
        grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(x.device)
        x = x.flatten(2).transpose(1, 2) + waves(grid, self.config.d_model)
        mask = torch.ones(rows * columns, rows * columns, dtype=torch.bool, device=x.device)
        for block in self.blocks:
            x = block(x, grid, self.rotary, mask)
        out: Tensor = x
        return out

    def project(self, x: Tensor, rows: int) -> Tensor:
        """[B, P, d_model] of so many rows of patches -> [B, P / merge², D of the trunk]."""
        merge = self.config.merge
        x = x.view(len(x), rows // merge, merge, -1, merge, x.shape[-1]).transpose(2, 3)
        x = x.flatten(3).flatten(1, 2)
        out: Tensor = self.project_out(F.gelu(self.project_in(self.norm(x)), approximate="tanh"))
        return out

    def _check(self, shape: tuple[int, ...]) -> None:
        height, width, *_ = shape
        if height % self.config.cell or width % self.config.cell:
            raise ConfigError(f"an image of {height} x {width} pixels does not divide into cells of {self.config.cell}")


def standardised(x: Tensor) -> Tensor:
    """Each image [B, 3, H, W] less its mean, over its deviation: dark on light and light on dark weigh the same."""
    mean, deviation = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True, correction=0)
    return (x - mean) / (deviation + FAINT)


def waves(grid: Tensor, width: int) -> Tensor:
    """Sines and cosines of rows and columns [P, 2], a quarter of the width each: [P, width] (Vaswani et al. 2017)."""
    frequency = WAVELENGTH ** -torch.linspace(0, 1, width // 4, device=grid.device)
    angles = (grid.float()[..., None] * frequency).flatten(1)
    return HEIGHT * torch.cat([angles.sin(), angles.cos()], dim=1)


def begin_vision(vision: Vision, seed: int) -> None:
    """Weights of variance 1/fan_in, norms of 1, from a generator of their own: the trunk begins as without them.

    Behind the projector's GELU twice as much: image tokens begin as large as embeddings of text.
    """
    generator = torch.Generator().manual_seed(derive(seed, "vision"))
    residual = 1 / math.sqrt(2 * max(1, vision.config.n_layers))
    with torch.no_grad():
        for name, parameter in vision.named_parameters():
            if parameter.ndim >= 2:
                gain = 2.0 if name.startswith("project_out") else 1.0
                gain *= residual if name.endswith(("attention.out.weight", "mlp.down.weight")) else 1.0
                parameter.normal_(0.0, gain * parameter[0].numel() ** -0.5, generator=generator)
            elif name.endswith("bias"):
                parameter.zero_()
