"""Blind win rates: ties as halves, intervals by hand and on planted data, prompts that were judged more than once."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from presage.align.records import Preference
from presage.align.winrate import Judgement, blind, by_person, judgements, win_rate
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Message

RUNS = ("ours", "theirs")


def ranked(id: str, *ranks: int, who: str = "Ada", group: str = "") -> Preference:
    return Preference((Message("user", id),), tuple("abcdef"[: len(ranks)]), ranks, id=id, who=who, group=group)


def alone(*scores: float) -> list[Judgement]:
    return [Judgement(n, "Ada", score, n % 2 == 0) for n, score in enumerate(scores)]


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_sides_are_drawn_for_each_id_by_itself() -> None:
    ids = [f"p{n}" for n in range(1000)]
    found = blind(ids, RUNS)
    assert set(found.values()) == {RUNS, RUNS[::-1]}
    assert abs(sum(one == RUNS for one in found.values()) - 500) < 64  # four deviations of 15.8
    assert blind(ids[:3], RUNS[::-1]) == {one: found[one] for one in ids[:3]}
    assert blind(ids, RUNS, seed=1) != found
    with pytest.raises(ConfigError, match="'ours' against itself"):
        blind(ids, ("ours", "ours"))


def test_labels_find_their_runs_again() -> None:
    """Somebody who always prefers ours, wherever it stood, makes it win always."""
    ids = [f"p{n}" for n in range(40)]
    sides = blind(ids, RUNS)
    labels = [ranked(one, *((1, 2) if sides[one][0] == "ours" else (2, 1))) for one in ids]
    found = win_rate(judgements(labels, sides, RUNS))
    assert (found.wins, found.ties, found.losses, found.people) == (40, 0, 0, 1)
    assert found.rate.value == 1
    assert found.first.value == sum(one[0] == "ours" for one in sides.values()) / 40
    assert win_rate(judgements(labels, sides, RUNS[::-1])).rate.value == 0


def test_many_completions_are_compared_across_runs() -> None:
    """Ours 1st and 3rd, theirs 2nd and 3rd, another run 4th: of four comparisons two are won, one is lost, one tied."""
    sides = {"x": ("ours", "theirs", "ours", "other", "theirs"), "y": ("other", "theirs")}
    found = judgements([ranked("x", 1, 2, 3, 4, 3), ranked("y", 1, 2)], sides, RUNS)
    assert [one.score for one in found] == [1.0, 1.0, 0.0, 0.5]
    assert [one.first for one in found] == [True, True, False, True]
    assert win_rate(found).rate.groups == 1


def test_what_nobody_knows_the_runs_of_is_refused() -> None:
    with pytest.raises(DataError, match="which runs wrote the completions of 'x'"):
        judgements([ranked("x", 1, 2)], {}, RUNS)
    with pytest.raises(DataError, match="x: 3 runs of 2 completions"):
        judgements([ranked("x", 1, 2)], {"x": ("a", "b", "c")}, RUNS)
    with pytest.raises(ConfigError):
        judgements([], {}, ("a", "a"))


# ---- rates -----------------------------------------------------------------------------------------------------------


def test_ties_are_halves() -> None:
    found = win_rate(alone(1, 1, 0.5, 0))
    assert found.rate.value == 2.5 / 4
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)


def test_wilsons_interval_by_hand() -> None:
    """17 of 20, z 1.96: middle (0.85 + 3.8415 / 40) / (1 + 3.8415 / 20) = 0.7936, half of the width
    1.96 / 1.19207 · sqrt(0.85 · 0.15 / 20 + 3.8415 / 1600) = 0.1540: 0.640 to 0.948."""
    found = win_rate(alone(*[1] * 17, *[0] * 3)).rate
    assert found.value == 0.85
    assert found.lo == pytest.approx(0.6396, abs=2e-4)
    assert found.hi == pytest.approx(0.9476, abs=2e-4)


def test_twenty_wins_of_twenty_are_not_certain() -> None:
    found = win_rate(alone(*[1] * 20)).rate
    assert (found.value, found.hi) == (1, 1)
    assert found.lo == pytest.approx(1 / (1 + 3.8415 / 20), abs=1e-4)


def test_nothing_judged_claims_nothing() -> None:
    found = win_rate([])
    assert (found.rate.value, found.rate.lo, found.first.value, found.wins, found.people) == (None, None, None, 0, 0)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
@example([0.0] * 7)  # where rounding put the lower end above nought
def test_two_runs_share_one_whole(scores: list[float]) -> None:
    ours, theirs = win_rate(alone(*scores)).rate, win_rate(alone(*(1 - score for score in scores))).rate
    assert ours.value is not None and theirs.value is not None
    assert ours.value + theirs.value == pytest.approx(1)
    assert ours.lo is not None and ours.hi is not None and theirs.hi is not None
    assert ours.lo == pytest.approx(1 - theirs.hi, abs=1e-7)
    assert 0 <= ours.lo <= ours.value <= ours.hi <= 1


def test_five_labels_of_a_prompt_are_no_five_prompts() -> None:
    once = alone(*[1] * 28, *[0] * 12)
    often = [Judgement(one.prompt, who, one.score, one.first) for one in once for who in "ABCDE"]
    narrow, wide = win_rate(once).rate, win_rate(often).rate
    assert wide.stderr == pytest.approx(narrow.stderr)
    assert (wide.n, wide.groups) == (200, 40)
    assert win_rate(often).people == 5
    assert math.sqrt(0.7 * 0.3 / 200) < 0.5 * (wide.stderr or 0)


def test_prompts_are_one_by_their_words_or_their_group() -> None:
    sides = dict.fromkeys("xyz", RUNS)
    same = [ranked("x", 1, 2, who=who) for who in ("Ada", "Ben", "")]
    assert win_rate(judgements([*same, ranked("y", 1, 2)], sides, RUNS)).rate.groups == 2
    grouped = [ranked("x", 1, 2, group="g"), ranked("y", 2, 1, group="g"), ranked("z", 2, 1)]
    assert win_rate(judgements(grouped, sides, RUNS)).rate.groups == 2
    assert win_rate([Judgement("", "Ada", 1, True), Judgement("", "Ben", 0, True)]).rate.groups == 1


def test_intervals_hold_the_truth_where_a_prompt_is_judged_often() -> None:
    """Each prompt has its own rate, 0.2 or 0.8 with the mean 0.5, and five judges. Of 200 intervals of 95 % at least
    180 (three deviations of 3.1 below) hold 0.5; were all judgements alone, fewer than 170 would."""
    held, naive = 0, 0
    for seed in range(200):
        chance = random.Random(seed)
        rates = [chance.choice([0.2, 0.8]) for _ in range(60)]
        found = [Judgement(n, who, float(chance.random() < r), True) for n, r in enumerate(rates) for who in "ABCDE"]
        held += _holds(found)
        naive += _holds([Judgement(n, one.who, one.score, True) for n, one in enumerate(found)])
    assert held >= 180
    assert naive < 170


def _holds(found: list[Judgement]) -> bool:
    rate = win_rate(found).rate
    assert rate.lo is not None and rate.hi is not None
    return rate.lo <= 0.5 <= rate.hi


def test_each_person_has_a_rate() -> None:
    found = by_person([Judgement(n, who, float(who == "Ada"), True) for n in range(5) for who in ("Ben", "Ada")])
    assert list(found) == ["Ada", "Ben"]
    assert (found["Ada"].rate.value, found["Ben"].rate.value) == (1, 0)
    assert found["Ada"].people == 1
