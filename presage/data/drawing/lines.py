"""One line through named points: its styles, and how it is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from PIL import Image

from presage.data.drawing.axes import ALL, GROUNDS, Axes, Shown
from presage.data.drawing.canvas import COLOURS, SMALL

SIDES = ((160, 128), (176, 128), (176, 160), (176, 176))
FEW = 5
"""More points than these are drawn on the larger images only."""


class Style(NamedTuple):
    """A way to draw a line. Whole combinations are held out, not single choices."""

    thickness: int
    marker: str
    grid: bool
    framed: bool
    ground: str
    font: str


@cache
def styles() -> tuple[Style, ...]:
    """All there are."""
    flags, markers = (True, False), ("dot", "square", "ring", "cross")
    return tuple(itertools.starmap(Style, itertools.product((1, 2), markers, flags, flags, GROUNDS, SMALL)))


def sides(style: Style, count: int) -> tuple[tuple[int, int], ...]:
    """Sizes of image in which so many names can be read."""
    return SIDES if count <= FEW else SIDES[2:]


def draw(
    style: Style,
    names: Sequence[str],
    values: Sequence[int],
    maximum: int,
    colours: Sequence[str],
    side: tuple[int, int],
    shown: Shown = ALL,
) -> Image.Image:
    """A chart of one line, of the first of the colours, with a marker at every point."""
    axes = Axes(names, maximum, side, style.ground, style.font, upright=True)
    axes.frame(shown, grid=style.grid, framed=style.framed)
    points = [
        (round(sum(slot) / 2), axes.bottom - axes.along(value))
        for slot, value in zip(axes.slots(), values, strict=True)
    ]
    fill = COLOURS[colours[0]]
    axes.draw.line(points, fill=fill, width=style.thickness)
    for x, y in points:
        axes.draw.line((x, axes.bottom, x, axes.bottom + 1), fill=axes.ink)
        _mark(axes, x, y, style.marker, colours[0])
    return axes.image


def _mark(axes: Axes, x: int, y: int, marker: str, colour: str) -> None:
    fill, around = COLOURS[colour], (x - 2, y - 2, x + 2, y + 2)
    if marker == "cross":
        axes.draw.line((x - 3, y - 3, x + 3, y + 3), fill=fill)
        axes.draw.line((x - 3, y + 3, x + 3, y - 3), fill=fill)
    elif marker == "square":
        axes.draw.rectangle(around, fill=fill)
    else:
        axes.draw.ellipse(around, fill=fill if marker == "dot" else axes.ground, outline=fill)
