"""Boxes and circles with arrows between them, and triangles and rectangles whose sides carry numbers.

What is held out: one in ten of the sets of arrows with their labels; one in ten of the shapes by their sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from presage.data.drawing.canvas import OWN, font, pick, some
from presage.data.drawing.shapes import FINER, canvas, png, shown, split_of
from presage.data.images.parts import Picture
from presage.data.images.question import Question

SIDE = 96
PAPER, INK = (255, 255, 255), (30, 30, 30)
FILLS = ((255, 240, 200), (215, 235, 255), (220, 245, 215), (245, 220, 240), (255, 255, 255))
LETTERS = tuple("ABCDEFGHKLMNPRSTUVXYZ")
NAMES = ("cat", "dog", "sun", "tea", "map", "key", "pen", "hat", "egg", "bus", "ink", "oak")
SPOTS = tuple((x, y) for y in (16, 48, 80) for x in (16, 48, 80))
RADIUS = 11
"""From the middle of a box to its side."""
HEAD = 5
FONT, WORD_FONT = 11, 9


@dataclass(frozen=True)
class Graph:
    """Labels at their places among SPOTS, and arrows from label to label."""

    at: dict[str, int]
    arrows: tuple[tuple[str, str], ...]

    @property
    def told(self) -> str:
        """In words. y counts downwards."""
        boxes = "; ".join(f"{label} at {SPOTS[spot]}" for label, spot in self.at.items())
        arrows = "; ".join(f"from {start} to {end}" for start, end in self.arrows)
        return f"Boxes, (0, 0) at the top left: {boxes}. Arrows: {arrows}."


def _label(pen: ImageDraw.ImageDraw, text: str, x: float, y: float) -> None:
    size = FONT if len(text) < len("cat") else WORD_FONT
    pen.text((x * FINER, y * FINER), text, fill=INK, font=font(OWN, size * FINER), anchor="mm")


# ---- arrows ----------------------------------------------------------------------------------------------------------


def _graph(random: np.random.Generator, split: str) -> Graph:
    """Three to five labels, each with its arrows, none of which runs through a third."""
    while True:
        labels = some(random, pick(random, (LETTERS, NAMES)), int(random.integers(3, 6)))
        at = dict(zip(labels, some(random, range(len(SPOTS)), len(labels)), strict=True))
        pairs = [(a, b) for a in labels for b in labels if a < b and _clear(at, a, b)]
        chosen = some(random, pairs, int(random.integers(2, 6)))
        arrows = tuple(pair if random.random() < HALF else pair[::-1] for pair in chosen)
        if arrows and split_of("graph", *sorted(arrows)) == split:
            return Graph(at, arrows)


HALF = 0.5


def _clear(at: dict[str, int], start: str, end: str) -> bool:
    """Whether a line from one to the other misses all others by a box's side."""
    (x, y), (u, v) = SPOTS[at[start]], SPOTS[at[end]]
    length = math.hypot(u - x, v - y)
    others = [SPOTS[spot] for label, spot in at.items() if label not in (start, end)]
    return all(
        abs((u - x) * (b - y) - (v - y) * (a - x)) / length > RADIUS + HEAD
        or not 0 <= (u - x) * (a - x) + (v - y) * (b - y) <= length**2
        for a, b in others
    )


def _drawn(random: np.random.Generator, graph: Graph) -> Picture:
    image, pen = canvas(SIDE, SIDE, PAPER)
    fill, round_ = pick(random, FILLS), bool(random.integers(2))
    for start, end in graph.arrows:
        _arrow(pen, SPOTS[graph.at[start]], SPOTS[graph.at[end]])
    for label, spot in graph.at.items():
        x, y = SPOTS[spot]
        corners = tuple(FINER * value for value in (x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS))
        draw = pen.ellipse if round_ else pen.rectangle
        draw(corners, fill=fill, outline=INK, width=FINER)
        _label(pen, label, x, y)
    return png(shown(image))


def _arrow(pen: ImageDraw.ImageDraw, start: tuple[int, int], end: tuple[int, int]) -> None:
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    across, down = math.cos(angle), math.sin(angle)
    reach = RADIUS * min(1 / max(abs(across), abs(down)), 1.2)
    tip = (end[0] - across * (reach + 1), end[1] - down * (reach + 1))
    neck = (tip[0] - across * HEAD, tip[1] - down * HEAD)
    wings = [(neck[0] - sign * down * HEAD * HALF, neck[1] + sign * across * HEAD * HALF) for sign in (-1, 1)]
    pen.line([(a * FINER, b * FINER) for a, b in (start, neck)], fill=INK, width=FINER)
    pen.polygon([(a * FINER, b * FINER) for a, b in (tip, *wings)], fill=INK)


def _arrows(random: np.random.Generator, split: str) -> Question:
    while True:
        graph = _graph(random, split)
        found = pick(random, (_lead, _leave, _top))(random, graph)
        if found:
            break
    asked, answer, steps, category = found
    return Question(
        id="",
        prompt=(_drawn(random, graph), asked),
        answer=answer,
        steps=steps,
        category=category,
        forms={"text": (f"{graph.told} {asked}",)},
    )


Asked = tuple[str, str, str, str]


def _lead(random: np.random.Generator, graph: Graph) -> Asked | None:
    starts = [start for start, _ in graph.arrows]
    single = [(start, end) for start, end in graph.arrows if starts.count(start) == 1]
    if not single:
        return None
    start, end = pick(random, single)
    return f"Where does the arrow from {start} lead?", end, "", "lead"


def _leave(random: np.random.Generator, graph: Graph) -> Asked | None:
    label = pick(random, tuple(graph.at))
    ends = [end for start, end in graph.arrows if start == label]
    steps = f"Arrows from {label}: {', '.join(f'to {end}' for end in ends) or 'none'}."
    return f"How many arrows leave {label}?", str(len(ends)), steps, "leave"


def _top(random: np.random.Generator, graph: Graph) -> Asked | None:
    word, sign, axis = pick(random, (("top", 1, 1), ("bottom", -1, 1), ("far left", 1, 0), ("far right", -1, 0)))
    ordered = sorted(graph.at, key=lambda label: sign * SPOTS[graph.at[label]][axis])
    first, second = ordered[:2]
    if SPOTS[graph.at[first]][axis] == SPOTS[graph.at[second]][axis]:
        return None
    return f"Which label is at the {word}?", first, "", "place"


# ---- geometry --------------------------------------------------------------------------------------------------------


def _geometry(random: np.random.Generator, split: str) -> Question:
    """A triangle's or a rectangle's perimeter, or a rectangle's area."""
    while True:
        corners = int(random.integers(3, 5))
        sides = _triangle(random) if corners == len("abc") else [int(side) for side in random.integers(2, 13, 2)]
        if split_of("sides", corners, *sorted(sides)) == split:
            break
    return _perimeter(random, sides) if corners == len("abc") or random.random() < HALF else _area(random, sides)


def _triangle(random: np.random.Generator) -> list[int]:
    """Three sides that close and are not too flat: base, right, left."""
    while True:
        a, b, c = (int(side) for side in random.integers(3, 15, 3))
        if 1.3 * max(a, b, c) < a + b + c - max(a, b, c) and abs(b - c) < a * 0.8:
            return [a, b, c]


def _perimeter(random: np.random.Generator, sides: Sequence[int]) -> Question:
    terms = list(sides) if len(sides) == len("abc") else [*sides, *sides]
    steps = f"{' + '.join(map(str, terms))} = {sum(terms)}."
    return _measured(random, sides, "What is the perimeter?", str(sum(terms)), steps, "perimeter")


def _area(random: np.random.Generator, sides: Sequence[int]) -> Question:
    area = sides[0] * sides[1]
    return _measured(random, sides, "What is the area?", str(area), f"{sides[0]} x {sides[1]} = {area}.", "area")


def _measured(
    random: np.random.Generator, sides: Sequence[int], asked: str, answer: str, steps: str, category: str
) -> Question:
    kind = "triangle" if len(sides) == len("abc") else "rectangle"
    told = f"A {kind} with sides {', '.join(map(str, sides))}."
    image, pen = canvas(SIDE, SIDE, PAPER)
    points = _triangle_points(sides) if kind == "triangle" else _rectangle_points(sides)
    pen.polygon([(x * FINER, y * FINER) for x, y in points], fill=pick(random, FILLS), outline=INK, width=FINER)
    middle = (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
    for side, start, end in zip(sides, points, points[1:] + points[:1], strict=False):
        _label(pen, str(side), *_outside(start, end, middle))
    return Question(
        id="",
        prompt=(png(shown(image)), asked),
        answer=answer,
        steps=steps,
        category=category,
        forms={"text": (f"{told} {asked}",)},
    )


Point = tuple[float, float]
LARGEST = 60
"""Pixels of the longer extent of a shape."""
AWAY = 9


def _triangle_points(sides: Sequence[int]) -> list[Point]:
    """Left and right end of the base, and the apex, to scale."""
    base, right, left = sides
    x = (base**2 + left**2 - right**2) / (2 * base)
    return _fitted([(0, 0), (base, 0), (x, -math.sqrt(left**2 - x**2))])


def _rectangle_points(sides: Sequence[int]) -> list[Point]:
    width, height = sides
    return _fitted([(0, 0), (width, 0), (width, -height), (0, -height)])


def _fitted(points: list[Point]) -> list[Point]:
    """Scaled to LARGEST and put into the middle."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    scale = LARGEST / max(max(xs) - min(xs), max(ys) - min(ys))
    x_middle, y_middle = (max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2
    return [(SIDE / 2 + (x - x_middle) * scale, SIDE / 2 + (y - y_middle) * scale) for x, y in points]


def _outside(start: Point, end: Point, middle: Point) -> Point:
    """Beside the middle of a side, away from the shape."""
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    normal = (end[1] - start[1], start[0] - end[0])
    sign = math.copysign(1, normal[0] * (x - middle[0]) + normal[1] * (y - middle[1]))
    length = math.hypot(*normal)
    return x + sign * AWAY * normal[0] / length, y + sign * AWAY * normal[1] / length


def diagrams(random: np.random.Generator, split: str) -> Question:
    """Arrows two times in three, geometry else."""
    return pick(random, (_arrows, _arrows, _geometry))(random, split)


KINDS: dict[str, Callable[[np.random.Generator, str], Question]] = {"diagrams": diagrams}
