"""Parts and questions are read back as they were written; what is wrong is told with its line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.images.parts import TAG, Mixed, Picture, pictures, read_content, without_pictures, written
from presage.data.images.question import METRICS, Question, read_questions, write_questions
from presage.data.images.reading import Limits
from tests.data.hostile_images import GOOD
from tests.seeing import noise, picture

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
images = st.sampled_from([Picture(data) for data in GOOD.values()])
mixed = st.lists(texts | images, min_size=1, max_size=6).map(tuple)
questions = st.builds(
    Question,
    id=st.text("abc/1", min_size=1),
    prompt=mixed,
    answer=texts,
    metric=st.sampled_from([one for one in METRICS if one != "vqa"]),
    steps=texts,
    options=st.lists(texts, max_size=3).map(tuple),
    answers=st.lists(texts, max_size=3).map(tuple),
    scale=st.none() | st.floats(0.5, 1e6),
    category=texts,
    group=texts,
    forms=st.dictionaries(st.sampled_from(["text", "interleaved"]), mixed),
)


def test_a_byte_more_than_is_allowed() -> None:
    data = GOOD["png"]
    part = {"type": "image_url", "image_url": {"url": Picture(data).url}}
    assert read_content([part], "here", limits=Limits(bytes=len(data))) == (Picture(data),)
    with pytest.raises(DataError, match="more than"):
        read_content([part], "here", limits=Limits(bytes=len(data) - 1))


@given(mixed)
def test_parts_come_back(parts: Mixed) -> None:
    assert read_content(json.loads(json.dumps(written(parts))), "line 1") == parts


@given(texts)
def test_a_text_alone_is_one_part(text: str) -> None:
    assert read_content(text, "line 1") == (text,)


@given(mixed)
def test_without_pictures_each_is_a_tag(parts: Mixed) -> None:
    left = without_pictures(parts)
    assert len(left) == len(parts)
    assert not pictures(left)
    assert left.count(TAG) >= len(pictures(parts))


def test_questions_come_back(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"

    @given(st.lists(questions, max_size=4))
    def come_back(asked: list[Question]) -> None:
        assert write_questions(path, asked) == len(asked)
        assert list(read_questions(path)) == asked

    come_back()


def test_a_form_and_steps_are_what_the_messages_say(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    one = Question("a", (Picture(GOOD["png"]), "Which?"), "7", steps="Seven lines.", forms={"text": ("Seven. Which?",)})
    write_questions(path, [one], form="text", steps=True)
    row = json.loads(path.read_text())
    assert row["messages"][0]["content"] == [{"type": "text", "text": "Seven. Which?"}]
    assert row["messages"][1]["content"] == "Seven lines. The answer is 7."
    (found,) = read_questions(path)
    assert (found.answer, found.steps) == ("7", "Seven lines.")


def test_no_such_form() -> None:
    with pytest.raises(DataError, match=r"a: no form 'text' \(has image\)"):
        Question("a", ("Which?",), "7").in_form("text")


SAID = {"role": "assistant", "content": "7"}
TORN = {"type": "image_url", "image_url": {"url": Picture(picture(noise(1)).data[:200]).url}}
GOOD_ROW: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Which?"}, SAID],
    "answer": "7",
}
WRONG: Mapping[str, tuple[object, str]] = {
    "no JSON": ("{", "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "NaN": ('{"scale": NaN}', "not JSON"),
    "a list": ([], "not an object"),
    "no messages": ({}, "messages of the user"),
    "one message": ({"messages": GOOD_ROW["messages"][:1]}, "messages of the user"),
    "three messages": ({"messages": [*GOOD_ROW["messages"], {}]}, "messages of the user"),
    "messages without roles": ({"messages": [{}, {}]}, "messages of the user"),
    "texts for messages": ({"messages": ["a", "b"]}, "messages of the user"),
    "roles the wrong way round": ({"messages": GOOD_ROW["messages"][::-1]}, "messages of the user"),
    "no content": ({"messages": [{"role": "user"}, {"role": "assistant"}]}, "neither a text nor"),
    "a part": ({"messages": [{"role": "user", "content": ["a"]}, GOOD_ROW["messages"][1]]}, "part 1: not a part"),
    "an answer": (GOOD_ROW | {"answer": 7}, "'answer' is not a text"),
    "half a character": (GOOD_ROW | {"answer": "\ud800"}, "'answer' is not a text"),
    "an id": (GOOD_ROW | {"id": 7}, "'id' is not a text"),
    "a metric": (GOOD_ROW | {"metric": "best"}, "no metric 'best'"),
    "a metric's kind": (GOOD_ROW | {"metric": ["exact"]}, "no metric"),
    "steps": (GOOD_ROW | {"steps": None}, "'steps' is not a text"),
    "options": (GOOD_ROW | {"options": "abc"}, "'options' is not a list"),
    "an option": (GOOD_ROW | {"options": [7]}, "'options' is not a text"),
    "answers": (GOOD_ROW | {"answers": {}}, "'answers' is not a list"),
    "scale": (GOOD_ROW | {"scale": "7"}, "'scale' is not a number"),
    "scale, true": (GOOD_ROW | {"scale": True}, "'scale' is not a number"),
    "scale, vast": (GOOD_ROW | {"scale": 10**400}, "'scale' is not a number"),
    "scale, negative": (GOOD_ROW | {"scale": -1}, "'scale' is below zero"),
    "vqa, one annotator": (GOOD_ROW | {"metric": "vqa", "answers": ["7"]}, "leaves one of 'answers' out"),
    "category": (GOOD_ROW | {"category": 7}, "'category' is not a text"),
    "group": (GOOD_ROW | {"group": []}, "'group' is not a text"),
    "forms": (GOOD_ROW | {"forms": []}, "'forms' is not an object"),
    "an image": (GOOD_ROW | {"messages": [{"role": "user", "content": [TORN]}, SAID]}, "3: part 1: a damaged PNG"),
    "a form's image": (
        GOOD_ROW | {"forms": {"interleaved": [{"type": "text", "text": "Which?"}, TORN]}},
        "3: form 'interleaved': part 2: a damaged PNG",
    ),
    "another form": (GOOD_ROW | {"forms": {"smell": "Which?"}}, "no form 'smell'"),
    "a form": (GOOD_ROW | {"forms": {"text": 7}}, "neither a text nor"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_fault_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    row, says = WRONG[name]
    path = tmp_path / "questions.jsonl"
    line = row if isinstance(row, str) else json.dumps(row)
    path.write_text(f"{json.dumps(GOOD_ROW)}\n\n{line}\n")
    with pytest.raises(DataError) as error:
        list(read_questions(path))
    assert str(error.value).startswith(f"{path}:3: ")
    assert says in str(error.value)
    assert str(error.value).isprintable()


def test_what_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n\xff\n")
    with pytest.raises(DataError, match=r"a\.jsonl:2: not UTF-8"):
        list(read_questions(tmp_path / "a.jsonl"))


def test_a_mark_before_the_first_line_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD_ROW).encode())
    assert [one.answer for one in read_questions(tmp_path / "a.jsonl")] == ["7"]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: cannot be read"):
        list(read_questions(tmp_path / "a.jsonl"))
