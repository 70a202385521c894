"""Two models on the same examples: the difference, whether chance makes as large a one, and what could be seen at all.

Example by example, since models find the same ones hard and what these differ in cancels (Miller 2024, "Adding error
bars to evals", §4). docs/statistics.md has the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from presage.core.seeds import stream
from presage.evaluate.paired import Mean
from presage.evaluate.statistics import DRAWS, LEVEL, clustered, members, normal_quantile, redraw, t_quantile

ALPHA, POWER = 0.05, 0.8
EXACT = 14  # groups that differ, up to which every pattern of signs is tried: 2**14
PERMUTED = 2000  # groups that differ, up to which signs are drawn; beyond, sums are as good as normal
FLIPS = 20_000
T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """b - a over `n` examples in `groups` groups. None where it cannot be known.

    p: how often differences of random sign are as large in all. correlation: of both scores over examples. detectable:
    the smallest true difference that such a test finds at 5 % with power 0.8, given how the examples deviate.
    """

    n: int
    groups: int
    a: Mean
    b: Mean
    difference: Mean
    lo: float | None
    hi: float | None
    p: float | None
    correlation: float | None
    detectable: float | None

    @property
    def too_small(self) -> bool:
        """Whether the difference is below what these examples can show."""
        value = self.difference.value
        return self.detectable is not None and value is not None and abs(value) < self.detectable


def difference(
    a: Sequence[float], b: Sequence[float], groups: Sequence[Hashable] | None = None, *, seed: int = 0
) -> Difference:
    """Means of scores, `a` and `b` of the same examples in the same order. Raises ValueError where they are not."""
    if len(a) != len(b):
        raise ValueError(f"{len(a)} scores against {len(b)}")
    apart = np.asarray(b, dtype=float) - np.asarray(a, dtype=float)
    found, number = clustered(apart.tolist(), groups), members(groups, len(apart))
    count = int(number.max()) + 1 if len(apart) else 0
    lo, hi = _interval(found, count - 1)
    sums = np.bincount(number, weights=apart) if len(apart) else apart
    p = sign_flips(sums, seed) if count else None
    return Difference(
        n=len(apart),
        groups=count,
        a=clustered(a, groups),
        b=clustered(b, groups),
        difference=found,
        lo=lo,
        hi=hi,
        p=p,
        correlation=correlation(a, b),
        detectable=detectable(found.stderr, count - 1),
    )


def of_aggregates(
    a: Sequence[T],
    b: Sequence[T],
    aggregate: Callable[[Sequence[T]], float],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """The same for an aggregate that is no mean (BLEU, Matthews): both over the same drawn groups (Koehn 2004).

    p is how often the drawn differences, moved to a mean of 0, are as large as the one seen.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} examples against {len(b)}")
    count = int(members(groups, len(a)).max()) + 1 if a else 0
    if not count:
        none = Mean(None, None, 0)
        return Difference(0, 0, none, none, none, None, None, None, None, None)
    drawn = redraw(groups, len(a), draws, seed) if count > 1 else []
    pairs = [(aggregate([a[i] for i in some]), aggregate([b[i] for i in some])) for some in drawn]
    kept = np.array([pair for pair in pairs if all(map(math.isfinite, pair))]).reshape(-1, 2)
    kept = kept if 2 * len(kept) >= draws else kept[:0]
    values = float(aggregate(a)), float(aggregate(b))
    mean_a, mean_b = (Mean(value, _deviation(column), len(a)) for value, column in zip(values, kept.T, strict=True))
    apart, seen = kept[:, 1] - kept[:, 0], values[1] - values[0]
    stderr = _deviation(apart)
    lo, hi = map(float, np.quantile(apart, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])) if stderr else (None, None)
    p = (1 + int((np.abs(apart - apart.mean()) >= abs(seen) * (1 - 1e-9)).sum())) / (1 + len(apart)) if stderr else None
    least = detectable(stderr, count - 1)
    return Difference(len(a), count, mean_a, mean_b, Mean(seen, stderr, len(a)), lo, hi, p, None, least)


def sign_flips(sums: np.ndarray, seed: int = 0) -> float:
    """[groups] sums of differences -> two-sided p: were the models alike, each sum could as well have the other sign.

    Exact for up to 14 groups that differ (McNemar's exact test where they are 1 or -1), from 20,000 draws up to 2,000,
    and beyond these from the normal distribution. Alike everywhere is 1.
    """
    sums = sums[sums != 0]
    seen = abs(float(sums.sum())) * (1 - 1e-12)  # sums in another order may differ in their last digit
    if not len(sums):
        return 1.0
    if len(sums) <= EXACT:
        signs = 1 - 2 * ((np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums))) & 1)
        return float((np.abs(signs @ sums) >= seen).mean())
    if len(sums) <= PERMUTED:
        return (1 + _as_large(sums, seen, seed)) / (1 + FLIPS)
    from scipy.special import ndtr

    return float(2 * ndtr(-seen / math.sqrt(float(sums @ sums))))


def _as_large(sums: np.ndarray, seen: float, seed: int) -> int:
    """How many of FLIPS patterns of signs give a sum as large. In parts: a pattern takes a byte a group."""
    chance, count = stream(seed, "sign flips"), 0
    for _ in range(0, FLIPS, 1000):
        flipped = chance.integers(0, 2, size=(1000, len(sums)), dtype=np.int8) @ sums
        count += int((np.abs(sums.sum() - 2 * flipped) >= seen).sum())
    return count


def detectable(stderr: float | None, df: float, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The least true difference that is found with this power: stderr (t[1 - alpha / 2] + t[power]), 2.80 of many.

    None where the error is not known, or is 0: examples that do not deviate say nothing of what others would.
    """
    if not stderr or df < 1:
        return None
    return stderr * (t_quantile(1 - alpha / 2, df) + t_quantile(power, df))


def examples_needed(difference: float, deviation: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """How many examples show such a difference: ((z[1 - alpha / 2] + z[power]) deviation / difference)^2; Miller §5.

    deviation: of one example's paired difference; of examples in groups, the clustered error times sqrt(n). Raises
    ValueError for a difference of 0.
    """
    if difference == 0:
        raise ValueError("no number of examples shows a difference of 0")
    return math.ceil(((normal_quantile(1 - alpha / 2) + normal_quantile(power)) * deviation / difference) ** 2)


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson's; None where either does not vary."""
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))


def _interval(found: Mean, df: int) -> tuple[float | None, float | None]:
    """Student's, of this level; none where the examples show no spread."""
    if not found.stderr or found.value is None:
        return None, None
    half = t_quantile((1 + LEVEL) / 2, df) * found.stderr
    return found.value - half, found.value + half


def _deviation(values: np.ndarray) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 and np.ptp(values) > 0 else None
