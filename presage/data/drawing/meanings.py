"""What sentences about NLVR's boxes mean: a sentence of a known form to a test of structured representations.

The forms are the most frequent ones of the sentences that people wrote for NLVR (Suhr et al., 2017). A bare number
means at least so many, as most of NLVR's labels have it; of all that is in a box, exactly so many.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

YELLOW, BLACK, BLUE = "Yellow", "Black", "#0099ff"
Item = dict[str, Any]
Box = list[Item]
Representation = list[Box]
Count = Callable[[int], bool]
OfItem = Callable[[Item, Box], bool]
OfBox = Callable[[Box], bool]


@dataclass(frozen=True)
class Meaning:
    """What a sentence counts, and of which counts it is true. Called with boxes: whether it is true of them."""

    in_box: Callable[[Box], int]
    """How much of it a box has."""
    holds: Callable[[Sequence[int]], bool]
    """Of the counts of all boxes."""
    item: OfItem | None = None
    """Where it is items that are counted: which."""
    adds_up: bool = True
    """Whether the counts of boxes are counts of one thing."""

    def __call__(self, boxes: Representation) -> bool:
        return self.holds([self.in_box(box) for box in boxes])


SIDE = 100
NAMED = {"yellow": YELLOW, "black": BLACK, "blue": BLUE}
DIGITS = {"a": 1, "an": 1, "no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
SIZES = {"small": 10, "medium": 20, "big": 30, "large": 30}

C = r"(?:yellow|black|blue)"
N = r"(?:an|a|one|two|three|four|five|six|seven|\d)"
Q = rf"(?:(?:exactly|only|at least|at most|more than) )?{N}|no"
NOUN = rf"(?:(?:small|medium|big|large) )?(?:{C} )?(?:or {C} )?(?:item|object|block|circle|square|triangle)s?"
WITH = r"(?:with|having|which has|that has|that have|has|have|contains?|that contain|which have|, which has)"
BOX = r"(?:tower|box|grey box|boxes|grey square)(?:e?s)?"
"""Regular expressions, without groups, of a colour, a number, a quantity, a noun, and what a box is said to have."""


def meaning(sentence: str) -> Meaning | None:
    """The test that a sentence stands for; None where its form is not known."""
    found: Meaning | None = _first(SENTENCES, normal(sentence))
    return found


SLIPS = (
    (r"^(t least|tleast)", "at least"),
    (r"^ll ", "all "),
    (r"colour", "color"),
    (r"\b(with|has|have) (yellow|black|blue) (block|item)\b", r"\1 a \2 \3"),
    (r" that (?:is|are) (touching|not)", r" \1"),
    (r"tocuhing", "touching"),
)


def normal(sentence: str) -> str:
    """In small letters, without the stop and the slips that are frequent."""
    text = " ".join(sentence.lower().strip(" .").split()).replace("atleast", "at least").replace("bule", "blue")
    for slip, meant in SLIPS:
        text = re.sub(slip, meant, text)
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)  # more of them than the library keeps


def _first(forms: Sequence[tuple[str, Callable[..., Any]]], text: str) -> Any:
    """What the first form that the text has makes of it."""
    return next((found for pattern, make in forms if (found := _made(pattern, make, text))), None)


def _made(pattern: str, make: Callable[..., Any], text: str) -> Any:
    match = _compiled(pattern).fullmatch(text)
    return make(*match.groups()) if match else None


# ---- quantities and nouns --------------------------------------------------------------------------------------------


def _count(text: str) -> Count:
    *words, last = text.split()
    number = DIGITS[last] if last in DIGITS else int(last)
    kind = " ".join(words)
    if kind in ("exactly", "only") or last == "no":
        return lambda count: count == number
    if kind == "at most":
        return lambda count: count <= number
    return lambda count: count >= number + (kind == "more than")


def _size(text: str) -> Count:
    """Of how much there is in a box: a bare number is exact."""
    return _count(f"exactly {text}" if re.fullmatch(N, text) else text)


def _noun(text: str) -> OfItem:
    words = text.split()
    colours = {NAMED[word] for word in words if word in NAMED} or set(NAMED.values())
    sizes = {SIZES[word] for word in words if word in SIZES} or set(SIZES.values())
    kind = words[-1].removesuffix("s")
    kinds = {kind} if kind in ("circle", "square", "triangle") else {"circle", "square", "triangle"}
    return lambda item, _: item["color"] in colours and item["size"] in sizes and item["type"] in kinds


def _how_many(box: Box, noun: OfItem) -> int:
    return sum(noun(item, box) for item in box)


# ---- where an item is ------------------------------------------------------------------------------------------------


def edges(item: Item) -> tuple[bool, bool, bool, bool]:
    """Whether at the left, the right, the top, the bottom."""
    x, y, size = item["x_loc"], item["y_loc"], item["size"]
    return x <= CLOSE, x + size >= SIDE - CLOSE, y <= CLOSE, y + size >= SIDE - CLOSE


CLOSE = 1


def _corner(item: Item, _: Box) -> bool:
    left, right, top, bottom = edges(item)
    return (left or right) and (top or bottom)


def _touching(not_: str | None, _: str) -> OfItem:
    return lambda item, _: any(edges(item)) != bool(not_)


def _highest(item: Item, box: Box) -> bool:
    return bool(item["y_loc"] == min(other["y_loc"] for other in box))


def _lowest(item: Item, box: Box) -> bool:
    return bool(item["y_loc"] == max(other["y_loc"] for other in box))


PLACES = {"top": _highest, "base": _lowest, "bottom": _lowest}


def _end(place: str, with_: str | None = None) -> OfItem:
    count = _size(with_) if with_ else _count("a")
    return lambda item, box: PLACES[place](item, box) and count(len(box))


def _over(word: str, noun: str, place: str | None = None) -> OfItem:
    """Of blocks: directly over or under another."""
    other = _both(noun, f"at the {place}" if place else None)
    step = -1 if word in ("below", "under", "bellow") else 1
    return lambda item, box: any(
        other(one, box)
        and one["x_loc"] == item["x_loc"]
        and 0 < step * (one["y_loc"] - item["y_loc"]) <= item["size"] + 1
        for one in box
    )


WHERES: tuple[tuple[str, Callable[..., OfItem]], ...] = (
    (r"(not )?(?:closely )?touching (the|any|an|a) (?:edge|wall|side)s?", _touching),
    (r"(?:closely )?touching the (?:base|bottom)(?: of a box)?", lambda: lambda item, _: edges(item)[3]),
    (r"(?:closely )?touching (?:the )?right wall(?: of a box)?", lambda: lambda item, _: edges(item)[1]),
    (r"(?:closely )?touching (?:the )?left wall(?: of a box)?", lambda: lambda item, _: edges(item)[0]),
    (r"(?:closely )?touching (?:the|a|any) (?:box )?corner(?: of a box)?", lambda: _corner),
    (r"(?:as|at|on) (?:the )?(top|base|bottom)(?: of (?:a|the) tower)?", _end),
    (rf"as the (top|base|bottom) of a tower with ({Q}) blocks?", _end),
    (rf"(over|above|on|on top of|below|under|bellow) (?:a|an) ({NOUN})", _over),
    (rf"(over|above|on|on top of|below|under|bellow) (?:a|an) ({NOUN}) at the (top|base|bottom)", _over),
)
W = "|".join(re.sub(r"\((?!\?)", "(?:", pattern) for pattern, _ in WHERES)


def _where(text: str | None) -> OfItem:
    if not text:
        return lambda item, box: True
    found: OfItem = _first(WHERES, text)
    return found


def _both(noun: str, where: str | None) -> OfItem:
    one, other = _noun(noun), _where(where)
    return lambda item, box: one(item, box) and other(item, box)


# ---- what a box has --------------------------------------------------------------------------------------------------


def _has(quantity: str, noun: str, where: str | None = None) -> OfBox:
    count = _size(quantity) if noun in ("items", "blocks", "objects") and not where else _count(quantity)
    named = _both(noun, where)
    return lambda box: count(_how_many(box, named))


def _also(quantity: str, noun: str, second: str, further: str, third: str = "", last: str = "") -> OfBox:
    pairs = [(quantity, noun), (second, further), *([(third, last)] if third else [])]
    parts = [_has(*pair) for pair in pairs]
    return lambda box: all(part(box) for part in parts)


def _sized(quantity: str, one: str, noun: str, where: str) -> OfBox:
    return _both_of(_has(quantity, "blocks"), _has(one, noun, where))


def _both_of(one: OfBox, other: OfBox) -> OfBox:
    return lambda box: one(box) and other(box)


def _colours(box: Box) -> set[str]:
    return {item["color"] for item in box}


def _only(colour: str, other: str | None = None) -> OfBox:
    allowed = {NAMED[colour], NAMED[other or colour]}
    return lambda box: bool(box) and _colours(box) == allowed


def _of_colours(quantity: str | None, number: str) -> OfBox:
    count = _count(quantity or "a")
    return lambda box: count(len(box)) and len(_colours(box)) == _number(number)


def _with_one(quantity: str, colour: str, where: str) -> OfBox:
    """So many items, and one of a colour at a place."""
    return _sized(quantity, "a", f"{colour} item", "at top" if where == "on top" else where)


def _colours_and(number: str, quantity: str, noun: str, where: str | None = None) -> OfBox:
    return _both_of(_of_colours(None, number), _has(quantity, noun, where))


def _amount_only(quantity: str, colour: str, other: str | None = None) -> OfBox:
    return _both_of(_has(quantity, "items"), _only(colour, other))


def _amount_and(quantity: str, number: str, colour: str) -> OfBox:
    return _both_of(_has(quantity, "items"), _has(number, f"{colour} items"))


def _two_ends(colour: str, place: str, other: str, end: str) -> OfBox:
    return _both_of(_has("a", f"{colour} block", f"at the {place}"), _has("a", f"{other} block", f"at the {end}"))


def _colours_of(quantity: str, number: str) -> OfBox:
    return _both_of(_has(quantity, "blocks"), _of_colours(None, number))


def _number(text: str) -> int:
    return DIGITS[text] if text in DIGITS else int(text)


HAVINGS: tuple[tuple[str, Callable[..., OfBox]], ...] = (
    (rf"({Q}) ({NOUN})(?: ({W}))?(?: in it| stacked together)?", _has),
    (rf"({Q}) ({NOUN}) and ({Q}) ({NOUN})", _also),
    (rf"({Q}) ({NOUN}), ({Q}) ({NOUN}) and ({Q}) ({NOUN})", _also),
    (rf"({Q}) blocks? {WITH} ({Q}) ({NOUN}) ({W})", _sized),
    (rf"only ({C})(?: and ({C}))? (?:items?|blocks?|objects?)", _only),
    (rf"(?:items?|blocks?) of (?:only )?({C})(?: and ({C}))? colou?rs?(?: only)?", _only),
    (rf"({Q}) items? and (?:the|an|a)? ?({C}) (?:one|item|\d) (?:is )?(on top|touching the wall)", _with_one),
    (rf"(?:items of )?(?:all )?({N}) (?:different )?colors and ({Q}) ({NOUN})(?: ({W}))?", _colours_and),
    (rf"({Q}) items? of (?:only )?({C})(?: and ({C}))? color", _amount_only),
    (rf"({Q}) items? of which ({N}) (?:is|are) ({C})", _amount_and),
    (rf"({Q}) blocks?,? and it has ({Q}) ({NOUN})", lambda size, *pair: _both_of(_has(size, "blocks"), _has(*pair))),
    (rf"({Q}) (?:object|item|block)s? which (?:is|are) ({C})", lambda size, colour: _amount_only(size, colour)),
    (rf"a ({C}) block at the (top|base) and a ({C}) block at the (top|base)", _two_ends),
    (rf"({Q}) blocks? having blocks of all ({N}) colors", _colours_of),
    (rf"(?:({Q}) )?(?:items?|blocks?) of (?:all |only )?({N}) (?:different )?colou?rs?", _of_colours),
)
H = "|".join(re.sub(r"\((?!\?)", "(?:", pattern) for pattern, _ in HAVINGS)


def _having(text: str) -> OfBox:
    found: OfBox = _first(HAVINGS, text)
    return found


# ---- sentences -------------------------------------------------------------------------------------------------------


def _items(quantity: str, noun: str, where: str | None = None) -> Meaning:
    count, named = _count(quantity), _both(noun, where)
    return Meaning(lambda box: _how_many(box, named), lambda found: count(sum(found)), named)


def _boxes(quantity: str, having: str) -> Meaning:
    return _so_many(_count(quantity), _having(having))


def _so_many(count: Count, has: OfBox) -> Meaning:
    return Meaning(lambda box: int(has(box)), lambda found: count(sum(found)))


def _each(having: str) -> Meaning:
    has = _having(having)
    return Meaning(lambda box: int(has(box)), all)


def _the_tower(quantity: str, having: str) -> Meaning:
    count, has = _count(f"exactly {quantity}"), _having(having)
    return _so_many(_count("a"), lambda box: count(len(box)) and has(box))


def _coloured(quantity: str, colour: str, blocks: str | None) -> Meaning:
    only, size = _only(colour), _count(blocks or "a")
    return _so_many(_count(quantity), lambda box: only(box) and size(len(box)))


def _in_each(quantity: str, noun: str) -> Meaning:
    return _each(f"{quantity} {noun}")


def _none(noun: str, where: str) -> Meaning:
    return _items("no", noun, where)


def _end_of(place: str, number: str, colour: str) -> Meaning:
    return _the_tower(number, f"a {colour} block at the {place}")


def _based(quantity: str, colour: str) -> Meaning:
    return _boxes(quantity, f"a {colour} block at the base")


def _level(quantity: str) -> Meaning:
    count = _count(quantity)
    return Meaning(len, lambda heights: any(count(heights.count(one)) for one in heights), adds_up=False)


SENTENCES: tuple[tuple[str, Callable[..., Meaning]], ...] = (
    (rf"there (?:is|are) ({Q}) ({NOUN})(?: ({W}))?", _items),
    (rf"there (?:is|are) ({Q}) {BOX},? {WITH} ({H})", _boxes),
    (rf"({Q}) (?:of (?:the )?)?{BOX} {WITH} ({H})", _boxes),
    (rf"(?:each|every|all|all 3|all three) {BOX} {WITH} ({H})", _each),
    (rf"the tower with ({N}) blocks? {WITH} ({H})", _the_tower),
    (rf"there (?:is|are) ({Q}) ({C}) towers?(?: with ({Q}) blocks?)?", _coloured),
    (rf"there (?:is|are) ({Q}) ({NOUN}) in each box", _in_each),
    (rf"(?:the|a) ({N}) blocks? tower {WITH} ({H})", _the_tower),
    (rf"the (top|base) of (?:the|a) ({N}) blocks? tower is ({C})", _end_of),
    (rf"({Q}) (?:of the (?:three )?)?towers? ha[sve]* (?:a )?({C}) bases?", _based),
    (rf"there (?:is|are) ({Q}) towers? with the same height", _level),
    (rf"none of the ({NOUN}) (?:is|are) ({W})", _none),
    (rf"({Q}) ({NOUN}) (?:is|are) ({W})", _items),
)
