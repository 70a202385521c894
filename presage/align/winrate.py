"""Blind pairwise win rates: which of two runs people prefer who do not know which is which.

What is shown has no names: `sides` says afterwards which run wrote what. A tie is half a win for each. The interval is
Wilson's, and clustered by prompt where prompts were judged more than once (InstructGPT, section 3.6 and figure 1,
compares every model with one baseline like this). It says how far other prompts would move the rate, not other people.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from presage.align.records import Preference
from presage.core.errors import ConfigError, DataError
from presage.core.estimates import LEVEL, Estimate, of_mean
from presage.core.seeds import derive

WIN, TIE, LOSS = 1.0, 0.5, 0.0


@dataclass(frozen=True)
class Judgement:
    """What `who` said of two completions of one prompt: 1 where the run asked about won, 0.5 a tie, 0 where it lost.

    first: its completion was the one shown first. prompt: what its cluster is known by.
    """

    prompt: Hashable
    who: str
    score: float
    first: bool


@dataclass(frozen=True)
class WinRate:
    """How often one run is preferred to another: its rate with ties as halves, and what there was.

    first: how often the completion shown first won, whoever wrote it; one half but for chance if place means nothing.
    """

    rate: Estimate
    first: Estimate
    wins: int
    ties: int
    losses: int
    people: int


def blind(ids: Iterable[str], runs: tuple[str, str], seed: int = 0) -> dict[str, tuple[str, str]]:
    """{id: (run shown first, run shown second)}, drawn for each id by itself: other ids change nothing.

    Raises ConfigError for a run against itself.
    """
    if runs[0] == runs[1]:
        raise ConfigError(f"'{runs[0]}' against itself", hint="name two runs")
    low, high = sorted(runs)
    return {one: (high, low) if derive(seed, "blind", low, high, one) % 2 else (low, high) for one in ids}


def judgements(
    preferences: Iterable[Preference], sides: Mapping[str, Sequence[str]], runs: tuple[str, str]
) -> list[Judgement]:
    """Every comparison of a completion of runs[0] with one of runs[1], from the side of runs[0].

    sides: {id: the run of each completion, by place}. Records of other runs alone are passed over. Prompts are clusters
    by their group, or their own text. Raises DataError for an id that is not in `sides`, or has another number of them.
    """
    if runs[0] == runs[1]:
        raise ConfigError(f"'{runs[0]}' against itself", hint="name two runs")
    return [found for one in preferences for found in _judged(one, _writers(one, sides), runs)]


def _writers(one: Preference, sides: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if one.id not in sides:
        raise DataError(f"nobody knows which runs wrote the completions of '{one.id}'", hint="another key of sides")
    found = sides[one.id]
    if len(found) != len(one.completions):
        raise DataError(f"{len(found)} runs of {len(one.completions)} completions", where=one.id)
    return found


def _judged(one: Preference, writers: Sequence[str], runs: tuple[str, str]) -> list[Judgement]:
    ours, theirs = ([place for place, name in enumerate(writers) if name == run] for run in runs)
    return [
        Judgement(one.group or one.prompt, one.who, _score(one.ranks[a], one.ranks[b]), a < b)
        for a, b in product(ours, theirs)
    ]


def _score(ours: int, theirs: int) -> float:
    return TIE if ours == theirs else WIN if ours < theirs else LOSS


def win_rate(found: Sequence[Judgement], level: float = LEVEL) -> WinRate:
    """The rate with its interval. Without a judgement it is None, and nothing is claimed."""
    scores, prompts = [one.score for one in found], [_cluster(one) for one in found]
    shown = [one.score if one.first else 1 - one.score for one in found]
    return WinRate(
        rate=of_mean(scores, prompts, level),
        first=of_mean(shown, prompts, level),
        wins=scores.count(WIN),
        ties=scores.count(TIE),
        losses=scores.count(LOSS),
        people=len({one.who for one in found}),
    )


def by_person(found: Sequence[Judgement], level: float = LEVEL) -> dict[str, WinRate]:
    """The win rate in the eyes of each person, by their names."""
    names = sorted({one.who for one in found})
    return {name: win_rate([one for one in found if one.who == name], level) for name in names}


def _cluster(one: Judgement) -> Hashable:
    """Whatever it is, "" too, it is one prompt."""
    return ("prompt", one.prompt)
