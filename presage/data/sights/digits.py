"""Generated digits as MNIST has them: 28 x 28, white on black, in many fonts or drawn by strokes, bent as by a hand.

They are fitted as MNIST's are: into a side of 20 pixels, then centred by mass.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import make_interp_spline
from scipy.ndimage import center_of_mass, gaussian_filter, map_coordinates, shift, zoom

from presage.data.images.question import Question
from presage.data.sights.mnist import DIGITS, WHICH_DIGIT
from presage.data.sights.packed import as_png, check_split

SIDE, FIT, CANVAS = 28, 20, 96
WHITE = 255
DRAWN = 0.75
"""Share drawn by strokes; the others are printed."""
FONTS = {
    "train": (
        *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Oblique"),
        *("DejaVuSerif", "DejaVuSerif-Bold", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
        *("cmr10", "cmb10", "cmti10", "cmtt10"),
    ),
    "test": ("DejaVuSerif-Italic", "DejaVuSansMono-Bold", "STIXGeneralBolIta", "cmss10"),
}
Stroke = tuple[tuple[float, float], ...]
STROKES: dict[str, tuple[tuple[Stroke, ...], ...]] = {
    "0": ((((0.55, 0.0), (0.15, 0.25), (0.12, 0.7), (0.45, 1.0), (0.83, 0.72), (0.85, 0.25), (0.5, 0.02)),),),
    "1": (
        (((0.5, 0.0), (0.49, 0.5), (0.48, 1.0)),),
        (((0.65, 0.0), (0.5, 0.5), (0.35, 1.0)),),
        (((0.25, 0.22), (0.5, 0.0)), ((0.5, 0.0), (0.5, 0.5), (0.5, 1.0))),
    ),
    "2": (
        (((0.12, 0.22), (0.4, 0.0), (0.8, 0.22), (0.55, 0.6), (0.08, 1.0)), ((0.08, 1.0), (0.5, 0.96), (0.95, 0.97))),
        (((0.1, 0.2), (0.5, 0.0), (0.75, 0.3), (0.2, 0.92), (0.1, 0.75), (0.4, 0.8), (0.95, 0.98)),),
    ),
    "3": (
        (
            ((0.12, 0.1), (0.5, 0.0), (0.8, 0.2), (0.4, 0.46)),
            ((0.4, 0.46), (0.85, 0.62), (0.7, 0.95), (0.3, 1.0), (0.05, 0.85)),
        ),
        (((0.1, 0.05), (0.7, 0.05), (0.75, 0.2), (0.45, 0.45), (0.85, 0.7), (0.55, 1.0), (0.08, 0.92)),),
    ),
    "4": (
        (((0.18, 0.0), (0.1, 0.3), (0.14, 0.52), (0.9, 0.48)), ((0.82, 0.0), (0.75, 0.5), (0.7, 1.0))),
        (((0.6, 0.0), (0.35, 0.32), (0.05, 0.62)), ((0.05, 0.62), (0.95, 0.6)), ((0.62, 0.0), (0.62, 1.0))),
    ),
    "5": (
        (
            ((0.9, 0.02), (0.25, 0.03)),
            ((0.25, 0.03), (0.18, 0.42)),
            ((0.18, 0.42), (0.6, 0.38), (0.85, 0.65), (0.6, 0.97), (0.08, 0.93)),
        ),
        (((0.95, 0.0), (0.35, 0.06), (0.2, 0.4), (0.7, 0.55), (0.65, 0.9), (0.08, 1.0)),),
    ),
    "6": (
        (((0.7, 0.0), (0.3, 0.3), (0.12, 0.72), (0.45, 1.0), (0.82, 0.8), (0.6, 0.55), (0.2, 0.72)),),
        (((0.4, 0.0), (0.18, 0.4), (0.2, 0.85), (0.55, 1.0), (0.8, 0.75), (0.5, 0.58), (0.22, 0.8)),),
    ),
    "7": (
        (((0.08, 0.05), (0.5, 0.06), (0.9, 0.03)), ((0.9, 0.03), (0.6, 0.45), (0.42, 1.0))),
        (((0.08, 0.05), (0.9, 0.03)), ((0.9, 0.03), (0.6, 0.5), (0.45, 1.0)), ((0.35, 0.5), (0.8, 0.47))),
        (((0.1, 0.2), (0.15, 0.05), (0.85, 0.03), (0.8, 0.3), (0.6, 1.0)),),
    ),
    "8": (
        (
            (
                *((0.78, 0.15), (0.45, 0.0), (0.2, 0.22), (0.5, 0.47), (0.8, 0.75)),
                *((0.48, 1.0), (0.18, 0.76), (0.52, 0.47), (0.8, 0.22), (0.72, 0.1)),
            ),
        ),
    ),
    "9": (
        (((0.78, 0.2), (0.45, 0.0), (0.15, 0.25), (0.4, 0.48), (0.78, 0.22)), ((0.78, 0.22), (0.75, 0.6), (0.6, 1.0))),
        (((0.8, 0.1), (0.35, 0.05), (0.2, 0.35), (0.6, 0.42), (0.82, 0.1), (0.78, 0.6), (0.35, 1.0)),),
    ),
}


def digits(random: np.random.Generator, split: str) -> Question:
    """One generated digit; the test split's fonts are others than training's. Raises DataError."""
    check_split(split, "digits")
    digit = DIGITS[random.integers(10)]
    drawn = random.random() < DRAWN
    canvas = _strokes(digit, random) if drawn else _printed(digit, split, random)
    picture = as_png(_fitted(_bent(canvas, random), random))
    name = f"digits/{split}/{random.integers(1 << 40):010x}"
    return Question(name, (picture, WHICH_DIGIT), digit, options=DIGITS)


def _printed(digit: str, split: str, random: np.random.Generator) -> np.ndarray:
    names = FONTS[split]
    image = Image.new("L", (CANVAS, CANVAS))
    width = int(random.integers(0, 4))
    middle = (CANVAS / 2, CANVAS / 2)
    font = _font(names[random.integers(len(names))])
    ImageDraw.Draw(image).text(middle, digit, WHITE, font, anchor="mm", stroke_width=width)
    return np.asarray(image, dtype=np.float64) / WHITE


@cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), 64)


def _strokes(digit: str, random: np.random.Generator) -> np.ndarray:
    """Smooth lines through points that chance moves, points that strokes share alike."""
    variants = STROKES[digit]
    strokes = variants[random.integers(len(variants))]
    moved = {point: np.add(point, random.normal(0, 0.055, 2)) for stroke in strokes for point in stroke}
    wide, high = random.uniform(28, 58), random.uniform(50, 58)
    image = Image.new("L", (CANVAS, CANVAS))
    pen = random.uniform(3.5, 10)
    for stroke in strokes:
        line = _smooth(np.array([moved[point] for point in stroke]))
        places = line * (wide, high) + ((CANVAS - wide) / 2, (CANVAS - high) / 2)
        for x, y in places:
            ImageDraw.Draw(image).ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), WHITE)
    return np.asarray(image, dtype=np.float64) / WHITE


def _smooth(points: np.ndarray) -> np.ndarray:
    """A hundred places on a spline through points, at a pace even along the stroke."""
    pace = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1) + 1e-6)])
    spline = make_interp_spline(pace, points, k=min(3, len(points) - 1))
    return np.asarray(spline(np.linspace(0, pace[-1], 100)))


def _bent(canvas: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turned, sheared, stretched, seen aslant and rippled."""
    y, x = (np.mgrid[:CANVAS, :CANVAS] - CANVAS / 2) / CANVAS
    angle, slant = random.normal(0, 0.12), random.normal(0.1, 0.2)
    scale_x, scale_y = random.uniform(0.85, 1.15, 2)
    depth = 1 + random.normal(0, 0.15) * x + random.normal(0, 0.15) * y
    across = (np.cos(angle) * x + np.sin(angle) * y + slant * y) * scale_x / depth
    down = (np.cos(angle) * y - np.sin(angle) * x) * scale_y / depth
    ripple = [zoom(random.normal(0, 1.6, (5, 5)), CANVAS / 5, order=3) for _ in range(2)]
    places = [down * CANVAS + CANVAS / 2 + ripple[0], across * CANVAS + CANVAS / 2 + ripple[1]]
    return np.asarray(map_coordinates(canvas, places, order=1))


def _fitted(canvas: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Into a side of 20, centred by mass in one of 28, as MNIST's; strokes at full white, edges softer or harder."""
    rows, columns = np.nonzero(canvas > 0.1)
    cut = canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    side = max(cut.shape)
    size = (max(1, round(cut.shape[1] * FIT / side)), max(1, round(cut.shape[0] * FIT / side)))
    image = Image.fromarray((cut * WHITE).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    ground = np.zeros((SIDE, SIDE))
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    ground[top : top + size[1], left : left + size[0]] = np.asarray(image) / WHITE
    middle = np.array(center_of_mass(ground))
    centred = shift(ground, np.round((SIDE - 1) / 2 - middle), order=0)
    soft = gaussian_filter(centred, random.uniform(0.1, 0.55)) * random.uniform(1.05, 1.5)
    return np.asarray(np.clip(soft, 0, 1) * WHITE).astype(np.uint8)
