"""Readers of items: the forms that evaluation files come in, and what is refused."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import DataError
from presage.data.items import Item, read_items

FORMS: dict[str, tuple[dict[str, Any], Item]] = {
    "plain": ({"id": "a", "text": "Why?"}, Item("a", "Why?")),
    "numbered": ({"id": 7, "text": "Why?"}, Item("7", "Why?")),
    "without id": ({"text": "Why?"}, Item("f.jsonl:1", "Why?")),
    "MMLU": (
        {"subject": "s", "question": "Find x.", "choices": ["0", "4"], "answer": "B"},
        Item("f.jsonl:1", "Find x.", ("0", "4"), 1),
    ),
    "ARC": (
        {
            "id": "M_1",
            "question": {"stem": "What falls?", "choices": [{"text": "rain", "label": "A"}]},
            "answerKey": "A",
        },
        Item("M_1", "What falls?"),
    ),
    "LLM Foundry": ({"choices": ["a"], "query": "Question: Which?", "gold": 0}, Item("f.jsonl:1", "Which?")),
    "GSM8K": ({"question": "How many?", "answer": "#### 3"}, Item("f.jsonl:1", "How many?")),
    "HumanEval": (
        {"task_id": "HumanEval/0", "prompt": "def f():\n", "canonical_solution": "pass", "test": ""},
        Item("HumanEval/0", "def f():\n"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_of_every_form(tmp_path: Path, form: str) -> None:
    row, item = FORMS[form]
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(row) + "\n\n")
    assert read_items(path) == [item]


def test_compressed_lists_and_tables(tmp_path: Path) -> None:
    entries = [{"question": "One?", "mc1_targets": {"a": 1}}, {"question": "Two?", "mc1_targets": {"b": 1}}]
    (tmp_path / "mc.json.xz").write_bytes(lzma.compress(json.dumps(entries).encode()))
    assert [item.text for item in read_items(tmp_path / "mc.json.xz")] == ["One?", "Two?"]
    (tmp_path / "t.csv").write_bytes('\ufeffType,Question,Best Answer\r\nx,"Who, then?\r\nSay.",me\r\n'.encode())
    assert read_items(tmp_path / "t.csv") == [Item("t.csv:3", "Who, then?\r\nSay.")]
    (tmp_path / "mmlu.csv").write_text("What is x?,1,2,3,4,A\nAnd y?,1,2,3,4,B\n")
    assert read_items(tmp_path / "mmlu.csv") == [
        Item("mmlu.csv:1", "What is x?", ("1", "2", "3", "4"), 0),
        Item("mmlu.csv:2", "And y?", ("1", "2", "3", "4"), 1),
    ]


@pytest.mark.parametrize(
    ("row", "options", "answer"),
    [
        ({"options": ["yes", "no"], "answer": 1}, ("yes", "no"), 1),
        ({"options": ["yes", "no"], "answer": "A"}, ("yes", "no"), 0),
        ({"options": ["yes", "no"], "answer": "no"}, ("yes", "no"), 1),
        ({"choices": [{"text": "rain", "label": "1"}, {"text": "sun", "label": "2"}], "answerKey": "2"},
         ("rain", "sun"), 1),
        ({"choices": ["a", "b"], "gold": 0}, ("a", "b"), 0),
        ({"options": ["yes", "no"]}, (), None),
        ({"options": ["yes", "no"], "answer": 2}, (), None),
        ({"options": ["yes", "no"], "answer": -1}, (), None),
        ({"options": ["yes", "no"], "answer": True}, (), None),
        ({"options": ["yes", None], "answer": 0}, (), None),
        ({"options": ["yes"], "answer": 0}, (), None),
        ({"options": "A) yes", "answer": "A"}, (), None),
        ({"answer": "#### 3"}, (), None),
    ],
)  # fmt: skip
def test_options_are_read_where_they_are_understood(
    tmp_path: Path, row: dict[str, Any], options: tuple[str, ...], answer: int | None
) -> None:
    (tmp_path / "f.jsonl").write_text(json.dumps({"id": "a", "text": "Why?"} | row))
    assert read_items(tmp_path / "f.jsonl") == [Item("a", "Why?", options, answer)]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("f.jsonl", b'{"id": "a", "text": "x"}\n{"id": "b"', "f.jsonl:2: not JSON"),
        ("f.jsonl", b'{"id": "a", "text": "x"}\n{"id": "b"}', "f.jsonl:2: an item without text (none of the keys"),
        ("f.jsonl", b'{"id": "a", "text": null}', "f.jsonl:1: an item without text ('text' is null)"),
        ("f.jsonl", b'{"id": "a", "text": " "}', "f.jsonl:1: an item without text ('text' is empty)"),
        ("f.jsonl", b'{"id": "a", "text": ["x"]}', "f.jsonl:1: an item without text ('text' is list)"),
        ("f.jsonl", b'{"id": {}, "text": "x"}', "f.jsonl:1: the id is dict"),
        ("f.jsonl", b'["a"]', "f.jsonl:1: a JSON list, not an object"),
        ("f.jsonl", b'{"id": "a", "text": "\\ud800"}', "f.jsonl:1: half a surrogate pair"),
        ("f.jsonl", b'{"id": "\\ud800", "text": "x"}', "f.jsonl:1: half a surrogate pair in the id"),
        ("f.jsonl", b'{"id": 1, "text": "x"}\n{"id": "1", "text": "y"}', "f.jsonl:2: the id '1' appears twice"),
        ("f.jsonl", b'{"text": "x"}\n{"text": "caf\xe9"}', "f.jsonl:2: not UTF-8"),
        ("f.jsonl", b"\xff\xfe{\0", "f.jsonl:1: not UTF-8"),
        ("f.jsonl", b"[" * 100_000, "f.jsonl:1: "),
        ("f.jsonl", b"\n", "f.jsonl: holds no items"),
        ("f.json", b'{"a": 1}', "f.json: a JSON dict, not a list"),
        ("f.csv", b"a,b\n", "f.csv:1: 2 columns"),
        ("f.csv", b"Type,Question\nx\n", "f.csv:2: 1 columns where the header has 2"),
        ("f.txt", b"x", "f.txt: not a file of items"),
        ("f", b"x", "f: not a file of items"),
    ],
)
def test_what_is_no_item_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_items(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl"):
        read_items(tmp_path / "none.jsonl")


@pytest.mark.parametrize("header", ["prompt,A,B,C,D,answer", "Text,id", "task_id,Prompt"])
def test_the_first_row_of_a_table_can_be_a_header(tmp_path: Path, header: str) -> None:
    cells = {"prompt": "Why?", "text": "Why?", "id": "q", "task_id": "q"}
    row = ",".join(cells.get(name.lower(), "x") for name in header.split(","))
    (tmp_path / "f.csv").write_text(f"{header}\n{row}\n")
    assert [item.text for item in read_items(tmp_path / "f.csv")] == ["Why?"]
