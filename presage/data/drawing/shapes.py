"""Coloured shapes on a plain ground: placed without touching, drawn smooth, told in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from presage.core.seeds import derive
from presage.data.drawing.canvas import pick
from presage.data.drawing.canvas import png as as_file
from presage.data.images.parts import Picture

Colour = tuple[int, int, int]

SHAPES = ("circle", "square", "triangle")
COLOURS: dict[str, Colour] = {
    "red": (214, 32, 40),
    "green": (30, 150, 50),
    "blue": (30, 80, 220),
    "yellow": (240, 200, 0),
    "purple": (150, 40, 170),
    "orange": (245, 130, 20),
}
GROUNDS: tuple[Colour, ...] = (
    (255, 255, 255),
    (225, 225, 225),
    (222, 235, 250),
    (235, 250, 235),
    (40, 40, 40),
    (0, 0, 0),
)
HELD_OUT = 10
"""One content in so many is kept for examining."""
FINER = 2
"""How many times finer than shown a picture is drawn."""
GAP = 3
"""Pixels between shapes, so that two never run into one."""
TRIES = 20


@dataclass(frozen=True)
class Item:
    """A shape: x, y of its middle and the side of the square around it, in pixels."""

    shape: str
    colour: str
    x: int
    y: int
    size: int

    @property
    def name(self) -> str:
        """Colour and shape."""
        return f"{self.colour} {self.shape}"

    @property
    def told(self) -> str:
        """All of it in words."""
        return f"{self.name} at ({self.x}, {self.y}), {self.size} across"


png = partial(as_file, level=3)
"""Scenes are drawn faster than they are packed: larger files for it."""


def split_of(*content: object) -> str:
    """ "test" for one content in HELD_OUT, by its hash, and "train" for the others."""
    return "train" if derive(0, "drawing", *content) % HELD_OUT else "test"


def ground(random: np.random.Generator) -> Colour:
    """A plain colour that no shape has."""
    base = pick(random, GROUNDS)
    red, green, blue = (
        min(255, max(0, level + int(step))) for level, step in zip(base, random.integers(-8, 9, 3), strict=True)
    )
    return red, green, blue


def places(random: np.random.Generator, sizes: Sequence[int], side: int) -> list[tuple[int, int]]:
    """Middles of squares of these sizes, anywhere in a picture, GAP apart."""
    order = sorted(range(len(sizes)), key=lambda number: -sizes[number])
    while True:
        found: dict[int, tuple[int, int]] = {}
        chances = random.random((len(sizes), TRIES, 2)).tolist()
        for number in order:
            half = sizes[number] // 2 + 1
            free = (
                (half + int(x * (side - 2 * half + 1)), half + int(y * (side - 2 * half + 1)))
                for x, y in chances[number]
            )
            taken = [(place, (sizes[other] + sizes[number]) // 2 + GAP) for other, place in found.items()]
            place = next((spot for spot in free if all(_apart(spot, *one) for one in taken)), None)
            if place is None:
                break
            found[number] = place
        if len(found) == len(sizes):
            return [found[number] for number in range(len(sizes))]


def _apart(one: tuple[int, int], other: tuple[int, int], least: int) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) >= least


def canvas(width: int, height: int, colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A picture to draw on, FINER than it will be shown."""
    image = Image.new("RGB", (width * FINER, height * FINER), colour)
    return image, ImageDraw.Draw(image)


def shown(image: Image.Image) -> Image.Image:
    """A drawn picture at its size."""
    return image.reduce(FINER)


def put(pen: ImageDraw.ImageDraw, shape: str, colour: Any, x: float, y: float, size: float) -> None:
    """Draw one shape with its middle at x, y."""
    left, top = FINER * (x - size / 2), FINER * (y - size / 2)
    right, bottom = left + FINER * size - 1, top + FINER * size - 1
    if shape == "circle":
        pen.ellipse((left, top, right, bottom), fill=colour)
    elif shape == "square":
        pen.rectangle((left, top, right, bottom), fill=colour)
    else:
        pen.polygon([((left + right) / 2, top), (left, bottom), (right, bottom)], fill=colour)


def picture(items: Iterable[Item], side: int, colour: Colour) -> Picture:
    """A square picture of shapes."""
    image, pen = canvas(side, side, colour)
    for item in items:
        put(pen, item.shape, COLOURS[item.colour], item.x, item.y, item.size)
    return png(shown(image))
