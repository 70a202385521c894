"""What is to be labelled: read as written, faults named by file and line, shown in an order that says nothing."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from presage.align.label_tasks import Task, read_tasks, shown_order
from presage.core.errors import DataError
from presage.data.verbs import Message

PLAIN: dict[str, Any] = {"prompt": "Name a number.", "completions": ["Seven.", "No."]}
ASKED = (Message("user", "Name a number."),)


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def test_tasks_are_read_with_what_they_have(tmp_path: Path) -> None:
    full = PLAIN | {"id": 7, "sources": ["a", "b"], "category": "sums", "group": "g", "ranks": "none", "else": 1}
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    bare, found = read_tasks(file_of(tmp_path, PLAIN | {"prompt": turns}, full))
    assert found == Task("7", ASKED, ("Seven.", "No."), ("a", "b"), "sums", "g")
    assert bare.prompt == (Message("system", "Be brief."), Message("user", "Hi"))
    assert (bare.sources, bare.category, bare.group) == ((), "", "")


def test_an_id_is_drawn_from_what_is_asked_and_not_from_its_place(tmp_path: Path) -> None:
    other = PLAIN | {"completions": ["No.", "Seven."]}
    one, two = read_tasks(file_of(tmp_path, PLAIN, other))
    again = read_tasks(file_of(tmp_path, other, PLAIN | {"sources": ["x", "y"], "ranks": [2, 1], "who": "Ada"}))
    assert [again[1].id, again[0].id] == [one.id, two.id]
    assert one.id != two.id


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"completions": ["a", "b"]}, "tasks.jsonl:2: no 'prompt'"),
        ({"prompt": "", "completions": ["a", "b"]}, "tasks.jsonl:2: prompt: an empty text"),
        ({"prompt": [], "completions": ["a", "b"]}, "tasks.jsonl:2: prompt: no message"),
        ({"prompt": "p"}, "tasks.jsonl:2: no 'completions'"),
        ({"prompt": "p", "completions": ["a"]}, "tasks.jsonl:2: completions: .* 2 or more texts"),
        ({"prompt": "p", "completions": ["a", " "]}, "tasks.jsonl:2: completions: "),
        ({"prompt": "p", "completions": ["a", 3]}, "tasks.jsonl:2: completions: 3 is no text"),
        ({"prompt": "p", "completions": ["a"] * 10}, "tasks.jsonl:2: completions: 10 completions .*at most 9"),
        (PLAIN | {"sources": ["a"]}, "tasks.jsonl:2: sources: 1 sources of 2 completions"),
        (PLAIN | {"sources": "ab"}, "tasks.jsonl:2: sources: "),
        (PLAIN | {"category": 3}, "tasks.jsonl:2: category: 3 is no text"),
        (PLAIN | {"id": ""}, "tasks.jsonl:2: id: an empty text"),
        (PLAIN | {"id": "first"}, "tasks.jsonl:2: the id 'first' appears twice .*tasks.jsonl:1"),
        ("[1]", "tasks.jsonl:2: a JSON list, not an object"),
        ("{", "tasks.jsonl:2: not JSON"),
        ('{"prompt": "\\ud800", "completions": ["a", "b"]}', "tasks.jsonl:2: prompt: half a surrogate"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_tasks(file_of(tmp_path, PLAIN | {"id": "first"}, row))


def test_a_file_without_tasks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no records"):
        read_tasks(file_of(tmp_path))


def test_each_order_is_shown_as_often() -> None:
    """Of 3000 ids each of six orders is drawn 500 times, give or take four deviations of 20.4."""
    found = Counter(shown_order(f"p{n}", "Ada", 3) for n in range(3000))
    assert found.keys() == set(permutations(range(3)))
    assert all(abs(count - 500) < 82 for count in found.values())


def test_an_order_is_of_the_id_and_the_person() -> None:
    assert shown_order("p1", "Ada", 5) == shown_order("p1", "Ada", 5)
    assert len({shown_order("p1", who, 5) for who in "ABCDEFGH"}) > 4
