"""Microcode: small Python functions from signature and docstring, for training texts and for examination.

    def f(x):
        \"\"\"Return x plus 3.\"\"\"
        return x + 3

Training documents and examined problems are drawn from disjoint sets of combinations (see microcode_families), so no
problem, and nothing that computes the same, is ever trained on; `contamination` checks any texts for it all the same.

A function is called f, g or h by chance: a name that says what it does would be a second docstring. Tests tell a
problem's function from every other combination of its kind, from its own with a constant one off, and from constants.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from presage.core.errors import DataError
from presage.core.files import write_rows
from presage.core.seeds import stream
from presage.data.documents import Document
from presage.data.microcode_families import ARGUMENTS, LEVELS, Combination, combinations, frozen, probes

SOURCE = "microcode"
NAMES = ("f", "g", "h")
FUNCTIONS = 6
"""Functions in one training document: about 135 tokens of the demo's vocabulary."""
SHARES = (0.35, 0.05, 0.2, 0.15, 0.1, 0.075, 0.075)
"""Share of each level among the functions trained on."""
LEAST_TESTS = 4
INDENT = "    "


class Case(NamedTuple):
    """One test: the function's arguments, and what it must return, type included."""

    args: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True)
class Problem:
    """A function to write. Prompt (it ends in a newline and four spaces) + solution + a newline is a whole program."""

    id: str
    family: str
    level: int
    prompt: str
    solution: str
    entry: str
    tests: tuple[Case, ...]


class Hit(NamedTuple):
    """Part of a problem in a text: which text (counted from 0), which line (from 1), whose "prompt" or "solution"."""

    text: int
    line: int
    problem: str
    what: str


# ---- drawing ---------------------------------------------------------------------------------------------------------


def documents(seed: int, count: int, levels: Sequence[int] = LEVELS) -> Iterator[Document]:
    """Training texts of FUNCTIONS functions each; none is held out. A longer supply begins with a shorter one's.

    Of `levels` only, in their SHARES. Raises DataError for an unknown level.
    """
    chosen = _checked(levels)
    by_level = [_families(level) for level in chosen]
    shares = np.array([SHARES[LEVELS.index(level)] for level in chosen])
    for index in range(count):
        chance = stream(seed, SOURCE, index)
        places = chance.choice(len(chosen), size=FUNCTIONS, p=shares / shares.sum())
        functions = [_draw(by_level[place], chance) for place in places]
        yield Document(SOURCE, f"{SOURCE}/{seed}/{index:07d}", "\n".join(functions))


def write(path: Path, texts: Iterable[Document]) -> None:
    """Documents as JSON lines of source, path and text, which a corpus reads by their "text"."""
    write_rows(path, map(asdict, texts))


def problems(seed: int, count: int, levels: Sequence[int] = LEVELS) -> list[Problem]:
    """`count` different problems, all held out, spread evenly over `levels` and ordered by level.

    The same function comes again, under other names, only when its level has no other left. Raises DataError for an
    unknown level, or for more problems than there are.
    """
    ordered = _checked(levels)
    if count < 1:
        raise DataError(f"{count} problems", where=SOURCE, hint="at least one")
    shares = [count // len(ordered) + (place < count % len(ordered)) for place in range(len(ordered))]
    return [problem for level, share in zip(ordered, shares, strict=True) for problem in _of_level(seed, level, share)]


def _checked(levels: Sequence[int]) -> list[int]:
    unknown = set(levels) - set(LEVELS)
    if unknown or not levels:
        what = f"no level {min(unknown)}" if unknown else "no levels"
        raise DataError(what, where=SOURCE, hint=f"levels are {LEVELS[0]} to {LEVELS[-1]}")
    return sorted(set(levels))


def _draw(families: list[list[Combination]], chance: np.random.Generator) -> str:
    family = families[chance.integers(len(families))]
    combination = family[chance.integers(len(family))]
    return function(combination, NAMES[chance.integers(len(NAMES))])


@cache
def _families(level: int) -> list[list[Combination]]:
    """What is trained on at a level, by family."""
    of_level = (c for c in combinations() if c.family.level == level and not c.held_out)
    return [list(group) for _, group in itertools.groupby(of_level, key=lambda c: c.family.name)]


def _of_level(seed: int, level: int, count: int) -> Iterator[Problem]:
    held_out = [c for c in combinations() if c.family.level == level and c.held_out]
    chance = stream(seed, SOURCE, "problems", level)
    order = [held_out[place] for place in chance.permutation(len(held_out))]
    names = [NAMES[place] for place in chance.permutation(len(NAMES))]
    if count > len(order) * len(names):
        raise DataError(f"{count} problems of level {level}, there are {len(order) * len(names)}", where=SOURCE)
    pairs = itertools.product(names, order)  # every function once, then every one again by another name
    yield from (problem_of(combination, name) for name, combination in itertools.islice(pairs, count))


# ---- writing ---------------------------------------------------------------------------------------------------------


def function(combination: Combination, name: str) -> str:
    """The whole function as training texts have it."""
    return "".join([*_parts(combination, name), "\n"])


def problem_of(combination: Combination, name: str = NAMES[0]) -> Problem:
    """A combination as a problem. It has the same id and tests whatever the seed."""
    family = combination.family
    prompt, solution = _parts(combination, name)
    identity = f"{family.level}:{combination.key}:{name}"
    return Problem(identity, family.name, family.level, prompt, solution, name, _tests(combination))


def _parts(combination: Combination, name: str) -> tuple[str, str]:
    argument = ARGUMENTS[combination.family.kind]
    sentence, body = combination.family.text(argument, combination.constants)
    return f'def {name}({argument}):\n{INDENT}"""{sentence}"""\n{INDENT}', body


# ---- tests -----------------------------------------------------------------------------------------------------------


def _tests(combination: Combination) -> tuple[Case, ...]:
    """Few probes on which no rival agrees throughout: each time the one that leaves the fewest rivals."""
    values, own = probes(combination.family.kind), combination.outputs
    agree = _agreement(combination)
    order = stream(0, SOURCE, "tests", combination.key).permutation(len(values))  # of equally good ones, any
    chosen: list[int] = []
    while len(agree) or len(chosen) < LEAST_TESTS:
        rivals = agree.sum(axis=0)
        chosen.append(min((p for p in order if p not in chosen), key=rivals.__getitem__))
        agree = agree[agree[:, chosen[-1]]]
    return tuple(Case((values[place],), _plain(own[place])) for place in sorted(chosen))


def _agreement(combination: Combination) -> np.ndarray:
    """bool [rivals, probes]: where each rival returns what it should. Rivals that always do are the function itself."""
    others = np.array([[_number(output) for output in outputs] for outputs in _near(combination)])
    own = np.array([_number(output) for output in combination.outputs])
    agree: np.ndarray = np.concatenate([_numbers(combination.family.kind), others]) == own
    return agree[~agree.all(axis=1)]


def _near(combination: Combination) -> Iterator[Sequence[object]]:
    """Outputs of rivals outside the families: the argument, always the same answer, a number one off (as > for >=)."""
    values = probes(combination.family.kind)
    yield [frozen(value) for value in values]
    yield from ([output] * len(values) for output in set(combination.outputs))
    for place, constant in enumerate(combination.constants):
        for changed in (constant - 1, constant + 1) if isinstance(constant, int) else ():
            constants = (*combination.constants[:place], changed, *combination.constants[place + 1 :])
            with contextlib.suppress(ZeroDivisionError):
                yield [frozen(combination.family.value(value, *constants)) for value in values]


@cache
def _numbers(kind: str) -> np.ndarray:
    """int [functions, probes] of a kind."""
    return np.array([[_number(o) for o in c.outputs] for c in combinations() if c.family.kind == kind])


_NUMBERS: dict[object, int] = {}


def _number(output: object) -> int:
    """The same small number for the same output, type included."""
    return _NUMBERS.setdefault((type(output), output), len(_NUMBERS))


def _plain(output: object) -> object:
    return list(output) if isinstance(output, tuple) else output


# ---- contamination ---------------------------------------------------------------------------------------------------

_FUNCTION = re.compile(
    r"^([ \t]*)def +\w+\( *(\w*)[^\n]*\)[^\n:]*:[ \t]*([^\n]*)((?:\n[ \t]*$|\n\1[ \t]+[^\n]*)*)", re.MULTILINE
)
_SENTENCE = re.compile(r"(?:Return|If) [^\n]*?\.(?=\W|$)")
_DOCSTRING = re.compile(r"\A\s*[rR]?(\"\"\"|'''|\"|').*?\1", re.DOTALL)
_CONSOLE = re.compile(r"^([ \t]*)(?:>>>|\.\.\.) ?", re.MULTILINE)


def contamination(texts: Iterable[str], examined: Iterable[Problem]) -> list[Hit]:
    """Where texts hold a problem's docstring sentence, or a function with the body of its solution.

    A body is found whatever the names of function and argument, indentation, blank lines and the prompts of a console.
    """
    sentences: dict[str, str] = {}
    bodies: dict[str, str] = {}
    for problem in examined:
        argument, sentence = _ask(problem.prompt)
        sentences.setdefault(sentence, problem.id)
        bodies.setdefault(_canonical(problem.solution, argument), problem.id)
    return [hit for number, text in enumerate(texts) for hit in sorted(_hits(number, text, sentences, bodies))]


def _hits(number: int, text: str, sentences: dict[str, str], bodies: dict[str, str]) -> Iterator[Hit]:
    for match in _SENTENCE.finditer(text):
        if match[0] in sentences:
            yield Hit(number, text.count("\n", 0, match.start()) + 1, sentences[match[0]], "prompt")
    text = _CONSOLE.sub(r"\1", text)
    for match in _FUNCTION.finditer(text):
        body = _canonical(_DOCSTRING.sub("", f"{match[3]}{match[4]}"), match[2])
        if body in bodies:
            yield Hit(number, text.count("\n", 0, match.start()) + 1, bodies[body], "solution")


def _ask(prompt: str) -> tuple[str, str]:
    """(argument, sentence) of a prompt."""
    head, sentence, _ = prompt.split('"""')
    return head[head.index("(") + 1 : head.index(")")], sentence


def _canonical(body: str, argument: str) -> str:
    """A body without blank lines and indentation, its argument called _."""
    lines = (" ".join(line.split()) for line in body.split("\n"))
    text = "\n".join(line for line in lines if line)
    return re.sub(rf"\b{argument}\b(?!')", "_", text) if argument else text
