"""The law of capability against compute, −E_P[log pass_rate(C)] = alpha C^(−k), with an interval.

GPT-4's report (§3.2): the mean over a set P of problems is of the logarithm (natural here), so a problem solved once in
a thousand attempts counts, and so P holds only problems that every model solves at least once. What the report does not
print is how wrong the forecast may be. Here the answer is the whole posterior, summed over a grid as in law.py (alpha
exactly; k and the misfit tau over the grid), and the interval is for one new model, tested with as many attempts:

- counting: a model's −log p is known from n attempts a problem (buckets.neg_log_rate);
- luck of a model with single problems, seen as scatter about the problems' own trends, and luck of a model as a whole,
  seen where runs were repeated at one compute; both lean on a prior where there is little to see;
- misfit of the law at one compute; beyond the data a drift of so much a decade, and more where the exponents of single
  problems are seen to differ, since a mean of powers flattens.

Which problems are in P is not among them: a forecast is for these problems, the same for every model.

C is taken in units of the geometric mean of the fitted computes (`reference`), where alpha is best known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from presage.core.errors import DataError
from presage.forecast import covariate
from presage.forecast.buckets import (
    Bucket,
    Counts,
    Sorted,
    count,
    expected_luck,
    neg_log_rate,
    neg_log_rate_variance,
    sort_problems,
)
from presage.forecast.law import Estimate
from presage.forecast.mixture import quantiles
from presage.forecast.rungs import Cells, Rungs, posterior, problem_noise, run_noise, rungs, scales
from presage.forecast.samples import FIT, Sample
from presage.forecast.table import HUGE, TINY

Array = np.ndarray

FORM = "-E[log pass_rate] = alpha*(C/reference)^-k"
# What a law of this form may be off by per decade beyond the data, relative, one standard deviation, on top of what
# different exponents of the problems do to it.
DRIFT_PER_DECADE = 0.03
NARROWEST = 1.5  # largest compute over smallest, below which no slope can be read off
FEWEST = 3  # problems kept, below which a bucket is not fitted by itself
NODES, SHARES = np.polynomial.hermite_e.hermegauss(7)  # a standard normal as seven values with probabilities
SHARES = SHARES / SHARES.sum()
# Thresholds of warnings.
MODELS, PROBLEMS, FAR, NEAR_ONE, RARE, RISE = 4, 10, 100.0, 0.05, 0.25, 2.0


@dataclass(frozen=True)
class LawFit:
    """The law through one bucket.

    `scales` (problems,) are the problems' −log p over the mean of all, shrunk, and `doubt` is the relative variance
    left about those. `noise` is the relative variance of one run's mean, `luck` that of one run at one problem,
    `exponents` the variance of the problems' exponents about k. `rare` is the share of counts that are 0 or 1; `second`
    is the law through likelihoods, where the samples allow one.
    """

    name: str
    problems: tuple[str, ...]
    dropped: int
    rungs: Rungs
    reference: float
    scales: Array
    doubt: float
    noise: float
    luck: float
    exponents: float
    n: float
    rare: float
    cells: Cells
    second: covariate.CovariateFit | None

    def predict(self, compute: float, level: float = 0.9, *, new_run: bool = True, n: float | None = None) -> Estimate:
        """Mean −log pass rate (nats) at `compute` FLOPs: median and central interval.

        Of one new model tested with `n` attempts a problem (default: as many as those fitted), or of the law's mean.
        """
        if n is not None and not n >= 1:
            raise DataError(f"n {n} must be at least 1", hint="attempts a problem")
        mean, relative = self._components(compute, self.noise if new_run else None)
        relative = relative + (self._counting(mean, n or self.n) / mean**2 if new_run else 0.0)
        lo, mid, hi = quantiles(mean, relative, self.cells.weight, level)
        return Estimate(mid, lo, hi, level)

    def pass_at(self, k: int, compute: float, level: float = 0.9, n: float | None = None) -> Estimate:
        """Mean pass@k of a new model.

        Assumes that problems move along the bucket's law, each with its own share of the mean (shrunk towards 1 by how
        well it is known) and lognormally around that: by luck, by what is not known of the share, and the further
        away the more by exponents of their own. In the interval are what the mean may be for all problems together, and
        those and counting for each.
        """
        if k < 1:
            raise DataError(f"pass@{k}", where="--pass-at", hint="a number of attempts, at least 1")
        together = max(0.0, self.noise - self.luck * float((self.scales**2).mean()) / len(self.scales))
        lo, mid, hi = quantiles(*self._components(compute, together), self.cells.weight, level)
        spread = math.sqrt(self.luck + self.doubt + self.exponents * math.log(compute / self.reference) ** 2)
        (value, variance), (least, _), (most, _) = (self._pass_at(k, m, spread, n or self.n) for m in (mid, hi, lo))
        each = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
        below, above = math.hypot(value - least, each), math.hypot(most - value, each)
        return Estimate(value, max(0.0, value - below), min(1.0, value + above), level)

    def exponent(self, level: float = 0.9) -> Estimate:
        """k: posterior median and interval."""
        lo, mid, hi = self.cells.exponent(level)
        return Estimate(mid, lo, hi, level)

    def alpha(self, level: float = 0.9) -> Estimate:
        """The law's −E[log pass rate] at the reference compute."""
        lo, mid, hi = quantiles(self.cells.a, self.cells.a_relative, self.cells.weight, level)
        return Estimate(mid, lo, hi, level)

    def by_likelihood(self, compute: float, level: float = 0.9) -> Estimate | None:
        """What the law through likelihoods says (covariate.py)."""
        if self.second is None:
            return None
        counting = self._counting(np.array([self.predict(compute).value]), self.n)
        return self.second.predict(compute, level, float(counting[0]))

    def as_dict(self) -> dict[str, Any]:
        """Plain data: everything that `predict` and `pass_at` rest on but the grid, which follows from it."""
        return {
            "name": self.name,
            "problems": list(self.problems),
            "dropped": self.dropped,
            "reference": self.reference,
            "alpha": asdict(self.alpha()),
            "k": asdict(self.exponent()),
            "compute": self.rungs.compute.tolist(),
            "mean": self.rungs.mean.tolist(),
            "counting_variance": self.rungs.counting.tolist(),
            "runs": self.rungs.runs.tolist(),
            "scales": self.scales.tolist(),
            "relative_noise_variance": self.noise,
            "doubt": self.doubt,
            "relative_luck_variance": self.luck,
            "exponents_variance": self.exponents,
            "n": self.n,
        }

    def _components(self, compute: float, noise: float | None) -> tuple[Array, Array]:
        """Mean and relative variance in each cell, of a run with this `noise` or (None) of the law."""
        if not TINY < compute < HUGE:
            raise DataError(f"cannot predict at {compute} FLOPs", hint="compute is in FLOPs, for example 1e24")
        cells = self.cells
        mean = np.maximum(cells.a * np.exp(-cells.k * math.log(compute / self.reference)), 1e-100)
        beyond = max(0.0, math.log(compute / self.rungs.compute[-1]))
        # Where exponents differ, log of a mean of powers is convex: so much above the chord through the data's ends.
        flattening = self.exponents / 2 * beyond * math.log(compute / self.rungs.compute[0])
        relative = cells.a_relative + (DRIFT_PER_DECADE * beyond / math.log(10)) ** 2 + flattening**2
        return mean, relative + (0.0 if noise is None else noise + cells.tau**2)

    def _counting(self, mean: Array, n: float) -> Array:
        """Counting variance of the mean over problems: (1/p − 1)/n for each."""
        each = np.expm1(np.minimum(self.scales * mean[:, None], 30.0)) / n
        return np.asarray(each.mean(axis=1) / len(self.scales))

    def _pass_at(self, k: int, mean: float, spread: float, n: float) -> tuple[float, float]:
        """Mean pass@k over problems where −log p has this mean, and its variance by what is each problem's own."""
        p = np.exp(-mean * self.scales[:, None] * np.exp(spread * NODES - spread**2 / 2))
        never = np.exp(k * np.log1p(-np.minimum(p, 1 - 1e-15)))
        counting = (k * never) ** 2 * p / np.maximum(1 - p, 1e-15) / n
        expected = (never * SHARES).sum(axis=1)
        variance = ((never**2 + counting) * SHARES).sum(axis=1) - expected**2
        return 1 - float(expected.mean()), float(np.maximum(variance, 0.0).mean()) / len(p)


@dataclass(frozen=True)
class CapabilityFit:
    """The law through all kept problems, and through each bucket, easiest first (none if there is one bucket)."""

    overall: LawFit
    buckets: tuple[LawFit, ...]
    order: Sorted
    min_passed: int
    notes: tuple[str, ...]

    @property
    def laws(self) -> tuple[LawFit, ...]:
        """The overall law and the buckets'."""
        return self.overall, *self.buckets

    def predict(self, compute: float, level: float = 0.9, *, new_run: bool = True, n: float | None = None) -> Estimate:
        """As LawFit.predict, over all kept problems."""
        return self.overall.predict(compute, level, new_run=new_run, n=n)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a sealed forecast: which problems, which law, from what."""
        return {
            "form": FORM,
            "min_passed": self.min_passed,
            "set_aside": list(self.order.set_aside),
            "laws": [law.as_dict() for law in self.laws],
            "notes": list(self.notes),
        }


def fit(samples: Sequence[Sample], buckets: int | None = None, min_passed: int = 1) -> CapabilityFit:
    """The capability law through graded samples of two or more computes.

    `buckets` as in buckets.sort_problems (default: up to 6, of 10 problems or more); `min_passed`: how many passes
    count as solving a problem. DataError naming problem and model where the samples do not fit together.
    """
    counts, order = sort_problems(samples, buckets, min_passed)
    computes = np.unique(counts.computes)
    if computes[-1] < NARROWEST * computes[0]:
        raise DataError(
            f"{len(computes)} different compute(s), a factor of {computes[-1] / computes[0]:.3g} in all",
            hint=f"a law needs at least 2, and a factor of {NARROWEST:g}",
        )
    least = np.where(order.chosen_on_fit, min_passed, 0)
    parts = [b for b in order.buckets if len(b.kept) >= FEWEST] if len(order.buckets) > 1 else []
    overall = _fit(counts, order.overall, least)
    lucky = expected_luck(counts, order, overall.luck)
    overall, *fitted = (_fit(counts, bucket, least, lucky) for bucket in (order.overall, *parts))
    return CapabilityFit(overall, tuple(fitted), order, min_passed, tuple(_notes(counts, order, min_passed)))


def measured(fitted: CapabilityFit, samples: Sequence[Sample], compute: float) -> dict[str, tuple[float, float]]:
    """{bucket: (mean −log pass rate, its counting error)} from the fit rows at one compute, to score a forecast with.

    Of one model, on the problems that the law is about, by the same estimator; none is left out for being failed.
    """
    counts = count([s for s in samples if s.compute == compute], FIT)
    models = len(counts.models) if counts else 0
    if counts is None or models != 1:
        raise DataError(f"{models} models at {compute:g} FLOPs", hint="score one at a time")
    row = {problem: i for i, problem in enumerate(counts.problems)}
    missing = [problem for problem in fitted.overall.problems if problem not in row]
    if missing:
        raise DataError(f"no row with split=fit at {compute:g} FLOPs for problem '{missing[0]}'")

    def one(law: LawFit) -> tuple[float, float]:
        rows = [row[problem] for problem in law.problems]
        n, passed = counts.n[rows, 0], counts.passed[rows, 0]
        error = math.sqrt(float(neg_log_rate_variance(n, passed).sum())) / len(rows)
        return float(neg_log_rate(n, passed).mean()), error

    return {law.name: one(law) for law in fitted.laws}


def forecast(
    fitted: CapabilityFit, compute: float, level: float = 0.9, pass_at: int | None = None
) -> list[dict[str, Any]]:
    """One plain object for each bucket, the overall one first: what `presage forecast capability --json` prints."""
    return [_facts(fitted, law, compute, level, pass_at) for law in fitted.laws]


def warnings(law: LawFit, compute: float) -> list[str]:
    """What a reader should know before trusting the number, in words."""
    return list(_doubts(law, compute))


def _fit(every: Counts, bucket: Bucket, least: Array, lucky: Array | None = None) -> LawFit:
    """The law through one bucket. `least` (models,) as in neg_log_rate; `lucky` (problems, models) is taken off."""
    counts = every.only(bucket.kept)
    rates, variance = neg_log_rate(counts.n, counts.passed, least), neg_log_rate_variance(counts.n, counts.passed)
    luck, exponents = problem_noise(np.log(counts.computes), rates, variance)
    second = _second(counts, rates)  # its likelihoods know of the luck
    rates = rates if lucky is None else rates * np.exp(-lucky[bucket.kept])
    ladder = rungs(counts.computes, rates, variance)
    reference = math.exp(float(np.log(ladder.compute).mean()))
    shares, doubt = scales(rates, variance, luck)
    noise = run_noise(counts.computes, ladder, rates, variance, luck * float((shares**2).mean()) / len(rates))
    return LawFit(
        name=bucket.name,
        problems=counts.problems,
        dropped=bucket.dropped,
        rungs=ladder,
        reference=reference,
        scales=shares,
        doubt=doubt,
        noise=noise,
        luck=luck,
        exponents=exponents,
        n=float(np.median(counts.n)),
        rare=float((counts.passed <= 1).mean()),
        cells=posterior(np.log(ladder.compute / reference), ladder, noise),
        second=second,
    )


def _second(counts: Counts, rates: Array) -> covariate.CovariateFit | None:
    """None where nll is not given for all, or has no law (fewer than three computes, or it does not fall)."""
    if counts.nll is None:
        return None
    try:
        return covariate.fit(counts.computes, counts.nll, rates)
    except DataError:
        return None


def _facts(fitted: CapabilityFit, law: LawFit, compute: float, level: float, pass_at: int | None) -> dict[str, Any]:
    expected, second = law.predict(compute, level), law.by_likelihood(compute, level)
    return {
        "compute": compute,
        "bucket": law.name,
        "value": expected.value,
        "lo": expected.lo,
        "hi": expected.hi,
        "level": level,
        "unit": "nats",
        "pass_rate": asdict(pass_rate(expected)),
        "law": {
            "form": FORM,
            "alpha": asdict(law.alpha(level)),
            "k": asdict(law.exponent(level)),
            "reference": law.reference,
        },
        "by_likelihood": asdict(second) if second else None,
        "pass_at": {"k": pass_at} | asdict(law.pass_at(pass_at, compute, level)) if pass_at is not None else None,
        "problems": {
            "kept": len(law.problems),
            "dropped": law.dropped,
            "set_aside": len(fitted.order.set_aside),
            "min_passed": fitted.min_passed,
        },
        "n": law.n,
        "n_models": int(law.rungs.runs.sum()),
        "extrapolation": compute / float(law.rungs.compute[-1]),
        "method": "grid posterior of alpha, k and misfit; counting, luck, run noise and drift in the interval",
        "warnings": [*fitted.notes, *_doubts(law, compute)],
    }


def pass_rate(expected: Estimate) -> Estimate:
    """The geometric mean over problems of the pass rate, exp(−mean)."""
    return Estimate(math.exp(-expected.value), math.exp(-expected.hi), math.exp(-expected.lo), expected.level)


def _doubts(law: LawFit, compute: float) -> Iterator[str]:
    ladder, ratio = law.rungs, compute / float(law.rungs.compute[-1])
    if len(ladder.compute) < MODELS:
        yield f"only {len(ladder.compute)} computes were fitted: the interval leans on the priors"
    if len(law.problems) < PROBLEMS:
        yield f"only {len(law.problems)} problems: luck with single ones moves the mean"
    if law.rare > RARE:
        yield f"{law.rare:.0%} of the counts are 0 or 1 passes: sample more, or leave the smallest models out"
    error = np.sqrt(ladder.counting + ladder.mean**2 * law.noise / ladder.runs)
    rises = np.diff(ladder.mean) > RISE * np.hypot(error[1:], error[:-1])
    for small, large in zip(ladder.compute[:-1][rises], ladder.compute[1:][rises], strict=True):
        yield f"not monotone: worse at {large:.3g} than at {small:.3g} FLOPs, by more than noise explains"
    if law.exponent().lo <= 0:
        yield "k may be zero or negative: that these problems get easier with compute is not established"
    if ladder.mean[-1] < NEAR_ONE:
        yield "saturated: the largest model passes nearly always, and the law rests on its few failures"
    if ratio > FAR:
        yield f"the target is {ratio:,.0f} times the largest fitted compute"


def _notes(counts: Counts, order: Sorted, min_passed: int) -> Iterator[str]:
    """What went on before the fit."""
    kept, dropped = len(order.overall.kept), order.overall.dropped
    if order.held_out is None:
        yield "no rows with split=bucket: one bucket, of problems chosen by the attempts that are fitted"
    small = [b.name for b in order.buckets if len(b.kept) < FEWEST and len(order.buckets) > 1]
    if small:
        yield f"fewer than {FEWEST} problems are kept in bucket {', '.join(small)}: fitted only with the others"
    if dropped > kept:
        worst = max(order.costs, key=lambda c: order.costs[c])
        yield (
            f"{dropped} of {kept + dropped} problems are dropped, {order.costs[worst]} of them for fewer than "
            f"{min_passed} passes at {worst:.3g} FLOPs: the law is about the easier ones"
        )
    if counts.nll_partly:
        yield "nll is missing in some rows with split=fit: no law through likelihoods"
