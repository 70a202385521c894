"""What microcode's functions can be: families of graded difficulty, and the fixed share of them that is held out.

A family is a sentence, a body and what the body computes, each with places for constants; a *combination* is a family
with its constants. No two combinations compute the same: one that only repeats an earlier (simpler) function on the
probes is dropped, so a held-out function has no twin under another name among those that are trained on.

Sentences and bodies are formulaic and short on purpose, word for sign in the same order where it can be ("over" is
floor division): the models that attempt them have 20,000 to 500,000 parameters and learn to copy late.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

Constants = tuple[Any, ...]
Value = Callable[..., Any]
HELD_OUT = 0.2
CONSTANT = "number"
"""The one family that does not depend on its argument."""
LEVELS = (1, 2, 3, 4, 5, 6, 7)
COMPOSED = 7
"""The level of compositions with numbers; a step of this level never stands alone."""

SMALL = tuple(range(1, 10))
FACTORS = tuple(range(2, 10))
LETTERS = tuple("abcdefgh")

ARGUMENTS = {"int": "x", "str": "s", "list": "a"}
"""The name of the argument, by what it is. One each: to copy a name is more than the smallest models can."""
PROBES: dict[str, tuple[Any, ...]] = {
    "int": tuple(range(-9, 29)),
    "str": (
        *("", "a", "e", "h", "ab", "ha", "cd", "Ab", "bcb", "dad", "egg", "fed", "Gag", "bead", "cafe", "hdgc", "aabb"),
        *("ddhh", "abcde", "faced", "hgfed", "gecko", "badge", "cabbage", "headache", "feedback", "abcdefgh"),
        *("hgfedcba", "aacceeggb", "bbddffhha", "abcdefghabcd", "hagfbecdhagf", "Decade Of A Bad Cafe"),
    ),
    "list": (
        *((), (0,), (1,), (5,), (-3,), (2, 1), (4, 4), (9, 3), (1, 2, 3), (3, 2, 1), (5, 6, 7), (7, 8, 9), (4, -5, 6)),
        *((1, 3, 5, 7, 9), (2, 4, 6, 8, 10), (8, 7, 6, 5, 4, 3), (0, 1, 2, 3, 4, 5), (5, 6, 7, 8, 9, 10, 11)),
        *((10, 9, 8, 7, 6, 5, 4, 3), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10), (12, 1, 11, 2, 10, 3, 9, 4, 8, 5)),
    ),
}
"""Arguments on which functions are compared and from which tests are taken."""


@dataclass(frozen=True)
class Family:
    """`text(argument name, constants)` is (sentence, body); `value(argument, *constants)` what the body must return."""

    name: str
    level: int
    kind: str
    constants: tuple[Constants, ...]
    text: Callable[[str, Constants], tuple[str, str]]
    value: Value
    taught: bool = False
    """Nothing of it is held out: what compositions are made of."""
    parts: Callable[[Constants], list[Constants]] | None = None
    """Constants of the shorter functions in it: held out is just what holds one that is."""


@dataclass(frozen=True, eq=False)
class Combination:
    """A family with its constants; `outputs` are its values on PROBES[kind]. Held out: examined, never trained on."""

    family: Family
    constants: Constants
    outputs: tuple[Any, ...]
    held_out: bool = False

    @property
    def key(self) -> str:
        """`plus:3`, `plus.times:3.2`: the name that decides on which side it falls."""
        return ":".join([self.family.name, ".".join(map(str, self.constants))]).rstrip(":")


def probes(kind: str) -> list[Any]:
    """PROBES as functions take them: fresh lists."""
    return [list(value) if isinstance(value, tuple) else value for value in PROBES[kind]]


@cache
def combinations() -> tuple[Combination, ...]:
    """Every function there is, easiest level first; about 2,000. The same for every seed, machine and process."""
    seen: set[object] = set()
    found: list[Combination] = []
    for family in sorted(families(), key=lambda family: family.level):
        values = probes(family.kind)
        made = (Combination(family, constants, _outputs(family, constants, values)) for constants in family.constants)
        new = [combination for combination in made if _is_new(combination, seen)]
        held_out = _held_out(family, new, found)
        found += [replace(combination, held_out=combination in held_out) for combination in new]
    return tuple(found)


def _outputs(family: Family, constants: Constants, values: list[Any]) -> tuple[Any, ...]:
    return tuple(frozen(family.value(value, *constants)) for value in values)


def frozen(output: Any) -> Any:
    """An output that can be compared by hash: lists as tuples."""
    return tuple(output) if isinstance(output, list) else output


def _is_new(combination: Combination, seen: set[object]) -> bool:
    signature = (combination.family.kind, type(combination.outputs[0]), combination.outputs)
    known = signature in seen
    seen.add(signature)
    constant = combination.family.name != CONSTANT and len(set(combination.outputs)) == 1
    return not (known or constant)


def _held_out(family: Family, new: list[Combination], found: list[Combination]) -> set[Combination]:
    """One in five of a family, the lowest by the hash of their keys; none of what is taught, or of one or two.

    Of a family with parts: every combination with a part that computes what a function held out of `found` does.
    """
    if family.taught:
        return set()
    if family.parts:
        known = {(c.family.kind, c.outputs) for c in found if c.held_out}
        return {c for c in new if any((family.kind, outputs) in known for outputs in _of_parts(c))}
    ranked = sorted(new, key=lambda c: hashlib.sha256(f"microcode\0{c.key}".encode()).digest())
    return set(ranked[: round(HELD_OUT * len(new))])


def _of_parts(combination: Combination) -> Iterator[tuple[Any, ...]]:
    family = combination.family
    assert family.parts is not None
    values = probes(family.kind)
    yield from (_outputs(family, constants, values) for constants in family.parts(combination.constants))


def families() -> list[Family]:
    """All families, in the order in which equal functions are given to them."""
    worded = [*_worded("int", INT_WORDS), *_worded("str", STR_WORDS)]
    return [*worded, *_simple(), *_composed("int", INT_STEPS), *_composed("str", STR_STEPS)]


# ---- words: one after another, with no number to copy ----------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """One operation by a word of its own; `{v}` in the code is what it is done to."""

    name: str
    code: str
    value: Value


INT_WORDS = (
    Word("doubled", "{v} * 2", lambda x: x * 2),
    Word("tripled", "{v} * 3", lambda x: x * 3),
    Word("halved", "{v} // 2", lambda x: x // 2),
    Word("squared", "{v} * {v}", lambda x: x * x),
    Word("incremented", "{v} + 1", lambda x: x + 1),
    Word("decremented", "{v} - 1", lambda x: x - 1),
    Word("negated", "-{v}", lambda x: -x),
    Word("unsigned", "abs({v})", lambda x: abs(x)),
)
STR_WORDS = (
    Word("reversed", "{v}[::-1]", lambda s: s[::-1]),
    Word("uppercased", "{v}.upper()", lambda s: s.upper()),
    Word("lowercased", "{v}.lower()", lambda s: s.lower()),
    Word("beheaded", "{v}[1:]", lambda s: s[1:]),
    Word("trimmed", "{v}[:-1]", lambda s: s[:-1]),
    Word("repeated", "{v} + {v}", lambda s: s + s),
)


def _worded(kind: str, words: tuple[Word, ...]) -> Iterator[Family]:
    """Single words, taught, and two or three different ones in a row, a line of code each."""
    by_name = {word.name: word for word in words}

    def text(v: str, names: Constants) -> tuple[str, str]:
        *first, last = (by_name[name].code.format(v=v) for name in names)
        lines = [*(f"{v} = {code}" for code in first), f"return {last}"]
        return f"Return {v} {', then '.join(names)}.", "\n    ".join(lines)

    def value(argument: Any, *names: str) -> Any:
        for name in names:
            argument = by_name[name].value(argument)
        return argument

    def pairs(names: Constants) -> list[Constants]:
        return list(itertools.pairwise(names))

    for length, level in ((1, 1), (2, 1), (3, 2)):
        rows = tuple(itertools.permutations(by_name, length))
        parts = pairs if length == 3 else None
        yield Family(f"{kind}.words.{length}", level, kind, rows, text, value, taught=length == 1, parts=parts)


# ---- steps: what can be done to a value, alone or after another step -------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One operation as it stands in a sentence and in code: `{v}` is what it is done to, `{0}` its constant."""

    name: str
    group: str  # two steps of one group make no composition: they are one step, or nearly
    level: int
    phrase: str
    code: str
    constants: tuple[Any, ...]
    value: Value


INT_STEPS = (
    Step("plus", "sum", 3, "plus {0}", "{v} + {0}", SMALL, lambda x, k: x + k),
    Step("minus", "sum", 3, "minus {0}", "{v} - {0}", SMALL, lambda x, k: x - k),
    Step("times", "times", 3, "times {0}", "{v} * {0}", FACTORS, lambda x, k: x * k),
    Step("over", "over", 4, "over {0}", "{v} // {0}", FACTORS, lambda x, k: x // k),
    Step("modulo", "modulo", 4, "modulo {0}", "{v} % {0}", FACTORS, lambda x, k: x % k),
)
STR_STEPS = (
    Step("append", "append", 4, "plus {0!r}", "{v} + {0!r}", LETTERS, lambda s, c: s + c),
    # Alone it would read like `times` does on numbers, and be trained on where that is held out.
    Step("repeat", "repeat", COMPOSED, "times {0}", "{v} * {0}", FACTORS, lambda s, k: s * k),
    Step("head", "cut", 4, "up to {0}", "{v}[:{0}]", SMALL, lambda s, k: s[:k]),
    Step("tail", "cut", 4, "from {0}", "{v}[{0}:]", SMALL, lambda s, k: s[k:]),
)


def _alone(kind: str, step: Step) -> Family:
    return _written(
        *(step.name, step.level, kind, (step.constants,)),
        *(f"Return {{v}} {step.phrase}.", f"return {step.code}", step.value),
    )


def _composed(kind: str, steps: Iterable[Step]) -> Iterator[Family]:
    """One step after another."""
    yield from (_pair(kind, a, b) for a, b in itertools.permutations(steps, 2) if a.group != b.group)


def _pair(kind: str, first: Step, second: Step) -> Family:
    def text(v: str, constants: Constants) -> tuple[str, str]:
        one, two = constants
        inner = first.code.format(one, v=v)
        bound = f"({inner})" if first.code.startswith("{v} ") else inner  # brackets around an operator's
        sentence = f"Return {v} {first.phrase.format(one)}, then {second.phrase.format(two)}."
        return sentence, f"return {second.code.format(two, v=bound)}"

    def value(argument: Any, one: Any, two: Any) -> Any:
        return second.value(first.value(argument, one), two)

    constants = tuple(itertools.product(first.constants, second.constants))
    return Family(f"{first.name}.{second.name}", COMPOSED, kind, constants, text, value)


# ---- families of one sentence ----------------------------------------------------------------------------------------


def _simple() -> Iterator[Family]:
    yield from (_alone("int", step) for step in INT_STEPS)
    yield from (_alone("str", step) for step in STR_STEPS if step.level < COMPOSED)
    yield from (_written(*row) for row in _TABLE)


def _written(
    name: str,
    level: int,
    kind: str,
    domains: tuple[tuple[Any, ...], ...],
    sentence: str,
    body: str,
    value: Value,
) -> Family:
    def text(v: str, constants: Constants) -> tuple[str, str]:
        return sentence.format(*constants, v=v), body.format(*constants, v=v)

    return Family(name, level, kind, tuple(itertools.product(*domains)), text, value)


def _product(numbers: list[int], start: int) -> int:
    for number in numbers:
        start *= number
    return start


_TABLE: tuple[tuple[str, int, str, tuple[tuple[Any, ...], ...], str, str, Value], ...] = (
    (CONSTANT, 3, "int", (SMALL,), "Return {0}.", "return {0}", lambda x, k: k),
    ("from", 4, "int", (SMALL,), "Return {0} minus {v}.", "return {0} - {v}", lambda x, k: k - x),
    ("above", 4, "int", (SMALL,), "Return {v} above {0}.", "return {v} > {0}", lambda x, k: x > k),
    ("below", 4, "int", (SMALL,), "Return {v} below {0}.", "return {v} < {0}", lambda x, k: x < k),
    ("prepend", 4, "str", (LETTERS,), "Return {0!r} plus {v}.", "return {0!r} + {v}", lambda s, c: c + s),
    ("max", 5, "int", (SMALL,), "Return the max of {v} and {0}.", "return max({v}, {0})", lambda x, k: max(x, k)),
    ("min", 5, "int", (SMALL,), "Return the min of {v} and {0}.", "return min({v}, {0})", lambda x, k: min(x, k)),
    ("abs", 5, "int", (SMALL,), "Return the abs of {v} minus {0}.", "return abs({v} - {0})", lambda x, k: abs(x - k)),
    (
        *("one.above", 5, "int", (SMALL,), "Return 1 if {v} above {0}, else 0.", "return 1 if {v} > {0} else 0"),
        lambda x, k: 1 if x > k else 0,
    ),
    (
        *("same.above", 5, "int", (SMALL,), "Return {v} if above {0}, else 0.", "return {v} if {v} > {0} else 0"),
        lambda x, k: x if x > k else 0,
    ),
    (
        *("none.above", 5, "int", (SMALL,)),
        *("If {v} above {0}, return 0, else {v}.", "if {v} > {0}:\n        return 0\n    return {v}"),
        lambda x, k: 0 if x > k else x,
    ),
    (
        *("each.plus", 6, "list", (SMALL,), "Return the items of {v} plus {0}.", "return [i + {0} for i in {v}]"),
        lambda a, k: [i + k for i in a],
    ),
    (
        *("each.minus", 6, "list", (SMALL,), "Return the items of {v} minus {0}.", "return [i - {0} for i in {v}]"),
        lambda a, k: [i - k for i in a],
    ),
    (
        *("each.times", 6, "list", (FACTORS,), "Return the items of {v} times {0}.", "return [i * {0} for i in {v}]"),
        lambda a, k: [i * k for i in a],
    ),
    (
        *(
            "items.above",
            6,
            "list",
            (SMALL,),
            "Return the items of {v} above {0}.",
            "return [i for i in {v} if i > {0}]",
        ),
        lambda a, k: [i for i in a if i > k],
    ),
    (
        *(
            "items.below",
            6,
            "list",
            (SMALL,),
            "Return the items of {v} below {0}.",
            "return [i for i in {v} if i < {0}]",
        ),
        lambda a, k: [i for i in a if i < k],
    ),
    (
        *("tally", 6, "list", (SMALL,)),
        *("Return how many items of {v} are above {0}.", "return len([i for i in {v} if i > {0}])"),
        lambda a, k: len([i for i in a if i > k]),
    ),
    (
        *("total", 6, "list", (SMALL,)),
        *("Return {0} plus all items of {v}.", "k = {0}\n    for i in {v}:\n        k += i\n    return k"),
        lambda a, k: k + sum(a),
    ),
    (
        *("product", 6, "list", (SMALL,)),
        *("Return {0} times all items of {v}.", "k = {0}\n    for i in {v}:\n        k *= i\n    return k"),
        lambda a, k: _product(a, k),
    ),
    (
        *("above.plus", 7, "list", (SMALL, SMALL)),
        *("Return the items of {v} above {0}, then plus {1}.", "return [i + {1} for i in {v} if i > {0}]"),
        lambda a, k, m: [i + m for i in a if i > k],
    ),
    (
        *("above.times", 7, "list", (SMALL, FACTORS)),
        *("Return the items of {v} above {0}, then times {1}.", "return [i * {1} for i in {v} if i > {0}]"),
        lambda a, k, m: [i * m for i in a if i > k],
    ),
)
