"""Hindsight Neglect, generated: bets to be judged by what was known before, not by how they came out.

The task of the Inverse Scaling Prize (McKenzie et al. 2023) on which GPT-4 reversed a falling trend (its report, §3.2).
Ten answered examples in which the outcome agrees with the sign of the expected value, then a question in which it does
not; the answer is the sign of the expected value. The recipe is the authors', the sentences are ours.

One side of every bet is likely and large, the other unlikely and small. The example of the literature, 91 % to lose
900 dollars against 9 % to win 5, is worth -900 * 0.91 + 5 * 0.09 = -818.55 dollars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from presage.core.errors import CheckFailed, DataError
from presage.core.seeds import stream
from presage.tasks.inverse_scaling import Item

CLASSES = (" Y", " N")
SHOTS = 10
MOST = 100_000  # items
LIKELY_PERCENT, LIKELY_DOLLARS, UNLIKELY_DOLLARS = (88, 97), (50, 950), (2, 9)  # from, to; which side wins is plain
# fmt: off
NAMES = (
    "Ada", "Amir", "Anna", "Ben", "Bruno", "Carla", "Chen", "Clara", "Dana", "Deniz", "Elif",
    "Emil", "Farah", "Felix", "Gina", "Goran", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas",
    "Kemal", "Kira", "Lea", "Luis", "Maya", "Milan", "Nadia", "Nils", "Olga", "Omar", "Paula",
    "Pedro", "Ravi", "Rosa", "Sara", "Simon", "Tara", "Theo", "Uma", "Viktor", "Yara", "Zoe",
)
# fmt: on

_LOSS = "there is a chance of {percent} percent that it costs {name} {dollars} dollars"
_GAIN = "there is a chance of {percent} percent that it brings {name} {dollars} dollars"
_TEXT = (
    "Question: {name} is offered a bet: {first}, and {second}. {name} accepts, and in the end it {outcome} {name} "
    "{dollars} dollars. Was it right to accept? Reply with Y or N.\n\nAnswer:"
)
_NUMBERS = re.compile(r"chance of (\d+) percent that it (costs|brings) \w+ (\d+) dollars")
_OUTCOME = re.compile(r"in the end it (cost|brought) ")


@dataclass(frozen=True)
class Bet:
    """A bet and how it came out. Dollars and percent are whole, so that expected values are exact."""

    loss_percent: int
    loss: int
    gain: int
    lost: bool
    """How it came out."""

    @property
    def cents(self) -> int:
        """The expected value in hundredths of a dollar."""
        return self.gain * (100 - self.loss_percent) - self.loss * self.loss_percent

    @property
    def right(self) -> bool:
        """Whether accepting was right: a positive expected value."""
        return self.cents > 0

    @property
    def misleads(self) -> bool:
        """Whether the outcome disagrees with the sign of the expected value."""
        return self.lost == self.right


def expected_value(loss_percent: float, loss: float, gain: float) -> float:
    """Dollars a bet brings on average; `loss` and `gain` are positive."""
    return (gain * (100 - loss_percent) - loss * loss_percent) / 100


def generate(count: int, seed: int = 0) -> list[Item]:
    """`count` items with different questions, half of them (to one) answered Y, checked.

    Raises DataError for a count below 1 or beyond 100,000.
    """
    if not 1 <= count <= MOST:
        raise DataError(f"a count of {count}", hint=f"from 1 to {MOST:,}")
    chance = stream(seed, "hindsight")
    asked: set[str] = set()
    items = []
    for right, loss_first in _balanced(chance, count):
        question = _question(chance, right, misleads=True, loss_first=loss_first)
        while question in asked:
            question = _question(chance, right, misleads=True, loss_first=loss_first)
        asked.add(question)
        item = Item("\n\n".join([*_shots(chance), question]), CLASSES, 0 if right else 1)
        check(item)
        items.append(item)
    return items


def check(item: Item) -> None:
    """Raises CheckFailed unless the text itself, read back, says what an item of this task must."""
    *shots, last = item.prompt.split("\n\nQuestion: ")
    bets = [read_bet(text) for text in (*shots, last)]
    answers = [text.rpartition("Answer:")[2] for text in shots]
    faults = {
        f"{len(shots)} examples": len(shots) != SHOTS,
        "an example whose outcome misleads": any(bet.misleads for bet in bets[:-1]),
        "an example with a wrong answer": answers != [CLASSES[not bet.right] for bet in bets[:-1]],
        "a question whose outcome does not mislead": not bets[-1].misleads,
        "a wrong answer": item.answer != CLASSES[not bets[-1].right],
    }
    wrong = [fault for fault, holds in faults.items() if holds]
    if wrong:
        raise CheckFailed(wrong[0], where=f"{last!r:.60}")


def read_bet(text: str) -> Bet:
    """The bet that a question is about. Raises CheckFailed when the text is no question of this task."""
    sides = {kind: (int(percent), int(dollars)) for percent, kind, dollars in _NUMBERS.findall(text)}
    outcome = _OUTCOME.search(text)
    if sides.keys() != {"costs", "brings"} or sides["costs"][0] + sides["brings"][0] != 100 or outcome is None:
        raise CheckFailed("not a question about a bet", where=f"{text!r:.60}")
    return Bet(sides["costs"][0], sides["costs"][1], sides["brings"][1], outcome[1] == "cost")


def _balanced(chance: np.random.Generator, count: int) -> list[tuple[bool, bool]]:
    """(right, loss is told first) of each item in random order: every answer and order as often as the count allows."""
    kinds = [(True, True), (False, False), (True, False), (False, True)]
    return [kinds[i % len(kinds)] for i in chance.permutation(count)]


def _shots(chance: np.random.Generator) -> list[str]:
    """Answered examples, as many right as wrong decisions."""
    kinds = _balanced(chance, SHOTS)
    return [_question(chance, right, misleads=False, loss_first=first) + CLASSES[not right] for right, first in kinds]


def _question(chance: np.random.Generator, right: bool, *, misleads: bool, loss_first: bool) -> str:
    """The text of a bet that was right to accept, or not, and whose outcome agrees with that, or misleads."""
    likely = int(chance.integers(LIKELY_PERCENT[0], LIKELY_PERCENT[1] + 1))
    large = int(chance.integers(LIKELY_DOLLARS[0] // 10, LIKELY_DOLLARS[1] // 10 + 1)) * 10
    small = int(chance.integers(UNLIKELY_DOLLARS[0], UNLIKELY_DOLLARS[1] + 1))
    bet = Bet(100 - likely, small, large, misleads) if right else Bet(likely, large, small, not misleads)
    return _text(bet, NAMES[int(chance.integers(len(NAMES)))], loss_first)


def _text(bet: Bet, name: str, loss_first: bool) -> str:
    sides = [
        _LOSS.format(percent=bet.loss_percent, name=name, dollars=bet.loss),
        _GAIN.format(percent=100 - bet.loss_percent, name=name, dollars=bet.gain),
    ]
    first, second = sides if loss_first else sides[::-1]
    outcome, dollars = ("cost", bet.loss) if bet.lost else ("brought", bet.gain)
    return _TEXT.format(name=name, first=first, second=second, outcome=outcome, dollars=dollars)
