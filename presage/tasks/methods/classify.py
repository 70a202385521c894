"""The GPT-1 report's zero-shot heuristics (§5) that no choice between options covers, and Matthews correlation.

CoLA: "examples are scored as the average token log-probability the generative model assigns and predictions are made by
thresholding". The report does not say where the threshold is from. Here it is never fitted on what it is tested on: by
a hash of their ids examples fall into two halves, and each half is judged by the threshold that gives the best Matthews
correlation on the other (the lowest of equals; a half that has but one kind calls all acceptable).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presage.data.verbs import Continuation, Likelihood
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps


def matthews(gold: np.ndarray, called: np.ndarray) -> float:
    """Matthews correlation of two rows of truth values; 0 where either has but one kind."""
    gold, called = np.asarray(gold, dtype=bool), np.asarray(called, dtype=bool)
    counts = [(gold == g) & (called == c) for g, c in ((True, True), (False, False), (False, True), (True, False))]
    tp, tn, fp, fn = (float(count.sum()) for count in counts)
    scale = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / float(np.sqrt(scale)) if scale else 0.0


def best_threshold(values: np.ndarray, gold: np.ndarray) -> float:
    """The value from which on calling an example acceptable correlates best with gold; -inf where nothing does."""
    order = np.argsort(values, kind="stable")
    values, gold = np.asarray(values, dtype=float)[order], np.asarray(gold, dtype=bool)[order]
    places = np.flatnonzero(np.diff(values)) + 1  # a threshold stands before values[place]
    missed = np.cumsum(gold)[places - 1]
    tp, fp = gold.sum() - missed, (len(gold) - places) - (gold.sum() - missed)
    fn, tn = missed, places - missed
    scale = np.sqrt(((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).astype(float))
    found = np.divide(tp * tn - fp * fn, scale, out=np.zeros(len(places)), where=scale > 0)
    if not len(found) or found.max() <= 0:
        return float("-inf")
    return float(values[places[int(np.argmax(found))]])


def half(id: str) -> int:
    """0 or 1, by a hash of the id."""
    return hashlib.sha256(id.encode()).digest()[0] & 1


def cross_fitted(name: str, graded: Sequence[Graded]) -> float:
    """Matthews correlation, each half judged by a threshold that was fitted on the other."""
    values, gold = _rows(name, graded)
    halves = np.array([one.extra["half"] for one in graded])
    called = np.zeros(len(graded), dtype=bool)
    for tested in (0, 1):
        called[halves == tested] = values[halves == tested] >= best_threshold(
            values[halves != tested], gold[halves != tested]
        )
    return matthews(gold, called)


def area(name: str, graded: Sequence[Graded]) -> float:
    """How often an acceptable sentence scores above another (ties one half): the area under the ROC curve."""
    values, gold = _rows(name, graded)
    good, bad = values[gold], np.sort(values[~gold])
    if not len(good) or not len(bad):
        return 0.5
    below = np.searchsorted(bad, good, side="left") + np.searchsorted(bad, good, side="right")
    return float(below.sum() / (2 * len(good) * len(bad)))


def _rows(name: str, graded: Sequence[Graded]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([one.scores[name] for one in graded])
    return values, np.array([bool(one.extra["acceptable"]) for one in graded])


@dataclass(frozen=True)
class Acceptability:
    """Mean log-probability per token of the sentence alone, in nats. An example's answer is 1 where it is acceptable.

    The score of one example is that mean under both names: only all of them together are right or wrong.
    """

    metrics = (Metric("matthews", aggregate=cross_fitted), Metric("area", aggregate=area))
    needs = LIKELIHOOD
    takes_shots = False

    def examine(self, example: Example, context: str) -> Steps:
        answers: list[Likelihood] = yield [Continuation("", str(example.fields["sentence"]))]
        mean = answers[0].logprob / max(1, answers[0].tokens)
        extra = {"acceptable": example.answer == 1, "half": half(example.id), "truncated": answers[0].truncated}
        return Graded({metric.name: mean for metric in self.metrics}, f"{mean:.4f}", extra)
