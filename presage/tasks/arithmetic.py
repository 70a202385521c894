"""GPT-3's ten arithmetic tasks, as the released files write them, and how many of their problems a corpus holds.

Operands are uniform on [0, 10^digits), not forced to that many digits; a difference may be negative. Three operations'
problems have their parentheses around the first two of three digits from 1 to 9: so in the released files, where the
report's text says the last two, and [0, 10). A context begins with two newlines, an answer with a blank.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.tasks.readers.rows import Row, json_rows
from presage.tasks.task import Example

COUNT = 2000
_WORDS = {"+": "plus", "-": "minus", "*": "times"}
_VALUE: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


@dataclass(frozen=True)
class Arithmetic:
    """Problems of one kind: `digits` and a sign, or three operations on single digits where sign is "" ."""

    digits: int
    sign: str

    def __call__(self, seed: int, count: int, split: str) -> list[Example]:
        chance = stream(seed, "arithmetic", self.digits, self.sign, split)
        draw = self._two if self.sign else _three
        pairs = [draw(chance) for _ in range(count)]
        return [_example(f"{split}:{number}", *pair) for number, pair in enumerate(pairs, 1)]

    def _two(self, chance: np.random.Generator) -> tuple[str, int]:
        a, b = (int(one) for one in chance.integers(0, 10**self.digits, 2))
        return f"{a} {_WORDS[self.sign]} {b}", _VALUE[self.sign](a, b)


def _three(chance: np.random.Generator) -> tuple[str, int]:
    a, b, c = (int(one) for one in chance.integers(1, 10, 3))
    first, second = (str(one) for one in chance.choice(list(_VALUE), 2))
    return f"({a} {first} {b}) {second} {c}", _VALUE[second](_VALUE[first](a, b), c)


def _example(name: str, problem: str, value: int) -> Example:
    return made(name, f"\n\nQ: What is {problem}?\n\nA:", f" {value}")


def made(name: str, context: str, completion: str) -> Example:
    """An example of a context and a completion, kept letter by letter. The same question again is of its group."""
    question = context.strip()
    fields = {"context": context, "completion": completion}
    return Example(name, question, targets=(completion.strip(),), group=question, fields=fields)


def released(paths: Sequence[Path]) -> list[Example]:
    """The released files: {context, completion} a line. Raises DataError where a completion begins with no blank."""
    return [_released(row) for path in paths for row in json_rows(path)]


def _released(row: Row) -> Example:
    context, completion = row.of(str, "context"), row.of(str, "completion")
    if not completion.startswith(" ") or not context.strip():
        raise DataError("a completion that does not begin with a blank, or no context", where=row.where)
    return made(row.id, context, completion)


KINDS: Mapping[str, Arithmetic] = {
    "two_digit_addition": Arithmetic(2, "+"),
    "two_digit_subtraction": Arithmetic(2, "-"),
    "three_digit_addition": Arithmetic(3, "+"),
    "three_digit_subtraction": Arithmetic(3, "-"),
    "four_digit_addition": Arithmetic(4, "+"),
    "four_digit_subtraction": Arithmetic(4, "-"),
    "five_digit_addition": Arithmetic(5, "+"),
    "five_digit_subtraction": Arithmetic(5, "-"),
    "two_digit_multiplication": Arithmetic(2, "*"),
    "single_digit_three_ops": Arithmetic(1, ""),
}
"""The ten, by the released files' names: 2D+ 2D- 3D+ 3D- 4D+ 4D- 5D+ 5D- 2Dx 1DC."""


# ---- in a corpus -----------------------------------------------------------------------------------------------------

_PROBLEM = re.compile(r"What is (\d+) (plus|minus) (\d+)\?")
_SPELLED = re.compile(r"(?<!\d)(?=(\d{1,12}) ([+-]|plus|minus) (\d{1,12})(?!\d)( =)?)")
_NAMES = {"+": "plus", "-": "minus"}


@dataclass(frozen=True)
class Memorised:
    """How many of the problems a corpus holds as "a + b =", as "a plus b", and either way."""

    problems: int
    signs: int
    words: int
    either: int


def in_corpus(tasks: Mapping[str, Sequence[Example]], texts: Iterable[str]) -> dict[str, Memorised]:
    """{task: how many of its sums and differences stand in the texts}, in one pass; of tasks that have any.

    GPT-3 report, §3.9.1: its corpus held 17 of 2,000 three-digit sums and 2 of 2,000 differences.
    """
    found = {name: [match.groups() for one in some if (match := _PROBLEM.search(one.question))]
             for name, some in tasks.items()}  # fmt: skip
    asked = {name: problems for name, problems in found.items() if problems}
    wanted = {problem for problems in asked.values() for problem in problems}
    signs: set[tuple[str, ...]] = set()
    words: set[tuple[str, ...]] = set()
    for text in texts if wanted else ():
        for a, sign, b, equals in (match.groups() for match in _SPELLED.finditer(text)):
            problem = (a, _NAMES.get(sign, sign), b)
            if problem in wanted and (equals or sign not in _NAMES):
                (signs if sign in _NAMES else words).add(problem)
    return {name: _counted(problems, signs, words) for name, problems in asked.items()}


def _counted(
    problems: Sequence[tuple[str, ...]], signs: Set[tuple[str, ...]], words: Set[tuple[str, ...]]
) -> Memorised:
    counts = (sum(one in some for one in problems) for some in (signs, words, signs | words))
    return Memorised(len(problems), *counts)
