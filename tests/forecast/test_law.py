"""The law: planted laws are found, intervals cover, bad points are refused, warnings say what they should."""

from __future__ import annotations

import math

import numpy as np
import pytest

from presage.core.errors import DataError
from presage.forecast.law import NOISE_PRIOR, Fit, Point, fit, summarise, warnings

COMPUTES = np.geomspace(1e10, 3e12, 8)


def planted(b: float = 0.12, floor: float = 0.3, noise: float = 0.0, seed: int = 0, runs: int = 4) -> tuple[Fit, float]:
    """A fit to runs of a law with exponent b and a floor (as a share of the best mean), and the truth 30x beyond."""
    chance = np.random.default_rng(seed)
    curve = (COMPUTES / COMPUTES[-1]) ** -b
    means = 1.5 * (floor + (1 - floor) * curve)
    table = [
        (c, float(m * math.exp(noise * chance.normal())))
        for c, m in zip(COMPUTES, means, strict=True)
        for _ in range(runs)
    ]
    truth = 1.5 * (floor + (1 - floor) * 30**-b)
    return fit(*summarise(table)), float(truth * math.exp(noise * chance.normal()))


TARGET = float(30 * COMPUTES[-1])


@pytest.mark.parametrize(("b", "floor"), [(0.08, 0.25), (0.12, 0.3), (0.15, 0.35), (0.2, 0.4)])
def test_a_law_without_noise_is_found(b: float, floor: float) -> None:
    fitted, truth = planted(b, floor)
    at = fitted.predict(TARGET)
    assert at.value == pytest.approx(truth, rel=0.01)
    assert at.lo < truth < at.hi
    law = fitted.law
    assert law.b == pytest.approx(-b, abs=0.03)
    assert law.c == pytest.approx(1.5 * floor, abs=0.2)
    means = [p.loss for p in fitted.points]
    assert [law.loss(c) for c in COMPUTES] == pytest.approx(means, rel=0.003)


def test_points_as_exact_as_numbers_get() -> None:
    points = [Point(c, 1.5 * (c / 1e10) ** -0.1 + 0.3, 0.0) for c in COMPUTES]
    at = fit(points).predict(TARGET)
    assert at.value == pytest.approx(1.5 * (TARGET / 1e10) ** -0.1 + 0.3, rel=0.01)
    assert math.isfinite(fit(points).law.a)
    assert not [text for text in warnings(fit(points), TARGET) if "bend" in text]


def test_ninety_percent_intervals_hold_ninety_percent() -> None:
    """200 ladders whose laws are drawn from about what the priors say, noise 0.4 % a run; the 30x target is one run."""
    chance = np.random.default_rng(1)
    inside = 0
    widths = []
    for seed in range(200):
        b, floor = (
            float(np.clip(chance.normal(0.12, 0.05), 0.04, 0.3)),
            float(np.clip(chance.normal(0.3, 0.1), 0.0, 0.6)),
        )
        fitted, truth = planted(b, floor, noise=0.004, seed=seed)
        at = fitted.predict(TARGET)
        inside += at.lo <= truth <= at.hi
        widths.append(at.half_width / at.value)
    assert 160 <= inside <= 198
    assert 0.005 < float(np.median(widths)) < 0.04


def test_the_same_answer_each_time_in_any_order() -> None:
    fitted, _ = planted(noise=0.004)
    again = fit(tuple(reversed(fitted.points)), fitted.noise)
    assert again.predict(TARGET) == fitted.predict(TARGET)
    assert again.law == fitted.law
    runs = [(c, 1 + c**-0.05 + 0.001 * i) for i, c in enumerate([1e9, 1e10, 1e11, 1e9, 1e10, 1e11])]
    assert summarise(runs) == summarise(sorted(runs, key=lambda run: run[0]))


def test_two_points_at_one_budget_count_both() -> None:
    a, b, c = Point(1e9, 3.0, 0.01), Point(1e10, 2.5, 0.01), Point(1e11, 2.2, 0.01)
    both = fit([a, b, c, Point(1e11, 2.1, 0.01)]).predict(1e11, new_run=False).value
    assert 2.1 < both < fit([a, b, c]).predict(1e11, new_run=False).value


def test_further_away_is_less_certain() -> None:
    fitted, _ = planted(noise=0.004)
    estimates = [fitted.predict(float(COMPUTES[-1]) * 10**d) for d in range(5)]
    relative = [e.half_width / e.value for e in estimates]
    assert relative == sorted(relative)
    assert relative[-1] > 3 * relative[0]
    assert [e.value for e in estimates] == sorted((e.value for e in estimates), reverse=True)


def test_levels_are_nested() -> None:
    fitted, _ = planted(noise=0.004)
    narrow, wide = fitted.predict(TARGET, 0.5), fitted.predict(TARGET, 0.99)
    assert wide.lo < narrow.lo < narrow.value == wide.value < narrow.hi < wide.hi
    run, mean = fitted.predict(TARGET), fitted.predict(TARGET, new_run=False)
    assert mean.half_width < run.half_width
    floor = fitted.floor()
    assert 0 <= floor.lo < floor.value < floor.hi < min(p.loss for p in fitted.points)


# ---- points ---------------------------------------------------------------------------------------------------------


def test_summarise() -> None:
    points, noise = summarise([(2e9, 2.0), (1e9, 3.03), (1e9, 2.97), (2e9, 2.02), (4e9, 1.5)])
    assert [(p.compute, p.n) for p in points] == [(1e9, 2), (2e9, 2), (4e9, 1)]
    assert [p.loss for p in points] == pytest.approx([3.0, 2.01, 1.5])
    squares = 2 * (math.log(3.03 / 2.97) / 2) ** 2 + 2 * (math.log(2.02 / 2.0) / 2) ** 2
    prior, strength = NOISE_PRIOR
    assert noise == pytest.approx(math.sqrt((squares + strength * prior**2) / (2 + strength)))
    assert points[0].stderr == pytest.approx(3.0 * noise / math.sqrt(2))
    assert points[2].stderr == pytest.approx(1.5 * noise)


def test_summarise_finds_the_noise() -> None:
    chance = np.random.default_rng(0)
    runs = [(c, 2.0 * math.exp(0.01 * chance.normal())) for c in COMPUTES for _ in range(50)]
    assert summarise(runs)[1] == pytest.approx(0.01, rel=0.1)


GOOD = [Point(1e9, 3.0, 0.01), Point(1e10, 2.5, 0.01), Point(1e11, 2.2, 0.01)]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "at least 3 different budgets, got 0"),
        (GOOD[:1], "got 1"),
        (GOOD[:2], "got 2"),
        ([*GOOD[:2], GOOD[1]], "got 2"),
        ([Point(1e11, 3.0, 0.01), *GOOD[:2]], "the loss does not fall with compute"),
        ([GOOD[2], Point(1e10, -2.0, 0.1), GOOD[0]], r"point 2: compute .* and loss -2\.0 must be positive"),
        ([*GOOD, Point(1e8, math.nan, 0.1)], r"point 4: .*nan"),
        ([Point(math.inf, 1.0, 0.1), *GOOD], "point 1: compute inf"),
        ([Point(0.0, 9.0, 0.1), *GOOD], "point 1: compute 0"),
        ([*GOOD, Point(1e12, 2.0, math.nan)], "point 4: stderr nan"),
        ([*GOOD, Point(1e12, 2.0, -0.1)], r"point 4: stderr -0\.1"),
    ],
)
def test_bad_points_are_named_by_their_number(points: list[Point], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(points)


@pytest.mark.parametrize("bad", [(1e9, -1.0), (1e9, math.nan), (-1e9, 1.0), (math.inf, 1.0)])
def test_bad_runs_are_named_by_their_number(bad: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="run 3: "):
        summarise([(1e9, 3.0), (1e10, 2.0), bad])


# ---- warnings -------------------------------------------------------------------------------------------------------


def law_points(computes: np.ndarray, bend: float = 0.0) -> list[Point]:
    x = np.linspace(-1, 1, len(computes))
    return [
        Point(float(c), float((1.2 * (c / 1e10) ** -0.12 + 0.5) * (1 + bend * (u * u - 0.4))), 0.002)
        for c, u in zip(computes, x, strict=True)
    ]


WIDE = np.geomspace(1e9, 1e12, 8)


@pytest.mark.parametrize(
    ("points", "target", "expected"),
    [
        (law_points(WIDE), 3e13, []),
        (law_points(WIDE), 3e14, ["300 times the largest"]),
        (law_points(WIDE[::2]), 1e13, ["only 4 budgets"]),
        (law_points(np.geomspace(1e10, 1e12, 8)), 3e13, ["span 2.0 decades"]),
        (law_points(WIDE, bend=-0.1), 3e13, ["bend against the law"]),
        (law_points(WIDE[:3]), 1e14, ["only 3 budgets", "decades", "times the largest"]),
    ],
)
def test_warnings(points: list[Point], target: float, expected: list[str]) -> None:
    said = warnings(fit(points), target)
    assert len(said) == len(expected), said
    for words, text in zip(expected, said, strict=True):
        assert words in text
