"""Drawn words and code: what is asked is what is drawn, and no word or code of tests is ever trained on."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from presage.core.errors import DataError
from presage.data.drawing import words
from presage.data.drawing.canvas import fonts, held_out, of_split
from presage.data.drawing.kinds import KINDS, question, questions
from presage.data.images.parts import pictures
from presage.data.images.reading import read_image
from tests.data.drawn import COUNT, check_forms, drawn, is_for_tests, told

EVERY = ("words", "code", "bars", "lines", "pies", "letters", "tables", "receipts")


@pytest.mark.parametrize("kind", EVERY)
def test_a_question_depends_on_its_number_seed_and_split_alone(kind: str) -> None:
    first = question(kind, 3, "train", 7)
    assert first == question(kind, 3, "train", 7)
    assert first.id == f"{kind}-train-3-7"
    others = [question(kind, 3, "train", 8), question(kind, 4, "train", 7), question(kind, 3, "test", 7)]
    assert all(replace(other, id="").forms != first.forms for other in others)
    assert list(questions(kind, 3, 3, "train")) == list(questions(kind, 5, 3, "train"))[:3]


@pytest.mark.parametrize("kind", EVERY)
def test_no_image_of_tests_is_trained_on(kind: str) -> None:
    digests = [{pictures(one.prompt)[0].digest for one in drawn(kind, split)} for split in ("train", "test")]
    assert not digests[0] & digests[1]
    assert min(map(len, digests)) > 0.95 * COUNT


def test_an_unknown_kind_or_split_is_refused() -> None:
    assert set(EVERY) <= set(KINDS)
    with pytest.raises(DataError, match="did you mean 'bars'"):
        question("bar", 0, "train", 0)
    for kind in EVERY:
        with pytest.raises(DataError, match="no split 'dev'"):
            question(kind, 0, "dev", 0)


def test_words_are_spelled_in_the_text_form_and_fit_their_images() -> None:
    for one in drawn("words", "train") + drawn("words", "test"):
        spelled = told(one).rpartition(": ")[2].removesuffix(".").replace(" ", "")
        assert one.answer == spelled
        assert 3 <= len(one.answer) <= 9 and one.answer.isalnum() and one.answer.isascii()
        check_forms(one, (160, 32))
        assert read_image(pictures(one.prompt)[0].data).height == words.HEIGHT


def test_no_word_of_tests_is_trained_on_in_any_case() -> None:
    seen = [{one.answer.lower() for one in drawn("words", split)} for split in ("train", "test")]
    assert not any(map(is_for_tests, seen[0])) and all(map(is_for_tests, seen[1]))
    assert Counter(one.answer for one in drawn("words", "train")).most_common(1)[0][1] <= 3


def test_ink_touches_no_edge_of_a_word() -> None:
    for number in range(200):
        random = np.random.default_rng(number)
        image = np.asarray(words._word_image(random, words.any_word(random, "train")), dtype=int)
        ground = image[0, 0]
        edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert np.abs(edges - ground).max() <= 24  # the noise of both


def test_code_is_python_and_its_words_are_of_its_split() -> None:
    for split in ("train", "test"):
        for one in drawn("code", split):
            ast.parse(one.answer)
            assert 2 <= len(one.answer.split("\n")) <= 5
            assert told(one).split("```\n")[1].removesuffix("\n```").rstrip("`\n") == one.answer
            assert is_for_tests(one.answer) == (split == "test")
            for word in re.findall(r'"(\w+)"|def (\w+)', one.answer):
                assert is_for_tests("".join(word)) == (split == "test")
            check_forms(one, (200, 110))


def test_every_font_is_there_and_of_split_keeps_its_sides() -> None:
    assert {"DejaVuSans", "STIXGeneral", "cmr10", "Pillow"} <= {name for name, _ in fonts()}
    assert not any(name.startswith("cm") for name, _ in fonts("text"))
    numbers = iter(range(1000))
    assert held_out(str(of_split("test", lambda: next(numbers))))
    assert not held_out(str(of_split("train", lambda: next(numbers))))
