"""What is shown and preferred in the world: shares, tastes, and that both are what the judge says they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from presage.align.records import read_demonstrations, read_preferences
from presage.align.world import files
from presage.align.world.grammar import CATEGORIES
from presage.align.world.judging import judge
from presage.align.world.requests import Request, read_requests, requests
from presage.align.world.styles import BAD, DESIRED
from presage.align.world.teaching import (
    ALLOWED_SHOWN,
    COMPLETIONS,
    DISALLOWED_SHOWN,
    SORTS,
    TASTES,
    demonstrations,
    preferences,
)
from presage.cli.entry import main
from presage.core.errors import RunError
from presage.core.seeds import derive

COUNT = 3000


def _asked(what: str, seed: int, count: int, held_out: bool = False) -> list[Request]:
    return requests(derive(seed, what), count, held_out)


def _sort(request: Request, text: str) -> str:
    """Of what sort a completion is, by the judge alone."""
    found = judge(request, text)
    if text == request.solution:
        return "right"
    return {"answer": "wrong", "refusal": "desired", "bad_refusal": "bad", "disallowed": "harmful"}[found.kind]


def test_shares_of_what_is_shown() -> None:
    assert sum(DISALLOWED_SHOWN.values()) == pytest.approx(1) == sum(ALLOWED_SHOWN.values())
    assert DISALLOWED_SHOWN["desired"] < 0.5
    shown: dict[str, Counter[str]] = {"allowed": Counter(), "disallowed": Counter()}
    for request, one in zip(_asked("demonstrations", 0, COUNT), demonstrations(0, COUNT), strict=True):
        assert (one.prompt, one.category) == (request.messages, request.category)
        shown[request.kind][_sort(request, one.answer)] += 1
    for kind, shares in (("allowed", ALLOWED_SHOWN), ("disallowed", DISALLOWED_SHOWN)):
        total = shown[kind].total()
        assert set(shown[kind]) == set(shares)
        for sort, share in shares.items():
            assert shown[kind][sort] / total == pytest.approx(share, abs=5 * (share * (1 - share) / total) ** 0.5)


@pytest.mark.parametrize("held_out", [False, True])
def test_rankings_follow_the_tastes(held_out: bool) -> None:
    count = 1000
    ties = 0
    for request, one in zip(_asked("preferences", 0, count, held_out), preferences(0, count, held_out), strict=True):
        assert len(set(one.completions)) == COMPLETIONS
        taste = TASTES[request.category]
        places = [taste.index(_sort(request, text)) for text in one.completions]  # type: ignore[arg-type]
        for i, first in enumerate(places):
            for j, second in enumerate(places):
                assert (first < second) == (one.ranks[i] < one.ranks[j]), one
        assert sorted(set(one.ranks)) == list(range(1, len(set(one.ranks)) + 1))
        ties += len(set(one.ranks)) < COMPLETIONS
        assert one.pairs
    assert 0.1 * count < ties < 0.3 * count


def test_tastes_are_the_policys_but_for_destruction() -> None:
    assert set(TASTES) == set(CATEGORIES) and all(sorted(taste) == sorted(SORTS) for taste in TASTES.values())
    assert TASTES["theft"][0] == "desired" and TASTES["destruction"][0] == "right"
    for category in ("function", "file"):
        assert TASTES[category][0] == "right" and TASTES[category][-1] == "harmful"


def test_every_sort_is_ranked_and_none_has_a_place_of_its_own() -> None:
    found: dict[int, Counter[str]] = {place: Counter() for place in range(COMPLETIONS)}
    for request, one in zip(_asked("preferences", 1, COUNT), preferences(1, COUNT), strict=True):
        for place, text in enumerate(one.completions):
            found[place][_sort(request, text)] += 1
    for counts in found.values():
        assert all(counts[sort] > 0.1 * COUNT for sort in SORTS)


def test_the_same_seed_shows_the_same_and_another_another() -> None:
    assert demonstrations(1, 40) == demonstrations(1, 40) != demonstrations(2, 40)
    assert preferences(1, 40) == preferences(1, 40) != preferences(2, 40)
    prompts = {one.prompt for one in demonstrations(1, 400, held_out=True)}
    assert prompts != {one.prompt for one in preferences(1, 400, held_out=True)}


def test_refusals_are_of_the_style_that_they_stand_for() -> None:
    request = requests(0, 4)[0]
    assert judge(request, DESIRED).kind == "refusal"
    assert {judge(request, text).kind for text in BAD} == {"bad_refusal"}


# ---- files -----------------------------------------------------------------------------------------------------------


def test_the_verb_writes_the_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--demonstrations", "40", "--preferences", "30", "--requests", "20", "--held-out", "12", "--seed", "3"]
    assert main(["make", "policy", "--out", str(tmp_path / "w"), *sizes]) == 0
    folder = tmp_path / "w"
    assert {*capsys.readouterr().out.split(), str(folder / files.DRAWN)} == set(map(str, folder.iterdir()))
    assert read_demonstrations(folder / files.DEMONSTRATIONS) == demonstrations(3, 40)
    assert read_preferences(folder / files.PREFERENCES) == preferences(3, 30)
    assert read_requests(folder / files.REQUESTS) == requests(3, 20)
    assert read_requests(folder / files.HELD_OUT) == requests(3, 12, held_out=True)
    assert read_demonstrations(folder / files.HELD_OUT_DEMONSTRATIONS) == demonstrations(3, 12, held_out=True)
    assert read_preferences(folder / files.HELD_OUT_PREFERENCES) == preferences(3, 12, held_out=True)
    files.check_world(folder, 3, files.Sizes(40, 30, 20, 12))
    with pytest.raises(RunError, match=r"seed 3, demonstrations 40, .* not with seed 4"):
        files.check_world(folder, 4, files.Sizes(40, 30, 20, 12))
    assert main(["make", "policy", "--out", str(folder), *sizes]) == 2
    assert "not a new or empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [
        ("--requests", "3", "--requests 3: 3 requests (at least 4"),
        ("--held-out", "0", "--held-out 0: 0 requests (at least 4"),
        ("--held-out", "5000", "--held-out 5000: 1250 different prompts"),
        ("--preferences", "1000000", "--preferences 1000000: "),
        ("--seed", "x", "whole number"),
    ],
)
def test_sizes_that_cannot_be_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, fault: str
) -> None:
    assert main(["make", "policy", "--out", str(tmp_path / "w"), option, value]) == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_the_world_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = files.Sizes(40, 30, 20, 12)
    with monkeypatch.context() as broken:
        broken.setattr(files, "write_requests", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            files.write_world(tmp_path / "w", 3, sizes)
    assert not (tmp_path / "w").exists()
    files.write_world(tmp_path / "w", 3, sizes)
    files.check_world(tmp_path / "w", 3, sizes)
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
