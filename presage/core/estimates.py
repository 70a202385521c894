"""What a number is worth: means and other aggregates with standard errors and intervals. See docs/statistics.md.

Examples of one group (a passage, a document) are not independent draws: their errors are summed before they are squared
(Liang and Zeger 1986; Miller 2024, "Adding error bars to evals", §2.2). The group "" stands for an example by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from presage.core.seeds import stream

LEVEL = 0.95
DRAWS = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Mean:
    """A mean over `n` items with its standard error; None where there are too few for one."""

    value: float | None
    stderr: float | None
    n: int

    @property
    def text(self) -> str:
        """For people: 1.234 ± 0.012."""
        spread = "" if self.stderr is None else f" ± {self.stderr:.4f}"
        return "-" if self.value is None else f"{self.value:.4f}{spread}"

    def minus(self, other: Mean) -> Mean:
        """The difference of two means over different items; their errors add in squares. n counts both."""
        if self.value is None or other.value is None:
            return Mean(None, None, self.n + other.n)
        known = self.stderr is not None and other.stderr is not None
        stderr = math.hypot(self.stderr or 0.0, other.stderr or 0.0) if known else None
        return Mean(self.value - other.value, stderr, self.n + other.n)


@dataclass(frozen=True)
class Estimate:
    """A value from `n` examples in `groups` groups, its standard error and its interval; None where unknown."""

    value: float | None
    stderr: float | None
    lo: float | None
    hi: float | None
    n: int
    groups: int

    @property
    def mean(self) -> Mean:
        """Without its interval."""
        return Mean(self.value, self.stderr, self.n)


def members(groups: Sequence[Hashable] | None, n: int) -> np.ndarray:
    """[n] the number of each example's group, from 0 in order of appearance; "" (and no `groups`) stands alone."""
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups of {n} examples")
    numbers: dict[object, int] = {}
    return np.array(
        [numbers.setdefault((i,) if g == "" else (None, g), len(numbers)) for i, g in enumerate(groups)], dtype=int
    )


# ---- means ----------------------------------------------------------------------------------------------------------


def clustered(values: Sequence[float], groups: Sequence[Hashable] | None = None) -> Mean:
    """The mean and its cluster-robust standard error: of G groups with sums u of deviations from the mean,
    sqrt(G / (G - 1) * sum u^2) / n. With every example by itself this is the plain one; None for a single group.
    """
    return clustered_by(np.asarray(values, dtype=float), members(groups, len(values)))


def clustered_by(x: np.ndarray, number: np.ndarray) -> Mean:
    """The same of [n] values and [n] whole numbers of their groups."""
    if not len(x):
        return Mean(None, None, 0)
    _, place = np.unique(number, return_inverse=True)
    count = int(place.max()) + 1
    sums = np.bincount(place, weights=x - x.mean())
    stderr = math.sqrt(count / (count - 1) * float(sums @ sums)) / len(x) if count > 1 else None
    return Mean(float(x.mean()), stderr, len(x))


def of_mean(values: Sequence[float], groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """A mean with its clustered error and an interval of this level.

    Scores from 0 to 1 have Wilson's interval (1927), on as many examples as their groups are worth; other scores have
    Student's with a degree of freedom less than there are groups. Never of no width: None where nothing is known.
    """
    found = clustered(values, groups)
    if found.value is None:
        return Estimate(None, None, None, None, 0, 0)
    count = int(members(groups, found.n).max()) + 1
    bounded = min(values) >= 0 and max(values) <= 1
    ends = _wilson(values, found, count, level) if bounded else _student(found, count, level)
    lo, hi = ends or (None, None)
    return Estimate(found.value, found.stderr, lo, hi, found.n, count)


def student(values: Sequence[float], groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """A mean with its clustered error and Student's interval, bounded or not: None for one group, or where all agree.

    Of few shares from 0 to 1 it can reach beyond them; `of_mean` cannot.
    """
    found = clustered(values, groups)
    if found.value is None:
        return Estimate(None, None, None, None, 0, 0)
    count = int(members(groups, found.n).max()) + 1
    alike = min(values) == max(values)  # whose deviations may not be quite 0
    lo, hi = (None if alike else _student(found, count, level)) or (None, None)
    return Estimate(found.value, found.stderr, lo, hi, found.n, count)


def _student(found: Mean, count: int, level: float) -> tuple[float, float] | None:
    if found.value is None or not found.stderr:
        return None
    half = t_quantile((1 + level) / 2, count - 1) * found.stderr
    return found.value - half, found.value + half


def _wilson(values: Sequence[float], found: Mean, count: int, level: float) -> tuple[float, float]:
    """Of a mean from 0 to 1, on the number of shares of this error that it is worth (Korn and Graubard 1998).

    Rights and wrongs by themselves have the plain interval; all else takes Student's quantile for its groups.
    """
    assert found.value is not None
    binary = set(values) <= {0, 1}
    plain = count == 1 or (binary and count == found.n)
    z = normal_quantile((1 + level) / 2) if plain else t_quantile((1 + level) / 2, count - 1)
    return wilson(found.value, _worth(found.value, found, count, binary), z)


def _worth(share: float, found: Mean, count: int, binary: bool) -> float:
    """How many independent rights and wrongs would have this error: one a group where the groups show none."""
    if not found.stderr:
        return float(count)
    worth = share * (1 - share) / found.stderr**2 * found.n / (found.n - 1)
    return max(1.0, min(worth, float(found.n)) if binary else worth)


def wilson(share: float, n: float, z: float) -> tuple[float, float]:
    """(lo, hi) of a share of n examples: where the share lies z of its own errors away. Inside 0 to 1, never empty."""
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))  # rounding may cross the share


def t_quantile(p: float, df: float) -> float:
    """Student's; df above 0."""
    from scipy.stats import t

    return float(t.ppf(p, df))


def normal_quantile(p: float) -> float:
    """Of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(p))


# ---- what is no mean ------------------------------------------------------------------------------------------------


def bootstrap(
    items: Sequence[T],
    aggregate: Callable[[Sequence[T]], float],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
) -> Estimate:
    """Any aggregate of all items (BLEU, Matthews, perplexity) with its error: whole groups drawn with replacement.

    The error is the deviation of `draws` aggregates, the interval their percentiles (Efron and Tibshirani 1993, §13.3).
    Neither is given for a single group, or where the draws show no spread or are mostly not finite.
    """
    if not items:
        return Estimate(None, None, None, None, 0, 0)
    number = members(groups, len(items))
    places = [np.flatnonzero(number == g) for g in range(int(number.max()) + 1)] if groups is not None else None
    count = len(items) if places is None else len(places)
    value = float(aggregate(items))
    found = (
        [] if count < 2 else [aggregate([items[i] for i in drawn]) for drawn in _redrawn(places, count, draws, seed)]
    )
    kept = np.array([one for one in found if math.isfinite(one)])
    if 2 * len(kept) < draws or np.ptp(kept) == 0:
        return Estimate(value, None, None, None, len(items), count)
    lo, hi = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(kept.std(ddof=1)), float(lo), float(hi), len(items), count)


def redraw(groups: Sequence[Hashable] | None, n: int, draws: int, seed: int) -> list[np.ndarray]:
    """`draws` samples of the numbers of n items: as many groups as there are, drawn with replacement, each whole."""
    number = members(groups, n)
    places = [np.flatnonzero(number == g) for g in range(int(number.max()) + 1)] if groups is not None else None
    return list(_redrawn(places, n if places is None else len(places), draws, seed))


def _redrawn(places: list[np.ndarray] | None, count: int, draws: int, seed: int) -> list[np.ndarray]:
    chance = stream(seed, "bootstrap")
    chosen = [chance.integers(count, size=count) for _ in range(draws)]
    return chosen if places is None else [np.concatenate([places[g] for g in some]) for some in chosen]
