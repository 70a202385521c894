"""Drawn scenes: the answers recounted from the words and from the pixels, the held-out kept apart."""

import re
from collections import Counter

import numpy as np
import pytest
from scipy import ndimage

from presage.core.seeds import stream
from presage.data.drawing import diagrams, panels, scenes, statements
from tests.data.drawing_texts import Kind, asked, many, shown, told

KINDS = scenes.KINDS | panels.KINDS | diagrams.KINDS | statements.KINDS
OBJECT = re.compile(r"(\w+) (circle|square|triangle) at \((\d+), (\d+)\), (\d+) across")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_same_chance_gives_the_same_question(kind: Kind) -> None:
    assert kind(stream(1), "train") == kind(stream(1), "train")
    assert len({kind(stream(number), "train").prompt for number in range(20)}) > 15


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_test_question_is_trained_on(kind: Kind) -> None:
    trained = {(told(question), asked(question)) for question in many(kind, "train", 100)}
    assert not trained & {(told(question), asked(question)) for question in many(kind, "test", 60)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_pictures_can_be_read(kind: Kind) -> None:
    for question in many(kind, "test", 5):
        assert shown(question).ndim == 3
        assert question.said(steps=True)


@pytest.mark.parametrize("split", ["train", "test"])
def test_counts_are_those_of_the_words(split: str) -> None:
    for question in many(scenes.counting, split, 100):
        text = told(question)
        asked = re.search(r"How many (?:(\w+) )?(\w+)s are there", text)
        assert asked
        first, noun = asked.groups()
        found = [
            shape
            for colour, shape, *_ in OBJECT.findall(text)
            if noun in ("shape", shape) and (first is None or first == colour)
        ]
        assert question.answer == str(len(found))
        assert question.steps.count("(") == len(found)


def test_counts_are_those_of_the_pixels() -> None:
    counted = [question for question in many(scenes.counting, "train", 400) if question.category == "all"][:100]
    for question in counted:
        seen = shown(question).astype(int)
        ground = Counter(map(tuple, seen.reshape(-1, 3).tolist())).most_common(1)[0][0]
        _, count = ndimage.label(np.abs(seen - ground).sum(axis=2) > 0)
        assert str(count) == question.answer
    assert {question.answer for question in counted} == set("123456789")


def test_relations_are_those_of_the_words() -> None:
    for question in many(scenes.relations, "train", 150):
        text = told(question)
        at = {f"{c} {s}": (int(x), int(y), int(size)) for c, s, x, y, size in OBJECT.findall(text)}
        asked = text.rsplit(". ", 1)[1]
        names = re.findall(r"\w+ (?:circle|square|triangle)", asked)
        if question.category == "larger":
            choose = max if "larger" in asked else min
            assert question.answer == choose(names, key=lambda name: at[name][2])
            continue
        axis = 0 if "left" in asked or "right" in asked else 1
        sign = -1 if "left" in asked or "above" in asked else 1
        if question.category == "whether":
            off = sign * (at[names[0]][axis] - at[names[1]][axis])
            assert question.answer == ("yes" if off > 0 else "no")
        else:
            beyond = [name for name in at if sign * (at[name][axis] - at[names[0]][axis]) > 0]
            assert beyond == [question.answer]


def test_yes_is_as_frequent_as_no() -> None:
    answers = [question.answer for question in many(scenes.relations, "train", 600) if question.category == "whether"]
    assert 0.4 < answers.count("yes") / len(answers) < 0.6


def test_captions_name_the_held_out_in_test_alone() -> None:
    held = {" ".join(name) for name in scenes.HELD_OUT_NAMES}

    def names(caption: str) -> set[str]:
        return set(re.findall(r"\w+ (?:circle|square|triangle)", caption))

    assert not any(held & names(question.answer) for question in many(scenes.captions, "train", 200))
    assert all(held & names(question.answer) for question in many(scenes.captions, "test", 200))


def test_the_odd_panel_is_the_one_unlike_the_others() -> None:
    for question in many(panels.odd, "train", 100):
        told_panels = re.findall(r"Panel \d: ([^.]+)\.", told(question))
        key = {"colour": 2, "count": 0, "size": 1, "shape": 3, "turned": 5}[question.category]
        values = [text.split()[key].removesuffix("s") for text in told_panels]
        assert [values.count(value) for value in values].index(1) + 1 == int(question.answer)
        assert len(question.forms["interleaved"]) == 2 * len(values) + 1


def test_arrows_and_sides_are_those_of_the_words() -> None:
    for question in many(diagrams.diagrams, "train", 150):
        text = told(question)
        sides = [int(side) for side in re.findall(r"\d+", text)] if "sides" in text else []
        ends = re.findall(r"from (\w+) to (\w+)", text)
        if question.category == "perimeter":
            assert int(question.answer) == sum(sides) * (2 if "rectangle" in text else 1)
        elif question.category == "area":
            assert int(question.answer) == sides[0] * sides[1]
        elif question.category == "lead":
            start = text.split("arrow from ")[1].split()[0]
            assert [end for one, end in ends if one == start] == [question.answer]
        elif question.category == "leave":
            start = text.split("leave ")[1].rstrip("?")
            assert int(question.answer) == sum(one == start for one, _ in ends)
