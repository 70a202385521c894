"""What every drawing needs: fonts, colours by name, PNG, and the rule that says what is held out.

Fonts are those that matplotlib installs (DejaVu, STIX, Computer Modern) and Pillow's own, so no other file is needed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

import matplotlib
import numpy as np
from PIL import Image, ImageFont

from presage.core.errors import DataError
from presage.data.images.parts import Picture
from presage.data.images.question import Question

T = TypeVar("T")
Draw = Callable[[np.random.Generator, str], Question]
"""Draws one question of a split: a pure function of the generator and "train" or "test"."""
RGB = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SPLITS = ("train", "test")
ONE_IN = 10
"""One content in so many is held out."""
OWN = "Pillow"
"""The name of Pillow's own font."""

_TEXT = (
    *(f"DejaVu{face}" for face in ("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique")),
    *(f"DejaVu{face}" for face in ("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic")),
    *(f"STIXGeneral{face}" for face in ("", "Bol", "Italic", "BolIta")),
)
_MONO = tuple(f"DejaVuSansMono{face}" for face in ("", "-Bold", "-Oblique", "-BoldOblique"))
_LETTERS = ("cmr10", "cmss10", "cmtt10", "cmb10")  # TeX's encoding: only letters and digits lie where ASCII has them
SMALL = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", OWN)
"""Fonts that can be read at 8 to 10 pixels."""

COLOURS: dict[str, RGB] = {
    "red": (214, 39, 40),
    "blue": (31, 90, 200),
    "green": (34, 139, 60),
    "orange": (255, 140, 20),
    "purple": (140, 60, 180),
    "brown": (130, 80, 50),
    "pink": (240, 130, 190),
    "grey": (128, 128, 128),
    "cyan": (40, 190, 210),
    "yellow": (240, 215, 40),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
}
DARK: dict[str, RGB] = {
    "black": (0, 0, 0),
    "charcoal": (40, 40, 46),
    "navy": (16, 24, 72),
    "maroon": (100, 12, 24),
    "forest": (10, 70, 36),
    "indigo": (60, 20, 110),
    "slate": (30, 60, 80),
}
LIGHT: dict[str, RGB] = {
    "white": (255, 255, 255),
    "silver": (228, 228, 232),
    "cream": (255, 248, 220),
    "mint": (214, 245, 226),
    "sky": (212, 232, 252),
    "rose": (252, 222, 226),
    "lemon": (252, 250, 180),
}


@cache
def fonts(use: str = "letters") -> list[tuple[str, str]]:
    """Name and file of the fonts for a use: "letters" (and digits: all), "text" (all of ASCII) or "mono".

    Pillow's own font has no file.
    """
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    names = {"letters": (*_TEXT, *_MONO, *_LETTERS), "text": (*_TEXT, *_MONO), "mono": _MONO}[use]
    found = [(name, str(folder / f"{name}.ttf")) for name in names]
    return found if use == "mono" else [*found, (OWN, "")]


@lru_cache(maxsize=1024)
def font(name: str, size: int) -> Font:
    """A font by name, at a size in pixels."""
    if name == OWN:
        return ImageFont.load_default(size)
    return ImageFont.truetype(dict(fonts())[name], size, layout_engine=ImageFont.Layout.BASIC)


def png(image: Image.Image, level: int = 7) -> Picture:
    """The image as a PNG file, compressed as hard as zlib's `level` says."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=level)
    return Picture(buffer.getvalue())


def width_of(text: str, face: Font) -> int:
    """Pixels that a line of text takes from left to right."""
    return int(np.ceil(face.getlength(text)))


def brightness(colour: RGB) -> float:
    """0 to 255, as ITU-R BT.601 weighs red, green and blue."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def palette(ground: RGB, least: float = 70.0) -> list[str]:
    """Colours that can be told from a ground by their brightness alone."""
    return [name for name, colour in COLOURS.items() if abs(brightness(colour) - brightness(ground)) >= least]


def ink_on(ground: RGB) -> RGB:
    """Black or white, whichever is easier to read there."""
    return COLOURS["black"] if brightness(ground) > 127 else COLOURS["white"]


def listed(words: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(words.split())


def pick(random: np.random.Generator, among: Sequence[T]) -> T:
    """One of them, each as likely as another."""
    return among[int(random.integers(len(among)))]


def some(random: np.random.Generator, among: Sequence[T], count: int) -> list[T]:
    """So many different ones, in any order."""
    return [among[int(place)] for place in random.permutation(len(among))[:count]]


def held_out(content: str) -> bool:
    """Whether a content (a word, a text, a style) is for tests only."""
    return int.from_bytes(hashlib.sha256(content.encode()).digest(), "big") % ONE_IN == 0


def of_split(split: str, make: Callable[[], T], key: Callable[[T], str] = str) -> T:
    """The first that `make` makes whose key is on the split's side. Raises DataError for an unknown split."""
    if split not in SPLITS:
        raise DataError(f"no split '{split}'", where="drawing", hint=f"known: {', '.join(SPLITS)}")
    while True:
        made = make()
        if held_out(key(made)) == (split == "test"):
            return made
