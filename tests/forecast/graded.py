"""Graded samples of planted ladders: the capability law holds in them, with known alpha and k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from presage.forecast.buckets import neg_log_rate
from presage.forecast.capability import CapabilityFit
from presage.forecast.samples import Sample

Array = np.ndarray

COMPUTES = np.geomspace(1e18, 1e20, 5)
TARGET = 1e22  # 100 times the largest
N = 200


@dataclass(frozen=True)
class Planted:
    """Samples of a planted ladder; −log p by the law (problems, computes and target); the target's counts."""

    samples: list[Sample]
    law: Array
    passed: Array

    def rows(self, fitted: CapabilityFit) -> list[int]:
        return [int(name[1:]) for name in fitted.overall.problems]

    def truth(self, fitted: CapabilityFit) -> float:
        return float(self.law[self.rows(fitted), -1].mean())

    def seen(self, fitted: CapabilityFit) -> float:
        return float(neg_log_rate(N, self.passed[self.rows(fitted)]).mean())


def planted(
    seed: int,
    k: float = 0.2,
    top: float = 2.0,
    luck: float = 0.2,
    run: float = 0.02,
    problems: int = 25,
    held_out: int = 3,
    spread: float = 0.4,
    runs: int = 1,
) -> Planted:
    """−log p = top * w_i (C/1e18)^−k, w_i lognormal; models have `luck` with problems and are off by `run` as a whole.

    The `held_out` smallest models have rows with split=bucket, drawn from the same pass rates.
    """
    chance = np.random.default_rng(seed)
    w = np.exp(spread * chance.normal(size=problems) - spread**2 / 2)
    law = top * w[:, None] * (np.append(COMPUTES, TARGET) / 1e18) ** -k
    samples, last = [], np.zeros(problems)
    for repetition in range(runs):
        off = luck * chance.normal(size=law.shape) + run * chance.normal(size=law.shape[1])
        p = np.exp(-law * np.exp(off - (luck**2 + run**2) / 2))
        counts, spare = chance.binomial(N, p), chance.binomial(N, p)
        last = counts[:, -1]
        for i in range(problems):
            for j, c in enumerate(COMPUTES.tolist()):
                samples.append(Sample(f"p{i:03d}", c, N, int(counts[i, j]), "fit", run=str(repetition)))
                if j < held_out:
                    samples.append(Sample(f"p{i:03d}", c, N, int(spare[i, j]), "bucket", run=str(repetition)))
    return Planted(samples, law, last)
