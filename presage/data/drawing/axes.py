"""The frame that bars and lines are drawn in: an axis of numbers, ticks, a grid, and names along the other side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from presage.data.drawing.canvas import LIGHT, RGB, Font, font, ink_on, width_of

TICKS = {10: 2, 20: 5, 50: 10, 100: 20}
"""The highest number of an axis, and how far its ticks lie apart."""
STEPS = {10: 1, 20: 1, 50: 2, 100: 5}
"""What every value on it is a multiple of."""
GROUNDS: dict[str, RGB] = {
    **{name: LIGHT[name] for name in ("white", "silver", "cream", "sky")},
    "black": (0, 0, 0),
    "navy": (16, 24, 72),
}
NAME, NUMBER = 12, 10
"""Pixels of letters: what a small model reads with ease elsewhere."""
LINE = 13
"""Pixels from one line of names to the next."""


class Shown(NamedTuple):
    """What of a chart is written in its image; the rest is told."""

    names: bool = True
    numbers: bool = True


ALL = Shown()


class Axes:
    """A new image with its frame; `along` says where a value lies, `slots` where the things named do.

    Upright, values go up and names stand below; else values go right and names stand to the left.
    """

    def __init__(
        self, names: Sequence[str], maximum: int, side: tuple[int, int], ground: str, face: str, *, upright: bool
    ) -> None:
        self.names, self.maximum, self.upright = names, maximum, upright
        self.font = font(face, NAME)
        self.numbers = font(face, NUMBER)
        self.ground = GROUNDS[ground]
        self.ink = ink_on(self.ground)
        self.image = Image.new("RGB", side, self.ground)
        self.draw = ImageDraw.Draw(self.image)
        self.widest = max(width_of(name, self.font) for name in names)
        self.left, self.top, self.right, self.bottom = self._upright() if upright else self._lying()

    def _upright(self) -> tuple[int, int, int, int]:
        width, height = self.image.size
        left = width_of(str(self.maximum), self.numbers) + 6
        self.staggered = (width - 3 - left) / len(self.names) < self.widest + 3
        bottom = height - 4 - LINE * (2 if self.staggered else 1)
        return left, bottom - (bottom - 5) // 10 * 10, width - 3, bottom

    def _lying(self) -> tuple[int, int, int, int]:
        width, height = self.image.size
        left, self.staggered = self.widest + 6, False
        right = left + (width - 9 - left) // 10 * 10
        return left, 3, right, height - 6 - NUMBER

    @property
    def every(self) -> int:
        """How far the ticks lie apart: half the axis where numbers would run into each other."""
        usual = TICKS[self.maximum]
        room = self.extent * usual / self.maximum
        tight = not self.upright and room < width_of(str(self.maximum), self.numbers) + 2
        return self.maximum // 2 if tight else usual

    @property
    def extent(self) -> int:
        """Pixels of the whole axis."""
        return self.bottom - self.top if self.upright else self.right - self.left

    def along(self, value: float) -> int:
        """Pixels from nought to a value."""
        return round(value * self.extent / self.maximum)

    def slots(self) -> list[tuple[float, float]]:
        """Where each thing named begins and ends, across the axis."""
        start, end = (self.left + 1, self.right) if self.upright else (self.top, self.bottom)
        each = (end - start) / len(self.names)
        return [(start + place * each, start + (place + 1) * each) for place in range(len(self.names))]

    def frame(self, shown: Shown, *, grid: bool, framed: bool) -> None:
        """Draws all that lies behind the values."""
        faint = tuple((3 * g + i) // 4 for g, i in zip(self.ground, self.ink, strict=True))
        for value in range(0, self.maximum + 1, self.every):
            self._tick(value, faint if grid else None, shown.numbers)
        corners = (self.left, self.top, self.right, self.bottom)
        self.draw.line((self.left, self.top, self.left, self.bottom), fill=self.ink)
        self.draw.line((self.left, self.bottom, self.right, self.bottom), fill=self.ink)
        if framed:
            self.draw.rectangle(corners, outline=self.ink)
        if shown.names:
            self._name_all()

    def _tick(self, value: int, faint: tuple[int, ...] | None, numbered: bool) -> None:
        place, text = self.along(value), str(value) if numbered else ""
        if self.upright:
            y = self.bottom - place
            self._line((self.left, y, self.right, y), faint)
            self.draw.line((self.left - 2, y, self.left, y), fill=self.ink)
            _write(self.draw, (self.left - 4, y), text, self.numbers, self.ink, "rm")
        else:
            x = self.left + place
            self._line((x, self.top, x, self.bottom), faint)
            self.draw.line((x, self.bottom, x, self.bottom + 2), fill=self.ink)
            _write(self.draw, (x, self.bottom + 3 + NUMBER // 2), text, self.numbers, self.ink, "mm")

    def _line(self, ends: tuple[int, int, int, int], fill: tuple[int, ...] | None) -> None:
        if fill is not None:
            self.draw.line(ends, fill=fill)

    def _name_all(self) -> None:
        for place, (name, (start, end)) in enumerate(zip(self.names, self.slots(), strict=True)):
            middle = (start + end) / 2
            if self.upright:
                half = width_of(name, self.font) / 2
                x = min(max(middle, half + 1), self.image.width - half - 1)
                below = LINE * (place % 2) if self.staggered else 0
                _write(self.draw, (round(x), self.bottom + NAME + below), name, self.font, self.ink, "ms")
            else:
                _write(self.draw, (self.left - 3, round(middle)), name, self.font, self.ink, "rm")


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, face: Font, ink: RGB, anchor: str) -> None:
    draw.text(place, text, font=face, fill=ink, anchor=anchor)
