"""What the page is told of a task, which is nothing of who wrote what, and what becomes of the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from presage.align.label_compare import FLAGS, Comparing
from presage.align.label_results import read_labels
from presage.align.label_tasks import shown_order
from presage.align.records import read_preferences
from presage.core.errors import DataError
from tests.align.labelled import MANY, PAIRS, answer_of

WHEN = "2024-05-01T12:00:00+00:00"


def test_the_page_is_told_texts_alone() -> None:
    sheet = Comparing(PAIRS, "Ada")
    told = json.dumps([sheet.shown(id) for id in sheet.ids])
    assert all(text in told for task in PAIRS for text in task.completions)
    for hidden in ("run A", "run B", "odd", "t0", "sources"):
        assert hidden not in told


def test_texts_are_shown_in_the_persons_order() -> None:
    found = Comparing([MANY], "Ben").shown("many")["completions"]
    assert found == [MANY.completions[place] for place in shown_order("many", "Ben", 4)]


def test_eleven_flags_as_in_the_paper() -> None:
    assert len(FLAGS) == 11


def test_an_answer_is_written_by_place_whatever_was_shown_where(tmp_path: Path) -> None:
    sheet = Comparing([MANY], "Ben")
    shown = sheet.shown("many")["completions"]
    good = {"a": 4, "b": 2, "c": 4, "d": 3}  # ranks 2 and 1 are not used, 4 is the worst
    said = answer_of(
        *(good[text] for text in shown),
        ratings=[{"a": 7, "b": 1}.get(text) for text in shown],
        flags=[["opinion", "missed"] if text == "c" else [] for text in shown],
    )
    path = tmp_path / "l.jsonl"
    path.write_bytes(sheet.line("many", said, WHEN))
    (label,) = read_labels(path)
    assert label.preference.ranks == (3, 1, 3, 2)
    assert label.ratings == (7, 1, None, None)
    assert label.preference.flags == {"2": ("missed", "opinion")}
    assert [MANY.completions[place] for place in label.shown] == shown
    assert (label.preference.who, label.preference.when, label.sources) == ("Ben", WHEN, ())


def test_sources_are_kept_and_a_reward_model_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(Comparing(PAIRS, "Ada").line("t1", answer_of(1, 2), WHEN))
    assert read_labels(path)[0].sources == ("run A", "run B")
    (record,) = read_preferences(path)
    assert (record.completions, record.category, len(record.pairs)) == (("one 1", "two 1"), "odd", 1)
    assert "ratings" not in json.loads(path.read_text())


NASTY = ("<script>alert(1)</script>", "\u202e\u200f\x00\x07 NUL", "x" * 1_000_000, "🙂‍↔️ שלום \u2028", "</pre>&lt;")


def test_any_text_comes_through(tmp_path: Path) -> None:
    from presage.align.label_tasks import read_tasks

    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"prompt": NASTY[0], "completions": NASTY}))
    sheet = Comparing(read_tasks(path), "Ada")
    (id,) = sheet.ids
    told = json.loads(json.dumps(sheet.shown(id)))
    assert sorted(told["completions"]) == sorted(NASTY)
    path.write_bytes(sheet.line(id, answer_of(1, 2, 3, 4, 5), WHEN))
    assert read_preferences(path)[0].completions == NASTY


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ranks": [1]}, "1 of 2 completions"),
        ({"ranks": [1, 2, 3]}, "3 is no whole number from 1 to 2"),
        ({"ranks": [1, None]}, "None is no whole number"),
        ({"ranks": [1, True]}, "True is no whole number"),
        ({"ranks": [0, 1]}, "0 is no whole number from 1 to 2"),
        ({"ranks": "12"}, "is no list"),
        ({"ratings": [8, None]}, "8 is no whole number from 1 to 7"),
        ({"ratings": [1]}, "1 of 2 completions"),
        ({"flags": [["nice"], []]}, "nice.* are no flags"),
        ({"flags": ["missed", []]}, "missed.* are no flags"),
        ({"flags": [[[]], []]}, "are no flags"),
        ({"flags": [[None], []]}, "are no flags"),
        ({"flags": {}}, "is no list"),
    ],
)
def test_answers_that_are_none(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Comparing(PAIRS, "Ada").line("t0", answer_of(1, 2) | change, WHEN)


def test_keys_that_are_missing() -> None:
    for key in ("ranks", "ratings", "flags"):
        kept = {name: value for name, value in answer_of(1, 2).items() if name != key}
        with pytest.raises(DataError, match=f"no '{key}'"):
            Comparing(PAIRS, "Ada").line("t0", kept, WHEN)


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "\x00"])
def test_a_name_is_one_line(name: str) -> None:
    with pytest.raises(DataError, match="one line of text"):
        Comparing(PAIRS, name)
