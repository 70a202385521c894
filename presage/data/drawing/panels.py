"""Rows and grids of panels of which one breaks the rule that the others keep, told panel by panel.

What is held out: one in ten of the pairs of what the others show and what the odd one shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import ImageDraw

from presage.data.drawing.canvas import pick
from presage.data.drawing.shapes import COLOURS, FINER, canvas, png, put, shown, split_of
from presage.data.images.parts import Mixed, Picture
from presage.data.images.question import Question

SIDE, EDGE = 32, 2
GRIDS = ((1, 3), (1, 4), (2, 2), (2, 3))
"""Rows and columns."""
PAPER, FRAME = (255, 255, 255), (90, 90, 90)
WORDS = ("one", "two", "three", "four")
SIZES = {"small": 6, "large": 12}
MIDDLES = {
    1: ((16, 16),),
    2: ((9, 16), (23, 16)),
    3: ((9, 9), (23, 9), (16, 23)),
    4: ((9, 9), (23, 9), (9, 23), (23, 23)),
}
TURNS = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
ASKED = {"odd": "Which panel is odd?", "panels": "Describe the pictures panel by panel. Which one does not fit?"}


@dataclass(frozen=True)
class Panel:
    """So many shapes, all alike. turned: where arrows point; "" for other shapes."""

    shape: str
    colour: str
    count: int
    size: str
    turned: str = ""

    @property
    def told(self) -> str:
        """In words."""
        plural = "s" if self.count > 1 else ""
        return " ".join(
            filter(None, (WORDS[self.count - 1], self.size, self.colour, self.shape + plural, self._points))
        )

    @property
    def _points(self) -> str:
        return f"pointing {self.turned}" if self.turned else ""


VALUES: dict[str, tuple[Any, ...]] = {
    "shape": ("circle", "square", "triangle"),
    "colour": tuple(COLOURS),
    "count": (1, 2, 3, 4),
    "size": tuple(SIZES),
    "turned": tuple(TURNS),
}


def _panel(random: np.random.Generator, arrows: bool) -> Panel:
    return Panel(
        shape="arrow" if arrows else str(pick(random, VALUES["shape"])),
        colour=pick(random, tuple(COLOURS)),
        count=int(random.integers(1, len(WORDS) + 1)),
        size=pick(random, tuple(SIZES)),
        turned=pick(random, tuple(TURNS)) if arrows else "",
    )


def _series(random: np.random.Generator, split: str, count: int) -> tuple[list[Panel], int, str]:
    """Panels, the number of the odd one from 0, and in what it is odd.

    Now and then every panel has a colour of its own, which is no rule.
    """
    while True:
        rule = pick(random, tuple(VALUES))
        arrows = rule == "turned"
        usual = _panel(random, arrows)
        value = pick(random, [one for one in VALUES[rule] if one != getattr(usual, rule)])
        varied = rule != "colour" and random.random() > PLAIN
        if split_of("odd", replace(usual, colour="" if varied else usual.colour), rule, value) == split:
            break
    odd = int(random.integers(count))
    panels = [replace(usual, **{rule: value}) if number == odd else usual for number in range(count)]
    return _varied(random, panels) if varied else panels, odd, rule


def _varied(random: np.random.Generator, panels: Sequence[Panel]) -> list[Panel]:
    colours = [list(COLOURS)[int(place)] for place in random.permutation(len(COLOURS))]
    return [replace(panel, colour=colour) for panel, colour in zip(panels, colours, strict=False)]


PLAIN = 0.6


# ---- drawing ---------------------------------------------------------------------------------------------------------


def _drawn(panels: Sequence[Panel], rows: int, columns: int) -> Picture:
    """Panels in framed squares, numbered as one reads."""
    pitch = SIDE + EDGE
    image, pen = canvas(columns * pitch + EDGE, rows * pitch + EDGE, FRAME)
    for number, panel in enumerate(panels):
        left, top = EDGE + number % columns * pitch, EDGE + number // columns * pitch
        corners = (left * FINER, top * FINER, (left + SIDE) * FINER - 1, (top + SIDE) * FINER - 1)
        pen.rectangle(corners, fill=PAPER)
        for x, y in MIDDLES[panel.count]:
            _shape(pen, panel, left + x, top + y)
    return png(shown(image))


def _shape(pen: ImageDraw.ImageDraw, panel: Panel, x: int, y: int) -> None:
    size, colour = SIZES[panel.size], COLOURS[panel.colour]
    if not panel.turned:
        put(pen, panel.shape, colour, x, y, size)
        return
    across, down = TURNS[panel.turned]
    half = size / 2
    tip, tail, neck = (x + across * half, y + down * half), (x - across * half, y - down * half), (x, y)
    wings = [(neck[0] + sign * down * half, neck[1] + sign * across * half) for sign in (-1, 1)]
    scaled = [(a * FINER, b * FINER) for a, b in (tip, *wings, tail, neck)]
    pen.polygon(scaled[:3], fill=colour)
    pen.line(scaled[3:], fill=colour, width=size // 3 * FINER)


# ---- questions -------------------------------------------------------------------------------------------------------


def _question(random: np.random.Generator, split: str, kind: str) -> Question:
    rows, columns = pick(random, GRIDS)
    panels, odd, rule = _series(random, split, rows * columns)
    listed = [f"Panel {number}: {panel.told}." for number, panel in enumerate(panels, 1)]
    why = _why(panels, odd, rule)
    whole = f"{' '.join(listed)} {why}"
    asked = ASKED[kind]
    apart: Mixed = tuple(
        part for number, panel in enumerate(panels, 1) for part in (f"Panel {number}:", _drawn([panel], 1, 1))
    )
    return Question(
        id="",
        prompt=(_drawn(panels, rows, columns), asked),
        answer=str(odd + 1) if kind == "odd" else whole,
        steps=whole if kind == "odd" else "",
        category=rule,
        forms={"text": (f"{' '.join(listed)} {asked}",), "interleaved": (*apart, asked)},
    )


def _why(panels: Sequence[Panel], odd: int, rule: str) -> str:
    usual, other = panels[odd - 1], panels[odd]
    said = {
        "shape": f"it shows a {other.shape}, the others show a {usual.shape}",
        "colour": f"it is {other.colour}, the others are {usual.colour}",
        "count": f"it shows {WORDS[other.count - 1]}, the others show {WORDS[usual.count - 1]}",
        "size": f"it is {other.size}, the others are {usual.size}",
        "turned": f"it points {other.turned}, the others point {usual.turned}",
    }
    return f"Panel {odd + 1} does not fit: {said[rule]}."


def odd(random: np.random.Generator, split: str) -> Question:
    """The number of the panel that does not fit."""
    return _question(random, split, "odd")


def panels(random: np.random.Generator, split: str) -> Question:
    """What every panel shows, and which does not fit."""
    return _question(random, split, "panels")


KINDS: dict[str, Callable[[np.random.Generator, str], Question]] = {"odd": odd, "panels": panels}
