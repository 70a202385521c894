"""What labels come to: agreement as its measures have it, win rates by who wrote what, whatever was shown first."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from presage.align.agreement import alpha, kappa
from presage.align.label_compare import Comparing
from presage.align.label_results import Label, agreement, agreement_by_category, read_labels, wins
from presage.align.label_tasks import Task
from presage.align.records import Preference
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Message
from tests.align.labelled import answer_of

COUNT = 30
TASKS = [
    Task(f"t{n}", (Message("user", f"q {n}"),), ("x", "y"), ("run A", "run B"), "sums" if n % 3 else "rhymes")
    for n in range(COUNT)
]


def labels_of(folder: Path, who: str, *likes: str) -> list[Label]:
    """What somebody says who prefers x, y or neither ("=") of each task, through the page's own words."""
    sheet, path = Comparing(TASKS, who), folder / f"{who}.jsonl"
    with open(path, "wb") as file:
        for id, like in zip(sheet.ids, likes, strict=False):
            shown = sheet.shown(id)["completions"]
            ranks = [1, 1] if like == "=" else [1 if text == like else 2 for text in shown]
            file.write(sheet.line(id, answer_of(*ranks, ratings=[ranks[0], ranks[1] + 1]), "2024-05-01"))
    return read_labels(path)


def said(*rows: tuple[str, str, list[int]], ratings: Any = ()) -> list[Label]:
    return [Label(Preference((Message("user", id),), ("a", "b"), tuple(ranks), id, who)) for id, who, ranks in rows]


# ---- reading ---------------------------------------------------------------------------------------------------------


def test_preferences_without_more_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text('\n{"prompt": "p", "completions": ["a", "b"], "ranks": [1, 2]}\n\n')
    (found,) = read_labels(path)
    assert (found.sources, found.shown, found.ratings) == ((), (), ())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"sources": ["a"]}, "l.jsonl:1: sources: 1 of 2 completions"),
        ({"shown": [0, 0]}, "l.jsonl:1: shown: not the places from 0 to 1"),
        ({"shown": [0, "x"]}, "l.jsonl:1: shown: not the places"),
        ({"shown": ["1", "0"]}, "l.jsonl:1: shown: not the places"),
        ({"shown": [True, False]}, "l.jsonl:1: shown: not the places"),
        ({"ratings": [10**400, 1]}, "l.jsonl:1: ratings: a rating that is no whole number from 1 to 7"),
        ({"ratings": [8, 1]}, "l.jsonl:1: ratings: a rating that is no whole number from 1 to 7"),
        ({"ratings": [None, 0]}, "l.jsonl:1: ratings: a rating that is no whole number from 1 to 7"),
        ({"ratings": [1, 2, 3]}, "l.jsonl:1: ratings: 3 of 2"),
        ({"ratings": [1, "2"]}, "l.jsonl:1: ratings: a rating that is no whole number"),
    ],
)
def test_faults_beside_a_record_are_named(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text(json.dumps({"prompt": "p", "completions": ["a", "b"], "ranks": [1, 2]} | more))
    with pytest.raises(DataError, match=said):
        read_labels(path)


# ---- agreement -------------------------------------------------------------------------------------------------------


def test_agreement_by_hand() -> None:
    """Of 4 pairs both saw, they agree on 3: 0.75. Ada says first 3 times of 4, Ben 2: expected 0.5; kappa 0.5."""
    rows = [("a", 1, 1), ("b", 1, 1), ("c", 1, 2), ("d", 2, 2)]
    both = said(*((id, who, [n, 3 - n]) for id, ada, ben in rows for who, n in (("Ada", ada), ("Ben", ben))))
    found = agreement([*both, *said(("e", "Ada", [1, 2]))])
    assert (found.people, found.prompts) == (("Ada", "Ben"), 5)
    assert (found.plain.value, found.plain.n) == (0.75, 4)
    assert found.kappas["Ada", "Ben"].value == pytest.approx(0.5)
    assert found.alpha.value == pytest.approx(alpha([(ada, ben) for _, ada, ben in rows]))
    assert found.rating.n == 0


def test_what_was_shown_in_another_order_is_the_same_answer(tmp_path: Path) -> None:
    """Two people who are shown texts in orders of their own agree where they like the same text."""
    likes = ["xy="[n % 3] for n in range(COUNT)]
    labels = [*labels_of(tmp_path, "Ada", *likes), *labels_of(tmp_path, "Ben", *likes)]
    assert {one.shown for one in labels} == {(0, 1), (1, 0)}
    found = agreement(labels)
    assert (found.plain.value, found.alpha.value, found.kappas["Ada", "Ben"].value) == (1, 1, 1)
    assert found.plain.n == COUNT
    assert agreement(labels, ties=False).plain.n == COUNT * 2 // 3


def test_categories_are_of_their_own(tmp_path: Path) -> None:
    chance = random.Random(0)
    ada = [chance.choice("xy") for _ in range(COUNT)]
    ben = [one if n % 3 else "x" for n, one in enumerate(ada)]
    labels = [*labels_of(tmp_path, "Ada", *ada), *labels_of(tmp_path, "Ben", *ben)]
    found = agreement_by_category(labels)
    assert list(found) == ["rhymes", "sums"]
    assert (found["sums"].plain.value, found["sums"].plain.n) == (1, 20)
    assert found["rhymes"].plain.value == sum(ada[n] == "x" for n in range(0, COUNT, 3)) / 10
    assert agreement(labels).kappas["Ada", "Ben"].value == pytest.approx(kappa(ada, ben))


def test_people_who_share_nothing_have_no_kappa(tmp_path: Path) -> None:
    found = agreement([*labels_of(tmp_path, "Ada", "x", "y"), *said(("else", "Cleo", [1, 2]))])
    assert (found.kappas, found.plain.value, found.plain.n, found.alpha.value) == ({}, None, 0, None)


def test_labels_without_a_name_are_refused() -> None:
    with pytest.raises(DataError, match="an id and who"):
        agreement(said(("a", "", [1, 2])))


def test_ratings_agree_by_completion(tmp_path: Path) -> None:
    likes = ["xy"[n % 2] for n in range(8)]
    found = agreement([*labels_of(tmp_path, "Ada", *likes), *labels_of(tmp_path, "Cleo", *likes)]).rating
    assert (found.n, found.groups) == (16, 8)


# ---- win rates -------------------------------------------------------------------------------------------------------


def test_who_always_prefers_one_run_makes_it_win_wherever_it_stood(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "Ada", *["x"] * COUNT)
    found = wins(labels, "run A", "run B")
    assert (found.rate.wins, found.rate.ties, found.rate.losses) == (COUNT, 0, 0)
    first = sum(one.shown == (0, 1) for one in labels)
    assert 0 < first < COUNT
    assert found.rate.first.value == first / COUNT
    assert wins(labels, "run B", "run A").rate.rate.value == 0


def test_who_always_takes_the_first_shows(tmp_path: Path) -> None:
    sheet, path = Comparing(TASKS, "Ada"), tmp_path / "l.jsonl"
    path.write_bytes(b"".join(sheet.line(id, answer_of(1, 2), "2024-05-01") for id in sheet.ids))
    assert wins(read_labels(path), "run A", "run B").rate.first.value == 1


def test_ties_people_and_categories(tmp_path: Path) -> None:
    ada, ben = labels_of(tmp_path, "Ada", *"xx=y"), labels_of(tmp_path, "Ben", *"x=yy")
    found = wins([*ada, *ben], "run A", "run B")
    assert found.rate.rate.value == (2.5 + 1.5) / 8
    assert (found.rate.rate.n, found.rate.rate.groups, found.rate.people) == (8, 4, 2)
    assert {name: one.rate.value for name, one in found.people.items()} == {"Ada": 2.5 / 4, "Ben": 1.5 / 4}
    assert {name: one.wins + one.ties + one.losses for name, one in found.categories.items()} == {
        "rhymes": 4,
        "sums": 4,
    }
    assert found.categories["rhymes"].rate.groups == 2


def test_runs_that_nobody_compared(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "Ada", "x")
    with pytest.raises(DataError, match=r"no completion is by 'run C'.*did you mean"):
        wins(labels, "run A", "run C")
    with pytest.raises(DataError, match="labels of `presage pairs` have sources"):
        wins(said(("a", "Ada", [1, 2])), "run A", "run B")
    with pytest.raises(ConfigError, match="against itself"):
        wins(labels, "run A", "run A")
