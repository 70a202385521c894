"""What predictions are worth: accuracy, F1, Matthews, Pearson and Spearman, each with its error and interval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from presage.align.finetune_data import Dataset, Item
from presage.core.estimates import LEVEL, Estimate, bootstrap, of_mean
from presage.tasks.methods.classify import matthews


@dataclass(frozen=True)
class Prediction:
    """Of one held-out item: its label, what was called (a class, a choice or a number), and the probability of each."""

    item: Item
    called: float
    values: tuple[float, ...]

    @property
    def right(self) -> float:
        """1 where it is the label."""
        return float(self.called == self.item.label)


def predictions(items: Sequence[Item], values: Sequence[Sequence[float]], *, numbers: bool) -> list[Prediction]:
    """The most probable class or choice (the first of equals), or the number itself."""
    called = [row[0] if numbers else int(np.argmax(row)) for row in values]
    return [Prediction(i, c, tuple(v)) for i, c, v in zip(items, called, values, strict=True)]


def estimates(data: Dataset, found: Sequence[Prediction], seed: int) -> dict[str, Estimate]:
    """{metric: estimate} of the set's metrics. A correlation that is not defined has no value."""
    groups = [one.item.group for one in found]
    return {name: _estimate(name, found, groups, seed) for name in data.metrics}


def _estimate(name: str, found: Sequence[Prediction], groups: Sequence[str], seed: int) -> Estimate:
    if name == "accuracy":
        return of_mean([one.right for one in found], groups)
    estimate = bootstrap(found, AGGREGATES[name], groups, seed=seed)
    known = estimate.value is not None and math.isfinite(estimate.value)
    return estimate if known else Estimate(None, None, None, None, estimate.n, estimate.groups)


def values(data: Dataset, found: Sequence[Prediction]) -> dict[str, float]:
    """The same without errors, for a learning curve; what is not defined is left out."""
    aggregates = {name: AGGREGATES.get(name, _accuracy)(found) for name in data.metrics}
    return {name: value for name, value in aggregates.items() if math.isfinite(value)}


def loss(found: Sequence[Prediction], *, numbers: bool) -> float:
    """The mean of -log P of the label in nats, or of half the squared error."""
    if numbers:
        return float(np.mean([(one.called - one.item.label) ** 2 / 2 for one in found]))
    chances = np.array([one.values[int(one.item.label)] for one in found])
    return float(-np.log(np.maximum(chances, np.finfo(np.float32).tiny)).mean())


def _accuracy(found: Sequence[Prediction]) -> float:
    return float(np.mean([one.right for one in found]))


def _f1(found: Sequence[Prediction]) -> float:
    """Of the second class, which the sets call yes."""
    gold, called = _both(found)
    hits = int(((gold == 1) & (called == 1)).sum())
    return 2 * hits / float((gold == 1).sum() + (called == 1).sum()) if hits else 0.0


def _matthews(found: Sequence[Prediction]) -> float:
    gold, called = _both(found)
    return matthews(gold == 1, called == 1)


def _pearson(found: Sequence[Prediction]) -> float:
    return _correlation(*_both(found))


def _spearman(found: Sequence[Prediction]) -> float:
    from scipy.stats import rankdata

    gold, called = _both(found)
    return _correlation(rankdata(gold), rankdata(called))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else math.nan


def _both(found: Sequence[Prediction]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(one.item.label) for one in found]), np.array([one.called for one in found])


AGGREGATES: Mapping[str, Callable[[Sequence[Prediction]], float]] = MappingProxyType(
    {"f1": _f1, "matthews": _matthews, "pearson": _pearson, "spearman": _spearman}
)
UNITS = MappingProxyType({"accuracy": "share", "f1": "F1"})


def entry(name: str, estimate: Estimate) -> dict[str, Any]:
    """One of result.json."""
    return {
        "value": estimate.value,
        "stderr": estimate.stderr,
        "lo": estimate.lo,
        "hi": estimate.hi,
        "level": LEVEL,
        "n": estimate.n,
        "unit": UNITS.get(name, "correlation"),
    }


def commonest(data: Dataset) -> Estimate | None:
    """Accuracy of the commonest training label on the held-out items; of choices, of the commonest place."""
    if data.numbers:
        return None
    label = Counter(item.label for item in data.train).most_common(1)[0][0]
    return of_mean([float(item.label == label) for item in data.test], [item.group for item in data.test])


def rows(data: Dataset, found: Sequence[Prediction]) -> Iterator[dict[str, object]]:
    """Rows of tables/predictions.csv; probabilities with a blank between them."""
    for one in found:
        values = " ".join(f"{value:.6g}" for value in one.values)
        shown = {"label": _name(data, one.item.label), "predicted": _name(data, one.called)}
        right = "" if data.numbers else int(one.right)
        yield {"id": one.item.id, **shown, "right": right, "values": values}


PREDICTIONS = ["id", "label", "predicted", "right", "values"]


def _name(data: Dataset, label: float) -> str:
    return data.classes[int(label)] if data.classes else f"{label:.6g}"
