"""Planted laws of size and tokens: how often intervals hold, how far off medians are, how well exponents come back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from harness.report import entry, options, publish, table
from scipy.special import expit

from presage.forecast.surface import PRIOR_ALPHA, PRIOR_BETA, SizedPoint, SurfaceFit, SurfaceLaw, fit

Chance = np.random.Generator
Design = Callable[[Chance], list[tuple[float, float]]]
SMALL, LARGE, RATIO = 1e7, 1e9, 20.0
TARGET = (1e10, 2e11)


def grid(sizes: int, *ratios: float) -> Design:
    """`sizes` sizes over two decades, each on every ratio of tokens to parameters."""
    return lambda _: [(float(n), float(n * r)) for n in np.geomspace(SMALL, LARGE, sizes) for r in ratios]


def scattered(count: int) -> Design:
    """Sizes over two decades and tokens over two decades, independently."""
    return lambda c: [(float(10 ** c.uniform(7, 9)), float(10 ** c.uniform(8.5, 10.5))) for _ in range(count)]


DESIGNS: dict[str, Design] = {
    "5 sizes x 5, 20, 80 tokens a parameter": grid(5, 5, 20, 80),
    "6 sizes, decay branches at 0.4 and 0.7": grid(6, 8, 14, 20),
    "8 scattered": scattered(8),
    "30 scattered": scattered(30),
    "7 on one line, 20 tokens a parameter": grid(7, 20),
    "3 sizes x 10, 40": grid(3, 10, 40),
}


@dataclass(frozen=True)
class Trial:
    """One planted law, its fit, and the target run."""

    law: SurfaceLaw
    fit: SurfaceFit
    seen: float
    seconds: float


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sets", type=int, default=10, help="planted laws for each design")
    parser.add_argument("--noise", type=float, default=0.003, help="of one run, relative; given to the fit")
    parser.add_argument("--misfit", type=float, default=0.002, help="of one shape, relative; not given to the fit")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rows = []
    for name, design in DESIGNS.items():
        trials = [trial(design, args.noise, args.misfit, args.seed + i) for i in range(args.sets)]
        rows.append([name, *measures(trials)])
    columns = [
        "points",
        "held by 90 %",
        "bias, %",
        "median error, %",
        "half-width, %",
        "alpha off",
        "beta off",
        "ms a fit",
    ]
    what = (
        f"{args.sets} laws a row: exponents from the prior (at least 0.12), floor 40 to 80 % of the middle's loss, "
        f"gains of size and tokens within a factor of 2 of each other at {RATIO:g} tokens a parameter; sizes 1e7 to "
        f"1e9, noise {args.noise:.1%} and misfit {args.misfit:.1%} a run. The target is one run of 1e10 parameters on "
        "2e11 tokens, 100 times the largest in compute. The law holds there, so drift is left out of the interval."
    )
    publish("surface-planted", "Planted laws of size and tokens", [table(columns, rows), what], write=args.write)


def trial(design: Design, noise: float, misfit: float, seed: int) -> Trial:
    """Plant a law, see it at the design's places, fit, and see the target."""
    chance = np.random.default_rng(seed)
    law = planted(chance)

    def see(n: float, d: float) -> float:
        return law.loss(n, d) * math.exp(chance.normal(0, math.hypot(noise, misfit)))

    points = [SizedPoint(n, d, y := see(n, d), noise * y) for n, d in design(chance)]
    start = time.process_time()
    fitted = fit(points, noise, drift=0.0)
    return Trial(law, fitted, see(*TARGET), time.process_time() - start)


def planted(chance: Chance) -> SurfaceLaw:
    """A law about the middle of the designs, with one nat to gain there."""
    n0, d0 = math.sqrt(SMALL * LARGE), RATIO * math.sqrt(SMALL * LARGE)
    alpha, beta = (float(np.clip(chance.normal(*prior), 0.12, 0.8)) for prior in (PRIOR_ALPHA, PRIOR_BETA))
    split = float(expit(chance.normal(0, 0.7) - math.log(alpha / beta)))
    share = float(chance.uniform(0.4, 0.8))
    return SurfaceLaw(e=share / (1 - share), a=split * n0**alpha, alpha=alpha, b=(1 - split) * d0**beta, beta=beta)


def measures(trials: list[Trial]) -> list[str]:
    """The cells of one row."""
    predicted = [t.fit.predict(*TARGET) for t in trials]
    held = np.mean([p.lo <= t.seen <= p.hi for p, t in zip(predicted, trials, strict=True)])
    error = np.array([p.value / t.law.loss(*TARGET) - 1 for p, t in zip(predicted, trials, strict=True)])
    width = np.median([p.half_width / p.value for p in predicted])
    exponents = [
        np.median([abs(getattr(t.fit.law, name) - getattr(t.law, name)) for t in trials]) for name in ("alpha", "beta")
    ]
    texts = [f"{100 * held:.1f} %", *(f"{100 * v:.2f}" for v in (error.mean(), np.median(np.abs(error)), width))]
    return [*texts, *(f"{v:.3f}" for v in exponents), f"{1000 * np.median([t.seconds for t in trials]):.0f}"]


if __name__ == "__main__":
    entry(main)
