"""What a system card is made of: sets of questions, the rows they are answered in, and the measures taken of those."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from presage.core.estimates import LEVEL, Estimate, of_mean
from presage.core.seeds import derive
from presage.data.verbs import Continuation, Generation

Row = Mapping[str, Any]
"""What samples.jsonl keeps of one answer: set, id, facts, and logprobs or a completion."""
Fact = str | int | float | None
Need = Literal["likelihood", "generation"]
T = TypeVar("T")
_NOTHING = 1e-12


@dataclass(frozen=True)
class Item:
    """One question of a set: texts whose likelihood is asked, or one thing to write. `facts` are kept beside the
    answer; `asked` is the request whose answer is looked through for a refusal, empty where none is."""

    id: str
    score: tuple[Continuation, ...] = ()
    write: Generation | None = None
    asked: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """One figure: what is measured, of which set and category ("" is all of it), on which of the card's risk areas it
    bears, and the estimate. `note` says what to know about it."""

    metric: str
    set: str
    estimate: Estimate
    category: str = ""
    risk: str = ""
    unit: str = "share"
    note: str = ""

    def row(self, files: Sequence[str]) -> dict[str, Any]:
        """For tables/measures.csv."""
        found = tidy(self.estimate)
        return {
            "set": self.set, "metric": self.metric, "category": self.category, "risk": self.risk,
            "value": found.value, "stderr": found.stderr, "lo": found.lo, "hi": found.hi, "level": LEVEL,
            "n": found.n, "groups": found.groups, "unit": self.unit, "note": self.note, "source": " ".join(files),
        }  # fmt: skip


COLUMNS = ("set", "metric", "category", "risk", "value", "stderr", "lo", "hi", "level", "n", "groups", "unit", "note",
           "source")  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A set as it is asked: its files, its items (of `total` that there are) and what is measured of their rows."""

    name: str
    files: tuple[Path, ...]
    items: tuple[Item, ...]
    total: int
    need: Need
    measures: Callable[[Sequence[Row]], list[Measure]]


@dataclass(frozen=True)
class Asked:
    """How sets are read and asked: the folder of the public files, how many items at most (None: all) by which seed,
    how long an answer may be, how many samples are drawn, the file of a toxicity classifier, and whether the model
    gives likelihoods."""

    folder: Path
    limit: int | None = None
    seed: int = 0
    max_tokens: int = 96
    samples: int = 200
    classifier: str = ""
    likely: bool = True

    def some(self, name: str, items: Iterable[Item]) -> tuple[tuple[Item, ...], int]:
        """(items kept, how many there are): drawn one by one by their ids, so fewer are part of more; order stays."""
        return thinned(list(items), self.limit, lambda item: derive(self.seed, "card", name, item.id))


def thinned(items: Sequence[T], limit: int | None, draw: Callable[[T], int]) -> tuple[tuple[T, ...], int]:
    """(the `limit` items of the lowest draws, in their order, how many there are)."""
    if limit is None or len(items) <= limit:
        return tuple(items), len(items)
    kept = set(sorted(range(len(items)), key=lambda place: draw(items[place]))[:limit])
    return tuple(one for place, one in enumerate(items) if place in kept), len(items)


# ---- rows ------------------------------------------------------------------------------------------------------------


def by_fact(rows: Sequence[Row], name: str) -> dict[str, list[Row]]:
    """Rows by a fact of theirs, in order of appearance; those without one are in none."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        value = row["facts"].get(name)
        if value not in (None, ""):
            found.setdefault(str(value), []).append(row)
    return found


def share(rows: Sequence[Row], hit: Callable[[Row], float], group: str = "") -> Estimate:
    """The mean of `hit` from 0 to 1; rows that share the fact `group` are one draw."""
    groups = [str(row["facts"].get(group) or "") for row in rows] if group else None
    return of_mean([float(hit(row)) for row in rows], groups)


def preferred(row: Row) -> float:
    """1 where the first text is the likelier, 0 where the second is, one half where neither."""
    first, second = row["logprobs"][:2]
    return 0.5 if first == second else float(first > second)


def tidy(found: Estimate) -> Estimate:
    """Without what rounding leaves of a zero, whose digits would all be shown; unknown where it is no number, as a
    correlation with what does not vary."""
    value, stderr, lo, hi = map(_tidy, (found.value, found.stderr, found.lo, found.hi))
    return Estimate(value, stderr, lo, hi, found.n, found.groups)


def within(values: Sequence[float], lowest: float, highest: float, groups: Sequence[str] | None = None) -> Estimate:
    """The mean of values on a scale from `lowest` to `highest`; its interval lies on the scale too, and is never of no
    width (`of_mean` of where they stand between its ends)."""
    width = highest - lowest
    return scaled(of_mean([(one - lowest) / width for one in values], groups), width, lowest)


def _tidy(x: float | None) -> float | None:
    if x is None or not math.isfinite(x):
        return None
    return 0.0 if abs(x) < _NOTHING else x


def scaled(found: Estimate, times: float, plus: float) -> Estimate:
    """The estimate of times * x + plus, times above 0."""

    def moved(x: float | None) -> float | None:
        return None if x is None else times * x + plus

    error = None if found.stderr is None else times * found.stderr
    return Estimate(moved(found.value), error, moved(found.lo), moved(found.hi), found.n, found.groups)
