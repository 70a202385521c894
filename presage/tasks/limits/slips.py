"""Reasoning slips: small puzzles that nobody who reads with care gets wrong (GPT-4 report, §5: simple errors).

Counting, ordering, negation, and several steps; each with something beside the point. Every puzzle is generated with
its answer computed, and options that a slip would lead to.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from presage.core.seeds import stream
from presage.tasks.hindsight import NAMES
from presage.tasks.task import Example

COLOURS = ("red", "blue", "green", "yellow", "white", "black")
THINGS = ("apples", "pears", "plums", "nuts", "eggs", "pens", "books", "cups")
WORDS = ("banana", "committee", "parallel", "mississippi", "possession", "assessment", "bookkeeper", "engineering",
         "independence", "refrigerator", "occurrence", "successfully")  # fmt: skip
MOST = 10_000
Puzzle = tuple[str, str, list[str]]
"""Question, right answer, wrong answers."""


def slips(seed: int, count: int, split: str) -> list[Example]:
    """`count` different puzzles, the kinds in turn; the category is the kind."""
    kinds = list(KINDS)
    found: dict[str, Example] = {}
    for number in range(MOST):
        if len(found) == count:
            break
        kind = kinds[len(found) % len(kinds)]
        chance = stream(seed, "slips", split, number)
        question, right, wrong = KINDS[kind](chance)
        options = _shuffled(chance, right, wrong)
        found.setdefault(question, Example(f"{split}-{len(found)}", question, options, options.index(right), (right,),
                                           category=kind))  # fmt: skip
    return list(found.values())


def _shuffled(chance: np.random.Generator, right: str, wrong: list[str]) -> tuple[str, ...]:
    options = [right, *dict.fromkeys(text for text in wrong if text != right)][:4]
    return tuple(options[i] for i in chance.permutation(len(options)))


def _pick(chance: np.random.Generator, from_: tuple[str, ...], count: int) -> list[str]:
    return [from_[i] for i in chance.choice(len(from_), count, replace=False)]


def counting(chance: np.random.Generator) -> Puzzle:
    """How often a letter occurs in a list of words, another word being named that does not count."""
    *words, other = _pick(chance, WORDS, 4)
    letter = words[0][int(chance.integers(len(words[0])))]
    right = sum(word.count(letter) for word in words)
    question = (
        f'Three words are on the list: {", ".join(words)}. The word "{other}" was crossed out. How many times does the '
        f'letter "{letter}" occur in the words on the list?'
    )
    wrong = [right + other.count(letter), right - 1, right + 1, right + 2, right - 2]
    return question, str(right), [str(n) for n in wrong if n >= 0]


def ordering(chance: np.random.Generator) -> Puzzle:
    """Who is at a place in an order that is told pair by pair, in any order and either way round."""
    names = _pick(chance, NAMES, 5)
    *line, stranger = names
    pairs = [(line[i], line[i + 1]) for i in range(len(line) - 1)]
    told = [f"{a} is taller than {b}." if chance.random() < 1 / 2 else f"{b} is shorter than {a}." for a, b in pairs]
    told = [told[i] for i in chance.permutation(len(told))] + [f"{stranger} is older than {line[0]}."]
    place = int(chance.integers(4))
    asked = ("tallest", "second tallest", "second shortest", "shortest")[place]
    question = f"{' '.join(told)} Of {', '.join(sorted(line))}, who is the {asked}?"
    return question, line[place], [name for name in line if name != line[place]]


def negation(chance: np.random.Generator) -> Puzzle:
    """Which colour is left when all others are denied, the denied ones being named more often."""
    colours = _pick(chance, COLOURS, 4)
    right, *denied = colours
    name = NAMES[int(chance.integers(len(NAMES)))]
    told = [f"It is not {denied[0]}.", f"{name} thought it was {denied[1]}, which was wrong.",
            f"It is neither {denied[0]} nor {denied[2]}."]  # fmt: skip
    listed = [colours[i] for i in chance.permutation(4)]
    question = (
        f"The box of {name} has one colour: {', '.join(listed[:-1])} or {listed[-1]}. "
        f"{' '.join(told[i] for i in chance.permutation(3))} What colour is the box?"
    )
    return question, right, denied


def several_steps(chance: np.random.Generator) -> Puzzle:
    """Gains and losses of one thing, with a number of another thing that does not count."""
    one, other = _pick(chance, NAMES, 2)
    thing, beside = _pick(chance, THINGS, 2)
    start, gains, each, losses, not_counted = (
        int(chance.integers(low, high)) for low, high in ((10, 40), (2, 6), (2, 8), (2, 9), (3, 30))
    )
    right = start + gains * each - losses
    question = (
        f"{one} has {start} {thing} and {not_counted} {beside}. {one} buys {gains} bags with {each} {thing} in each, "
        f"and gives {losses} {thing} to {other}. How many {thing} does {one} have now?"
    )
    wrong = [right + not_counted, start + gains + each - losses, right + losses, right + 2 * losses, right + 1]
    return question, str(right), [str(n) for n in wrong]


KINDS: dict[str, Callable[[np.random.Generator], Puzzle]] = {
    "counting": counting, "ordering": ordering, "negation": negation, "several steps": several_steps,
}  # fmt: skip
