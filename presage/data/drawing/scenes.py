"""Questions about scenes of coloured shapes, as in CLEVR (Johnson et al., 2017): counting, relations, captions.

What is held out: of counting, one in ten of the sets of shapes that a scene may consist of; of relations, one in ten of
the questions; of captions, HELD_OUT_NAMES, which occur in test captions only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from presage.data.drawing.canvas import pick, some
from presage.data.drawing.shapes import COLOURS, SHAPES, Item, ground, picture, places, split_of
from presage.data.images.question import Question, Turn

SIDE = 64
MOST = 9
"""Shapes in a scene."""
MOST_ASKED = 6
"""Of the shapes that a question of category "some" counts."""
BAND = 16
"""Height of what counts as one line, in the order of reading."""
COLOUR_NAMES = tuple(COLOURS)
NAMES = tuple((colour, shape) for colour in COLOUR_NAMES for shape in SHAPES)
HELD_OUT_NAMES = (("red", "triangle"), ("blue", "circle"), ("yellow", "square"), ("purple", "triangle"))
COMMON_NAMES = tuple(name for name in NAMES if name not in HELD_OUT_NAMES)
SIZES = {"small": (8, 10), "large": (18, 20)}

Name = tuple[str, str]


def _in_order(items: Sequence[Item]) -> list[Item]:
    """As one reads: line by line, each from the left."""
    return sorted(items, key=lambda item: (item.y // BAND, item.x, item.y))


def _told(items: Sequence[Item]) -> str:
    """The scene in words. y counts downwards."""
    listed = "; ".join(item.told for item in _in_order(items))
    return f"A picture of {SIDE} by {SIDE} pixels, (0, 0) at the top left, shows: {listed}."


# ---- counting --------------------------------------------------------------------------------------------------------


def counting(random: np.random.Generator, split: str) -> Question:
    """How many shapes, or how many of a colour, of a shape, of both. Every answer is as likely, in all or in some."""
    asked = pick(random, ("all", "colour", "shape", "both"))
    count = int(random.integers(1, MOST + 1)) if asked == "all" else int(random.integers(MOST_ASKED + 1))
    colour, shape, names = _inventory(random, split, asked, count)
    sizes = [2 * int(half) for half in random.integers(4, 9 if len(names) < 6 else 7, len(names))]
    spots = places(random, sizes, SIDE)
    items = [Item(name[1], name[0], x, y, size) for name, (x, y), size in zip(names, spots, sizes, strict=True)]
    kind = f"{colour} {shape or 'shape'}".strip()
    question = f"How many {kind}s are there?"
    return Question(
        id="",
        prompt=(picture(items, SIDE, ground(random)), question),
        answer=str(count),
        steps=_counted(items, colour, shape),
        category="all" if asked == "all" else "some",
        more=_more(random, items, question),
        forms={"text": (f"{_told(items)} {question}",)},
    )


def _more(random: np.random.Generator, items: Sequence[Item], asked: str) -> tuple[Turn, ...]:
    """What else to count in a scene, and at last what there is."""
    kinds = (("", ""), (pick(random, items).colour, ""), ("", pick(random, items).shape), pick(random, NAMES))
    found = {}
    for colour, shape in kinds:
        count = sum(_matches((item.colour, item.shape), colour, shape) for item in items)
        kind = f"{colour} {shape or 'shape'}".strip()
        found[f"How many {kind}s are there?"] = str(count)
    found.pop(asked, None)
    listed = ", ".join(item.name for item in _in_order(items))
    return (*(Turn(*one) for one in found.items()), Turn("Which are there?", listed))


def _matches(name: Name, colour: str, shape: str) -> bool:
    return colour in ("", name[0]) and shape in ("", name[1])


def _inventory(random: np.random.Generator, split: str, asked: str, count: int) -> tuple[str, str, list[Name]]:
    """The colour and shape asked for, "" for any, and the names of shapes of which `count` are these."""
    while True:
        colour = pick(random, COLOUR_NAMES) if asked in ("colour", "both") else ""
        shape = pick(random, SHAPES) if asked in ("shape", "both") else ""
        others = 0 if asked == "all" else int(random.integers(count == 0, MOST - count + 1))
        wanted = [name for name in NAMES if _matches(name, colour, shape)]
        rest = [name for name in NAMES if not _matches(name, colour, shape)]
        names = [pick(random, wanted) for _ in range(count)] + [pick(random, rest) for _ in range(others)]
        if split_of("counting", *sorted(names)) == split:
            return colour, shape, names


def _counted(items: Sequence[Item], colour: str, shape: str) -> str:
    """The shapes one by one; behind each that counts, how many that makes."""
    said: list[str] = []
    count = 0
    for item in _in_order(items):
        counts = _matches((item.colour, item.shape), colour, shape)
        count += counts
        said.append(f"{item.name} ({count})" if counts else item.name)
    return f"{', '.join(said)}.".capitalize()


# ---- relations -------------------------------------------------------------------------------------------------------

SIDES = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}
CLEARLY = 14
"""Pixels by which something lies to a side of something else."""


def relations(random: np.random.Generator, split: str) -> Question:
    """Where shapes lie to one another, and which is larger."""
    return pick(random, (_whether, _which, _larger))(random, split)


def _held(random: np.random.Generator, split: str, kind: str, count: int) -> tuple[list[Name], str]:
    """Different names and a side, such that the question lies in the split."""
    while True:
        names, side = some(random, NAMES, count), pick(random, tuple(SIDES))
        if split_of(kind, side, *names[:2]) == split:
            return names, side


def _scene(random: np.random.Generator, names: Sequence[Name], sizes: Sequence[int]) -> list[Item]:
    spots = places(random, sizes, SIDE)
    return [Item(name[1], name[0], x, y, size) for name, (x, y), size in zip(names, spots, sizes, strict=True)]


def _offset(one: Item, other: Item, side: str) -> int:
    """How far one lies to that side of the other; negative: to the opposite side."""
    across, down = SIDES[side]
    return across * (one.x - other.x) + down * (one.y - other.y)


def _middling(random: np.random.Generator, count: int) -> list[int]:
    return [2 * int(half) for half in random.integers(5, 9, count)]


def _whether(random: np.random.Generator, split: str) -> Question:
    count = int(random.integers(2, 4))
    names, side = _held(random, split, "whether", count)
    true = bool(random.integers(2))
    while True:
        items = _scene(random, names, _middling(random, count))
        offset = _offset(items[0], items[1], side)
        if (offset if true else -offset) >= CLEARLY:
            break
    text = f"Is the {items[0].name} {side} the {items[1].name}?"
    told = " and ".join(f"The {item.name} is at ({item.x}, {item.y})" for item in items[:2]).replace(
        "and The", "and the"
    )
    return _related(random, items, text, "yes" if true else "no", f"{told}.", "whether")


def _which(random: np.random.Generator, split: str) -> Question:
    count = int(random.integers(2, 4))
    names, side = _held(random, split, "which", count)
    while True:
        items = _scene(random, names, _middling(random, count))
        offsets = [_offset(item, items[0], side) for item in items[1:]]
        if offsets[0] >= CLEARLY and all(offset <= -CLEARLY for offset in offsets[1:]):
            break
    text = f"What is {side} the {items[0].name}?"
    told = (
        f"The {items[0].name} is at ({items[0].x}, {items[0].y}), the {items[1].name} at ({items[1].x}, {items[1].y})."
    )
    return _related(random, items, text, items[1].name, told, "which")


def _larger(random: np.random.Generator, split: str) -> Question:
    names, _ = _held(random, split, "larger", 2)
    word, first = pick(random, ("larger", "smaller")), int(random.integers(2))
    sizes = [2 * int(random.integers(4, 6)), 2 * int(random.integers(8, 11))]
    items = _scene(random, names, sizes if first else sizes[::-1])
    ordered = sorted(items, key=lambda item: item.size if word == "smaller" else -item.size)
    text = f"Which is {word}, the {items[0].name} or the {items[1].name}?"
    told = f"The {items[0].name} is {items[0].size} across, the {items[1].name} {items[1].size}."
    return _related(random, items, text, ordered[0].name, told, "larger")


def _related(
    random: np.random.Generator, items: Sequence[Item], text: str, answer: str, steps: str, category: str
) -> Question:
    return Question(
        id="",
        prompt=(picture(items, SIDE, ground(random)), text),
        answer=answer,
        steps=steps,
        category=category,
        forms={"text": (f"{_told(items)} {text}",)},
    )


# ---- captions --------------------------------------------------------------------------------------------------------

ASKED = "Describe the picture."


def captions(random: np.random.Generator, split: str) -> Question:
    """One to three shapes in a row, from the left or from the top, with their sizes."""
    count, across = int(random.integers(1, 4)), bool(random.integers(2))
    names = _captioned(random, split, count)
    words = [pick(random, tuple(SIZES)) for _ in names]
    sizes = [pick(random, SIZES[word]) for word in words]
    along = _along(random, sizes)
    beside = [int(random.integers(-4, 5)) + SIDE // 2 for _ in names]
    items = [
        Item(name[1], name[0], *((a, b) if across else (b, a)), size)
        for name, a, b, size in zip(names, along, beside, sizes, strict=True)
    ]
    said = [f"a {word} {item.name}" for word, item in zip(words, items, strict=True)]
    return Question(
        id="",
        prompt=(picture(items, SIDE, ground(random)), ASKED),
        answer=(" left of " if across else " above ").join(said),
        category=str(count),
        forms={"text": (f"{_told(items)} {ASKED}",)},
    )


def _captioned(random: np.random.Generator, split: str, count: int) -> list[Name]:
    """Different names; for the test split at least one that training never shows."""
    if split == "train":
        return some(random, COMMON_NAMES, count)
    held = pick(random, HELD_OUT_NAMES)
    names = [held, *some(random, [name for name in NAMES if name != held], count - 1)]
    return some(random, names, count)


def _along(random: np.random.Generator, sizes: Sequence[int]) -> list[int]:
    """Middles of shapes one after another, what is left over spread by chance."""
    free = SIDE - sum(sizes) - (len(sizes) - 1)
    cuts = sorted(int(cut) for cut in random.integers(0, free + 1, len(sizes)))
    starts = [cut + sum(sizes[:number]) + number for number, cut in enumerate(cuts)]
    return [start + size // 2 for start, size in zip(starts, sizes, strict=True)]


KINDS: dict[str, Callable[[np.random.Generator, str], Question]] = {
    "counting": counting,
    "relations": relations,
    "captions": captions,
}
