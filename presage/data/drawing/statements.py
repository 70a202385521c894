"""Sentences that are true or false of three boxes of shapes, after NLVR (Suhr et al., 2017), drawn as its images are.

What is held out: one sentence in ten, whatever it is said of. Each label is as likely for every sentence.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from presage.data.drawing.canvas import pick, some
from presage.data.drawing.meanings import (
    BLACK,
    BLUE,
    YELLOW,
    Box,
    OfItem,
    Representation,
    edges,
    meaning,
    normal,
)
from presage.data.drawing.shapes import places, png, split_of
from presage.data.images.question import Question, Turn

SIDE, STRIDE = 100, 150
"""Pixels of a box, and from one box to the next."""
BOXES = 3
BOX, BETWEEN = (211, 211, 211), (128, 128, 128)
PAINT = {YELLOW: (255, 255, 0), BLACK: (0, 0, 0), BLUE: (0, 153, 255)}
WORDS = {YELLOW: "yellow", BLACK: "black", BLUE: "blue"}
SEEN = WORDS | {BLACK: "dark"}
"""As they are told: words that begin alike are told apart only at their ends, where small models do not look again."""
COLOURS = {word: SEEN[colour] for colour, word in WORDS.items()}
TRUTHS = ("true", "false")
BLOCK, FLOOR, PITCH, TOWER_X, HIGHEST = 20, 80, 21, 40, 4
SIZES = (10, 20, 30)
MOST_ITEMS = 8
CROWDED = 6
FINER = 16
CANDIDATES = 24
"""Scenes among which a true and a false one are looked for."""


# ---- drawing ---------------------------------------------------------------------------------------------------------


def render(representation: Representation) -> Image.Image:
    """The picture of NLVR's structured representation, 400 by 100 pixels."""
    image = Image.new("RGB", (STRIDE * (BOXES - 1) + SIDE, SIDE), BETWEEN)
    for number, box in enumerate(representation):
        image.paste(BOX, (STRIDE * number, 0, STRIDE * number + SIDE, SIDE))
        for item in box:
            mask = _mask(item["type"], item["size"])
            image.paste(PAINT[item["color"]], (STRIDE * number + item["x_loc"], item["y_loc"]), mask)
    return image


@cache
def _mask(kind: str, size: int) -> Image.Image:
    """How much of each pixel a shape covers."""
    fine = size * FINER
    mask = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(mask)
    if kind == "circle":
        pen.ellipse((0, 0, fine - 1, fine - 1), fill=255)
    elif kind == "square":
        pen.rectangle((0, 0, fine, fine), fill=255)
    else:
        pen.polygon([(fine / 2, 0), (0, fine), (fine, fine)], fill=255)
    return mask.reduce(FINER)


# ---- scenes ----------------------------------------------------------------------------------------------------------


def towers(random: np.random.Generator) -> Representation:
    """Three towers of one to four blocks."""
    return [
        _tower([pick(random, tuple(PAINT)) for _ in range(int(random.integers(1, HIGHEST + 1)))]) for _ in range(BOXES)
    ]


def _tower(colours: list[str]) -> list[dict[str, Any]]:
    """From the base up."""
    return [
        {"x_loc": TOWER_X, "y_loc": FLOOR - PITCH * number, "type": "square", "color": colour, "size": BLOCK}
        for number, colour in enumerate(colours)
    ]


def scattered(random: np.random.Generator) -> Representation:
    """Three boxes of one to MOST_ITEMS shapes anywhere, many at an edge."""
    return [_scattered(random) for _ in range(BOXES)]


def _scattered(random: np.random.Generator) -> list[dict[str, Any]]:
    count = int(random.integers(1, MOST_ITEMS + 1))
    sizes = [pick(random, SIZES if count < CROWDED else SIZES[:2]) for _ in range(count)]
    found = []
    for size, (x, y) in zip(sizes, places(random, sizes, SIDE), strict=True):
        kind = pick(random, ("circle", "square", "triangle"))
        corner = {"x_loc": _snapped(x - size // 2, size), "y_loc": _snapped(y - size // 2, size)}
        found.append({**corner, "type": kind, "color": pick(random, tuple(PAINT)), "size": size})
    return found


def _snapped(start: int, size: int) -> int:
    """Against the edge, where it is but a little way off: touching is never in doubt."""
    if start <= NEAR:
        return 0
    return SIDE - size if start + size >= SIDE - NEAR else start


NEAR = 4


# ---- sentences -------------------------------------------------------------------------------------------------------

NUMBERS = ("one", "two", "three", "1", "2", "3")
SLOTS: dict[str, tuple[str, ...]] = {
    "C": tuple(WORDS.values()),
    "D": tuple(WORDS.values()),
    "S": ("circle", "square", "triangle", "item", "object"),
    "M": ("two", "three", "four", "2", "3", "4"),
    "N": NUMBERS,
    "A": ("a", "at least one", "exactly one", "only one", "no", "one", "1"),
    "P": ("two", "three", "exactly two", "at least two", "2", "3", "exactly three", "at least 2", "at least three"),
    "E": (
        "touching the edge",
        "touching any edge",
        "touching the wall",
        "not touching any edge",
        "touching the base",
        "closely touching the bottom of a box",
        "closely touching right wall of a box",
        "touching the corner",
    ),
    "V": ("at the top", "at the base", "at the bottom"),
    "T": ("top", "base"),
    "O": ("over", "above", "on", "below", "under"),
    "W": ("with", "having"),
    "R": ("", "exactly ", "at least "),
    "Z": ("small", "medium", "big"),
}
TOWERS = (
    "there are P C blocks",
    "there is A C block",
    "there is A tower W a C block V",
    "there are P towers W a C block V",
    "the tower with M blocks has a C block V",
    "there is A C block O a D block",
    "there is A tower W a C block O a D block",
    "there are P towers W a C block O a D block",
    "there is A C block as the T of a tower with RM blocks",
    "there is A C block as the T of a tower",
    "there are P C blocks as the T of a tower",
    "there is A tower with exactly M blocks W a C block V",
    "there is A tower with RM blocks",
    "there is A tower with RM C blocks",
    "there is A tower with a C block and a D block",
    "there is A C tower",
    "each tower has at least N C block",
    "there is A tower with only C and D blocks",
    "there is A tower which has blocks of all three colors",
    "P towers have a C block V",
    "there is A tower with a C block at the top and a D block at the base",
    "the top of the M blocks tower is C",
    "the base of the M blocks tower is C",
    "there are P towers with the same height",
    "there is A tower with exactly M blocks having blocks of all three colors",
)
SCATTER = (
    "there is A C S E",
    "there are P C Ss E",
    "there are P Ss E",
    "there is A Z C S E",
    "there is A C S",
    "there are P C Ss",
    "there is A box with RM C Ss",
    "there is A box with RM items",
    "there is A box with a C S and RM D Ss",
    "there is A box with a C S, a D S and a F S",
    "there is A box with M items and the C one is on top",
    "there is A box with M items and a C one touching the wall",
    "there is A box with all 3 different colors and only N C S",
    "there is A box with only M items of C and D color",
    "there is A box with only C and D items",
    "there is A box with items of only N color",
    "there is A box with RM items of all 3 different colors",
    "each grey box contains at least one C S E",
    "one of the grey square contains exactly M Ss",
    "none of the C Ss are E",
    "there is at least one C S in each box",
)


def statements(random: np.random.Generator, split: str) -> Question:
    """A sentence, and boxes of which it is true or false by the toss of a coin."""
    while True:
        make, templates, layout = pick(random, ((towers, TOWERS, "tower"), (scattered, SCATTER, "scatter")))
        sentence = _filled(random, pick(random, templates))
        true = meaning(sentence) if split_of("statements", sentence) == split else None
        found = _pair(random, make, true) if true else {}
        if found:
            break
    label = bool(random.integers(2))
    text, boxes = asked(_written(random, sentence)), found[label]
    return Question(
        id="",
        prompt=(png(render(boxes)), text),
        answer=_truth(label),
        steps=seen(boxes, sentence),
        category=layout,
        forms={"text": (f"{told(boxes)} {text}",)},
        more=further(random, split, boxes, sentence),
    )


def further(random: np.random.Generator, split: str, boxes: Representation, sentence: str) -> tuple[Turn, ...]:
    """Other sentences about the same boxes, each to be true or false by the toss of a coin: one that is rarely so may
    not be found. One sentence about a picture is too little for a small model to learn from what they mean."""
    templates, most = (TOWERS, 4) if stacked(boxes) else (SCATTER, 2)
    wanted = [bool(random.integers(2)) for _ in range(most)]
    said = {other: label for label in wanted if (other := _that_is(random, split, templates, boxes, label))}
    said.pop(normal(sentence), None)
    return tuple(
        Turn(asked(_written(random, other)), _truth(label), seen(boxes, other)) for other, label in said.items()
    )


def _that_is(
    random: np.random.Generator, split: str, templates: Sequence[str], boxes: Representation, label: bool
) -> str:
    """A sentence that is true, or false, of some boxes; "" where none was found."""
    tries = (_filled(random, pick(random, templates)) for _ in range(CANDIDATES))
    ours = ((one, meaning(one)) for one in tries if split_of("statements", one) == split)
    return next((one for one, true in ours if true and true(boxes) == label), "")


def _pair(
    random: np.random.Generator,
    make: Callable[[np.random.Generator], Representation],
    true: Callable[[Representation], bool],
) -> dict[bool, Representation]:
    """A scene of which it is true and one of which it is false; none where either is rare."""
    found: dict[bool, Representation] = {}
    for _ in range(CANDIDATES):
        scene = make(random)
        found.setdefault(true(scene), scene)
        if len(found) == len((True, False)):
            return found
    return {}


def _filled(random: np.random.Generator, template: str) -> str:
    """A template with a word for every capital letter; colours that stand side by side differ."""
    slots = dict(SLOTS)
    if " and " in template:
        slots |= {letter: (word,) for letter, word in zip("CDF", some(random, SLOTS["C"], 3), strict=True)}
    return "".join(pick(random, slots[letter]) if letter in slots else letter for letter in template)


def asked(sentence: str) -> str:
    """The question about a sentence; its answers are TRUTHS."""
    return f"{sentence} True or false?"


def _truth(label: bool) -> str:
    return TRUTHS[not label]


def _written(random: np.random.Generator, sentence: str) -> str:
    """As people write: with a capital mostly, digits or words, now and then "atleast"."""
    said = sentence.replace("at least", "atleast") if random.random() < RUN_TOGETHER else sentence
    return f"{said[0].upper()}{said[1:]}." if random.random() < CAPITAL else f"{said}."


RUN_TOGETHER, CAPITAL = 0.05, 0.7


def seen(boxes: Representation, sentence: str = "") -> str:
    """What a look at the boxes finds: of towers their colours from the base up, else each item, line by line.

    With a sentence whose meaning is known, also the colours that it names, as they are told here, and how much of what
    it is about each box has; and the sum of that, but of heights that are compared. Of items that lie anywhere each
    that counts is numbered.
    """
    about = meaning(sentence)
    named = ", ".join(COLOURS[word] for word in re.findall("|".join(COLOURS), normal(sentence)))
    what, of_towers = f"{named} " if named else "", stacked(boxes)
    parts = []
    for number, box in enumerate(boxes, 1):
        items = ", ".join(_items(box, of_towers, about.item if about else None))
        found = f": {what}{about.in_box(box)}" if about else ""
        parts.append(f"Box {number}: {items}{found}.")
    if about is not None and about.adds_up:
        parts.append(f"So {sum(map(about.in_box, boxes))}.")
    return " ".join(parts)


def stacked(boxes: Representation) -> bool:
    """Whether there are towers in the boxes."""
    return all(item["x_loc"] == TOWER_X and item["size"] == BLOCK for box in boxes for item in box)


def _items(box: Box, of_tower: bool, meant: OfItem | None) -> list[str]:
    if of_tower:
        return [SEEN[item["color"]] for item in box]
    numbers = itertools.count(1)
    return [
        f"{_looked_at(item)} {next(numbers)}" if meant and meant(item, box) else _looked_at(item)
        for item in sorted(box, key=_line_by_line)
    ]


def _line_by_line(item: dict[str, Any]) -> tuple[int, int]:
    return item["y_loc"] // BLOCK, item["x_loc"]


def _looked_at(item: dict[str, Any]) -> str:
    """Its size, colour and shape, and the sides of the box that it touches."""
    sides = [side for side, there in zip(("left", "right", "top", "bottom"), edges(item), strict=True) if there]
    size = dict(zip(SIZES, SLOTS["Z"], strict=True))[item["size"]]
    return " ".join([size, SEEN[item["color"]], item["type"], *sides])


def told(representation: Representation) -> str:
    """The boxes in words."""
    return " ".join(f"Box {number}: {'; '.join(map(_item, box))}." for number, box in enumerate(representation, 1))


def _item(item: dict[str, Any]) -> str:
    place = f"({item['x_loc']}, {item['y_loc']})"
    return f"{WORDS[item['color']]} {item['type']}, left top corner {place}, {item['size']} across"


KINDS: dict[str, Callable[[np.random.Generator, str], Question]] = {"statements": statements}
