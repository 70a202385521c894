"""Answers to questions about images, graded."""

from __future__ import annotations

import pytest

from presage.data.images.question import Question
from presage.evaluate.sight_grading import by_chance, final, score


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("red", "red"),
        (" red. ", "red"),
        ("3.5", "3.5"),
        ("Two and two. The answer is 4.", "4"),
        ("The answer is 4. No. The answer is 3.5.", "3.5"),
        ("The answer is", ""),
        ("", ""),
    ],
)
def test_the_answer_is_what_is_said_last(said: str, answer: str) -> None:
    assert final(said) == answer


EXACT = Question(id="e", prompt=(), answer="red", answers=("crimson",))
WITHIN = Question(id="w", prompt=(), answer="50", metric="within", scale=100)
CHOICE = Question(id="c", prompt=(), answer="b", metric="choice", options=("a", "b"))
VQA = Question(id="v", prompt=(), answer="2", metric="vqa", answers=("two",) * 2 + ("2",) * 1 + ("three",) * 7)


@pytest.mark.parametrize(
    ("question", "said", "points"),
    [
        (EXACT, "red", 1),
        (EXACT, "The answer is crimson.", 1),
        (EXACT, "Red", 0),
        (EXACT, "not red", 0),
        (Question(id="stop", prompt=(), answer="It is red."), "It is red.", 1),
        (WITHIN, "50", 1),
        (WITHIN, "55", 1),
        (WITHIN, "45.0", 1),
        (WITHIN, "55.1", 0),
        (WITHIN, "44.9", 0),
        (WITHIN, "fifty", 0),
        (WITHIN, "50 %", 0),
        (WITHIN, "nan", 0),
        (WITHIN, "9" * 400, 0),
        (WITHIN, "", 0),
        (CHOICE, "b", 1),
        (CHOICE, "a", 0),
        (VQA, "2.", 0.9),
        (VQA, "Three!", 1),
        (VQA, "four", 0),
    ],
)
def test_grading(question: Question, said: str, points: float) -> None:
    assert score(question, said) == pytest.approx(points)


def test_chance_is_the_best_without_looking() -> None:
    assert by_chance([CHOICE, Question(id="d", prompt=(), answer="x", metric="choice", options=tuple("wxyz"))]) == 0.375
    many = [Question(id=str(n), prompt=(), answer=answer, category="ab"[n // 4]) for n, answer in enumerate("xxyzpqrs")]
    assert by_chance(many) == 3 / 8
    near = [Question(id=str(n), prompt=(), answer=str(n), metric="within", scale=100) for n in range(20)]
    assert by_chance(near) == 11 / 20
