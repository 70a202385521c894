"""The capability law: planted laws are found, intervals hold, odd data and warnings."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from presage.core.errors import DataError
from presage.forecast.capability import fit, forecast, measured, pass_rate, warnings
from presage.forecast.mixture import quantiles
from presage.forecast.samples import Sample
from tests.forecast.graded import COMPUTES, TARGET, N, Planted, planted

# ---- planted laws ---------------------------------------------------------------------------------------------------


def test_a_law_without_noise_is_found() -> None:
    samples = [
        Sample(f"p{i}", c, 10**7, round(10**7 * math.exp(-2.0 * (0.6 + 0.2 * i) * (c / 1e18) ** -0.17)), split)
        for i in range(5)
        for c in COMPUTES.tolist()
        for split in ("bucket", "fit")
    ]
    law = fit(samples).overall
    assert law.exponent().value == pytest.approx(0.17, abs=0.005)
    assert law.alpha().value == pytest.approx(2.0 * 10**-0.17, rel=0.01)
    assert law.reference == pytest.approx(1e19)
    assert law.predict(TARGET).value == pytest.approx(2.0 * 1e4**-0.17, rel=0.02)


def test_planted_laws_are_found_and_held_by_their_intervals() -> None:
    """40 ladders of 5 rungs, 25 problems, 200 attempts; the target is one model, 100 times beyond."""
    chance = np.random.default_rng(0)
    exponent, level, error, inside = [], [], [], 0
    for seed in range(40):
        k = float(chance.uniform(0.1, 0.35))
        made = planted(seed, k=k, top=float(chance.uniform(1.5, 3.0)))
        fitted = fit(made.samples)
        at = fitted.predict(TARGET)
        exponent.append(fitted.overall.exponent().value / k - 1)
        middle = made.law[made.rows(fitted), 2].mean()
        level.append(fitted.overall.alpha().value / middle - 1)
        error.append(at.value / made.truth(fitted) - 1)
        inside += at.lo <= made.seen(fitted) <= at.hi
    assert np.median(np.abs(exponent)) < 0.1
    assert np.median(np.abs(level)) < 0.05
    assert abs(np.mean(error)) < 0.06
    assert 32 <= inside <= 40


@pytest.mark.parametrize("held_out", [0, 1, 5])
def test_choosing_solved_problems_hardly_biases_the_law(held_out: int) -> None:
    """The smallest model passes hard problems 1 to 5 times of 200. Luckless models, to see the selection alone."""
    off = []
    for seed in range(1000, 1030):
        made = planted(seed, top=3.6, luck=0.0, run=0.0, held_out=held_out, problems=40)
        fitted = fit(made.samples, 1)
        off.append(fitted.overall.rungs.mean[0] / made.law[made.rows(fitted), 0].mean() - 1)
    assert abs(np.mean(off)) < 0.02


def test_the_same_answer_in_any_order() -> None:
    made = planted(3)
    shuffled = [made.samples[i] for i in np.random.default_rng(0).permutation(len(made.samples))]
    assert forecast(fit(shuffled), TARGET, pass_at=3) == forecast(fit(made.samples), TARGET, pass_at=3)


def test_intervals_widen_with_distance_level_and_fewer_attempts() -> None:
    fitted = fit(planted(0).samples)
    relative = [e.half_width / e.value for e in (fitted.predict(1e20 * 10**d) for d in range(5))]
    assert relative == sorted(relative)
    narrow, wide = fitted.predict(TARGET, 0.5), fitted.predict(TARGET, 0.99)
    assert wide.lo < narrow.lo < narrow.value == wide.value < narrow.hi < wide.hi
    usual, few, law = fitted.predict(TARGET), fitted.predict(TARGET, n=5), fitted.predict(TARGET, new_run=False)
    assert law.half_width < usual.half_width < few.half_width
    rate = pass_rate(usual)
    assert (rate.lo, rate.value, rate.hi) == tuple(math.exp(-x) for x in (usual.hi, usual.value, usual.lo))


def test_repeated_runs_measure_the_noise() -> None:
    calm = fit(planted(0, luck=0.0, run=0.0, runs=4).samples).overall.noise
    rough = fit(planted(0, luck=0.0, run=0.2, runs=4).samples).overall.noise
    assert math.sqrt(calm) < 0.05
    assert 0.12 < math.sqrt(rough) < 0.3


def test_luck_with_problems_is_measured_without_repeats() -> None:
    found = [fit(planted(s, luck=0.5, problems=60).samples, 1).overall.noise * 60 for s in range(5)]
    assert math.sqrt(np.mean(found)) == pytest.approx(0.5, abs=0.12)


# ---- pass@k, scoring, likelihoods -----------------------------------------------------------------------------------


def test_pass_at_k() -> None:
    off = []
    for seed in range(20):
        made = planted(seed, problems=50)
        law = fit(made.samples, 1).overall
        off.append(law.pass_at(1, TARGET).value - made.passed[[int(p[1:]) for p in law.problems]].mean() / N)
    assert abs(np.mean(off)) < 0.03
    grown = [law.pass_at(k, TARGET) for k in (1, 2, 10, 1000)]
    assert [e.value for e in grown] == sorted(e.value for e in grown)
    assert all(0 < e.lo <= e.value <= e.hi <= 1 for e in grown)
    assert grown[0].lo < grown[0].value < grown[0].hi < 1


def test_measured_is_what_the_forecast_is_about() -> None:
    made = planted(0, problems=30)
    fitted = fit(made.samples, 2)
    later = [Sample(f"p{i:03d}", TARGET, N, int(k), "fit") for i, k in enumerate(made.passed)]
    scores = measured(fitted, later, TARGET)
    assert scores["all"][0] == pytest.approx(made.seen(fitted))
    assert list(scores) == ["all", "1", "2"]
    assert 0 < scores["all"][1] < scores["1"][1] + scores["2"][1]
    with pytest.raises(DataError, match="no row with split=fit at 1e\\+22 FLOPs for problem"):
        measured(fitted, later[:20], TARGET)
    with pytest.raises(DataError, match="0 models at 1e\\+23 FLOPs"):
        measured(fitted, later, 1e23)
    with pytest.raises(DataError, match="2 models at 1e\\+22 FLOPs"):
        measured(fitted, [*later, *(replace(s, run="b") for s in later)], TARGET)


def with_nll(made: Planted, power: float = 2.0) -> list[Sample]:
    """nll_i = 20 w_i (0.3 + 0.7 (C/1e18)^−0.1), and pass rates by its power instead of the planted ones."""
    chance, samples = np.random.default_rng(1), []
    for s in made.samples:
        fall = 0.3 + 0.7 * (s.compute / 1e18) ** -0.1
        scale = made.law[int(s.problem[1:]), 0]
        p = math.exp(-scale * fall**power)
        samples.append(replace(s, passed=int(chance.binomial(N, p)), nll=20 * scale * fall))
    return samples


def test_the_law_through_likelihoods_stands_beside_the_plain_one() -> None:
    made = planted(0)
    fitted = fit(with_nll(made))
    second = fitted.overall.by_likelihood(TARGET)
    assert second is not None
    truth = made.law[made.rows(fitted), 0].mean() * (0.3 + 0.7 * 1e4**-0.1) ** 2
    assert second.lo < truth < second.hi
    assert second.value == pytest.approx(truth, rel=0.15)
    assert fitted.overall.second is not None
    assert fitted.overall.second.gamma == pytest.approx(2.0, abs=0.3)
    plain = [replace(s, nll=None) for s in with_nll(made)]
    assert fit(plain).predict(TARGET) == fitted.predict(TARGET)
    assert fit(plain).overall.by_likelihood(TARGET) is None


def test_likelihoods_that_allow_no_law_are_left_out() -> None:
    samples = with_nll(planted(0))
    partly = fit([replace(s, nll=None) if i == 0 else s for i, s in enumerate(samples)])
    assert partly.overall.second is None
    assert any("nll is missing in some rows" in note for note in partly.notes)
    rising = [replace(s, nll=(s.compute / 1e18) ** 0.1) for s in samples]
    assert fit(rising).overall.second is None


def test_as_dict_is_plain() -> None:
    fitted = fit(planted(0, problems=30).samples, 2)
    data = fitted.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert [law["name"] for law in data["laws"]] == ["all", "1", "2"]
    assert data["laws"][0]["problems"] == list(fitted.overall.problems)


# ---- odd data and warnings ------------------------------------------------------------------------------------------


def samples_of(counts: dict[float, Sequence[int]], n: int = N) -> list[Sample]:
    return [Sample(f"p{i:02d}", c, n, k, "fit") for c, column in counts.items() for i, k in enumerate(column)]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({1e18: [50] * 12, 1e19: [100] * 12}, "only 2 computes"),
        ({1e18: [50] * 4, 1e19: [70] * 4, 1e20: [100] * 4, 1e21: [120] * 4}, "only 4 problems"),
        ({1e18: [1] * 12, 1e19: [2] * 12, 1e20: [1] * 12}, "of the counts are 0 or 1"),
        ({1e18: [50] * 12, 1e19: [120] * 12, 1e20: [60] * 12}, "not monotone: worse at 1e+20 than at 1e+19"),
        ({1e18: [120] * 12, 1e19: [90] * 12, 1e20: [60] * 12}, "k may be zero or negative"),
        ({1e18: [190] * 12, 1e19: [199] * 12, 1e20: [200] * 12}, "saturated"),
    ],
)
def test_warnings(counts: dict[float, Sequence[int]], words: str) -> None:
    law = fit(samples_of(counts)).overall
    said = warnings(law, 10 * law.rungs.compute[-1])
    assert any(words in text for text in said), said
    assert not any("times the largest" in text for text in said)
    assert any("the target is 1,000 times" in text for text in warnings(law, 1e3 * law.rungs.compute[-1] * 1.0001))


def test_a_good_ladder_has_no_warnings() -> None:
    made = planted(0, held_out=5)
    assert forecast(fit(made.samples, 1), 5e21)[0]["warnings"] == []


def test_a_bucket_that_keeps_too_few_problems_is_fitted_with_the_rest() -> None:
    fitted = fit(planted(0, problems=6, held_out=5).samples, 3)
    assert fitted.buckets == ()
    assert any("fewer than 3 problems are kept in bucket 1, 2, 3" in note for note in fitted.notes)


def test_everything_passes() -> None:
    at = fit(samples_of({c: [N] * 20 for c in (1e18, 1e19, 1e20)})).predict(TARGET)
    assert 0 <= at.lo < at.value < at.hi < 0.01


@given(
    st.lists(st.lists(st.integers(1, 30), min_size=3, max_size=3), min_size=1, max_size=8),
    st.floats(1e21, 1e40),
    st.floats(0.01, 0.999),
)
@settings(max_examples=40, deadline=None)
def test_any_counts_give_an_ordered_interval(table: list[list[int]], compute: float, level: float) -> None:
    columns = np.array(table).T
    samples = samples_of({c: column.tolist() for c, column in zip((1e18, 1e19, 1e20), columns, strict=True)}, 30)
    fact = forecast(fit(samples), compute, level, pass_at=2)[0]
    assert 0 <= fact["lo"] <= fact["value"] <= fact["hi"] < math.inf
    assert 0 <= fact["pass_at"]["lo"] <= fact["pass_at"]["value"] <= fact["pass_at"]["hi"] <= 1
    assert fact["law"]["k"]["lo"] < fact["law"]["k"]["hi"]


def test_a_table_of_one_compute_twice_is_refused() -> None:
    samples = samples_of({1e18: [5, 6], 1e19: [7, 8]})
    with pytest.raises(DataError, match="stands twice with split=fit"):
        fit([*samples, samples[0]])


def test_quantiles_of_one_gamma() -> None:
    lo, mid, hi = quantiles(np.array([2.0]), np.array([0.25]), np.array([1.0]), 0.9)
    expected = gamma(4.0, scale=0.5).ppf([0.05, 0.5, 0.95])
    assert [lo, mid, hi] == pytest.approx(list(expected), rel=1e-6)
