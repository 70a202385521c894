"""How good a reward model is: accuracy on pairs, by category and by length, and whether its odds are right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from presage.align.records import Preference
from presage.core.estimates import of_mean
from presage.core.run import RunDir

BINS = 10


@dataclass(frozen=True)
class Scored:
    """A record with its completions' rewards and lengths in tokens, and (better, worse) places of its pairs."""

    record: Preference
    rewards: Sequence[float]
    lengths: Sequence[int]
    pairs: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Pair:
    """Two completions of one prompt, the better one first: by how much it is ahead, and how much longer it is."""

    prompt: int
    category: str
    ahead: float
    longer: int

    @property
    def right(self) -> float:
        """1, 0, or a half where both have the same reward."""
        return 0.5 if self.ahead == 0 else float(self.ahead > 0)


def write_accuracy(directory: RunDir, scored: Sequence[Scored]) -> None:
    """result.json: accuracy, calibration error, length bias; tables/accuracy.csv, calibration.csv and rewards.csv.

    Intervals treat the pairs of a prompt as one (clustered). Length bias: accuracy where the better answer is the
    longer one, less where it is the shorter one; and the correlation of reward and length within prompts.
    """
    pairs = [pair for number, one in enumerate(scored) for pair in _pairs(number, one)]
    if not pairs:
        return
    _result(directory, "accuracy", pairs)
    by_length = {"longer": [p for p in pairs if p.longer > 0], "shorter": [p for p in pairs if p.longer < 0]}
    for name, some in by_length.items():
        _result(directory, f"accuracy/better is {name}", some)
    directory.result("length correlation", _within(scored), n=len(scored), unit="1")
    bins, error = calibration([pair.ahead for pair in pairs])
    directory.result("calibration error", error, n=len(pairs), unit="share")
    directory.table("calibration", bins, ["confidence", "accuracy", "pairs"])
    groups = {"all": pairs} | {
        one: [p for p in pairs if p.category == one] for one in sorted({p.category for p in pairs})
    }
    groups |= {f"better is {name}": some for name, some in by_length.items()}
    directory.table("accuracy", [_row(name, some) for name, some in groups.items() if some])
    directory.table("rewards", _rows(scored), ["id", "category", "place", "rank", "reward", "tokens"])


def calibration(ahead: Sequence[float]) -> tuple[list[dict[str, Any]], float]:
    """Of pairs by how sure the model is, σ(|difference|) from a half to 1: how often it is right; and the expected
    calibration error, the mean gap weighted by pairs."""
    sure = np.array([1 / (1 + math.exp(-min(abs(one), 500.0))) for one in ahead])
    right = np.array([0.5 if one == 0 else float(one > 0) for one in ahead])
    places = np.minimum(((sure - 0.5) * 2 * BINS).astype(int), BINS - 1)
    rows = []
    for place in sorted(set(places.tolist())):
        inside = places == place
        rows.append(
            {
                "confidence": float(sure[inside].mean()),
                "accuracy": float(right[inside].mean()),
                "pairs": int(inside.sum()),
            }
        )
    error = sum(abs(row["confidence"] - row["accuracy"]) * row["pairs"] for row in rows) / len(sure)
    return rows, float(error)


def _pairs(number: int, one: Scored) -> Iterable[Pair]:
    for better, worse in one.pairs:
        yield Pair(
            number,
            one.record.category,
            one.rewards[better] - one.rewards[worse],
            one.lengths[better] - one.lengths[worse],
        )


def _result(directory: RunDir, name: str, pairs: Sequence[Pair]) -> None:
    if not pairs:
        return
    found = of_mean([pair.right for pair in pairs], [pair.prompt for pair in pairs])
    directory.result(
        name, found.value, stderr=found.stderr, lo=found.lo, hi=found.hi, level=0.95, n=len(pairs), unit="share"
    )


def _row(name: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    found = of_mean([pair.right for pair in pairs], [pair.prompt for pair in pairs])
    values = {"accuracy": found.value, "stderr": found.stderr, "lo": found.lo, "hi": found.hi}
    return {"of": name or "no category", **values, "pairs": len(pairs), "prompts": len({p.prompt for p in pairs})}


def _within(scored: Sequence[Scored]) -> float | None:
    """Correlation of reward and length, each less its prompt's mean; None where one of them does not vary."""
    rewards = np.concatenate([np.array(one.rewards) - np.mean(one.rewards) for one in scored])
    lengths = np.concatenate([np.array(one.lengths) - np.mean(one.lengths) for one in scored])
    spread = float(np.sqrt((rewards**2).sum() * (lengths**2).sum()))
    return float((rewards * lengths).sum() / spread) if spread else None


def _rows(scored: Sequence[Scored]) -> Iterable[dict[str, Any]]:
    for one in scored:
        for place, (rank, reward, tokens) in enumerate(zip(one.record.ranks, one.rewards, one.lengths, strict=True)):
            row = {"id": one.record.id, "category": one.record.category, "place": place}
            yield row | {"rank": rank, "reward": round(reward, 6), "tokens": tokens}
