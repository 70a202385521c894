"""Answers to questions about images, graded by the sets' own metrics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from presage.data.images.question import ANSWER_IS, Question
from presage.data.sights.vqa import vqa_accuracy

TOLERANCE = 0.05
"""Of the scale, by which a number may be off (the issue of a chart's axis; ChartQA allows 5 % of the value)."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def final(said: str) -> str:
    """The answer at the end of what was said: what follows the last "The answer is", or all of it."""
    _, found, answer = said.rpartition(ANSWER_IS)
    return (answer if found else said).strip().removesuffix(".").strip()


def score(question: Question, said: str) -> float:
    """Of an answer, 0 to 1."""
    answer = final(said)
    if question.metric == "within":
        return float(_near(answer, question.answer, question.scale or 0.0))
    if question.metric == "vqa":
        return vqa_accuracy(answer, question.answers)
    return float(answer in [final(right) for right in (question.answer, *question.answers)])


def is_number(text: str) -> bool:
    """Whether it is a number as answers are read: digits, with a point and a sign where there is one."""
    return _NUMBER.fullmatch(text) is not None


def _near(said: str, right: str, scale: float) -> bool:
    return is_number(said) and abs(float(said) - float(right)) <= TOLERANCE * scale + 1e-9


def by_chance(questions: Sequence[Question]) -> float:
    """What is right without looking: of options one drawn evenly; else the one answer that is right most often, chosen
    for each category apart."""
    if all(question.metric == "choice" for question in questions):
        return sum(1 / len(question.options) for question in questions) / len(questions)
    right = 0.0
    for category in {question.category for question in questions}:
        some = [question for question in questions if question.category == category]
        answers = [answer for answer, _ in Counter(question.answer for question in some).most_common(_TRIED)]
        right += max(sum(score(question, answer) for question in some) for answer in answers)
    return right / len(questions)


_TRIED = 50
