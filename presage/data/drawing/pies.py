"""Pies: their styles, and how they are drawn, with names in a legend or beside the sectors."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from presage.data.drawing.axes import ALL, GROUNDS, Shown
from presage.data.drawing.canvas import COLOURS, RGB, SMALL, font, ink_on, width_of

SIDES = ((112, 96), (128, 96), (128, 112), (128, 128))
BOX = 8
"""Pixels of a legend's coloured square."""
ROW = 13
"""Pixels from one line of a legend to the next."""


class Style(NamedTuple):
    """A way to draw a pie. Whole combinations are held out, not single choices."""

    legend: str
    start: int
    hole: bool
    outlined: bool
    ground: str
    font: str


@cache
def styles() -> tuple[Style, ...]:
    """All there are."""
    flags, legends = (True, False), ("right", "left", "beside")
    return tuple(itertools.starmap(Style, itertools.product(legends, (0, 90, 180, 270), flags, flags, GROUNDS, SMALL)))


def sides(style: Style, count: int) -> tuple[tuple[int, int], ...]:
    """Sizes of image in which so many names can be read."""
    return SIDES if style.legend != "beside" else SIDES[2:]


def draw(
    style: Style,
    names: Sequence[str],
    values: Sequence[int],
    maximum: int,
    colours: Sequence[str],
    side: tuple[int, int],
    shown: Shown = ALL,
) -> Image.Image:
    """A pie of sectors, clockwise from the style's angle; values are hundredths, `maximum` their sum."""
    ground = GROUNDS[style.ground]
    image = Image.new("RGB", side, ground)
    pen, ink = ImageDraw.Draw(image), ink_on(ground)
    face = font(style.font, 9)
    widest = max(width_of(name, face) for name in names)
    x, y, radius = _circle(style, side, widest)
    around = (x - radius, y - radius, x + radius, y + radius)
    angle = float(style.start)
    for place, (name, value, colour) in enumerate(zip(names, values, colours, strict=True)):
        turn = 360 * value / maximum
        outline = ink if style.outlined else None
        pen.pieslice(around, angle, angle + turn, fill=COLOURS[colour], outline=outline)
        if shown.names and style.legend == "beside":
            middle = math.radians(angle + turn / 2)
            where = x + (radius + 3 + widest / 2) * math.cos(middle), y + (radius + 8) * math.sin(middle)
            pen.text(where, name, font=face, fill=ink, anchor="mm")
        elif shown.names:
            top = y + ROW * (place - len(names) / 2) + (ROW - BOX) / 2
            left = side[0] - widest - BOX - 6 if style.legend == "right" else 4
            pen.rectangle((left, top, left + BOX - 1, top + BOX - 1), fill=COLOURS[colour], outline=ink)
            pen.text((left + BOX + 3, top + BOX / 2), name, font=face, fill=ink, anchor="lm")
        angle += turn
    _hole(pen, (x, y), radius // 3 if style.hole else 0, ground, ink if style.outlined else ground)
    return image


def _circle(style: Style, side: tuple[int, int], widest: int) -> tuple[int, int, int]:
    """Where the pie lies, and its radius."""
    width, height = side
    if style.legend == "beside":
        return width // 2, height // 2, min(width // 2 - widest - 6, height // 2 - 14)
    room = width - widest - BOX - 12
    radius = min(room // 2 - 2, height // 2 - 4)
    return (room // 2 if style.legend == "right" else width - room // 2), height // 2, radius


def _hole(pen: ImageDraw.ImageDraw, centre: tuple[int, int], radius: int, ground: RGB, outline: RGB) -> None:
    x, y = centre
    if radius:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ground, outline=outline)
