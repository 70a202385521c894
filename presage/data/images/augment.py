"""Images changed a little and at random, the same for the same seed, epoch and place."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from pydantic import Field

from presage.core.config import Config


class Augment(Config):
    """The most that an image is changed by; each is drawn evenly up to it, both ways."""

    shift: float = Field(default=0.0, ge=0)
    """Pixels, across and down."""
    turn: float = Field(default=0.0, ge=0, le=180)
    """Degrees."""
    scale: float = Field(default=0.0, ge=0, lt=1)
    """Share of the size."""
    shear: float = Field(default=0.0, ge=0, lt=1)
    contrast: float = Field(default=0.0, ge=0, lt=1)
    """Share of the distance from grey, and of the brightness."""

    def applied(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """uint8 [H, W, 3] -> the same shape; what comes in at an edge has the colour of the corner."""
        draws = random.uniform(-1, 1, 7)
        out = self._moved(image, draws) if self.shift or self.turn or self.scale or self.shear else image
        return self._lit(out, draws) if self.contrast else out

    def _lit(self, image: np.ndarray, draws: np.ndarray) -> np.ndarray:
        values = (image.astype(np.float32) - 128) * (1 + self.contrast * draws[5]) + 128 * (
            1 + self.contrast * draws[6]
        )
        out: np.ndarray = np.clip(values, 0, 255).astype(np.uint8)
        return out

    def _moved(self, image: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Turned, sheared and scaled about the middle, then shifted."""
        height, width, _ = image.shape
        angle, size = math.radians(self.turn * draws[2]), 1 + self.scale * draws[3]
        cos, sin, shear = math.cos(angle) / size, math.sin(angle) / size, self.shear * draws[4]
        a, b, d, e = cos, sin + shear * cos, -sin, cos - shear * sin
        x, y = width / 2 + self.shift * draws[0], height / 2 + self.shift * draws[1]
        matrix = (a, b, width / 2 - a * x - b * y, d, e, height / 2 - d * x - e * y)
        corner = tuple(int(value) for value in image[0, 0])
        shown = Image.fromarray(image)
        moved = shown.transform(shown.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR, fillcolor=corner)
        return np.asarray(moved)
