"""The grid of cells over an image, each of which becomes one token: any shape, its own resolution up to a budget."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from pydantic import Field

from presage.core.config import Config
from presage.data.images.reading import pixels

STEP = 0.98
"""By what an image too large is shrunk more, until its cells fit the budget."""


class Grid(Config):
    """patch: pixels a side of what the encoder reads as one; merge: patches a side that become one token."""

    patch: int = Field(default=8, gt=0)
    merge: int = Field(default=1, gt=0)
    most_tokens: int = Field(default=256, gt=0)
    """Of one image; a larger one is shrunk."""

    @property
    def cell(self) -> int:
        """Pixels a side of a token."""
        return self.patch * self.merge

    def tokens(self, height: int, width: int) -> int:
        """Tokens of an image of so many pixels, not shrunk."""
        return math.ceil(height / self.cell) * math.ceil(width / self.cell)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which its cells fit the budget, its shape kept; never larger than it is."""
        scale = min(1.0, math.sqrt(self.most_tokens * self.cell**2 / (height * width)))
        while True:
            shrunk = max(1, round(height * scale)), max(1, round(width * scale))
            if self.tokens(*shrunk) <= self.most_tokens:
                return shrunk
            scale *= STEP

    def fitted(self, image: Image.Image) -> np.ndarray:
        """uint8 [H, W, 3], sides multiples of `cell`: shrunk where it must be, its edge repeated to fill up cells."""
        height, width = self.size(image.height, image.width)
        if (height, width) != (image.height, image.width):
            image = image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
        filling = ((0, -height % self.cell), (0, -width % self.cell), (0, 0))
        return np.pad(pixels(image), filling, mode="edge")
