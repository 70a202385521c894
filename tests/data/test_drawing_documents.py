"""Drawn documents: every answer is in what is told, sums are right, names of tests are never trained on."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from presage.data.drawing import documents
from presage.data.images.question import Question
from tests.data.drawn import asked, check_forms, check_steps, drawn, is_for_tests, told

KINDS = ("letters", "tables", "receipts")
BOTH = ("train", "test")


def letter_answer(question: Question) -> str:
    text = told(question)
    patterns = {
        "sender": r"From: (.+)",
        "receiver": r"To: (.+)",
        "date": r"Date: (.+)",
        "amount": r"send (\d+) boxes",
        "goods": r"boxes of (\w+)",
        "place": r"to (the \w+)\.",
    }
    return re.findall(patterns[question.category], text)[0]


def table_answer(question: Question) -> str:
    cells = {
        name: {head: int(value) for head, value in re.findall(r"(\w+) (\d+)", row)}
        for name, row in re.findall(r"(\w+): ([^.]+)\.", told(question))
    }
    words = re.findall(r"\w+", asked(question))
    head = next(word for word in words if word in next(iter(cells.values())))
    if question.category == "largest":
        return max(cells, key=lambda name: cells[name][head])
    return str(sum(cells[word][head] for word in words if word in cells))


def receipt_answer(question: Question) -> str:
    text = told(question)
    if question.category == "shop":
        return re.findall(r"of the (\w+) shop", text)[0]
    if question.category == "date":
        return re.findall(r"\d\d\.\d\d\.\d{4}", text)[0]
    prices = {name: round(100 * float(price)) for name, price in re.findall(r"(\w+) (\d+\.\d\d)", text)}
    total = prices.pop("total")
    assert total == sum(prices.values())
    named = [word for word in re.findall(r"\w+", asked(question)) if word in prices]
    return f"{(sum(prices[name] for name in named) if named else total) / 100:.2f}"


@pytest.mark.parametrize("split", BOTH)
@pytest.mark.parametrize(
    ("kind", "answer"), [("letters", letter_answer), ("tables", table_answer), ("receipts", receipt_answer)]
)
def test_answers_follow_from_what_is_told(kind: str, answer: Callable[[Question], str], split: str) -> None:
    for one in drawn(kind, split):
        assert one.answer == answer(one)
        check_forms(one, (192, 160))
        if one.category == "sum":
            check_steps(one)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_beside_the_image_does_not_answer(kind: str) -> None:
    for one in drawn(kind, "train"):
        before, _, after = one.forms["interleaved"]
        assert isinstance(before, str) and after == asked(one)
        assert not re.search(rf"\b{re.escape(one.answer)}\b", before)


def names(question: Question) -> set[str]:
    """The generated words of a document."""
    text = told(question)
    found = re.findall(r"(?:From|To): (\w+) (\w+)", text) + re.findall(r"()(\w+) shop", text)
    return {word for pair in found for word in pair if word} | set(re.findall(r"([A-Z]\w+): \w+ \d", text)) - {"Date"}


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_of_their_split(kind: str) -> None:
    for split in BOTH:
        for one in drawn(kind, split):
            assert names(one) and all(is_for_tests(name.lower()) == (split == "test") for name in names(one))


def test_no_answer_is_easily_guessed() -> None:
    answers = defaultdict(list)
    for kind, make in (("letter", documents.letter), ("table", documents.table), ("receipt", documents.receipt)):
        random = np.random.default_rng(0)
        for _ in range(700):
            one = make(random, "train").asked
            answers[kind, one.category].append(one.answer)
    for (kind, category), given in answers.items():
        assert Counter(given).most_common(1)[0][1] < 0.2 * len(given), (kind, category)


def test_nothing_is_cut_off() -> None:
    random = np.random.default_rng(1)
    for make in (documents.letter, documents.table, documents.receipt):
        for _ in range(60):
            image = np.asarray(documents._drawn(make(random, "train").lines, documents._look(random)))
            edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
            assert (edges == image[0, 0]).all()
