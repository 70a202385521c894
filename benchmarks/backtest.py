"""How good forecasts of loss are: public exercises beside three baselines, sources left out, and planted laws.

    python benchmarks/backtest.py ../shared/data/forecast/exercises.csv --write

Left out: for each source, the priors are chosen from CHOICES by the likelihood of the other sources' targets alone, and
its own exercises are forecast with them. Planted: ladders of 7 budgets over 3 decades, the target 100 times beyond,
laws drawn as PLANTED says, noise of a run 0.1 to 0.5 %, two runs a budget.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from harness.report import entry, options, publish, table

from presage.forecast import backtest, law, least_squares
from presage.forecast.points import summarise
from presage.forecast.prior import Prior

CHOICES = [
    Prior(floor_shares=((12.0, 0.29), (17.0, share)), floor_spread=spread, exponent=b, wander=wander)
    for share, spread, b, wander in itertools.product((0.55, 0.6, 0.7), (0.25, 0.4), (0.2, 0.3), (0.02, 0.04))
]
PLANTED = {"exponent": (0.12, 0.45), "floor's share": (0.5, 0.72), "noise": (0.001, 0.005)}
LADDERS = 1000


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("exercises", type=Path, nargs="?", help="without it: a few planted ladders only")
    parser.add_argument("--ladders", type=int)
    args = parser.parse_args()
    parts = _public(args.exercises) if args.exercises else []
    parts += [_planted(args.ladders or (LADDERS if args.exercises else 40)), _speed()]
    publish("backtest", "Forecasts of loss", parts, write=args.write)


def _public(path: Path) -> list[str]:
    exercises, truth = backtest.exercises(path), backtest.truths(path)
    start = time.perf_counter()
    forecasts = [backtest.predict(exercise) for exercise in exercises]
    took = f"{len(exercises)} exercises with baselines: {time.perf_counter() - start:.1f} s on one core."
    return [_score_table(backtest.scores(forecasts, truth)), took, _left_out(exercises, truth)]


def _score_table(scores: Sequence[tuple[str, list[backtest.Score]]]) -> str:
    rows = [
        [
            name,
            s.name,
            str(s.count),
            f"{s.median:.2f}",
            f"{s.p90:.2f}",
            f"{s.covered} of {s.count}" if s.covered is not None else "",
            f"{s.half_width:.2f}" if s.half_width is not None else "",
            f"{s.crps:.2f}",
        ]
        for name, lines in scores
        for s in lines
    ]
    head = [
        "extrapolation",
        "method",
        "n",
        "median error, %",
        "90th percentile, %",
        "inside 90 %",
        "half-width, %",
        "CRPS, %",
    ]
    return table(head, rows) + "\n\nErrors, half-widths (90 % intervals) and CRPS in per cent of the loss."


def _left_out(exercises: Sequence[backtest.Exercise], truth: dict[str, float]) -> str:
    """Each source forecast with priors chosen without it; all together in the last row."""
    likelihood = np.array([[_log_density(e, truth[e.name], prior) for e in exercises] for prior in CHOICES])
    sources = [e.source.split("/")[0] for e in exercises]
    rows, everything = [], []
    for source in dict.fromkeys(sources):
        others = np.array([s != source for s in sources])
        prior = CHOICES[int(likelihood[:, others].sum(axis=1).argmax())]
        made = [backtest.predict(e, prior=prior) for e, other in zip(exercises, others, strict=True) if not other]
        everything += made
        rows.append([f"without {source}", *_line(made, truth), _settings(prior)])
    rows.append(["all, each with the priors of the others", *_line(everything, truth), ""])
    return table(["priors chosen", "n", "median error, %", "90th percentile, %", "inside 90 %", "chosen"], rows)


def _line(made: Sequence[backtest.Forecast], truth: dict[str, float]) -> list[str]:
    ours = backtest.scores(made, truth)[-1][1][0]
    return [str(ours.count), f"{ours.median:.2f}", f"{ours.p90:.2f}", f"{ours.covered} of {ours.count}"]


def _settings(prior: Prior) -> str:
    share = prior.floor_shares[-1][1]
    return f"share {share:g}, spread {prior.floor_spread:g}, exponent {prior.exponent:g}, wander {prior.wander:g}"


def _log_density(exercise: backtest.Exercise, truth: float, prior: Prior) -> float:
    points, noise = summarise(exercise.runs)
    mean, sd, weight = law.fit(points, noise, prior=prior).mixture(exercise.target)
    density = float((weight * np.exp(-0.5 * ((truth - mean) / sd) ** 2) / sd).sum()) / math.sqrt(2 * math.pi)
    return math.log(max(truth * density, 1e-12))


def _planted(ladders: int) -> str:
    chance = np.random.default_rng(0)
    computes = np.geomspace(1e18, 1e21, 7)
    exact = full = 0
    errors = []
    for _ in range(ladders):
        b, share, noise = (chance.uniform(*PLANTED[key]) for key in PLANTED)
        mean = share + (1 - share) * (computes / computes[-1]) ** -b
        runs = [
            (c, float(m * math.exp(noise * z)))
            for c, m in zip(computes, mean, strict=True)
            for z in chance.normal(size=2)
        ]
        truth = (share + (1 - share) * 100**-b) * math.exp(noise * chance.normal())
        fitted = law.fit(*summarise(runs))
        strict, wide = fitted.predict(1e23, wander=False), fitted.predict(1e23)
        exact += strict.lo <= truth <= strict.hi
        full += wide.lo <= truth <= wide.hi
        errors.append(wide.value / truth - 1)
    rows = [
        ["parameters and noise only", f"{100 * exact / ladders:.1f} %"],
        ["with the wandering slope", f"{100 * full / ladders:.1f} %"],
        ["mean error of the point", f"{100 * float(np.mean(errors)):+.2f} %"],
        ["median of the errors' size", f"{100 * float(np.median(np.abs(errors))):.2f} %"],
    ]
    ranges = ", ".join(f"{name} {lo:g} to {hi:g}" for name, (lo, hi) in PLANTED.items())
    return f"{ladders} planted ladders ({ranges}), 90 % intervals 100 times beyond:\n\n" + table(["", ""], rows)


def _speed() -> str:
    points, noise = summarise([(10.0**d, 2 + 1.2 * 0.7**d) for d in range(18, 24)])
    law.fit(points, noise).predict(1e25)
    start = time.perf_counter()
    law.fit(points, noise).predict(1e25)
    one = time.perf_counter() - start
    start = time.perf_counter()
    least_squares.bootstrap(points, 0.004, 1e25, count=1000)
    rows = [
        ["one fit with interval", f"{one:.3f}"],
        ["1,000 bootstrap refits", f"{time.perf_counter() - start:.3f}"],
    ]
    return table(["one core", "seconds"], rows)


if __name__ == "__main__":
    entry(main)
