"""How much the rules must weigh to be heard: the least weight that overcomes a reward model which disagrees.

The GPT-4 report computes optimal weights of its rule-based rewards to overcome undesired preferences of the reward
model (papers.md §9.12); the formula is not published. Ours is the least one that does it for a stated share of the
conflicts, because every bit more takes from what else the reward model has learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from presage.core.errors import ConfigError, DataError


@dataclass(frozen=True)
class Gap:
    """Two completions of one prompt, of which the rules prefer the first: by how much it is ahead, `rules` above 0, and
    `model` in scores of the reward model, below 0 where that disagrees."""

    model: float
    rules: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.model) and math.isfinite(self.rules) and self.rules > 0):
            raise DataError(
                f"a gap of {self.model} by the reward model and {self.rules} by the rules",
                hint="both are finite, and the rules' is above 0: the one they prefer stands first",
            )


@dataclass(frozen=True)
class Weighing:
    """A weight, and what it was computed from: pairs, those in conflict, and those of them that it overcomes."""

    weight: float
    pairs: int
    conflicts: int
    overcome: int


def gaps(model: Sequence[float], rules: Sequence[float]) -> list[Gap]:
    """Every two of K completions of a prompt between which the rules decide. Raises DataError for scores that are no
    numbers, or not one of each a completion."""
    if len(model) != len(rules):
        raise DataError(f"{len(model)} scores of the reward model and {len(rules)} of the rules for one prompt")
    if not all(map(math.isfinite, [*model, *rules])):
        raise DataError("a score that is not a finite number")
    scores = sorted(zip(rules, model, strict=True), reverse=True)
    return [Gap(m1 - m2, r1 - r2) for (r1, m1), (r2, m2) in combinations(scores, 2) if r1 > r2]


def overcoming_weight(pairs: Sequence[Gap], margin: float = 0.1, share: float = 0.95) -> Weighing:
    """The least w >= 0 with which `model + w rules >= margin` holds for at least `share` of the pairs in conflict.

    A pair is in conflict where the reward model alone does not put the rules' choice ahead by the margin. It needs
    (margin - model) / rules, so w is the ceil(share n)-th smallest need of n: a quantile, no search. 0 where there is
    no conflict or the share is 0. Raises ConfigError for a margin of 0 or less, which would let ties pass, or a share
    outside 0 to 1.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ConfigError("a margin is above 0", where=f"margin={margin}")
    if not 0 <= share <= 1:
        raise ConfigError("a share is from 0 to 1", where=f"share={share}")
    needs = sorted((margin - pair.model) / pair.rules for pair in pairs if pair.model < margin)
    rank = math.ceil(share * len(needs) - 1e-9)  # 0.95 x 20 is 19, whatever floats make of it
    weight = needs[rank - 1] if rank else 0.0
    return Weighing(weight, len(pairs), len(needs), sum(need <= weight for need in needs))
