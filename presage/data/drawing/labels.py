"""A few short words and numbers in small print, one below the other, as charts name their bars: to be read in order.

What is held out: the words, as those of presage.data.drawing.words.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from presage.data.drawing.canvas import Draw, font, fonts, pick, png, width_of
from presage.data.drawing.words import ink_and_ground, plain_word
from presage.data.images.question import Question

SIDE = 64
CELL = 16
SIZES = (8, 12)
MOST = 5
LONGEST = 4
"""Letters of a word."""
NUMBERS = 0.25
"""Share of them that are numbers up to LARGEST."""
LARGEST = 100
ASKED = "What do the labels say?"


def labels(random: np.random.Generator, split: str) -> Question:
    """One to MOST labels. Told in words each is spelled."""
    count = int(random.integers(1, MOST + 1))
    texts = [_label(random, split) for _ in range(count)]
    told = "Labels in an image, from the top: " + "; ".join(" ".join(text) for text in texts) + "."
    picture = png(_drawn(random, texts))
    category = str(count)
    return Question("", (picture, ASKED), ", ".join(texts), category=category, forms={"text": (f"{told}\n{ASKED}",)})


def _label(random: np.random.Generator, split: str) -> str:
    if random.random() < NUMBERS:
        return str(int(random.integers(LARGEST + 1)))
    return plain_word(random, split, 3, LONGEST)


def _drawn(random: np.random.Generator, texts: list[str]) -> Image.Image:
    """In one face, size and ink, each somewhere in its share of the height."""
    ink, ground = ink_and_ground(random)
    face = font(pick(random, fonts("letters"))[0], int(random.integers(SIZES[0], SIZES[1] + 1)))
    height = CELL * max(1, len(texts))
    image = Image.new("RGB", (SIDE, height), ground)
    draw = ImageDraw.Draw(image)
    for number, text in enumerate(texts):
        _, top, _, bottom = face.getbbox(text)
        slack = CELL - int(bottom - top)
        x = int(random.integers(max(1, SIDE - width_of(text, face))))
        y = CELL * number + int(random.integers(slack + 1)) - int(top)
        draw.text((x, y), text, font=face, fill=ink)
    return image


KINDS: dict[str, Draw] = {"labels": labels}
