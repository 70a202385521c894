"""Bars: their styles, and how a chart of them is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from PIL import Image

from presage.data.drawing.axes import ALL, GROUNDS, Axes, Shown
from presage.data.drawing.canvas import COLOURS, SMALL

SIDES = ((128, 128), (160, 128), (176, 128), (160, 160), (176, 160), (176, 176))
FEW = 4
"""More bars than these are drawn on the larger images only."""
STRIPE = 3


class Style(NamedTuple):
    """A way to draw bars. Whole combinations are held out, not single choices."""

    upright: bool
    colours: str
    grid: bool
    framed: bool
    ground: str
    share: float
    font: str
    finish: str


@cache
def styles() -> tuple[Style, ...]:
    """All there are."""
    flags, widths = (True, False), (0.5, 0.7, 0.9)
    finishes = ("plain", "outline", "hatch")
    return tuple(
        itertools.starmap(
            Style, itertools.product(flags, ("one", "many"), flags, flags, GROUNDS, widths, SMALL, finishes)
        )
    )


def sides(style: Style, count: int) -> tuple[tuple[int, int], ...]:
    """Sizes of image in which so many names can be read."""
    if style.upright:
        return SIDES if count <= FEW else SIDES[2:3] + SIDES[4:]
    return SIDES if count <= FEW else SIDES[3:]


def draw(
    style: Style,
    names: Sequence[str],
    values: Sequence[int],
    maximum: int,
    colours: Sequence[str],
    side: tuple[int, int],
    shown: Shown = ALL,
) -> Image.Image:
    """A chart of bars, each of the colour of its name."""
    axes = Axes(names, maximum, side, style.ground, style.font, upright=style.upright)
    axes.frame(shown, grid=style.grid, framed=style.framed)
    for value, colour, slot in zip(values, colours, axes.slots(), strict=True):
        _bar(axes, box(axes, slot, value, style.share), colour, style.finish)
    return axes.image


def box(axes: Axes, slot: tuple[float, float], value: int, share: float) -> tuple[int, int, int, int]:
    """The first and last pixels of a bar: left, top, right, bottom. It is as long as its value says."""
    middle, half = sum(slot) / 2, (slot[1] - slot[0]) * share / 2
    start, end = round(middle - half), round(middle + half) - 1
    if axes.upright:
        return start, axes.bottom - axes.along(value), end, axes.bottom - 1
    return axes.left + 1, start, axes.left + axes.along(value), end


def _bar(axes: Axes, place: tuple[int, int, int, int], colour: str, finish: str) -> None:
    fill = COLOURS[colour]
    if finish == "hatch":
        axes.draw.rectangle(place, fill=axes.ground, outline=fill)
        left, top, right, bottom = place
        for y in range(top, bottom, STRIPE):
            axes.draw.line((left, y, right, y), fill=fill)
    else:
        axes.draw.rectangle(place, fill=fill, outline=axes.ink if finish == "outline" else fill)
