"""Statements about boxes: meanings told by hand and by NLVR's labels, pictures by NLVR's own."""

import io
import json
import lzma
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from presage.core.seeds import stream
from presage.data.drawing.meanings import meaning
from presage.data.drawing.statements import SCATTER, TOWERS, _filled, _tower, render, seen, statements
from presage.data.sights.nlvr import ORDERS
from tests.data.drawing_texts import asked, many, shown

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "vision" / "nlvr"
here = pytest.mark.skipif(not SHARED.is_dir(), reason="the public files (../shared/data/vision/nlvr) are not here")
BLUE = "#0099ff"
BOXES = [_tower(["Black", BLUE]), _tower(["Yellow"]), _tower(["Yellow", "Yellow", "Black", BLUE])]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("There are exactly two blue blocks.", True),
        ("There is a tower with two blocks", True),
        ("There is a tower with three blocks", False),
        ("there are 2 towers with a blue block at the top", True),
        ("There is a blue block over a yellow block.", False),
        ("There is a black block on a yellow block.", True),
        ("the tower with four blocks has a yellow block at the base", True),
        ("Each tower has at least 1 yellow block", False),
        ("there is atleast one tower which has blocks of all three colors", True),
        ("There is a yellow tower.", True),
        ("There is only one tower with only black and blue blocks.", True),
        ("There is no black block as the top of a tower.", True),
        ("None of the black squares are touching any edge", False),
    ],
)
def test_sentences_mean_what_they_say(sentence: str, expected: bool) -> None:
    true = meaning(sentence)
    assert true is not None
    assert true(BOXES) is expected


def test_a_sentence_of_another_form_has_no_meaning() -> None:
    assert meaning("Green ideas sleep furiously.") is None


def test_every_template_has_a_meaning() -> None:
    for template in TOWERS + SCATTER:
        assert all(meaning(_filled(stream(number), template)) for number in range(20)), template


def test_what_is_seen_box_by_box() -> None:
    assert seen(BOXES) == "Box 1: dark, blue. Box 2: yellow. Box 3: yellow, yellow, dark, blue."
    item = {"x_loc": 0, "y_loc": 70, "type": "circle", "color": "Yellow", "size": 30}
    other = {"x_loc": 5, "y_loc": 2, "type": "triangle", "color": BLUE, "size": 10}
    said = "small blue triangle, big yellow circle left bottom"
    assert seen([[item, other], [], [other]]) == f"Box 1: {said}. Box 2: . Box 3: small blue triangle."


@pytest.mark.parametrize(
    ("sentence", "first", "second", "rest"),
    [
        ("There are two yellow blocks.", ": yellow 0", ": yellow 1", ": yellow 2. So 3."),
        ("Each tower has a blue block.", ": blue 1", ": blue 0", ": blue 1. So 2."),
        ("There is a black block on a Yellow block", ": dark, yellow 0", ": dark, yellow 0", ": dark, yellow 1. So 1."),
        ("there are two towers with the same height", ": 2", ": 1", ": 4."),
        ("Green ideas sleep furiously.", "", "", "."),
    ],
)
def test_what_is_counted_box_by_box(sentence: str, first: str, second: str, rest: str) -> None:
    said = f"Box 1: dark, blue{first}. Box 2: yellow{second}. Box 3: yellow, yellow, dark, blue{rest}"
    assert seen(BOXES, sentence) == said


def test_items_that_count_are_numbered_where_they_lie_anywhere() -> None:
    item = {"x_loc": 0, "y_loc": 70, "type": "circle", "color": "Yellow", "size": 30}
    other = {"x_loc": 5, "y_loc": 2, "type": "triangle", "color": BLUE, "size": 10}
    said = seen([[item, other, item | {"x_loc": 40}], [], [other]], "There are two yellow circles")
    assert said == (
        "Box 1: small blue triangle, big yellow circle left bottom 1, big yellow circle bottom 2: yellow 2. "
        "Box 2: : yellow 0. Box 3: small blue triangle: yellow 0. So 2."
    )


def test_what_is_counted_decides_of_every_sentence_about_a_picture() -> None:
    trained = many(statements, "train", 200)
    for one in trained:
        decides(asked(one), one.steps, one.answer)
        for turn in one.more:
            decides(turn.asked, turn.steps, turn.answer)
            assert boxes_of(turn.steps) == boxes_of(one.steps)
        assert len({asked(one), *(turn.asked for turn in one.more)}) == 1 + len(one.more)
    answers = [turn.answer for one in trained for turn in one.more]
    assert len(answers) > 2 * len(trained)
    assert 0.4 < answers.count("true") / len(answers) < 0.6


def decides(sentence: str, steps: str, answer: str) -> None:
    true = meaning(sentence.removesuffix(" True or false?"))
    assert true is not None
    counts = [int(found) for found in re.findall(r"(\d)\. (?=Box|So|$)", f"{steps} ")]
    assert true.holds(counts[:3]) is (answer == "true")
    assert counts[3:] == ([sum(counts[:3])] if true.adds_up else [])


def boxes_of(steps: str) -> list[str]:
    """What is in the boxes, without what is counted."""
    return [re.sub(r" \d", "", items) for items in re.findall(r"Box \d: (.*?):", steps)]


def test_labels_are_balanced_and_sentences_are_held_out() -> None:
    trained, examined = many(statements, "train", 300), many(statements, "test", 100)
    assert 0.42 < sum(question.answer == "true" for question in trained) / len(trained) < 0.58
    assert not {asked(one).lower() for one in trained} & {asked(one).lower() for one in examined}
    assert shown(trained[0]).shape == (100, 400, 3)


@here
def test_nlvr_agrees() -> None:
    rows = _rows()
    told = [(found, row) for row in rows if (found := meaning(row["sentence"]))]
    agreed = sum(found(row["structured_rep"]) == (row["label"] == "true") for found, row in told)
    assert len(told) > 0.8 * len(rows)
    assert agreed > 0.97 * len(told)


@here
def test_pictures_are_nlvrs() -> None:
    with zipfile.ZipFile(SHARED / "images.zip") as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        for row, file in [(one, file) for one in _rows()[::40] for file in one["files"]]:
            real = Image.open(io.BytesIO(archive.read(names[file]))).convert("RGB")
            boxes = [row["structured_rep"][box] for box in ORDERS[int(Path(file).stem[-1])]]
            assert np.abs(np.asarray(render(boxes), dtype=int) - np.asarray(real, dtype=int)).mean() < 0.15


def _rows() -> list[dict]:
    with lzma.open(SHARED / "nlvr.jsonl.xz", "rt") as file:
        return [json.loads(line) for line in file]
