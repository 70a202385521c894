"""Does a model know what it knows? Reliability as in Figure 8 of the GPT-4 report, Brier score, selective accuracy.

Each option of each question is a point (four a question of MMLU): its probability, and whether it is the right one.
Ten bins of equal width; ECE is the mean over points of how far their bin's share of right ones lies from its mean
probability. Papers sheet, section 9.9; formulas and sources in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.evaluate.paired import Mean
from presage.evaluate.statistics import DRAWS, clustered, clustered_by, members, of_mean

BINS = 10
LEAST = 1e-12  # a probability of the right option below this counts as this: else one question made a score infinite
CALIBRATED = 200  # draws of what a perfectly calibrated model would show
SHOWN = 100  # points of a selective curve, at most
TOLERANCE = 1e-3  # of the sum of a question's probabilities
COLDEST, HOTTEST = 0.01, 100.0  # temperatures that are tried
Measure = Callable[[np.ndarray], float]
"""Of points that count as often as [points] weights say."""


@dataclass(frozen=True)
class Question:
    """The probabilities of a question's options, the place of the right one, and what the question belongs to."""

    probabilities: tuple[float, ...]
    gold: int
    group: str = ""


@dataclass(frozen=True)
class Bin:
    """Points with probabilities from lo to below hi; the last bin has its upper end. None where it is empty."""

    lo: float
    hi: float
    n: int
    mean_probability: float | None
    fraction: float | None
    stderr: float | None
    fraction_lo: float | None
    fraction_hi: float | None


@dataclass(frozen=True)
class Selected:
    """The `n` questions that the model is surest of, with top probabilities of `threshold` or more."""

    coverage: float
    n: int
    threshold: float
    accuracy: float
    stderr: float | None


# ---- reading --------------------------------------------------------------------------------------------------------


def questions(rows: Iterable[Mapping[str, Any]], where: str = "samples.jsonl") -> dict[str, list[Question]]:
    """{task: questions} of an eval run's samples; rows without probabilities or one right option are left out.

    Raises DataError naming the row for probabilities that are none of the options'.
    """
    found: dict[str, list[Question]] = {}
    for number, row in enumerate(rows, 1):
        probabilities, gold = (row.get("extra") or {}).get("probabilities"), row.get("gold")
        if probabilities is not None and gold is not None:
            _check(probabilities, gold, f"{where}:{number}")
            one = Question(tuple(map(float, probabilities)), gold, row.get("group") or "")
            found.setdefault(row["task"], []).append(one)
    return found


def _check(probabilities: Any, gold: Any, where: str) -> None:
    numbers = isinstance(probabilities, list) and all(
        isinstance(p, int | float) and not isinstance(p, bool) and 0 <= p <= 1 for p in probabilities
    )
    if not numbers or abs(math.fsum(probabilities) - 1) > TOLERANCE:
        raise DataError("'probabilities' are not numbers from 0 to 1 that sum to 1", where=where)
    if not isinstance(gold, int) or isinstance(gold, bool) or not 0 <= gold < len(probabilities):
        raise DataError(f"'gold' is {gold!r}, no place among {len(probabilities)} options", where=where)


# ---- points ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Points:
    """[points] probabilities, whether right, and the number of the group that a point belongs to."""

    probability: np.ndarray
    right: np.ndarray
    group: np.ndarray


def _every_option(asked: Sequence[Question]) -> _Points:
    sizes = [len(one.probabilities) for one in asked]
    right = [place == one.gold for one in asked for place in range(len(one.probabilities))]
    probability = np.array([p for one in asked for p in one.probabilities])
    return _Points(probability, np.array(right, dtype=float), _groups(asked).repeat(sizes))


def _top(asked: Sequence[Question]) -> _Points:
    """The most probable option of each question alone, the first of equals."""
    picked = [int(np.argmax(one.probabilities)) for one in asked]
    probability = np.array([one.probabilities[place] for one, place in zip(asked, picked, strict=True)])
    right = [place == one.gold for one, place in zip(asked, picked, strict=True)]
    return _Points(probability, np.array(right, dtype=float), _groups(asked))


def _groups(asked: Sequence[Question]) -> np.ndarray:
    return members([one.group for one in asked], len(asked))


def _places(probability: np.ndarray, bins: int) -> np.ndarray:
    return np.searchsorted(np.arange(1, bins) / bins, probability, side="right")


# ---- reliability ----------------------------------------------------------------------------------------------------


def reliability(asked: Sequence[Question], bins: int = BINS, *, top: bool = False) -> list[Bin]:
    """The bins of Figure 8, empty ones too: over every option's probability, or over the top ones alone."""
    points = _top(asked) if top else _every_option(asked)
    place = _places(points.probability, bins)
    return [_bin(points, place == number, number / bins, (number + 1) / bins) for number in range(bins)]


def _bin(points: _Points, inside: np.ndarray, lo: float, hi: float) -> Bin:
    if not inside.any():
        return Bin(lo, hi, 0, None, None, None, None, None)
    found = of_mean(points.right[inside].tolist(), points.group[inside].tolist())
    mean = float(points.probability[inside].mean())
    return Bin(lo, hi, found.n, mean, found.value, found.stderr, found.lo, found.hi)


def ece(bins: Sequence[Bin]) -> float:
    """The expected calibration error: sum over bins of n / N |fraction - mean probability|."""
    total = sum(one.n for one in bins)
    parts = (one.n * abs(one.fraction - one.mean_probability) for one in bins if one.fraction is not None
             and one.mean_probability is not None)  # fmt: skip
    return math.fsum(parts) / total


def _ece_of(points: _Points) -> Measure:
    """The same where every point counts as often as its weight says."""
    place, apart = _places(points.probability, BINS), points.right - points.probability
    return lambda weights: float(np.abs(np.bincount(place, weights=weights * apart)).sum() / weights.sum())


def expected_ece(asked: Sequence[Question], seed: int = 0) -> float:
    """What the ECE would be if the probabilities were right (Bröcker and Smith 2007): answers drawn from them.

    It is above 0, since no finite number of questions fills its bins exactly; an ECE near it shows no fault.
    """
    points, chance = _every_option(asked), stream(seed, "calibrated")
    place = _places(points.probability, BINS)
    ends = np.cumsum(_padded(asked), axis=1)
    first = np.cumsum([0, *(len(one.probabilities) for one in asked)])[:-1]
    found = []
    for _ in range(CALIBRATED):
        drawn = (chance.random((len(asked), 1)) * ends[:, -1:] >= ends[:, :-1]).sum(axis=1)
        apart = -points.probability
        apart[first + drawn] += 1
        found.append(float(np.abs(np.bincount(place, weights=apart)).sum()) / len(apart))
    return float(np.mean(found))


def _padded(asked: Sequence[Question]) -> np.ndarray:
    """[questions, most options] probabilities, 0 where a question has fewer options."""
    widest = max(len(one.probabilities) for one in asked)
    return np.array([one.probabilities + (0.0,) * (widest - len(one.probabilities)) for one in asked])


# ---- proper scores --------------------------------------------------------------------------------------------------


def brier(asked: Sequence[Question]) -> Mean:
    """Over questions, sum over options of (p - right)^2 (Brier 1950): 0 to 2, 1 - 1 / options for a uniform guess."""
    return clustered([_brier(one) for one in asked], [one.group for one in asked])


def brier_option(asked: Sequence[Question]) -> Mean:
    """Over points, (p - right)^2: the one for two outcomes, as if each option were asked alone; 0 to 1."""
    points = _every_option(asked)
    return clustered_by((points.probability - points.right) ** 2, points.group)


def log_score(asked: Sequence[Question]) -> Mean:
    """Over questions, -ln of the right option's probability, in nats."""
    losses = [-math.log(max(LEAST, one.probabilities[one.gold])) for one in asked]
    return clustered(losses, [one.group for one in asked])


def _brier(one: Question) -> float:
    return math.fsum((p - (place == one.gold)) ** 2 for place, p in enumerate(one.probabilities))


# ---- selective accuracy ---------------------------------------------------------------------------------------------


def selective(asked: Sequence[Question], shown: int = SHOWN) -> list[Selected]:
    """Accuracy on the questions that the model is surest of, from few to all of them; at most `shown` points.

    Questions with one top probability come in together.
    """
    points = _top(asked)
    order = np.argsort(-points.probability, kind="stable")
    sure, right, group = points.probability[order], points.right[order], points.group[order]
    ends = [i + 1 for i in range(len(sure)) if i + 1 == len(sure) or sure[i + 1] != sure[i]]
    wanted = np.unique(np.linspace(0, len(ends) - 1, min(shown, len(ends))).round().astype(int))
    return [_selected(n, len(sure), sure, right, group) for n in (ends[place] for place in wanted)]


def _selected(n: int, total: int, sure: np.ndarray, right: np.ndarray, group: np.ndarray) -> Selected:
    found = clustered_by(right[:n], group[:n])
    assert found.value is not None
    return Selected(n / total, n, float(sure[n - 1]), found.value, found.stderr)


def area(asked: Sequence[Question]) -> float:
    """Under the curve of accuracy against coverage, from 0 to 1; accuracy itself where the order says nothing.

    Within questions of one top probability any may come first: there the curve is that of their mean.
    """
    return _area_of(_top(asked))(np.ones(len(asked)))


def _area_of(points: _Points) -> Measure:
    _, block = np.unique(-points.probability, return_inverse=True)

    def measure(weights: np.ndarray) -> float:
        size, hits = np.bincount(block, weights=weights), np.bincount(block, weights=weights * points.right)
        return _under(size[size > 0], hits[size > 0])

    return measure


def _under(size: np.ndarray, hits: np.ndarray) -> float:
    """The area, of blocks of questions in the order in which they come in, and of the right ones among them."""
    rate, upto = hits / size, np.cumsum(size)
    before, hit_before = upto[:-1], np.cumsum(hits)[:-1]
    later = (hit_before - before * rate[1:]) * np.log(upto[1:] / before) + rate[1:] * size[1:]
    return float((hits[0] + later.sum()) / upto[-1])


def _spread(points: _Points, measure: Measure, seed: int) -> float | None:
    """The standard error of a measure: its deviation where whole groups are drawn with replacement."""
    count = int(points.group.max()) + 1
    if count < 2:
        return None
    chance = stream(seed, "bootstrap")
    drawn = (np.bincount(chance.integers(count, size=count), minlength=count) for _ in range(DRAWS))
    found = np.array([measure(times[points.group].astype(float)) for times in drawn])
    return float(found.std(ddof=1)) if np.ptp(found) > 0 else None


# ---- temperature ----------------------------------------------------------------------------------------------------


def temperature(asked: Sequence[Question]) -> float:
    """The T of probabilities ~ p^(1 / T) with the lowest log score (Guo et al. 2017), from COLDEST to HOTTEST; above 1
    where the model is too sure, HOTTEST where its probabilities do not favour the right options at all. 1 where every
    T gives the same. For what it would bring, fit it on other questions.
    """
    from scipy.optimize import brentq
    from scipy.special import softmax

    padded = _padded(asked)
    shown = np.arange(padded.shape[1]) < np.array([[len(one.probabilities)] for one in asked])
    logs = np.log(np.maximum(padded, LEAST))
    right = logs[np.arange(len(asked)), [one.gold for one in asked]]

    def slope(log_t: float) -> float:
        """Of the log score by 1 / T, in which it is convex: it falls with T where this is above 0."""
        weights = softmax(np.where(shown, logs * math.exp(-log_t), -np.inf), axis=1)
        return float(np.mean((weights * np.where(shown, logs, 0.0)).sum(axis=1) - right))

    if _flat(asked):
        return 1.0
    if slope(math.log(HOTTEST)) >= 0:
        return HOTTEST
    if slope(math.log(COLDEST)) <= 0:
        return COLDEST
    return math.exp(brentq(slope, math.log(COLDEST), math.log(HOTTEST)))


def _flat(asked: Sequence[Question]) -> bool:
    """Whether all options of every question are equally probable: no temperature changes them."""
    return all(len(set(one.probabilities)) == 1 for one in asked)


def _temperature(asked: Sequence[Question]) -> dict[str, Any]:
    """The entry of result.json. bound: "at least" or "at most" where the value is an end of the range, "any" with none
    where every temperature gives the same."""
    t = temperature(asked)
    if _flat(asked):
        return vars(Mean(None, None, len(asked))) | {"bound": "any"}
    bound = {HOTTEST: "at least", COLDEST: "at most"}.get(t)
    return vars(Mean(t, None, len(asked))) | ({"bound": bound} if bound else {})


def rescaled(asked: Sequence[Question], t: float) -> list[Question]:
    """The questions with probabilities at temperature t."""
    return [Question(_at(one.probabilities, t), one.gold, one.group) for one in asked]


def cross_fitted(asked: Sequence[Question], seed: int = 0) -> list[Question]:
    """The questions at a temperature that each had no part in: fitted on one half of the groups for the other half, and
    the other way round. Empty where all are of one group.
    """
    group = _groups(asked)
    count = int(group.max()) + 1
    if count < 2:
        return []
    half = stream(seed, "halves").permutation(count)[group] % 2
    first, second = ([one for one, where in zip(asked, half, strict=True) if where == side] for side in (0, 1))
    return [*rescaled(first, temperature(second)), *rescaled(second, temperature(first))]


def _at(probabilities: Sequence[float], t: float) -> tuple[float, ...]:
    logs = np.log(np.maximum(probabilities, LEAST)) / t
    weights = np.exp(logs - logs.max())
    return tuple((weights / weights.sum()).tolist())


# ---- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """Rows of tables/calibration.csv and tables/selective.csv, and entries "TASK/ece" and so on of result.json."""

    calibration: list[dict[str, Any]]
    selective: list[dict[str, Any]]
    results: dict[str, dict[str, Any]]


CALIBRATION = ["task", "bin", "lo", "hi", "n", "mean_probability", "fraction", "stderr", "fraction_lo", "fraction_hi"]
SELECTIVE = ["task", "coverage", "n", "threshold", "accuracy", "stderr"]


def tables(rows: Iterable[Mapping[str, Any]], seed: int = 0) -> Tables:
    """What an eval run's samples say of calibration, task by task; empty where no row has probabilities.

    Raises DataError as `questions` does.
    """
    made = Tables([], [], {})
    for task, asked in questions(rows).items():
        made.calibration.extend(
            {"task": task, "bin": number} | vars(one) for number, one in enumerate(reliability(asked))
        )
        made.selective.extend({"task": task} | vars(one) for one in selective(asked))
        made.results.update({f"{task}/{name}": found for name, found in _results(asked, seed).items()})
    return made


def _results(asked: Sequence[Question], seed: int) -> dict[str, dict[str, Any]]:
    every, top = _every_option(asked), _top(asked)
    ece_top, ones = _ece_of(top), np.ones(len(asked))
    found = {
        "ece": Mean(ece(reliability(asked)), _spread(every, _ece_of(every), seed), len(every.right)),
        "ece_expected": Mean(expected_ece(asked, seed), None, len(every.right)),
        "ece_top": Mean(ece_top(ones), _spread(top, ece_top, seed), len(asked)),
        "brier": brier(asked),
        "brier_option": brier_option(asked),
        "log_score": log_score(asked),
        "selective_area": Mean(area(asked), _spread(top, _area_of(top), seed), len(asked)),
    }
    if fitted := cross_fitted(asked, seed):
        points = _every_option(fitted)
        found["ece_rescaled"] = Mean(ece(reliability(fitted)), _spread(points, _ece_of(points), seed), len(every.right))
        found["log_score_rescaled"] = log_score(fitted)
    return {name: vars(one) for name, one in found.items()} | {"temperature": _temperature(asked)}
