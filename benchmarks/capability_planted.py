"""The capability law on planted ladders: recovery of alpha and k, coverage of intervals, and what selection does.

A ladder: 5 rungs over two decades, 25 problems, 200 attempts each; three smallest models with held-out attempts; k from
0.1 to 0.35 and mean −log p at the smallest rung from 1.5 to 3; problems' scales lognormal (0.4). The target is one new
model 100 times beyond, tested with 200 attempts: what is scored is its measured mean, not the law's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from harness.report import entry, options, publish, table
from scipy.stats import binom

from presage.forecast.buckets import neg_log_rate
from presage.forecast.capability import LawFit, fit
from presage.forecast.samples import Sample

N = 200
BEYOND = 100.0
EXPECTED = (1, 2, 3, 5, 10, 30)


@dataclass(frozen=True)
class World:
    """How a ladder is drawn. Ranges are uniform; `luck` is a model's with a problem, `run` a model's as a whole."""

    rungs: int = 5
    decades: float = 2.0
    problems: int = 25
    k: tuple[float, float] = (0.1, 0.35)
    top: tuple[float, float] = (1.5, 3.0)
    scales: float = 0.4
    luck: tuple[float, float] = (0.0, 0.0)
    run: tuple[float, float] = (0.0, 0.0)
    exponents: tuple[float, float] = (0.0, 0.0)
    held_out: int = 3
    leaked: bool = False
    """Problems are sorted on the attempts that are fitted."""
    other_runs: bool = False
    """Held-out attempts are those of other runs at the same compute, with luck of their own."""


REAL = World(luck=(0.0, 0.4), run=(0.0, 0.04), exponents=(0.0, 0.05))


@dataclass(frozen=True)
class Ladder:
    """A drawn ladder: samples, the law's −log p (problems, rungs and target), the target's counts, the truth."""

    samples: list[Sample]
    law: np.ndarray
    passed: np.ndarray
    computes: np.ndarray
    k: float

    def kept(self, law: LawFit) -> list[int]:
        """Rows of the problems that the law is about."""
        return [int(name) for name in law.problems]


def draw(world: World, seed: int) -> Ladder:
    """One ladder."""
    chance = np.random.default_rng(seed)
    k, top = chance.uniform(*world.k), chance.uniform(*world.top)
    luck, run, exponents = (chance.uniform(*r) for r in (world.luck, world.run, world.exponents))
    computes = np.geomspace(1e18, 1e18 * 10**world.decades, world.rungs)
    every = np.append(computes, BEYOND * computes[-1])
    scale = np.exp(world.scales * chance.normal(size=world.problems) - world.scales**2 / 2)
    power = np.maximum(k + exponents * chance.normal(size=world.problems), 0.02)
    law = top * scale[:, None] * (every / 1e18) ** -power[:, None]

    def pass_rates() -> np.ndarray:
        off = luck * chance.normal(size=law.shape) + run * chance.normal(size=len(every))
        return np.asarray(np.exp(-law * np.exp(off - (luck**2 + run**2) / 2)))

    p = pass_rates()
    counts = chance.binomial(N, p)
    spare = chance.binomial(N, pass_rates() if world.other_runs else p)
    spare = counts if world.leaked else spare
    name = "other" if world.other_runs else ""
    samples = [
        Sample(str(i), float(c), N, int(counts[i, j]), "fit")
        for i in range(world.problems)
        for j, c in enumerate(computes)
    ]
    samples += [
        Sample(str(i), float(computes[j]), N, int(spare[i, j]), "bucket", run=name)
        for i in range(world.problems)
        for j in range(world.held_out)
    ]
    return Ladder(samples, law, counts[:, -1], computes, float(k))


@dataclass
class Tally:
    """Relative errors and hits over many ladders."""

    k: list[float]
    alpha: list[float]
    error: list[float]
    width: list[float]
    hit: list[bool]
    low: list[bool]
    pass_hit: list[bool]

    @classmethod
    def of(cls, world: World, ladders: int, bucket: int | None = None, buckets: int = 1) -> Tally:
        """Fit `ladders` ladders; with `bucket`, look at that one of `buckets` instead of the overall law."""
        tally = cls([], [], [], [], [], [], [])
        for seed in range(ladders):
            drawn = draw(world, seed)
            fitted = fit(drawn.samples, buckets)
            tally.add(drawn, fitted.overall if bucket is None else fitted.buckets[bucket])
        return tally

    def add(self, drawn: Ladder, law: LawFit) -> None:
        """Score one law."""
        kept, target = drawn.kept(law), BEYOND * drawn.computes[-1]
        middle = np.interp(np.log(law.reference), np.log(drawn.computes), np.log(drawn.law[kept, :-1].mean(axis=0)))
        at, passing = law.predict(target), law.pass_at(1, target)
        seen, passed = float(neg_log_rate(N, drawn.passed[kept]).mean()), drawn.passed[kept].mean() / N
        self.k.append(law.exponent().value / drawn.k - 1)
        self.alpha.append(law.alpha().value / float(np.exp(middle)) - 1)
        self.error.append(at.value / float(drawn.law[kept, -1].mean()) - 1)
        self.width.append(at.half_width / at.value)
        self.hit.append(at.lo <= seen <= at.hi)
        self.low.append(seen < at.lo)
        self.pass_hit.append(passing.lo <= passed <= passing.hi)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--ladders", type=int, default=20, help="planted ladders a row (300 to measure)")
    args = parser.parse_args()
    parts = [
        str(__doc__).split("\n\n")[1].replace("\n", " "),
        f"{args.ladders} ladders a row.",
        "## Recovery\n\n" + recovery(args.ladders),
        "## Intervals of 90 %\n\n" + coverage(args.ladders),
        "## Buckets: the easiest of six, 150 problems, luck 0.3\n\n" + easiest(max(5, args.ladders // 5)),
        "## Bias of estimates of −log p, nats, by the number of passes expected of 200 (exact)\n\n" + estimators(),
        "## Time\n\n" + timing(),
    ]
    publish("capability-planted", "The capability law on planted ladders", parts, write=args.write)


def recovery(ladders: int) -> str:
    """alpha and k, median and 90th percentile of the relative error."""
    worlds = {
        "counting noise alone": World(),
        "and luck 0.2, run noise 2 %": World(luck=(0.2, 0.2), run=(0.02, 0.02)),
        "luck 0 to 0.4, run noise 0 to 4 %, exponents differ by 0 to 0.05": REAL,
    }
    rows = []
    for name, world in worlds.items():
        tally = Tally.of(world, ladders)
        rows.append([name, *_errors(tally.k), *_errors(tally.alpha), f"{np.mean(tally.error):+.1%}"])
    columns = ["noise", "k: median", "90th", "alpha: median", "90th", "mean error of the forecast"]
    return table(columns, rows)


def coverage(ladders: int) -> str:
    """How often the interval holds the new model's measured mean."""
    worlds = {
        "all of it (luck 0 to 0.4, run noise 0 to 4 %, exponents 0 to 0.05)": REAL,
        "counting noise alone": World(),
        "strong luck, 0.4": replace(REAL, luck=(0.4, 0.4)),
        "exponents differ by 0.05": replace(REAL, exponents=(0.05, 0.05)),
        "hard problems (mean −log p of 3.5 at the smallest)": replace(REAL, top=(3.5, 3.5)),
        "the same, no held-out attempts": replace(REAL, top=(3.5, 3.5), held_out=0),
        "3 rungs": replace(REAL, rungs=3),
        "100 problems": replace(REAL, problems=100),
    }
    rows = []
    for name, world in worlds.items():
        t = Tally.of(world, ladders)
        found = [f"{np.mean(t.hit):.1%}", f"{np.mean(t.low):.1%}", f"{np.mean(t.pass_hit):.1%}"]
        rows.append([name, *found, f"{np.median(np.abs(t.error)):.1%}", f"{np.median(t.width):.1%}"])
    return table(["world", "inside", "below", "pass@1 inside", "median error of the law", "median half-width"], rows)


def easiest(ladders: int) -> str:
    """Regression to the mean: the easiest bucket when problems are sorted in four ways."""
    world = World(problems=150, scales=0.7, luck=(0.3, 0.3), run=(0.02, 0.02))
    ways = {
        "sorted on the attempts that are fitted": replace(world, leaked=True),
        "held-out attempts of the three smallest models": world,
        "held-out attempts of all five models": replace(world, held_out=5),
        "attempts of other runs": replace(world, other_runs=True),
    }
    rows = []
    for name, way in ways.items():
        t = Tally.of(way, ladders, bucket=0, buckets=6)
        errors = [f"{np.mean(t.k):+.1%}", f"{np.mean(t.alpha):+.1%}", f"{np.mean(t.error):+.1%}"]
        rows.append([name, *errors, f"{np.mean(t.hit):.0%}"])
    return table(["", "k: mean error", "alpha: mean error", "forecast: mean error", "inside"], rows)


def estimators() -> str:
    """The exact bias of some estimates, over all counts and over counts of at least one."""
    k = np.arange(N + 1)
    ours = neg_log_rate(N, k)
    rows = [
        ["psi(n+1) − psi(k+1)", *_bias(ours, 0)],
        ["−log((k+1/2)/(n+1/2))", *_bias(-np.log((k + 0.5) / (N + 0.5)), 0)],
        ["mean of a Beta(k+1/2, n−k+1/2) posterior", *_bias(_jeffreys(k), 0)],
        ["−log(max(k, 1/2)/n)", *_bias(-np.log(np.maximum(k, 0.5) / N), 0)],
        ["psi(n+1) − psi(k+1), kept if k > 0", *_bias(ours, 1)],
        ["−log(k/n), kept if k > 0", *_bias(-np.log(np.maximum(k, 0.5) / N), 1)],
        ["ours, corrected for that", *_bias(neg_log_rate(N, np.maximum(k, 1), 1), 1)],
    ]
    return table(["estimate", *(str(e) for e in EXPECTED)], rows)


def timing() -> str:
    """One fit with its interval, in this process."""
    samples = draw(REAL, 0).samples
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        fit(samples, 1).predict(1e22)
        seconds.append(time.perf_counter() - start)
    return f"One fit with its interval: {np.median(seconds):.3f} s (median of 7, greatest {max(seconds):.3f})."


def _errors(values: Sequence[float]) -> list[str]:
    size = np.abs(values)
    return [f"{np.median(size):.1%}", f"{np.quantile(size, 0.9):.1%}"]


def _jeffreys(k: np.ndarray) -> np.ndarray:
    from scipy.special import digamma

    return np.asarray(digamma(N + 1) - digamma(k + 0.5))


def _bias(estimate: np.ndarray, least: int) -> list[str]:
    k = np.arange(least, N + 1)
    rates = np.array(EXPECTED) / N
    weight = binom.pmf(k, N, rates[:, None]) / binom.sf(least - 1, N, rates)[:, None]
    return [f"{bias:+.3f}" for bias in weight @ estimate[least:] + np.log(rates)]


if __name__ == "__main__":
    entry(main)
