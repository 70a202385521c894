"""Can people tell a model's texts from people's? GPT-3's study of news articles (section 3.9.4 and appendix E).

Every person reads some texts, each written by a person or by the model, and answers on five points:

    1 very likely a human · 2 more likely a human · 3 I don't know · 4 more likely a machine · 5 very likely a machine

A person's accuracy is what they got right of what they did not answer with 3. The study's is the mean over people, with
Student's interval over people, and is set beside a control: the same with texts of a model that is bad on purpose.
Chance is one half, where as many texts are human as are not. Published: control 86 % (83–90), 175B 52 % (49–54).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from presage.core.errors import ConfigError, DataError
from presage.core.estimates import LEVEL, Estimate, student, t_quantile
from presage.core.seeds import stream

SCALE = (1, 2, 3, 4, 5)
UNSURE = 3
FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class Guess:
    """One answer on the scale to one text. `machine`: whether a model wrote it."""

    who: str
    item: str
    machine: bool
    answer: int


@dataclass(frozen=True)
class Person:
    """What one person got right and wrong, and where they did not know."""

    who: str
    right: int
    wrong: int
    unsure: int

    @property
    def accuracy(self) -> float | None:
        """Right of right and wrong; None for somebody who never knew."""
        sure = self.right + self.wrong
        return self.right / sure if sure else None


@dataclass(frozen=True)
class Detection:
    """A study: its people, the mean of their accuracies, the share of all answers that were "I don't know".

    left_out: how many people's answers were not used. People who never knew are in `people` and in no accuracy. The
    interval is Student's, cut off at 0 and 1: a share lies within them.
    """

    people: tuple[Person, ...]
    accuracy: Estimate
    unsure: float | None
    left_out: int = 0


@dataclass(frozen=True)
class Against:
    """Control less study: the difference of mean accuracies with its error and interval, t with its degrees of freedom,
    and p, two-sided. All but the difference are None where there are too few people, or all are alike."""

    difference: float | None
    stderr: float | None
    lo: float | None
    hi: float | None
    t: float | None
    df: int
    p: float | None


# ---- the study -------------------------------------------------------------------------------------------------------


def detection(guesses: Iterable[Guess], excluded: Collection[str] = (), level: float = LEVEL) -> Detection:
    """The study of some answers, without those of people `excluded` (who looked a text up, say).

    Raises DataError for an answer that is not on the scale, or a person who was asked about one item twice.
    """
    given = list(guesses)
    _check(given)
    names = sorted({one.who for one in given})
    people = tuple(_person(name, [one for one in given if one.who == name]) for name in names if name not in excluded)
    accuracies = [found for one in people if (found := one.accuracy) is not None]
    answers = sum(one.right + one.wrong + one.unsure for one in people)
    unsure = sum(one.unsure for one in people) / answers if answers else None
    return Detection(people, _cut_off(student(accuracies, level=level)), unsure, len(names) - len(people))


def _cut_off(found: Estimate) -> Estimate:
    if found.lo is None or found.hi is None:
        return found
    return replace(found, lo=max(0.0, found.lo), hi=min(1.0, found.hi))


def _check(guesses: Sequence[Guess]) -> None:
    seen: set[tuple[str, str]] = set()
    for one in guesses:
        where = f"{one.item} by {one.who}"
        if isinstance(one.answer, bool) or one.answer not in SCALE:
            raise DataError(
                f"{one.answer!r:.40} is not on the scale", where=where, hint="from 1, a human, to 5, a machine"
            )
        if (one.who, one.item) in seen:
            raise DataError("asked twice", where=where, hint="who has read one version can tell the other")
        seen.add((one.who, one.item))


def _person(name: str, answers: Sequence[Guess]) -> Person:
    sure = [one for one in answers if one.answer != UNSURE]
    right = sum((one.answer > UNSURE) == one.machine for one in sure)
    return Person(name, right, len(sure) - right, len(answers) - len(sure))


def against(control: Detection, study: Detection, level: float = LEVEL) -> Against:
    """Student's two-sample test of people's accuracies, variances taken as equal, as in the report (its table 3.11)."""
    from scipy.stats import t as students

    x, y = _accuracies(control), _accuracies(study)
    difference = float(x.mean() - y.mean()) if len(x) and len(y) else None
    df = len(x) + len(y) - 2
    if difference is None or min(len(x), len(y)) < FEWEST_PEOPLE:
        return Against(difference, None, None, None, None, max(0, df), None)
    pooled = (float(((x - x.mean()) ** 2).sum()) + float(((y - y.mean()) ** 2).sum())) / df
    stderr = math.sqrt(pooled * (1 / len(x) + 1 / len(y)))
    if np.ptp(x) == np.ptp(y) == 0:
        return Against(difference, None, None, None, None, df, None)
    half, t = t_quantile((1 + level) / 2, df) * stderr, difference / stderr
    return Against(difference, stderr, difference - half, difference + half, t, df, 2 * float(students.sf(abs(t), df)))


def _accuracies(study: Detection) -> np.ndarray:
    return np.array([found for one in study.people if (found := one.accuracy) is not None])


# ---- its making ------------------------------------------------------------------------------------------------------


def quizzes(items: Sequence[str], seed: int = 0) -> tuple[dict[str, bool], dict[str, bool]]:
    """Two quizzes {item: whether the model's text is shown}: half of the items each way, in an order drawn by the seed,
    and the other way around in the second. Raises ConfigError for an item that is there twice."""
    if len(set(items)) < len(items):
        raise ConfigError("an item that is there twice")
    order = [items[place] for place in stream(seed, "quiz").permutation(len(items))]
    half = set(stream(seed, "quiz", "machine").permutation(len(items))[: len(items) // 2].tolist())
    first = {item: place in half for place, item in enumerate(order)}
    return first, {item: not machine for item, machine in first.items()}


def closest(outputs: Sequence[str], human: str) -> int:
    """The place of the output whose number of words is nearest to the human text's; of several the first (appendix E:
    of five, so that length does not tell). Raises DataError where there is none."""
    if not outputs:
        raise DataError("no outputs to choose from")
    words = len(human.split())
    return min(range(len(outputs)), key=lambda place: abs(len(outputs[place].split()) - words))
