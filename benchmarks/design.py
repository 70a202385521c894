"""Do bought runs narrow a forecast as `presage plan` promises, and more than other ways to spend as much?

Ladders are drawn: seven budgets over three decades, two runs each with 0.4 % noise, losses a C^-b + c times a slowly
wandering slope as the law's prior has it. The target is a hundred times the largest rung, a tenth of its compute may be
spent. Each set of runs is bought (its losses drawn from the same truth), everything is fitted again, and the half-width
of the target's interval is compared with the one before, and with what the plan had promised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from harness.report import entry, options, publish, table

from presage.forecast import law
from presage.forecast.design import Market, Purchase
from presage.forecast.prior import Prior, covariance

RUNGS = [float(c) for c in np.geomspace(1e15, 1e18, 7)]
TARGET, SPEND, NOISE, REPEATS, LEVEL = 1e20, 1e19, 0.004, 2, 0.9
WANDER = 0.03


class Truth:
    """One drawn law: its loss at any compute, smooth in between, the same whenever asked."""

    def __init__(self, chance: np.random.Generator) -> None:
        self.chance = chance
        self.b, self.share = float(chance.uniform(0.08, 0.25)), float(chance.uniform(0.3, 0.7))
        self.t = np.linspace(14.5, 20.5, 49)
        wander = WANDER**2 * covariance(self.t, self.t, math.log10(RUNGS[-1]), Prior().wander_length)
        self.g = np.linalg.cholesky(wander + 1e-12 * np.eye(len(self.t))) @ chance.normal(size=len(self.t))

    def loss(self, compute: float) -> float:
        """Without noise."""
        curve = self.share + (1 - self.share) * (compute / RUNGS[-1]) ** -self.b
        return float(2.5 * curve * (1 + np.interp(math.log10(compute), self.t, self.g)))

    def runs(self, purchases: list[Purchase]) -> list[tuple[float, float]]:
        """(compute, loss) of every run bought."""
        each = [p.compute for p in purchases for _ in range(p.runs)]
        return [(c, self.loss(c) * math.exp(NOISE * self.chance.normal())) for c in each]


@dataclass(frozen=True)
class Outcome:
    cost: float
    promised: float
    realised: float
    inside: bool


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--ladders", type=int, default=4, help="how many to draw; 200 for the full measurement")
    args = parser.parse_args()
    found: dict[str, list[Outcome]] = {}
    for seed in range(args.ladders):
        for name, outcome in _ladder(np.random.default_rng(seed)).items():
            found.setdefault(name, []).append(outcome)
    columns = ["what is bought", "FLOPs, share of the target", "promised", "realised", "realised/promised", "inside"]
    rows = [[name, *_summary(outcomes)] for name, outcomes in found.items()]
    note = (
        "Medians of the half-width after over before, and of their ratio with its central half in brackets; how many of"
    )
    note += f" the new {LEVEL:.0%} intervals hold a run of the target, where anything was bought."
    publish("design", "Which small runs to buy", [table(columns, rows), note], write=args.write)


def _ladder(chance: np.random.Generator) -> dict[str, Outcome]:
    truth = Truth(chance)
    runs = truth.runs([Purchase(c, REPEATS) for c in RUNGS])
    fitted = law.fit(*law.summarise(runs))
    actual = truth.loss(TARGET) * math.exp(NOISE * chance.normal())
    market = Market(fitted, TARGET)
    sets = {
        "the plan's set": list(market.best(SPEND).purchases),
        "three runs at a third of the limit": [Purchase(SPEND / 3, 3)],
        "ten more runs of the largest rung": [Purchase(RUNGS[-1], 10)],
        "seven more runs of every rung": [Purchase(c, 7) for c in RUNGS],
        "the plan's set for a third": list(market.best(SPEND / 3).purchases),
        "the plan's set for a tenth": list(market.best(SPEND / 10).purchases),
    }
    return {name: _buy(fitted, truth, runs, purchases, actual) for name, purchases in sets.items() if purchases}


def _buy(
    before: law.Fit, truth: Truth, runs: list[tuple[float, float]], purchases: list[Purchase], actual: float
) -> Outcome:
    market = Market(before, TARGET, [p.compute for p in purchases])
    promised = market.effect([(number, p.runs) for number, p in enumerate(purchases)])
    after = law.fit(*law.summarise(runs + truth.runs(purchases))).predict(TARGET, LEVEL)
    realised = after.half_width / before.predict(TARGET, LEVEL).half_width
    return Outcome(sum(p.cost for p in purchases) / TARGET, promised, realised, after.lo <= actual <= after.hi)


def _summary(outcomes: list[Outcome]) -> list[str]:
    ratio = [o.realised / o.promised for o in outcomes]
    low, middle, high = (float(q) for q in np.quantile(ratio, (0.25, 0.5, 0.75)))
    medians = [f"{np.median([getattr(o, key) for o in outcomes]):.2f}" for key in ("promised", "realised")]
    cost = f"{np.median([o.cost for o in outcomes]):.3f}"
    return [
        cost,
        *medians,
        f"{middle:.2f} ({low:.2f} to {high:.2f})",
        f"{sum(o.inside for o in outcomes)} of {len(outcomes)}",
    ]


if __name__ == "__main__":
    entry(main)
