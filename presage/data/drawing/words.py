"""A word, or a few lines of Python, to be read off an image: what is seen in tests is never seen in training."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from presage.data.drawing.canvas import DARK, LIGHT, RGB, Draw, font, fonts, listed, of_split, pick, png, width_of
from presage.data.images.question import Question, Turn

HEIGHT = 32
WIDEST = 160
STEP = 8
"""Widths are multiples of it."""
SIZES = (12, 24)
NOISY = 0.2
"""Share of images of words with noise."""
READ_WORD = "What does it say?"
SPELL = "Spell it."
READ_CODE = "What does the code say?"

_ONSETS = listed("b c d f g h j k l m n p r s t v w z bl br cr dr fl gr kr pl pr sk sp st th tr")
_VOWELS = listed("a a e e i i o o u u ai ea ee io oa ou")
_CODAS = ("", "", "", *listed("n r s l t m k d p nd nt rk sh st x"))
_GLYPHS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz23456789"
_DIGITS = "23456789"  # without those that look like letters


# ---- words -----------------------------------------------------------------------------------------------------------


def plain_word(random: np.random.Generator, split: str, shortest: int = 3, longest: int = 9) -> str:
    """A pronounceable lower-case word of a split."""
    return of_split(split, partial(_syllables, random, shortest, longest))


def any_word(random: np.random.Generator, split: str) -> str:
    """Lower case, capitalised, in capitals, or with digits. Which split it is in does not depend on its case."""
    chance = random.random()
    if chance < 0.15:
        return of_split(split, lambda: _syllables(random, 3, 7) + _digits(random))
    word = plain_word(random, split)
    return word if chance < 0.55 else word.capitalize() if chance < 0.9 else word.upper()


def _syllables(random: np.random.Generator, shortest: int, longest: int) -> str:
    while True:
        count = int(random.integers(1, 4))
        chosen = random.integers(1 << 16, size=3 * count).tolist()
        parts = [
            table[place % len(table)] for place, table in zip(chosen, (_ONSETS, _VOWELS, _CODAS) * count, strict=True)
        ]
        word = "".join(parts)
        if shortest <= len(word) <= longest:
            return word


def _digits(random: np.random.Generator) -> str:
    return "".join(pick(random, _DIGITS) for _ in range(int(random.integers(1, 3))))


def _word_image(random: np.random.Generator, word: str) -> Image.Image:
    name, _ = pick(random, fonts("letters"))
    size = int(random.integers(SIZES[0], SIZES[1] + 1))
    while width_of(word, font(name, size)) > WIDEST - 2 * STEP:
        size -= 1
    face = font(name, size)
    left, top, right, bottom = face.getbbox(word)
    wide = int(right - left)
    margins = random.integers(2, 13, size=2).tolist()
    width = min(WIDEST, -(-(wide + sum(margins)) // STEP) * STEP)
    ink, ground = ink_and_ground(random)
    image = Image.new("RGB", (max(width, HEIGHT), HEIGHT), ground)
    x = min(margins[0], image.width - wide - 1) - left
    slack = HEIGHT - (bottom - top)
    y = slack / 2 + float(random.uniform(-0.3, 0.3)) * slack - top
    ImageDraw.Draw(image).text((x, int(y)), word, font=face, fill=ink)
    return _noisy(random, image) if random.random() < NOISY else image


def ink_and_ground(random: np.random.Generator) -> tuple[RGB, RGB]:
    """Dark on light, or light on dark."""
    dark, light = pick(random, list(DARK.values())), pick(random, list(LIGHT.values()))
    return (dark, light) if random.random() < 0.5 else (light, dark)


def _noisy(random: np.random.Generator, image: Image.Image) -> Image.Image:
    depth = int(random.integers(4, 13))
    grains = random.integers(-1, 2, size=(image.height, image.width, 1)) * depth  # three levels: a PNG stays small
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.int16) + grains, 0, 255).astype(np.uint8))


def draw_word(random: np.random.Generator, split: str) -> Question:
    """An image of one word. Told in words it is spelled."""
    word = any_word(random, split)
    told = f"A word in an image, letter by letter: {' '.join(word)}."
    picture = png(_word_image(random, word))
    more = (Turn(SPELL, " ".join(word)),)
    return Question(
        "", (picture, READ_WORD), word, category="word", more=more, forms={"text": (f"{told}\n{READ_WORD}",)}
    )


def draw_glyphs(random: np.random.Generator, split: str) -> Question:
    """An image of one to three letters or digits at random: what reading words begins with."""
    count = int(random.integers(1, 4))
    text = of_split(split, lambda: "".join(pick(random, _GLYPHS) for _ in range(count)))
    told = f"Signs in an image, one by one: {' '.join(text)}."
    picture = png(_word_image(random, text))
    return Question("", (picture, READ_WORD), text, category="glyphs", forms={"text": (f"{told}\n{READ_WORD}",)})


# ---- code ------------------------------------------------------------------------------------------------------------

_VARIABLES = listed("a b c k m n x y z age box cat day end key map new old row sum tag top")
_THEMES: dict[str, dict[str, RGB]] = {
    "light": {
        "ground": (255, 255, 255),
        "text": (30, 30, 30),
        "keyword": (150, 0, 130),
        "number": (10, 90, 180),
        "string": (170, 50, 20),
    },
    "paper": {
        "ground": (253, 246, 227),
        "text": (60, 80, 90),
        "keyword": (110, 130, 0),
        "number": (200, 50, 100),
        "string": (30, 130, 120),
    },
    "dark": {
        "ground": (30, 30, 34),
        "text": (220, 220, 220),
        "keyword": (120, 170, 240),
        "number": (180, 220, 150),
        "string": (230, 160, 120),
    },
    "night": {
        "ground": (10, 16, 48),
        "text": (236, 236, 220),
        "keyword": (255, 150, 200),
        "number": (150, 230, 240),
        "string": (240, 230, 120),
    },
}
_TOKENS = re.compile(
    r'(?P<string>"[^"]*")|(?P<keyword>\b(?:def|return|if|for|in|while|import)\b)|(?P<number>\b\d+\b)|(?P<text>\S)'
)


def code(random: np.random.Generator, split: str) -> str:
    """Two to five lines of Python of a split."""
    return of_split(split, partial(_lines, random, split))


def _lines(random: np.random.Generator, split: str) -> str:
    most = int(random.integers(2, 6))
    lines: list[str] = []
    while len(lines) < most:
        block = pick(random, (_one, _one, _function, _if, _for, _while))(random, split)
        lines += block if len(lines) + len(block) <= most else _one(random, split)
    return "\n".join(lines)


def _name(random: np.random.Generator) -> str:
    return pick(random, _VARIABLES)


def _number(random: np.random.Generator) -> str:
    return str(int(random.integers(pick(random, (10, 100)))))


def _sum(random: np.random.Generator) -> str:
    right = _name(random) if random.random() < 0.5 else _number(random)
    return f"{_name(random)} {pick(random, '+-*')} {right}"


def _one(random: np.random.Generator, split: str) -> list[str]:
    name = _name(random)
    forms: tuple[Callable[[], str], ...] = (
        lambda: f"{name} = {_number(random)}",
        lambda: f"{name} = {_sum(random)}",
        lambda: f"{name} += {_number(random)}",
        lambda: f"{name} = [{_number(random)}, {_number(random)}]",
        lambda: f'{name} = "{plain_word(random, split, 3, 6)}"',
        lambda: f"print({name})",
    )
    return [pick(random, forms)()]


def _function(random: np.random.Generator, split: str) -> list[str]:
    argument = pick(random, "xyn")
    called = plain_word(random, split, 3, 6)
    return [f"def {called}({argument}):", f"    return {argument} {pick(random, '+-*')} {_number(random)}"]


def _if(random: np.random.Generator, split: str) -> list[str]:
    return [f"if {_name(random)} {pick(random, ('<', '>', '=='))} {_number(random)}:", f"    {_one(random, split)[0]}"]


def _for(random: np.random.Generator, split: str) -> list[str]:
    return [f"for {pick(random, 'ijk')} in range({_number(random)}):", f"    {_one(random, split)[0]}"]


def _while(random: np.random.Generator, split: str) -> list[str]:
    name = _name(random)
    return [f"while {name} < {_number(random)}:", f"    {name} += {_number(random)}"]


def _code_image(random: np.random.Generator, text: str) -> Image.Image:
    name, _ = pick(random, fonts("mono"))
    face = font(name, int(random.integers(9, 12)))
    theme = _THEMES[pick(random, tuple(_THEMES))]
    lines = text.split("\n")
    advance, spacing = face.getlength("x"), int(face.getbbox("Qjg|")[3]) + int(random.integers(1, 4))
    left, top, right, bottom = random.integers(3, 9, size=4).tolist()
    width = int(advance * max(map(len, lines))) + left + right
    image = Image.new("RGB", (-(-width // STEP) * STEP, spacing * len(lines) + top + bottom), theme["ground"])
    draw = ImageDraw.Draw(image)
    coloured = random.random() < 0.6
    for row, line in enumerate(lines):
        for match in _TOKENS.finditer(line):
            ink = theme[match.lastgroup or "text"] if coloured else theme["text"]
            draw.text((left + advance * match.start(), top + row * spacing), match.group(), font=face, fill=ink)
    return image


def draw_code(random: np.random.Generator, split: str) -> Question:
    """A screenshot of code; the answer is the code, indents and all."""
    text = code(random, split)
    told = f"A screenshot of code:\n```\n{text}\n```\n{READ_CODE}"
    return Question("", (png(_code_image(random, text)), READ_CODE), text, category="code", forms={"text": (told,)})


KINDS: dict[str, Draw] = {"words": draw_word, "glyphs": draw_glyphs, "code": draw_code}
