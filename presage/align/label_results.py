"""What labels come to: how far those who gave them agree, and which of two runs they prefer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from presage.align.agreement import Ratings, alpha_estimate, comparisons, kappa_estimate, pairwise
from presage.align.label_compare import BEST_RATING
from presage.align.label_tasks import some_rows
from presage.align.records import Preference, read_preferences
from presage.align.winrate import Judgement, WinRate, by_person, judgements, win_rate
from presage.core.errors import DataError, did_you_mean
from presage.core.estimates import LEVEL, Estimate
from presage.tasks.readers.rows import Row


@dataclass(frozen=True)
class Label:
    """A preference, and what `label_compare` wrote beside it, all by place; empty where it is not there."""

    preference: Preference
    sources: tuple[str, ...] = ()
    shown: tuple[int, ...] = ()
    ratings: tuple[int | None, ...] = ()


def read_labels(*paths: Path) -> list[Label]:
    """All labels of some files, in their order. Raises DataError naming file and line of the first fault."""
    found = read_preferences(*paths)
    rows = [row for path in paths for row in some_rows(path)]
    return [_label(one, row) for one, row in zip(found, rows, strict=True)]


def _label(one: Preference, row: Row) -> Label:
    count = len(one.completions)
    sources = row.texts("sources", 1) if "sources" in row.value else ()
    shown, ratings = (tuple(row.of(list, key)) if key in row.value else () for key in ("shown", "ratings"))
    for key, found in {"sources": sources, "shown": shown, "ratings": ratings}.items():
        if found and len(found) != count:
            raise DataError(f"{len(found)} of {count} completions", where=f"{row.where}: {key}")
    if shown and sorted(one for one in shown if type(one) is int) != list(range(count)):
        raise DataError(f"not the places from 0 to {count - 1}", where=f"{row.where}: shown")
    if any(one is not None and (type(one) is not int or not 1 <= one <= BEST_RATING) for one in ratings):
        raise DataError(f"a rating that is no whole number from 1 to {BEST_RATING}", where=f"{row.where}: ratings")
    return Label(one, sources, shown, ratings)


# ---- agreement -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Agreement:
    """Of some labels: plain agreement and Krippendorff's alpha of all, Cohen's kappa of every two people who share any,
    and alpha of the ratings as ranks. What nobody rated twice has None as its value."""

    people: tuple[str, ...]
    prompts: int
    plain: Estimate
    alpha: Estimate
    kappas: dict[tuple[str, str], Estimate]
    rating: Estimate


def agreement(labels: Sequence[Label], *, ties: bool = True) -> Agreement:
    """How far people agree on which of two completions is better; intervals are over prompts.

    Without `ties` a tie counts as not seen. Raises DataError for a label without an id or a name.
    """
    table = comparisons([one.preference for one in labels], ties=ties)
    columns = list(zip(*table.ratings, strict=True)) or [()] * len(table.raters)
    kappas = {
        (table.raters[i], table.raters[j]): kappa_estimate(columns[i], columns[j], groups=table.groups)
        for i, j in combinations(range(len(table.raters)), 2)
    }
    rated, groups = _ratings(labels, table.raters)
    return Agreement(
        people=table.raters,
        prompts=len({_known(one.preference) for one in labels}),
        plain=pairwise(table.ratings, table.groups),
        alpha=alpha_estimate(table.ratings, groups=table.groups),
        kappas={pair: found for pair, found in kappas.items() if found.n},
        rating=alpha_estimate(rated, "ordinal", groups),
    )


def agreement_by_category(labels: Sequence[Label], *, ties: bool = True) -> dict[str, Agreement]:
    """The same for each category, by its name; labels without one are in none."""
    names = sorted({one.preference.category for one in labels} - {""})
    return {name: agreement([one for one in labels if one.preference.category == name], ties=ties) for name in names}


def _known(one: Preference) -> object:
    return one.id or one.prompt


def _ratings(labels: Sequence[Label], people: Sequence[str]) -> tuple[Ratings, list[str]]:
    """[completions][people] of ratings from 1 to 7, and the id that each row is of."""
    said: dict[tuple[str, int], dict[str, int | None]] = {}
    for one in labels:
        for place, rating in enumerate(one.ratings):
            said.setdefault((one.preference.id, place), {})[one.preference.who] = rating
    return [[row.get(who) for who in people] for row in said.values()], [id for id, _ in said]


# ---- win rates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wins:
    """How often one run is preferred to another: in all, in the eyes of each person, and in each category."""

    rate: WinRate
    people: dict[str, WinRate]
    categories: dict[str, WinRate]


def wins(labels: Sequence[Label], a: str, b: str, level: float = LEVEL) -> Wins:
    """Blind win rates of the run `a` against `b`. Raises DataError for a name that no label has, ConfigError for a run
    against itself."""
    sourced = [one for one in labels if one.sources]
    known = {name for one in sourced for name in one.sources}
    for name in (a, b):
        if name not in known:
            hint = did_you_mean(name, known) if known else "labels of `presage pairs` have sources"
            raise DataError(f"no completion is by '{name}'", where="labels", hint=hint)
    found = {place: _judged(one, a, b) for place, one in enumerate(sourced)}
    categories = sorted({one.preference.category for one in sourced} - {""})
    return Wins(
        win_rate(_all(found.values()), level),
        by_person(_all(found.values()), level),
        {
            name: win_rate(_all(found[n] for n, one in enumerate(sourced) if one.preference.category == name), level)
            for name in categories
        },
    )


def _all(found: Iterable[list[Judgement]]) -> list[Judgement]:
    return [one for some in found for one in some]


def _judged(label: Label, a: str, b: str) -> list[Judgement]:
    """In the order in which the completions were shown, so that what came first is known to have."""
    one, order = label.preference, label.shown or tuple(range(len(label.sources)))
    seen = replace(
        one,
        id="shown",
        completions=tuple(one.completions[place] for place in order),
        ranks=tuple(one.ranks[place] for place in order),
    )
    return judgements([seen], {"shown": [label.sources[place] for place in order]}, (a, b))
