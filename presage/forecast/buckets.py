"""Which problems the capability law is about, and −log(pass rate) from counts.

GPT-4's report (§3.2) leaves out the 15 hardest HumanEval problems, splits the others into six buckets by how smaller
models did, and keeps problems that every model solves at least once. Its easiest bucket came out worse than promised,
which is what regression to the mean does: among problems sorted by noisy scores the "easiest" are those on which the
small models were lucky, and luck is not passed on. Hence the split column. Problems are sorted and selected on
held-out attempts (split=bucket), and the law sees only others (split=fit), whose noise had no part in the sorting.
Held-out attempts cannot remove a model's own lucky problems, which show in both halves of its attempts. Sorting by
several models, best by runs that are not fitted, dilutes that; what is left is estimated and taken off
(`expected_luck`).

Where a model has no held-out attempts, its fitted ones must decide whether it solves a problem. Then the counts that
were kept are too good, and the estimate allows for it (`neg_log_rate`, `least`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from presage.core.errors import DataError
from presage.forecast.samples import BUCKET, FIT, Sample

Array = np.ndarray

BUCKETS = 6  # as in GPT-4's report
FEWEST = 10  # problems in a bucket, before the number of buckets is lowered
# A zero-truncated count gets this many corrected values, found on pass rates with this many passes expected.
CORRECTED, EXPECTED = 4, np.geomspace(1.0, 60.0, 80)


@dataclass(frozen=True)
class Counts:
    """Attempts of every model at every problem: arrays of shape (problems, models).

    A model is a (compute, run); models stand in order of compute. `nll` is None unless given for every cell.
    """

    problems: tuple[str, ...]
    models: tuple[tuple[float, str], ...]
    n: Array
    passed: Array
    nll: Array | None
    nll_partly: bool = False

    @property
    def computes(self) -> Array:
        """Compute of each model, FLOPs."""
        return np.array([compute for compute, _ in self.models])

    def only(self, rows: Array) -> Counts:
        """The same for some problems; `rows` are indices."""
        names = tuple(self.problems[i] for i in rows)
        nll = None if self.nll is None else self.nll[rows]
        return Counts(names, self.models, self.n[rows], self.passed[rows], nll, self.nll_partly)


@dataclass(frozen=True)
class Bucket:
    """Problems of like difficulty: those kept, by index into the fitted counts, and how many were dropped."""

    name: str
    kept: Array
    dropped: int


@dataclass(frozen=True)
class Sorted:
    """All problems and the buckets, easiest first.

    `set_aside` are never solved in any held-out attempt, `solvable` are the others (indices, easiest first).
    `chosen_on_fit` marks fitted models whose own fitted attempts decided what was kept; `costs` maps compute to the
    number of problems that were not solved there.
    """

    overall: Bucket
    buckets: tuple[Bucket, ...]
    set_aside: tuple[str, ...]
    solvable: Array
    chosen_on_fit: Array
    costs: dict[float, int]
    held_out: Counts | None


def count(samples: Sequence[Sample], split: str) -> Counts | None:
    """The attempts of one split as arrays, None if it has none. DataError when a model lacks a problem."""
    cells = {(s.problem, (s.compute, s.run)): s for s in samples if s.split == split}
    if len(cells) != sum(s.split == split for s in samples):
        raise DataError(f"the same problem, compute and run stands twice with split={split}")
    problems = tuple(sorted({problem for problem, _ in cells}))
    models = tuple(sorted({model for _, model in cells}))
    for problem in problems:
        for compute, run in models:
            if (problem, (compute, run)) not in cells:
                raise DataError(
                    f"problem '{problem}' has no row with split={split} at {compute:g} FLOPs, run '{run}'",
                    hint="a mean over problems needs the same problems for every model",
                )
    if not cells:
        return None
    rows = [[cells[problem, model] for model in models] for problem in problems]
    nll = [[s.nll for s in row] for row in rows]
    missing = sum(value is None for row in nll for value in row)
    return Counts(
        problems,
        models,
        np.array([[float(s.n) for s in row] for row in rows]),
        np.array([[float(s.passed) for s in row] for row in rows]),
        np.array(nll, float) if missing == 0 else None,
        0 < missing < len(cells),
    )


def sort_problems(
    samples: Sequence[Sample], n_buckets: int | None = None, min_passed: int = 1
) -> tuple[Counts, Sorted]:
    """The fitted counts and the buckets: sorted on split=bucket alone, in equal shares, ties in order of name.

    A problem is solved at a compute if the held-out attempts there pass at least `min_passed` times, all runs
    together; where there are none, if each run's fitted attempts do. Without any held-out attempts: one bucket.
    """
    fitted, held_out = count(samples, FIT), count(samples, BUCKET)
    if fitted is None:
        raise DataError("no rows with split=fit", hint="rows with split=bucket only sort problems into buckets")
    if min_passed < 1:
        what, hint = f"min_passed {min_passed} must be at least 1", "log of a pass rate of 0 is not a number"
        raise DataError(what, where="--min-passed", hint=hint)
    hardness, ever = np.zeros(len(fitted.problems)), np.ones(len(fitted.problems), bool)
    if held_out is not None:
        _check_same(fitted, held_out)
        hardness = neg_log_rate(held_out.n, held_out.passed).mean(axis=1)
        ever = held_out.passed.sum(axis=1) > 0
    solved, chosen_on_fit = _solved(fitted, held_out, min_passed)
    order = np.array([i for i in np.argsort(hardness, kind="stable") if ever[i]], int)
    if not solved[order].all(axis=1).any():
        raise DataError(
            f"no problem has at least {min_passed} passes by every model",
            hint="sample more, leave the smallest models out, or choose easier problems",
        )
    number = _number(n_buckets, int(solved[order].all(axis=1).sum()))
    number = number if held_out is not None else 1
    parts = [_bucket(str(i + 1), part, solved) for i, part in enumerate(np.array_split(order, number))]
    computes = np.unique(fitted.computes)
    costs = {float(c): int((~solved[order, i]).sum()) for i, c in enumerate(computes)}
    aside = tuple(name for name, some in zip(fitted.problems, ever, strict=True) if not some)
    overall = _bucket("all", order, solved)
    return fitted, Sorted(overall, tuple(parts), aside, order, chosen_on_fit, costs, held_out)


def expected_luck(fitted: Counts, order: Sorted, luck: float) -> Array:
    """The luck of each fitted model (columns) with each problem, in log(−log p), as far as held-out attempts tell.

    Sorting and selection saw nothing but held-out attempts, so the luck to expect from those is all the luck that they
    can have picked: zero for a model without any, and for the target. Taken is that log(−log p) in held-out attempts,
    less its mean over problems, is hardness plus luck (of variance `luck`) plus counting noise, all normal. Returned is
    the logarithm of what to divide −log p by, so that its mean given the held-out attempts is that of a model with the
    luck of any other: exp(E[luck]) but for variances, and hardness and luck being known together only.
    """
    expected = np.zeros(fitted.n.shape)
    if order.held_out is None:
        return expected
    value, variance = _log_hardness(order.held_out)
    value = value - value[order.solvable].mean(axis=0)
    precision = 1 / (luck + variance)
    raw = (precision * value).sum(axis=1) / precision.sum(axis=1)
    spread = max(float((raw**2 - 1 / precision.sum(axis=1))[order.solvable].mean()), 1e-9)
    total = precision.sum(axis=1, keepdims=True) + 1 / spread
    off = luck * precision * (value - (precision * value).sum(axis=1, keepdims=True) / total)
    off -= luck**2 * precision * (1 - precision / total) / 2 + luck * precision / total
    for column, model in enumerate(order.held_out.models):
        expected[:, [i for i, other in enumerate(fitted.models) if other == model]] = off[:, [column]]
    return expected


def neg_log_rate(n: Array, passed: Array, least: int | Array = 0) -> Array:
    """Estimates of −log p, in nats, from `passed` successes in `n` attempts at p; any shape.

    psi(n+1) − psi(passed+1), whose mean is the sum of (1−p)^j/j for j = 1..n: the series of −log p cut off at n. It
    falls short by 0.01 nat where 3 passes are expected and 0.2 where 1 is, and has a value at 0 passes. Chosen by
    simulation (benchmarks/capability_planted.py): log((n+1/2)/(passed+1/2)) is off by a little less but scatters more,
    posterior means and the plain logarithm are off by ten times as much.
    `least` > 0 says that the count was kept only because it is at least that: the first few values are then corrected
    so that the mean over counts of at least `least` is −log p again, to 0.03 nat where 1 pass is expected or more.
    """
    n, passed, least = np.broadcast_arrays(np.asarray(n, float), np.asarray(passed, float), np.asarray(least))
    values = np.asarray(digamma(n + 1) - digamma(passed + 1), float)
    for attempts, threshold in {(float(a), int(t)) for a, t in zip(n.ravel(), least.ravel(), strict=True) if t > 0}:
        here = (n == attempts) & (least == threshold)
        steps = (passed[here] - threshold).astype(int)
        table = np.append(_truncation(attempts, threshold), 0.0)
        values[here] += table[np.minimum(steps, len(table) - 1)]
    return values


def neg_log_rate_variance(n: Array, passed: Array) -> Array:
    """Variance of `neg_log_rate` through counting: psi'(passed+1) − psi'(n+2), that of log p under Beta(k+1, n−k+1).

    Within 5 % of the true variance from 4 expected passes on, above it with fewer.
    """
    return np.asarray(polygamma(1, np.asarray(passed, float) + 1) - polygamma(1, np.asarray(n, float) + 2), float)


def _truncation(n: float, least: int) -> Array:
    """What to add to the estimate at counts least, least+1, …: least squares over pass rates, slightly damped."""
    highest = int(min(n, 200))
    rate = EXPECTED[EXPECTED / n < 0.9] / n
    k = np.arange(least, highest + 1)
    log_choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    log_weight = log_choose + k * np.log(rate[:, None]) + (n - k) * np.log1p(-rate[:, None])
    weight = np.exp(log_weight)
    weight /= weight.sum(axis=1, keepdims=True)
    short = -np.log(rate) - weight @ (digamma(n + 1) - digamma(k + 1))
    features = weight[:, :CORRECTED]
    damping = 0.03 * np.eye(features.shape[1])
    target = np.concatenate([short, np.zeros(features.shape[1])])
    return np.asarray(np.linalg.lstsq(np.vstack([features, damping]), target, rcond=None)[0], float)


def _solved(fitted: Counts, held_out: Counts | None, min_passed: int) -> tuple[Array, Array]:
    """(problems, computes) solved or not, and for each model whether its fitted attempts decided that."""
    computes = np.unique(fitted.computes)
    columns = []
    on_fit = np.ones(len(fitted.models), bool)
    for compute in computes:
        here = fitted.computes == compute
        tested = held_out is not None and (held_out.computes == compute).any()
        if held_out is not None and tested:
            columns.append(held_out.passed[:, held_out.computes == compute].sum(axis=1) >= min_passed)
            on_fit[here] = False
        else:
            columns.append((fitted.passed[:, here] >= min_passed).all(axis=1))
    return np.stack(columns, axis=1), on_fit


def _log_hardness(held_out: Counts) -> tuple[Array, Array]:
    """log(−log p) and its counting variance."""
    variance = neg_log_rate_variance(held_out.n, held_out.passed)
    value = neg_log_rate(held_out.n, held_out.passed) + np.sqrt(variance)  # the error: never failed has a log too
    return np.log(value), variance / value**2


def _check_same(fitted: Counts, held_out: Counts) -> None:
    for problem in sorted(set(fitted.problems) ^ set(held_out.problems)):
        missing = BUCKET if problem in fitted.problems else FIT
        raise DataError(
            f"problem '{problem}' has no rows with split={missing}",
            hint="sort every problem on held-out attempts, or none",
        )


def _number(wanted: int | None, kept: int) -> int:
    """Of buckets: as many as wanted, or else up to BUCKETS that hold enough. DataError for a wish out of range."""
    if wanted is not None and not 1 <= wanted <= kept:
        hint = f"from 1 to {kept}, the number of problems that count"
        raise DataError(f"{wanted} buckets", where="--buckets", hint=hint)
    return wanted or max(1, min(BUCKETS, kept // FEWEST))


def _bucket(name: str, rows: Array, solved: Array) -> Bucket:
    fine = solved[rows].all(axis=1)
    return Bucket(name, rows[fine], int((~fine).sum()))
