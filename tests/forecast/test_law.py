"""The law: planted laws are found, intervals cover, a wandering slope is seen, bad points are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from presage.core.errors import DataError
from presage.forecast.law import Fit, Point, fit, summarise
from presage.forecast.normals import quantiles, sample, thin
from presage.forecast.points import NOISE_PRIOR, Run
from presage.forecast.prior import Prior, covariance, strayed
from presage.forecast.warnings import warnings

COMPUTES = np.geomspace(1e18, 1e21, 7)
TARGET = float(100 * COMPUTES[-1])


def planted(b: float = 0.2, share: float = 0.6, noise: float = 0.0, seed: int = 0, runs: int = 2) -> tuple[Fit, float]:
    """A fit to runs of a law with exponent b and a floor (as a share of the best mean), and the truth 100x beyond."""
    chance = np.random.default_rng(seed)
    means = 2.5 * (share + (1 - share) * (COMPUTES / COMPUTES[-1]) ** -b)
    table = [
        (c, float(m * math.exp(noise * chance.normal())))
        for c, m in zip(COMPUTES, means, strict=True)
        for _ in range(runs)
    ]
    truth = 2.5 * (share + (1 - share) * 100**-b)
    return fit(*summarise(table)), float(truth * math.exp(noise * chance.normal()))


# ---- planted laws ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("b", "share"), [(0.15, 0.55), (0.2, 0.6), (0.3, 0.65), (0.12, 0.5)])
def test_a_law_without_noise_is_found(b: float, share: float) -> None:
    fitted, truth = planted(b, share)
    at = fitted.predict(TARGET)
    assert at.value == pytest.approx(truth, rel=0.02)
    assert at.lo < truth < at.hi
    assert fitted.law.b == pytest.approx(-b, rel=0.25)
    means = [p.loss for p in fitted.points]
    assert [fitted.law.loss(c) for c in COMPUTES] == pytest.approx(means, rel=0.01)


def test_ninety_percent_intervals_hold_ninety_percent() -> None:
    """150 ladders with laws about where the priors say: with the form taken to hold, and with the wander on top."""
    chance = np.random.default_rng(1)
    exact = full = 0
    bias = []
    for seed in range(150):
        b, share = math.exp(chance.normal(math.log(0.25), 0.4)), float(np.clip(chance.normal(0.63, 0.05), 0.4, 0.8))
        fitted, truth = planted(b, share, noise=0.003, seed=seed)
        strict, wide = fitted.predict(TARGET, wander=False), fitted.predict(TARGET)
        exact += strict.lo <= truth <= strict.hi
        full += wide.lo <= truth <= wide.hi
        bias.append(wide.value / truth - 1)
    assert 127 <= exact <= 147
    assert 130 <= full <= 150
    assert abs(float(np.mean(bias))) < 0.01


def test_a_slope_that_wanders_widens_the_interval() -> None:
    straight, _ = planted(noise=0.001)
    points = [Point(p.compute, p.loss * (1 + 0.02 * math.sin(i)), p.stderr, p.n) for i, p in enumerate(straight.points)]
    bent = fit(points, straight.noise)
    assert bent.wander > 1.5 * straight.wander
    assert bent.predict(TARGET).half_width > 1.5 * straight.predict(TARGET).half_width


def test_points_that_no_exact_law_fits_still_have_an_answer() -> None:
    steep = fit([Point(1e18, 3.3, 0.0), Point(1e19, 2.9, 0.0), Point(1e20, 1.9, 0.0)])
    for at in (steep.predict(1e22), steep.predict(1e22, wander=False), steep.predict(1e26)):
        assert 0 <= at.lo <= at.value <= at.hi < 3.3


def test_a_prior_that_knows_the_recipe_narrows_the_interval() -> None:
    wide, _ = planted(noise=0.004)
    narrow = fit(wide.points, wide.noise, prior=Prior(wander=0.004))
    assert narrow.predict(TARGET).half_width < wide.predict(TARGET).half_width


def test_the_same_answer_each_time_in_any_order_and_unit() -> None:
    fitted, _ = planted(noise=0.004)
    again = fit(tuple(reversed(fitted.points)), fitted.noise)
    assert again.predict(TARGET) == fitted.predict(TARGET)
    assert again.law == fitted.law
    doubled = fit([Point(p.compute, 2 * p.loss, 2 * p.stderr, p.n) for p in fitted.points], fitted.noise)
    assert doubled.predict(TARGET).value == pytest.approx(2 * fitted.predict(TARGET).value, rel=1e-6)
    assert doubled.predict(TARGET).hi == pytest.approx(2 * fitted.predict(TARGET).hi, rel=1e-4)


def test_further_away_is_less_certain() -> None:
    fitted, _ = planted(noise=0.004)
    estimates = [fitted.predict(float(COMPUTES[-1]) * 10**d) for d in range(5)]
    relative = [e.half_width / e.value for e in estimates]
    assert relative == sorted(relative)
    assert relative[-1] > 3 * relative[0]
    assert [e.value for e in estimates] == sorted((e.value for e in estimates), reverse=True)


def test_levels_are_nested_and_parts_add_up() -> None:
    fitted, _ = planted(noise=0.004)
    narrow, wide = fitted.predict(TARGET, 0.5), fitted.predict(TARGET, 0.99)
    assert wide.lo < narrow.lo < narrow.value == wide.value < narrow.hi < wide.hi
    run, mean = fitted.predict(TARGET), fitted.predict(TARGET, new_run=False)
    assert mean.half_width < run.half_width
    assert fitted.predict(TARGET, wander=False).half_width < run.half_width
    drifting = fit(fitted.points, fitted.noise, drift=0.03)
    assert drifting.predict(TARGET).half_width > 1.2 * run.half_width
    floor = fitted.floor()
    assert 0 < floor.lo < floor.value < floor.hi < min(p.loss for p in fitted.points)
    assert sum(float(cell.weight.sum()) for cell in fitted.cells) == pytest.approx(1)


def test_joint_agrees_with_single_predictions() -> None:
    fitted, _ = planted(noise=0.004)
    computes = [float(COMPUTES[2]), float(COMPUTES[-1]), TARGET]
    mean, covariances = fitted.joint(computes)
    assert np.linalg.eigvalsh(covariances).min() > -1e-12
    for i, compute in enumerate(computes):
        means, sds, weights = fitted.mixture(compute, new_run=False)
        assert mean[i] == pytest.approx(float((weights * means).sum()))
        second = float((weights * (sds**2 + means**2)).sum())
        assert covariances[i, i] == pytest.approx(second - mean[i] ** 2, rel=1e-6)
    assert mean[0] == pytest.approx(fitted.points[2].loss, rel=0.01)


def test_drift_is_in_the_joint_too_beyond_the_points_and_there_alone() -> None:
    fitted, _ = planted(noise=0.004)
    drifting = fit(fitted.points, fitted.noise, drift=0.03)
    computes = [float(COMPUTES[2]), float(COMPUTES[-1]), 3 * float(COMPUTES[-1]), TARGET]
    (mean, steady), (same, widened) = fitted.joint(computes), drifting.joint(computes)
    added = widened - steady
    assert (mean == same).all() and (added == np.diag(np.diag(added))).all()
    assert (np.diag(added)[:2] == 0).all()
    for i, compute in enumerate(computes):
        means, sds, weights = drifting.mixture(compute, new_run=False)
        second = float((weights * (sds**2 + means**2)).sum())
        assert widened[i, i] == pytest.approx(second - mean[i] ** 2, rel=0.01)


# ---- the wandering slope --------------------------------------------------------------------------------------------


def test_the_covariance_of_the_wander_is_that_of_an_integrated_process() -> None:
    """Against the double integral of sigma^2 exp(-|p - q| / length), sigma 1, by brute force."""
    length, t, s, origin = 1.5, np.array([-2.0, -0.4, 0.7]), np.array([-1.0, 1.2]), 0.0
    count = 600

    def integral(a: float, b: float) -> float:
        p, q = ((np.arange(count) + 0.5) / count * end for end in (a, b))
        return float(np.exp(-np.abs(p[:, None] - q[None, :]) / length).mean() * a * b)

    brute = [[integral(a - origin, b - origin) for b in s] for a in t]
    assert covariance(t, s, origin, length) == pytest.approx(np.array(brute), rel=1e-3)
    assert strayed(np.array([0.0]), length)[0] == 0


# ---- mixtures -------------------------------------------------------------------------------------------------------


def test_thinning_changes_no_quantile() -> None:
    chance = np.random.default_rng(0)
    mean, sd = chance.normal(2, 0.3, 5000), chance.uniform(0.01, 0.1, 5000)
    weight = chance.uniform(0, 1, 5000)
    lo, mid, hi = quantiles(mean, sd, weight, 0.9)
    below = [float((weight * ndtr((x - mean) / sd)).sum() / weight.sum()) for x in (lo, mid, hi)]
    assert below == pytest.approx([0.05, 0.5, 0.95], abs=0.002)
    assert len(thin(mean, sd, weight)[0]) < 1500
    drawn = sample(mean, sd, weight)
    assert [float(np.quantile(drawn, q)) for q in (0.05, 0.5, 0.95)] == pytest.approx([lo, mid, hi], abs=0.01)


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


def test_without_repeats_the_noise_is_what_is_given_or_not_known() -> None:
    runs = [(c, 2.0 - i / 10) for i, c in enumerate(COMPUTES)]
    points, noise = summarise(runs)
    assert noise == 0
    assert {p.stderr for p in points} == {0.0}
    points, noise = summarise([Run(c, loss, stderr=0.01 * loss) for c, loss in runs])
    assert noise == pytest.approx(0.01)
    assert [p.stderr / p.loss for p in points] == pytest.approx([0.01] * len(runs))


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
        ([*GOOD[:2], GOOD[1]], "got 2"),
        ([Point(1e9 * (1 + i / 10), 3 - i / 10, 0.01) for i in range(4)], "differ by a factor of 1.3 in all"),
        ([Point(1e11, 3.0, 0.01), *GOOD[:2]], "the loss does not fall with compute"),
        ([Point(c, 2.0, 0.01) for c in (1e9, 1e10, 1e11)], "the loss does not fall with compute"),
        ([GOOD[2], Point(1e10, -2.0, 0.1), GOOD[0]], r"point 2: compute .* and loss -2\.0 must be positive"),
        ([*GOOD, Point(1e8, math.nan, 0.1)], r"point 4: .*nan"),
        ([Point(math.inf, 1.0, 0.1), *GOOD], "point 1: compute inf"),
        ([Point(0.0, 9.0, 0.1), *GOOD], "point 1: compute 0"),
        ([*GOOD, Point(1e12, 2.0, math.nan)], "point 4: stderr nan"),
        ([*GOOD, Point(1e12, 2.0, -0.1)], r"point 4: stderr -0\.1"),
        ([*GOOD, Point(1e20, 2.0, 0.1)], "nothing between 1e.11 and 1e.20 FLOPs .are these mixed units"),
        ([*GOOD, Point(1e12, 3.1, 0.1)], "the loss rises from 2.2 .* mixed units, bits and nats"),
    ],
)
def test_bad_points_are_named(points: list[Point], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(points)


@pytest.mark.parametrize("bad", [(1e9, -1.0), (1e9, math.nan), (-1e9, 1.0), (math.inf, 1.0)])
def test_bad_runs_are_named_by_their_number(bad: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="run 3: "):
        summarise([(1e9, 3.0), (1e10, 2.0), bad])


# ---- warnings -------------------------------------------------------------------------------------------------------


def law_points(computes: np.ndarray, bend: float = 0.0, scatter: float = 0.0) -> list[Point]:
    u = np.linspace(-1, 1, len(computes))
    signs = np.where(np.arange(len(computes)) % 2, 1, -1)
    loss = 2.4 * (0.6 + 0.4 * (computes / computes[-1]) ** -0.25) * (1 + bend * (u * u - 0.4)) * (1 + scatter * signs)
    return [Point(float(c), float(y), 0.002) for c, y in zip(computes, loss, strict=True)]


WIDE = np.geomspace(1e18, 1e21, 8)


@pytest.mark.parametrize(
    ("points", "ratio", "expected"),
    [
        (law_points(WIDE), 30, []),
        (law_points(WIDE), 300, ["300 times the largest"]),
        (law_points(WIDE[::2]), 10, ["only 4 budgets"]),
        (law_points(np.geomspace(1e19, 1e21, 8)), 30, ["span 2.0 decades"]),
        (law_points(WIDE, bend=-0.2), 30, ["untuned recipe"]),
        (law_points(WIDE, scatter=0.02), 30, ["are they all of one recipe"]),
    ],
)
def test_warnings(points: list[Point], ratio: float, expected: list[str]) -> None:
    said = warnings(fit(points), ratio * max(p.compute for p in points))
    for words in expected:
        assert any(words in text for text in said), said
    assert expected or not said
