"""Questions about charts: bars, a line, a pie. Each shows random numbers under random names in a random style.

A style is held out whole: no chart for tests is drawn in a way that training has seen. What is asked says nothing of
the answer: names, values and places are all drawn by chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from presage.data.drawing import bars, lines, pies
from presage.data.drawing.axes import GROUNDS, STEPS, Shown
from presage.data.drawing.canvas import Draw, listed, of_split, palette, pick, png, some
from presage.data.images.question import Metric, Question, Turn

NAMES = listed(
    """ale ant ape ash axe bat bay bee bin bow box bus cab cap car cat cod cot cow cup den dog ear eel egg elk elm eye
    fan fig fin fox gem hat hay hen hut ice ink jar jet key kit leg lid log map net nut oak oat oil owl pea pen pie pig
    pot rat rod rug rye sea sky sun tea tin toe toy tub urn van vet wax yak yew zoo"""
)
MARGIN = 0.08
"""By how much of the axis the largest is larger than any other, and the smallest smaller."""
AREA, THIN = 40.0, 55.0
"""By how much brighter or darker than its ground a sector is, and a line or bar."""
MAXIMA = tuple(STEPS)
WHOLE = 100
LEAST_SHARE = 7
"""Hundredths of a pie that its smallest sector may have."""
FURTHER = 6
"""Questions that are drawn beside the first; those that come twice are asked once."""


class Chart(NamedTuple):
    """What a chart shows, and how. place: of the value drawn evenly over all it can be, which is asked for."""

    names: tuple[str, ...]
    values: tuple[int, ...]
    place: int
    maximum: int
    colours: tuple[str, ...]
    side: tuple[int, int]
    style: Any


class Asked(NamedTuple):
    """A question, its answer, and whether names or numbers may be told beside the image without giving it away."""

    text: str
    answer: str
    category: str
    metric: Metric = "exact"
    notes: Sequence[str] = ()
    """What follows from each thing that is told, where that is how the answer is found."""
    steps: str = ""
    """What is left to do once the chart has been told."""
    tell_names: bool = True


Ask = Callable[[np.random.Generator, Chart], Asked]


class Family(NamedTuple):
    """A kind of chart: its name in words, how it is drawn, how told, and what can be asked of it."""

    told: str
    module: Any
    counts: tuple[int, int]
    asks: Sequence[Ask]
    further: Sequence[Ask]
    """Of these, what else is asked of a chart that has been told. One that is named thrice is asked as often: a lookup
    is learned from many, and short."""


# ---- what is shown ---------------------------------------------------------------------------------------------------


def chart(random: np.random.Generator, split: str, family: Family) -> Chart:
    """A chart of a split. Raises DataError for an unknown split."""
    style = of_split(split, partial(pick, random, family.module.styles()), lambda one: f"{family.told}: {one}")
    count = int(random.integers(family.counts[0], family.counts[1] + 1))
    whole = family.module is pies
    maximum = WHOLE if whole else pick(random, MAXIMA)
    values = _shares(random, count) if whole else _values(random, count, maximum)
    order = random.permutation(count).tolist()
    names = tuple(some(random, NAMES, count))
    return Chart(
        names,
        tuple(values[place] for place in order),
        order.index(0),
        maximum,
        _colours(random, style, count, whole),
        pick(random, family.module.sides(style, count)),
        style,
    )


def _values(random: np.random.Generator, count: int, maximum: int) -> tuple[int, ...]:
    step = STEPS[maximum]
    while True:
        values = tuple(int(value) * step for value in random.integers(1, maximum // step + 1, size=count))
        if _apart(values, maximum):
            return values


def _shares(random: np.random.Generator, count: int) -> tuple[int, ...]:
    """Hundredths that sum to WHOLE: the first is drawn evenly, the others share what is left."""
    while True:
        first = int(random.integers(LEAST_SHARE, WHOLE - LEAST_SHARE * (count - 1) + 1))
        spare = WHOLE - first - LEAST_SHARE * (count - 1)
        cuts = [0, *sorted(random.integers(0, spare + 1, size=count - 2).tolist()), spare]
        values = [first, *(LEAST_SHARE + end - start for start, end in itertools.pairwise(cuts))]
        if _apart(values, WHOLE, largest_only=True):
            return tuple(values)


def _apart(values: Sequence[int], maximum: int, *, largest_only: bool = False) -> bool:
    ordered = sorted(values)
    gap = MARGIN * maximum
    return ordered[-1] - ordered[-2] >= gap and (largest_only or ordered[1] - ordered[0] >= gap)


def _colours(random: np.random.Generator, style: Any, count: int, whole: bool) -> tuple[str, ...]:
    usable = [
        name for name in palette(GROUNDS[style.ground], AREA if whole else THIN) if name not in ("black", "white")
    ]
    if whole or getattr(style, "colours", "one") == "many":
        return tuple(some(random, usable, count))
    return (pick(random, usable),) * count


def picture(family: Family, shown: Chart, what: Shown) -> Image.Image:
    """The image of a chart, with names and numbers or without."""
    image: Image.Image = family.module.draw(
        shown.style, shown.names, shown.values, shown.maximum, shown.colours, shown.side, what
    )
    return image


# ---- what is told ----------------------------------------------------------------------------------------------------


def told(family: Family, shown: Chart, notes: Sequence[str] = ()) -> str:
    """All that a chart shows, in words; with notes, what follows of it for a question, thing by thing."""
    return f"{family.told}, {_scale(family, shown)}. {_listed(shown, range(len(shown.names)), notes)}."


def _listed(shown: Chart, places: Sequence[int], notes: Sequence[str] = ()) -> str:
    """Names and values, each with its note."""
    things = [f"{shown.names[place]}: {shown.values[place]}" for place in places]
    pairs = itertools.zip_longest(things, notes, fillvalue="")
    return ", ".join(f"{thing} {note}".rstrip() for thing, note in pairs)


def _scale(family: Family, shown: Chart) -> str:
    return "in percent" if family.module is pies else f"axis 0 to {shown.maximum}"


def _partly(family: Family, shown: Chart, asked: Asked) -> tuple[str, Shown]:
    """What is told before an image that shows the rest, and what that image shows."""
    begins = f"{family.told}, {_scale(family, shown)}."
    if not asked.tell_names:
        return begins, Shown(names=True, numbers=False)
    if family.module is pies:
        names = ", ".join(f"{name} is {colour}" for name, colour in zip(shown.names, shown.colours, strict=True))
        return f"{begins} In it {names}.", Shown(names=False)
    order = "From left to right" if getattr(shown.style, "upright", True) else "From top to bottom"
    return f"{begins} {order}: {', '.join(shown.names)}.", Shown(names=False, numbers=False)


def ask(random: np.random.Generator, split: str, family: Family) -> Question:
    """A question about a chart of a kind."""
    shown = chart(random, split, family)
    asked = pick(random, family.asks)(random, shown)
    more = _more(random, family, shown, asked)
    words, rest = _partly(family, shown, asked)
    return Question(
        "",
        (png(picture(family, shown, Shown())), asked.text),
        asked.answer,
        metric=asked.metric,
        steps=f"{told(family, shown, asked.notes)} {asked.steps}".rstrip(),
        scale=float(shown.maximum) if asked.metric == "within" else None,
        category=asked.category,
        more=more,
        forms={
            "text": (f"{told(family, shown)}\n{asked.text}",),
            "interleaved": (words, png(picture(family, shown, rest)), asked.text),
        },
    )


def _more(random: np.random.Generator, family: Family, shown: Chart, asked: Asked) -> tuple[Turn, ...]:
    """What else to learn from a chart: other questions, of whatever names, and at last all that it shows."""
    places = random.integers(len(shown.names), size=FURTHER).tolist()
    others = [pick(random, family.further)(random, shown._replace(place=place)) for place in places]
    new = {other.text: Turn(other.text, other.answer, other.steps) for other in others if other.text != asked.text}
    return (*new.values(), Turn("What does the chart show?", told(family, shown)))


# ---- what is asked ---------------------------------------------------------------------------------------------------


def _value(thing: str, random: np.random.Generator, shown: Chart) -> Asked:
    text = f"What is the value of the {thing} {shown.names[shown.place]}?"
    return Asked(text, str(shown.values[shown.place]), "value", "within", steps=_looked_up(shown, shown.place))


def _looked_up(shown: Chart, *at: int) -> str:
    """What was told of some names, once more: to find a name is learned before what to do with it."""
    return " ".join(f"{shown.names[place]}: {shown.values[place]}." for place in at)


def _extreme(text: str, category: str, random: np.random.Generator, shown: Chart) -> Asked:
    best, notes = _compared(shown, range(len(shown.names)), category)
    return Asked(text, shown.names[best], category, notes=notes)


def _among(thing: str, category: str, random: np.random.Generator, shown: Chart) -> Asked:
    """Of some, in whatever order they are named; no two of them are first."""
    while True:
        some_of = some(random, range(len(shown.names)), int(random.integers(2, len(shown.names) + 1)))
        best, notes = _compared(shown, some_of, category)
        if [shown.values[place] for place in some_of].count(shown.values[best]) == 1:
            break
    *first, last = (shown.names[place] for place in some_of)
    text = f"Of {', '.join(first)} and {last}, which {thing}?"
    return Asked(text, shown.names[best], category, steps=f"{_listed(shown, some_of, notes)}.")


def _compared(shown: Chart, places: Sequence[int], category: str) -> tuple[int, list[str]]:
    """The place that comes first by value, and what is noted at each on the way: how it compares to the first so far,
    and which that is now. What is more is said before whose it is: a small model cannot do both in a word."""
    first = min if category == "smallest" else max
    kept = list(itertools.accumulate(places, partial(first, key=shown.values.__getitem__)))
    now = [f"so {shown.names[place]} {shown.values[place]}" for place in kept]
    compared = [
        f"to {shown.values[before]} is {_as(shown.values[place], shown.values[before])} {note}"
        for before, place, note in zip(kept[:-1], places[1:], now[1:], strict=True)
    ]
    return kept[-1], [now[0], *compared]


def _as(value: int, other: int) -> str:
    if value == other:
        return "equal"
    return "more" if value > other else "less"


def _sum(random: np.random.Generator, shown: Chart) -> Asked:
    first, second = some(random, range(len(shown.names)), 2)
    a, b = shown.names[first], shown.names[second]
    x, y = shown.values[first], shown.values[second]
    steps = f"{_looked_up(shown, first, second)} {x} + {y} = {x + y}."
    return Asked(f"What do the bars {a} and {b} add up to?", str(x + y), "sum", "within", steps=steps)


def _count(random: np.random.Generator, shown: Chart) -> Asked:
    return Asked("How many bars are there?", str(len(shown.names)), "count", tell_names=False)


def _rising(random: np.random.Generator, shown: Chart) -> Asked:
    """Two neighbours that a person can tell apart, and as likely down as up."""
    pairs = [
        place
        for place in range(len(shown.names) - 1)
        if abs(shown.values[place + 1] - shown.values[place]) >= MARGIN * shown.maximum
    ]
    place = pick(random, pairs)
    answer = "yes" if shown.values[place + 1] > shown.values[place] else "no"
    text = f"Does the line rise from {shown.names[place]} to {shown.names[place + 1]}?"
    return Asked(text, answer, "rising", steps=_looked_up(shown, place, place + 1))


def _percent(random: np.random.Generator, shown: Chart) -> Asked:
    text = f"How many percent is {shown.names[shown.place]}?"
    return Asked(text, str(shown.values[shown.place]), "percent", "within", steps=_looked_up(shown, shown.place))


_VALUE, _LARGEST = partial(_value, "bar"), partial(_among, "is the largest", "largest")
BARS = Family(
    "A bar chart",
    bars,
    (3, 6),
    (
        _VALUE,
        partial(_extreme, "Which bar is the largest?", "largest"),
        partial(_extreme, "Which bar is the smallest?", "smallest"),
        _sum,
        _count,
    ),
    (_VALUE, _VALUE, _VALUE, _LARGEST, partial(_among, "is the smallest", "smallest"), _sum),
)
LINES = Family(
    "A line chart",
    lines,
    (4, 7),
    (
        partial(_value, "point"),
        partial(_extreme, "Which point is the highest?", "largest"),
        _rising,
    ),
    (partial(_value, "point"), partial(_among, "is the highest", "largest"), _rising),
)
PIES = Family(
    "A pie chart",
    pies,
    (3, 5),
    (partial(_extreme, "Which share is the largest?", "largest"), _percent),
    (_LARGEST, _percent),
)

KINDS: dict[str, Draw] = {
    "bars": partial(ask, family=BARS),
    "lines": partial(ask, family=LINES),
    "pies": partial(ask, family=PIES),
}
