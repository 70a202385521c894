"""What is asked in the world: requests drawn from a seed, as JSON lines, and read again.

| key | what |
| :-- | :-- |
| id, prompt, kind, category | `kind` is "allowed" or "disallowed"; a category of presage.align.world.grammar |
| solution | the program that does what is asked, and what nobody should write where kind is "disallowed" |
| pair | the id of its boundary twin, which is in the same draw |
| tests | of a function: a list of {"args", "expected"} |

Half of a draw is disallowed, a quarter allowed deeds, most of them twins of the former, a quarter functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from presage.align.rbrm import REQUESTS
from presage.align.rbrm import Request as RequestKind
from presage.align.world.grammar import CATEGORIES, Category, Deed, Frame, deeds, frames
from presage.core.errors import DataError
from presage.core.files import write_rows
from presage.core.seeds import stream
from presage.data.microcode import Case, problem_of
from presage.data.microcode_families import ARGUMENTS, Combination, combinations
from presage.data.verbs import Message
from presage.tasks.readers.rows import Row, json_lines
from presage.tasks.readers.sources import source

ENTRY = "f"
"""The name of every function asked for."""
LEVEL = 1
TWINS = 0.8
"""Share of twins among the allowed deeds of a draw; the others are harmless ones on one's own things."""


What = TypeVar("What")


@dataclass(frozen=True)
class Request:
    """A prompt and what is known of it; `solution` does what it asks, whether that is allowed or not."""

    id: str
    prompt: str
    kind: RequestKind
    category: Category
    solution: str
    pair: str = ""
    tests: tuple[Case, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as a conversation."""
        return (Message("user", self.prompt),)


# ---- single requests -------------------------------------------------------------------------------------------------


def of_deed(deed: Deed, frame: Frame) -> Request:
    """A deed asked for in a frame."""
    kind: RequestKind = "disallowed" if deed.forbidden else "allowed"
    return Request(f"{deed.key}/{frame.key}", frame.ask(deed.words), kind, deed.category, deed.solution)


def of_function(function: Combination, frame: Frame) -> Request:
    """A function asked for in a frame."""
    argument = ARGUMENTS[function.family.kind]
    sentence, _ = function.family.text(argument, function.constants)
    return Request(
        id=f"{function.key}/{frame.key}",
        prompt=frame.ask(f"write a function of {argument}", sentence),
        kind="allowed",
        category="function",
        solution=program_of(function),
        tests=_tests(function),
    )


def program_of(function: Combination) -> str:
    """A function as it is to be answered: no docstring."""
    argument = ARGUMENTS[function.family.kind]
    _, body = function.family.text(argument, function.constants)
    return f"def {ENTRY}({argument}):\n    {body}"


@cache
def functions(held_out: bool) -> tuple[Combination, ...]:
    """Microcode's functions of level 1, of a side."""
    return tuple(one for one in combinations() if one.family.level == LEVEL and one.held_out is held_out)


@cache
def _tests(function: Combination) -> tuple[Case, ...]:
    return problem_of(function, ENTRY).tests


def possible(held_out: bool) -> dict[Category, int]:
    """How many different prompts there are of every category."""
    counts = dict.fromkeys(CATEGORIES, 0)
    counts["function"] = len(functions(held_out))
    for deed in deeds(held_out):
        counts[deed.category] += 1
    return {category: count * len(frames(held_out)) for category, count in counts.items()}


# ---- drawing ---------------------------------------------------------------------------------------------------------


def requests(seed: int, count: int, held_out: bool = False) -> list[Request]:
    """`count` different prompts of a side, in a random order; the same for the same seed.

    Raises DataError for fewer than four, or for more of a category than there are.
    """
    if count < 4:
        raise DataError(f"{count} requests", where="policy world", hint="at least 4, one of every category")
    chance = stream(seed, "world", "requests", held_out)
    bad, written = count // 2, count // 4
    lost, stolen = (_deeds(held_out, category) for category in ("destruction", "theft"))
    asked = _drawn(chance, lost, (bad + 1) // 2, held_out) + _drawn(chance, stolen, bad // 2, held_out)
    asked = [asked[place] for place in chance.permutation(len(asked))]
    found = [of_deed(*one) for one in asked]
    twins = _twins(chance, asked, round(TWINS * (count - bad - written)))
    pairs = {twin.pair: twin.id for twin in twins}
    found = [replace(one, pair=pairs.get(one.id, "")) for one in found] + twins
    plain = tuple(deed for deed in deeds(held_out) if deed.owner.own and deed.verb.sort == "harmless")
    found += [of_deed(*one) for one in _drawn(chance, plain, count - written - len(found), held_out)]
    found += [of_function(*one) for one in _drawn(chance, functions(held_out), written, held_out)]
    return [found[place] for place in chance.permutation(len(found))]


def _deeds(held_out: bool, category: Category) -> tuple[Deed, ...]:
    return tuple(deed for deed in deeds(held_out) if deed.category == category)


def _drawn(chance: np.random.Generator, what: Sequence[What], count: int, held_out: bool) -> list[tuple[What, Frame]]:
    """Different combinations of a thing to ask for and a frame."""
    forms = frames(held_out)
    if count > len(what) * len(forms):
        raise DataError(
            f"{count} different prompts of a kind of which there are {len(what) * len(forms)}", where="policy world"
        )
    places = chance.choice(len(what) * len(forms), size=count, replace=False)
    return [(what[place // len(forms)], forms[place % len(forms)]) for place in places]


def _twins(chance: np.random.Generator, asked: Sequence[tuple[Deed, Frame]], most: int) -> list[Request]:
    """Twins of the first of these, by owner or by verb, each one once."""
    found: dict[str, Request] = {}
    for deed, frame in asked:
        twin = of_deed(deed.twins()[chance.integers(2)], frame)
        if len(found) < most and twin.id not in found:
            found[twin.id] = replace(twin, pair=of_deed(deed, frame).id)
    return list(found.values())


# ---- files -----------------------------------------------------------------------------------------------------------


def write_requests(path: Path, asked: Iterable[Request]) -> None:
    """Requests as JSON lines, whole or not at all. Raises RunError when the disk is full."""
    write_rows(path, map(_row, asked))


def _row(one: Request) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": one.id,
        "prompt": one.prompt,
        "kind": one.kind,
        "category": one.category,
        "solution": one.solution,
    }
    tests = [{"args": list(case.args), "expected": case.expected} for case in one.tests]
    return row | ({"pair": one.pair} if one.pair else {}) | ({"tests": tests} if tests else {})


def read_requests(*paths: Path) -> list[Request]:
    """All requests of some files. Raises DataError naming file and line of the first fault."""
    found: dict[str, str] = {}
    asked: list[Request] = []
    for row in (row for path in paths for row in json_lines(source(path, whole=True))):
        one = _request(row)
        if one.id in found:
            raise DataError(f"the id '{one.id}' appears twice", where=row.where, hint=f"first in {found[one.id]}")
        found[one.id] = row.where
        asked.append(one)
    if not asked:
        raise DataError("holds no requests", where=paths[0] if paths else None)
    return asked


def _request(row: Row) -> Request:
    return Request(
        id=row.text("id"),
        prompt=row.text("prompt"),
        kind=REQUESTS[row.one_of("kind", REQUESTS)],
        category=CATEGORIES[row.one_of("category", CATEGORIES)],
        solution=row.text("solution"),
        pair=row.of(str, "pair") if "pair" in row.value else "",
        tests=tuple(_cases(row)) if "tests" in row.value else (),
    )


def _cases(row: Row) -> Iterator[Case]:
    for number, one in enumerate(row.of(list, "tests"), 1):
        where = f"{row.where}: test {number}"
        if not isinstance(one, dict) or set(one) != {"args", "expected"} or not isinstance(one["args"], list):
            raise DataError("no object of 'args', a list, and 'expected'", where=where)
        yield Case(tuple(one["args"]), one["expected"])
