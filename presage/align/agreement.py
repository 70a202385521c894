"""How far people who label the same things agree: Cohen's kappa, Krippendorff's alpha, plain agreement of pairs.

Ratings are [items][raters], None where a rater did not see an item. Every measure has an interval over items, or over
groups of them that belong together (all pairs of completions of one prompt), and is None where it is not defined: where
nothing was rated twice, or where nobody could have disagreed, all ratings being one.

Sources: Cohen 1960; Cohen 1968 (weights); Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"; InstructGPT,
section 3.4, which reports plain agreement (72.6 ± 1.5 %, of labellers held out 77.3 ± 1.3 %).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from presage.align.records import Preference
from presage.core.errors import ConfigError, DataError
from presage.core.estimates import DRAWS, Estimate, bootstrap, of_mean

Rating = str | int | float
Ratings = Sequence[Sequence[Rating | None]]
Weights = Literal["nominal", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


# ---- plain agreement -------------------------------------------------------------------------------------------------


def pairwise(ratings: Ratings, groups: Sequence[Hashable] | None = None) -> Estimate:
    """Share of agreements among all pairs of raters of one item, its error clustered by item, or by group of items."""
    found = [(a == b, place) for place, (a, b) in _pairs(ratings)]
    of = range(len(ratings)) if groups is None else groups
    return of_mean([float(same) for same, _ in found], [_apart(of[place], place) for _, place in found])


def _pairs(ratings: Ratings) -> list[tuple[int, tuple[Rating, Rating]]]:
    rated = [[one for one in item if one is not None] for item in ratings]
    return [(place, (a, b)) for place, item in enumerate(rated) for a, b in combinations(item, 2)]


def _apart(group: Hashable, place: int) -> Hashable:
    """An item of the group "" stands alone, but all its pairs with it."""
    return ("", place) if group == "" else (None, group)


# ---- Cohen's kappa ---------------------------------------------------------------------------------------------------


def kappa(a: Sequence[Rating | None], b: Sequence[Rating | None], weights: Weights = "nominal") -> float | None:
    """1 − disagreement seen / disagreement expected of two raters who keep their own habits (Cohen 1960).

    "quadratic": a disagreement weighs the square of the difference of two numbers (Cohen 1968). Items that only one of
    them rated do not count. Raises DataError for ratings that are no numbers where they have to be.
    """
    pairs, values = _paired(a, b, weights)
    return _kappa(pairs, values, weights)


def _paired(
    a: Sequence[Rating | None], b: Sequence[Rating | None], weights: Weights
) -> tuple[np.ndarray, dict[Rating, int]]:
    """Places [N, 2] of the values that both gave; the values in order."""
    both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    values = _values((one for pair in both for one in pair), numbers=weights == "quadratic")
    return np.array([(values[x], values[y]) for x, y in both], dtype=int).reshape(-1, 2), values


def _kappa(pairs: np.ndarray, values: dict[Rating, int], weights: Weights) -> float | None:
    table = np.zeros((len(values), len(values)))
    np.add.at(table, (pairs[:, 0], pairs[:, 1]), 1)
    apart = _squares(values) if weights == "quadratic" else _names(values)
    expected = float((np.outer(table.sum(1), table.sum(0)) * apart).sum()) / max(1, len(pairs))
    return None if expected == 0 else 1 - float((table * apart).sum()) / expected


def kappas(ratings: Ratings, weights: Weights = "nominal") -> dict[tuple[int, int], float | None]:
    """Of every two raters, by their places; their mean is Light's kappa (1971)."""
    columns = list(zip(*ratings, strict=True))
    return {(i, j): kappa(columns[i], columns[j], weights) for i, j in combinations(range(len(columns)), 2)}


# ---- Krippendorff's alpha --------------------------------------------------------------------------------------------


def alpha(ratings: Ratings, level: Level = "nominal") -> float | None:
    """1 − disagreement seen / disagreement expected by chance, of any number of raters, items missing or not.

    A difference counts 1 for names ("nominal"), the square of how many ratings lie between for ranks ("ordinal"), the
    square of the difference for numbers ("interval"). Raises DataError for ratings that are no numbers where they have
    to be, ConfigError for another level.
    """
    counts, values = _counted(ratings, level)
    return _alpha(counts, values, level)


def _counted(ratings: Ratings, level: Level) -> tuple[np.ndarray, dict[Rating, int]]:
    """How often each item that was rated twice [N] was given each value [V]; the values in order."""
    if level not in _DISTANCES:
        raise ConfigError(f"no level '{level}'", hint=f"known: {', '.join(_DISTANCES)}")
    rated = [[one for one in item if one is not None] for item in ratings]
    rated = [item for item in rated if len(item) > 1]
    values = _values((one for item in rated for one in item), numbers=level != "nominal")
    counts = np.zeros((len(rated), len(values)))
    for row, item in zip(counts, rated, strict=True):
        np.add.at(row, [values[one] for one in item], 1)
    return counts, values


def _alpha(counts: np.ndarray, values: dict[Rating, int], level: Level) -> float | None:
    weight = 1 / (counts.sum(1) - 1)
    coincidences = (counts * weight[:, None]).T @ counts - np.diag(weight @ counts)
    totals = counts.sum(0)
    apart = _DISTANCES[level](values, totals)
    expected = float(totals @ apart @ totals) / max(1.0, totals.sum() - 1)
    return None if expected == 0 else 1 - float((coincidences * apart).sum()) / expected


def _names(values: dict[Rating, int], totals: np.ndarray | None = None) -> np.ndarray:
    return 1 - np.eye(len(values))


def _ranks(values: dict[Rating, int], totals: np.ndarray) -> np.ndarray:
    """How many ratings lie from one value to another, half of either end's."""
    middle = np.cumsum(totals) - totals / 2
    return np.asarray((middle[:, None] - middle[None]) ** 2)


def _squares(values: dict[Rating, int], totals: np.ndarray | None = None) -> np.ndarray:
    numbers = np.array([float(value) for value in values])
    return np.asarray((numbers[:, None] - numbers[None]) ** 2)


_DISTANCES: dict[str, Callable[[dict[Rating, int], np.ndarray], np.ndarray]] = {
    "nominal": _names,
    "ordinal": _ranks,
    "interval": _squares,
}


def _values(ratings: Iterable[Rating], *, numbers: bool) -> dict[Rating, int]:
    """{value: place}, in order: of numbers by size."""
    found = set(ratings)
    wrong = next((one for one in found if numbers and not _is_number(one)), None)
    if wrong is not None:
        raise DataError(f"a rating that is no number: {wrong!r:.40}", hint="names have the level nominal")
    ordered = sorted(found, key=float) if numbers else sorted(found, key=repr)
    return {one: place for place, one in enumerate(ordered)}


def _is_number(value: Rating) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


# ---- intervals -------------------------------------------------------------------------------------------------------


def alpha_estimate(
    ratings: Ratings,
    level: Level = "nominal",
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Alpha with its error and a 95 % interval: items, or groups of them, drawn with replacement."""
    counts, values = _counted(ratings, level)
    return _redrawn(ratings, lambda some: _alpha(counts[some], values, level), groups, draws, seed)


def kappa_estimate(
    a: Sequence[Rating | None],
    b: Sequence[Rating | None],
    weights: Weights = "nominal",
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Kappa with its error and a 95 % interval: items, or groups of them, drawn with replacement."""
    pairs, values = _paired(a, b, weights)
    both = list(zip(a, b, strict=True))
    return _redrawn(both, lambda some: _kappa(pairs[some], values, weights), groups, draws, seed)


def _redrawn(
    ratings: Ratings,
    measure: Callable[[np.ndarray], float | None],
    groups: Sequence[Hashable] | None,
    draws: int,
    seed: int,
) -> Estimate:
    """Of the items that were rated twice, by their numbers: the others bear on nothing. A draw of items in which nobody
    could have disagreed says nothing, and is left out."""
    kept = [place for place, item in enumerate(ratings) if sum(one is not None for one in item) > 1]
    some = None if groups is None else [groups[place] for place in kept]

    def number(drawn: Sequence[int]) -> float:
        found = measure(np.asarray(drawn, dtype=int))
        return float("nan") if found is None else found

    found = bootstrap(range(len(kept)), number, some, draws=draws, seed=seed)
    defined = found.value is not None and np.isfinite(found.value)
    return found if defined else replace(found, value=None, stderr=None, lo=None, hi=None)


# ---- of rankings -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparisons:
    """What each of `raters` said of two completions of one prompt: "first", "second", "tie", or None where they did not
    see it. One row of `ratings` for each pair of each id of `groups`."""

    raters: tuple[str, ...]
    groups: tuple[str, ...]
    ratings: tuple[tuple[str | None, ...], ...]


def comparisons(preferences: Iterable[Preference], *, ties: bool = True) -> Comparisons:
    """Rankings of the same ids by several people as a table of raters, one row for each two completions.

    Without `ties` a tie counts as not rated. Raises DataError for a record without an id or a name.
    """
    found = list(preferences)
    for one in found:
        if not (one.id and one.who):
            raise DataError("agreement needs records with an id and who labelled them", where=one.id or one.who or None)
    raters = tuple(sorted({one.who for one in found}))
    by: dict[str, dict[str, Preference]] = {}
    for one in found:
        by.setdefault(one.id, {})[one.who] = one
    rows = [(name, row) for name, people in by.items() for row in _compared(people, raters, ties)]
    return Comparisons(raters, tuple(name for name, _ in rows), tuple(row for _, row in rows))


def _compared(people: dict[str, Preference], raters: tuple[str, ...], ties: bool) -> list[tuple[str | None, ...]]:
    count = max(len(one.ranks) for one in people.values())
    return [tuple(_said(people.get(who), a, b, ties) for who in raters) for a, b in combinations(range(count), 2)]


def _said(one: Preference | None, a: int, b: int, ties: bool) -> str | None:
    if one is None:
        return None
    if one.ranks[a] == one.ranks[b]:
        return "tie" if ties else None
    return "first" if one.ranks[a] < one.ranks[b] else "second"
