"""−log p from counts, and which problems the law is about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from presage.forecast.buckets import neg_log_rate, neg_log_rate_variance, sort_problems
from presage.forecast.capability import fit
from presage.forecast.samples import Sample
from tests.forecast.graded import COMPUTES, N, planted

Array = np.ndarray

# ---- −log p from counts ---------------------------------------------------------------------------------------------


def means(n: int, expected: Sequence[float], least: int = 0) -> tuple[Array, Array, Array]:
    """Exact bias of the estimate, its true variance, and the mean of the estimated one, by summing over all counts."""
    k, p = np.arange(least, n + 1), np.array(expected)[:, None] / n
    weight = binom.pmf(k, n, p) / binom.sf(least - 1, n, p)
    estimate = neg_log_rate(n, k, least)
    mean = weight @ estimate
    return mean + np.log(p[:, 0]), weight @ estimate**2 - mean**2, weight @ neg_log_rate_variance(n, k)


@pytest.mark.parametrize("n", [20, 200, 1000])
def test_the_estimate_has_next_to_no_bias_from_three_expected_passes_on(n: int) -> None:
    bias, _, _ = means(n, [3, 4, 6, 10, 0.8 * n])
    assert np.abs(bias).max() < 0.014


def test_the_estimate_is_the_series_cut_off_at_n() -> None:
    bias, _, _ = means(30, [0.5, 1.0, 2.0, 15.0])
    series = [sum((1 - e / 30) ** j / j for j in range(1, 31)) + math.log(e / 30) for e in (0.5, 1.0, 2.0, 15.0)]
    assert bias == pytest.approx(series, abs=1e-9)
    assert neg_log_rate(30, 0) == pytest.approx(sum(1 / j for j in range(1, 31)))


def test_the_variance_is_that_of_counting() -> None:
    _, variance, estimated = means(200, [4, 8, 20, 60, 150])
    assert estimated == pytest.approx(variance, rel=0.06)
    _, variance, estimated = means(200, [1, 2])
    assert (estimated > variance).all()


@pytest.mark.parametrize(("n", "least"), [(200, 1), (50, 1), (1000, 1), (200, 2)])
def test_counts_kept_for_being_large_enough_are_corrected(n: int, least: int) -> None:
    expected = [1.0, 1.5, 2, 3, 5, 8, 15]
    bias, _, _ = means(n, expected, least)
    assert np.abs(bias).max() < 0.035
    k, p = np.arange(least, n + 1), np.array(expected)[:, None] / n
    naive = binom.pmf(k, n, p) / binom.sf(least - 1, n, p) @ neg_log_rate(n, k) + np.log(p[:, 0])
    assert naive[0] < -0.6, "the correction matters"


def test_corrections_are_for_the_columns_that_need_them() -> None:
    n, passed = np.full((3, 2), 200.0), np.array([[1.0, 1.0], [3.0, 3.0], [150.0, 150.0]])
    values = neg_log_rate(n, passed, np.array([0, 1]))
    assert values[:, 0] == pytest.approx(neg_log_rate(n, passed)[:, 0])
    assert values[0, 1] > values[0, 0] + 0.5
    assert values[2, 1] == values[2, 0]


# ---- buckets --------------------------------------------------------------------------------------------------------


def poisoned(samples: Sequence[Sample], seed: int) -> list[Sample]:
    chance = np.random.default_rng(seed)
    return [replace(s, passed=int(chance.integers(1, N + 1))) if s.split == "fit" else s for s in samples]


@given(st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_buckets_never_see_the_fitted_attempts(seed: int) -> None:
    made = planted(0, held_out=5, problems=30)
    _, order = sort_problems(made.samples, 3)
    _, again = sort_problems(poisoned(made.samples, seed), 3)
    assert [b.kept.tolist() for b in again.buckets] == [b.kept.tolist() for b in order.buckets]
    assert not order.chosen_on_fit.any()


def test_buckets_go_from_easy_to_hard_in_equal_shares() -> None:
    made = planted(0, problems=32, held_out=2)
    fitted = fit(made.samples, 3)
    assert [len(b.problems) + b.dropped for b in fitted.buckets] == [11, 11, 10]
    truth = [made.law[[int(p[1:]) for p in b.problems], 0].mean() for b in fitted.buckets]
    assert truth == sorted(truth)
    assert sorted(sum((b.problems for b in fitted.buckets), ())) == sorted(fitted.overall.problems)


def test_sorting_on_the_fitted_attempts_makes_the_easy_look_easier() -> None:
    """Regression to the mean: problems all alike, so whatever a bucket shows is luck."""
    held_out, leaked = [], []
    for seed in range(30):
        made = planted(seed, spread=0.0, luck=0.0, run=0.0, top=3.0, problems=30)
        small = [s for s in made.samples if s.compute == COMPUTES[0]]
        same = {s.problem: s.passed for s in small if s.split == "fit"}
        cheat = [replace(s, passed=same[s.problem]) if s.split == "bucket" else s for s in small]
        larger = [s for s in made.samples if s.compute > COMPUTES[0] and s.split == "fit"]
        for samples, means_ in ((small, held_out), (cheat, leaked)):
            easy = fit([*samples, *larger], 3).buckets[0]
            means_.append(easy.rungs.mean[0])
    assert np.mean(held_out) == pytest.approx(3.0, abs=0.06)
    assert np.mean(leaked) < 2.8


def test_problems_that_are_not_solved_are_counted() -> None:
    made = planted(0, problems=12, held_out=2)

    def change(s: Sample) -> Sample:
        unsolved = s.problem in ("p000", "p001") and s.split == "bucket"
        failed_small = s.problem == "p002" and s.split == "bucket" and s.compute == COMPUTES[0]
        failed_large = s.problem == "p003" and s.compute == COMPUTES[4]
        unlucky = s.problem == "p004" and s.split == "fit" and s.compute == COMPUTES[0]
        return replace(s, passed=0) if unsolved or failed_small or failed_large or unlucky else s

    fitted = fit([change(s) for s in made.samples])
    assert fitted.order.set_aside == ("p000", "p001")
    assert fitted.overall.dropped == 2
    assert fitted.order.costs[float(COMPUTES[0])] == fitted.order.costs[float(COMPUTES[4])] == 1
    assert "p004" in fitted.overall.problems, "solved in held-out attempts: a fitted count of 0 stays"
    assert fitted.order.chosen_on_fit.tolist() == [False, False, True, True, True]


def test_min_passed_counts_all_held_out_runs_together() -> None:
    made = planted(0, problems=12, held_out=5, runs=2)
    samples = [replace(s, passed=min(s.passed, 2)) if s.problem == "p000" else s for s in made.samples]
    assert "p000" in fit(samples, min_passed=4).overall.problems
    assert "p000" not in fit(samples, min_passed=5).overall.problems


def test_without_held_out_attempts_there_is_one_bucket_and_a_warning() -> None:
    fitted = fit(planted(0, held_out=0, problems=40).samples, 4)
    assert fitted.buckets == ()
    assert any("no rows with split=bucket" in note for note in fitted.notes)
    assert fitted.order.chosen_on_fit.all()
