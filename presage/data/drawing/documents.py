"""Questions about small documents: a letter, a table, a receipt, each with a field to be found.

Every document has names, all generated words of its split (see `words`): by these it is for training or for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from presage.data.drawing.canvas import (
    DARK,
    LIGHT,
    RGB,
    Draw,
    Font,
    font,
    listed,
    pick,
    png,
    some,
    width_of,
)
from presage.data.drawing.words import plain_word
from presage.data.images.question import Question

LEAST, MOST = (128, 96), (192, 160)
"""Sizes of image."""
FACES = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "DejaVuSansMono-Bold")
GAP = 10
"""Pixels between columns, at the least."""

_MONTHS = listed("January February March April May June July August September October November December")
_GOODS = listed("salt rice wool corn silk coal sand wood glass paper sugar honey cloth wheat iron soap")
_FOODS = listed("apple bread butter cake cheese coffee corn eggs fish honey jam juice milk nuts oil rice salt soup tea")
_COLUMNS = listed("age cost depth height length load number power price rank rate score size speed stock weight width")
_PLACES = listed("harbour market station library bridge museum castle garden school chapel")


class Line(NamedTuple):
    """A line of a document: its cells, the first to the left, the others to the right in columns. rule: drawn below."""

    cells: tuple[str, ...]
    rule: bool = False


class Asked(NamedTuple):
    """A question, its answer, and how to come to it."""

    text: str
    answer: str
    category: str
    steps: str = ""


class Paper(NamedTuple):
    """A document: its lines, all of it in words, what can be asked, and its halves.

    heading, rest: what the interleaved form tells in words, and the lines that its image shows. Only what `rest` holds
    is asked.
    """

    lines: tuple[Line, ...]
    told: str
    heading: str
    rest: tuple[Line, ...]
    asked: Asked


# ---- what documents say ----------------------------------------------------------------------------------------------


def letter(random: np.random.Generator, split: str) -> Paper:
    """From one to another, with a date and an amount of goods at a place."""
    new = partial(_name, random, split)
    sender, receiver = f"{new()} {new()}", f"{new()} {new()}"
    day = f"{int(random.integers(1, 29))} {pick(random, _MONTHS)} {int(random.integers(1900, 2030))}"
    boxes, goods = str(int(random.integers(2, 100))), pick(random, _GOODS)
    place = pick(random, _PLACES)
    lines = (
        Line((f"Date: {day}",)),
        Line((f"From: {sender}",)),
        Line((f"To: {receiver}",), rule=random.random() < 0.5),
        Line((f"We send {boxes} boxes of {goods}",)),
        Line((f"to the {place}.",)),
    )
    first = bool(random.random() < 0.5)  # the heading is told and the body is shown, or the other way round
    heads = (
        Asked("Who wrote the letter?", sender, "sender"),
        Asked("Who is the letter to?", receiver, "receiver"),
        Asked("What is the date of the letter?", day, "date"),
    )
    bodies = (
        Asked("How many boxes are sent?", boxes, "amount"),
        Asked("What is in the boxes?", goods, "goods"),
        Asked("Where are the boxes sent?", f"the {place}", "place"),
    )
    apart, rest = (lines[:3], lines[3:]) if first else (lines[3:], lines[:3])
    begins = f"A letter. Its {'heading' if first else 'body'}:"
    return Paper(lines, _told("A letter.", lines), _told(begins, apart), rest, pick(random, bodies if first else heads))


def table(random: np.random.Generator, split: str) -> Paper:
    """Rows and columns of numbers, each row and column named."""
    rows, columns = int(random.integers(2, 6)), int(random.integers(2, 4))
    heads = tuple(some(random, _COLUMNS, columns))
    names = _names(random, split, rows)
    cells = random.permutation(100)[: rows * columns].reshape(rows, columns).tolist()  # no two alike
    lines = [Line(("", *heads), rule=True)]
    lines += [Line((name, *map(str, row))) for name, row in zip(names, cells, strict=True)]
    told = " ".join(
        f"{name}: {', '.join(f'{head} {cell}' for head, cell in zip(heads, row, strict=True))}."
        for name, row in zip(names, cells, strict=True)
    )
    asked = pick(random, (_cell, _largest, _column_sum))(random, names, heads, cells)
    heading = f"A table. Its columns after the names: {', '.join(heads)}."
    return Paper(tuple(lines), f"A table. {told}", heading, tuple(lines[1:]), asked)


def _cell(
    random: np.random.Generator, names: Sequence[str], heads: Sequence[str], cells: Sequence[Sequence[int]]
) -> Asked:
    row, column = int(random.integers(len(names))), int(random.integers(len(heads)))
    return Asked(f"What is the {heads[column]} of {names[row]}?", str(cells[row][column]), "cell")


def _largest(
    random: np.random.Generator, names: Sequence[str], heads: Sequence[str], cells: Sequence[Sequence[int]]
) -> Asked:
    column = int(random.integers(len(heads)))
    values = [row[column] for row in cells]
    return Asked(f"Who has the largest {heads[column]}?", names[values.index(max(values))], "largest")


def _column_sum(
    random: np.random.Generator, names: Sequence[str], heads: Sequence[str], cells: Sequence[Sequence[int]]
) -> Asked:
    column = int(random.integers(len(heads)))
    first, second = some(random, range(len(names)), 2)
    x, y = cells[first][column], cells[second][column]
    steps = f"{names[first]} has {x}. {names[second]} has {y}. {x} + {y} = {x + y}."
    text = f"What is the {heads[column]} of {names[first]} and {names[second]} together?"
    return Asked(text, str(x + y), "sum", steps)


def receipt(random: np.random.Generator, split: str) -> Paper:
    """A shop, a date, things with prices, and what they come to."""
    count = int(random.integers(2, 6))
    shop, foods = _name(random, split), some(random, _FOODS, count)
    prices = (random.permutation(195)[:count] * 5 + 25).tolist()  # in hundredths; no two alike
    day = f"{int(random.integers(1, 29)):02}.{int(random.integers(1, 13)):02}.{int(random.integers(1990, 2030))}"
    total = _money(sum(prices))
    lines = [Line((f"{shop} shop",)), Line((day,), rule=True)]
    lines += [Line((food, _money(price))) for food, price in zip(foods, prices, strict=True)]
    lines[-1] = lines[-1]._replace(rule=True)
    lines.append(Line(("TOTAL", total)))
    bought = zip(foods, prices, strict=True)
    told = f"A receipt of the {shop} shop, {day}. {', '.join(f'{food} {_money(price)}' for food, price in bought)}; "
    if random.random() < 0.4:  # the head of it is shown, and what was bought is told
        heading = f"A receipt. {told.split('. ', 1)[1]}total {total}. Its head:"
        asks = (Asked("Which shop is the receipt from?", shop, "shop"), Asked("What is its date?", day, "date"))
        return Paper(tuple(lines), f"{told}total {total}.", heading, tuple(lines[:2]), pick(random, asks))
    heading = f"A receipt. From top to bottom: {', '.join(foods)}, total. What they cost:"
    rest = tuple(line._replace(cells=("", line.cells[1])) for line in lines[2:])
    asked = _bought(random, foods, prices)
    return Paper(tuple(lines), f"{told}total {total}.", heading, rest, asked)


def _bought(random: np.random.Generator, foods: Sequence[str], prices: Sequence[int]) -> Asked:
    chance = random.random()
    first, second = some(random, range(len(foods)), 2)
    if chance < 0.5:
        return Asked(f"What does the {foods[first]} cost?", _money(prices[first]), "price")
    if chance < 0.75:
        return Asked("What is the total?", _money(sum(prices)), "total")
    x, y, both = _money(prices[first]), _money(prices[second]), _money(prices[first] + prices[second])
    steps = f"{foods[first]} is {x}. {foods[second]} is {y}. {x} + {y} = {both}."
    return Asked(f"What do the {foods[first]} and the {foods[second]} cost together?", both, "sum", steps)


def _money(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _name(random: np.random.Generator, split: str) -> str:
    return plain_word(random, split, 3, 6).capitalize()


def _names(random: np.random.Generator, split: str, count: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[_name(random, split)] = None
    return tuple(found)


def _told(begins: str, lines: Sequence[Line]) -> str:
    return "\n".join([begins, *(line.cells[0] for line in lines)])


# ---- how they look ---------------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """How a document is drawn."""

    face: str
    size: int
    ink: RGB
    ground: RGB
    indent: int
    top: int
    room: int


def _look(random: np.random.Generator) -> Look:
    inks, grounds = list(DARK.values()), list(LIGHT.values())
    ink, ground = (pick(random, inks), pick(random, grounds)) if random.random() < 0.8 else (grounds[0], inks[1])
    indent, top, room = random.integers((3, 2, 0), (10, 8, 16)).tolist()
    return Look(pick(random, FACES), int(random.integers(9, 11)), ink, ground, indent, top, room)


def _drawn(lines: Sequence[Line], look: Look) -> Image.Image:
    face = font(look.face, look.size)
    columns = _columns(lines, face)
    text = max((width_of(line.cells[0], face) for line in lines if len(line.cells) == 1), default=0)
    needed = max(text, sum(columns)) + 2 * look.indent
    width = min(max(needed + look.room, LEAST[0]), MOST[0])
    height = max(LEAST[1], min(MOST[1], len(lines) * (look.size + 7) + look.top + look.room))
    image = Image.new("RGB", (max(width, needed), height), look.ground)
    pen = ImageDraw.Draw(image)
    row = min((height - look.top - 2) / len(lines), 22)
    spread = (image.width - 2 * look.indent - sum(columns)) // max(1, len(columns) - 1) if len(columns) > 1 else 0
    for place, line in enumerate(lines):
        y, right = look.top + round(row * place), look.indent + columns[0]
        pen.text((look.indent, y), line.cells[0], font=face, fill=look.ink)
        for cell, wide in zip(line.cells[1:], columns[1:], strict=False):
            right += wide + spread
            pen.text((right, y), cell, font=face, fill=look.ink, anchor="ra")
        if line.rule:
            below = y + round(row) - 2
            pen.line((look.indent, below, image.width - look.indent, below), fill=look.ink)
    return image


def _columns(lines: Sequence[Line], face: Font) -> list[int]:
    """How wide each column is, of the lines that have more than one."""
    rows = [line.cells for line in lines if len(line.cells) > 1] or [("",)]
    return [
        max(width_of(cell, face) for cell in column) + (GAP if place else 0)
        for place, column in enumerate(zip(*rows, strict=True))
    ]


def ask(random: np.random.Generator, split: str, make: Callable[[np.random.Generator, str], Paper]) -> Question:
    """A question about a document of a kind."""
    paper = make(random, split)
    look, asked = _look(random), paper.asked
    return Question(
        "",
        (png(_drawn(paper.lines, look)), asked.text),
        asked.answer,
        steps=asked.steps,
        category=asked.category,
        forms={
            "text": (f"{paper.told}\n{asked.text}",),
            "interleaved": (paper.heading, png(_drawn(paper.rest, look)), asked.text),
        },
    )


KINDS: dict[str, Draw] = {
    "letters": partial(ask, make=letter),
    "tables": partial(ask, make=table),
    "receipts": partial(ask, make=receipt),
}
