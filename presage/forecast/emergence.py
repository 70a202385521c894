"""Is a jump in accuracy a jump of the model, or only of the metric?

Schaeffer et al. 2023 ("Are emergent abilities of large language models a mirage?"): accuracy may leap while the
log-probability of the right answer improves smoothly, because a threshold lies between them. So both are looked at on
the same items over the same models, each by two descriptions of its mean over log10 of compute:

- smooth: a straight line plus a Gaussian process whose features are no finer than half of the ladder;
- broken: the same plus a step, or a change of slope, at an unknown compute.

Both are linear and Gaussian, so their evidence is exact; widths and the place of the break are summed over a grid.
Errors are paired: items are a sample, the same for all models, so that means go up and down together with the items.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import logsumexp

from presage.core.errors import DataError
from presage.forecast.table import HUGE, Row, read_table

Array = np.ndarray

VERDICTS = {
    ("jump", "no jump"): "jump in the metric only",
    ("jump", "jump"): "jump in the model",
    ("no jump", "jump"): "jump in the model",
    ("cannot tell", "jump"): "jump in the model",
    ("no jump", "no jump"): "no jump",
}  # (accuracy, log-probability); otherwise one cannot tell
JUMP, NONE = math.log(10), 0.0  # log Bayes factor of broken over smooth: above the one, below the other
FEWEST = 5  # different computes; with fewer any rise looks like a step
# All in units of the range of the means, and of the ladder's length in log10 of compute.
LENGTHS, WAVES = (0.5, 0.8, 1.2), (0.1, 0.3, 1.0)  # of the Gaussian process; a quarter of the prior goes without one
STEPS, BENDS = (0.25, 1.0), (1.0, 4.0)  # deviations of a step's height and of a change of slope
SCATTERS = np.array([0.003, 0.01, 0.03, 0.1])  # of single models about the curve; half-Cauchy of scale 0.02
SCATTER_PRIOR = np.diff(np.arctan([0, 0.3, 0.9, 2.75, math.inf])) * 2 / math.pi
PLACES = 4  # in each gap of the ladder where a break may be


@dataclass(frozen=True)
class Items:
    """The same items under every model: arrays (items, models)."""

    computes: Array
    """FLOPs of each model."""
    correct: Array
    """0 or 1."""
    scores: dict[str, Array]
    """`logprob` (nats, of the right answer) and perhaps `margin`."""


@dataclass(frozen=True)
class Break:
    """Whether the mean of one quantity breaks somewhere on the ladder."""

    answer: str
    """"jump", "no jump" or "cannot tell"."""
    log_bayes_factor: float
    """Natural logarithm of the evidence for a break over that for a smooth curve."""
    at: float
    at_lo: float
    at_hi: float
    """FLOPs at which it breaks if it does: median and interval."""
    p_step: float
    """If it breaks, the probability that it is a step and not a change of slope."""
    step: float
    step_stderr: float
    """The step's height if it is one, in the quantity's own unit."""


@dataclass(frozen=True)
class Emergence:
    """The answer."""

    verdict: str
    accuracy: Break
    scores: dict[str, Break]
    level: float
    n_items: int
    n_models: int
    warnings: list[str]

    def as_json(self) -> dict[str, object]:
        """One flat object: the fields of each Break carry the name of its quantity, accuracy_at, logprob_at, …"""
        quantities = {"accuracy": self.accuracy, **self.scores}
        return {
            "verdict": self.verdict,
            **{f"{name}_{key}": value for name, found in quantities.items() for key, value in vars(found).items()},
            "level": self.level,
            "n_items": self.n_items,
            "n_models": self.n_models,
            "warnings": self.warnings,
        }


def emergence(items: Items, level: float = 0.9) -> Emergence:
    """Whether accuracy jumps, whether the log-probability of the right answer does, and what follows from both.

    Raises DataError for fewer than 5 different computes, fewer than 2 items or arrays that do not match.
    """
    _check(items, level)
    accuracy = find_break(items.computes, items.correct.mean(0), _share_covariance(items.correct), level)
    scores = {
        name: find_break(items.computes, score.mean(0), _covariance(score), level)
        for name, score in items.scores.items()
    }
    verdict = VERDICTS.get((accuracy.answer, scores["logprob"].answer), "cannot tell")
    n_items, n_models = items.correct.shape
    return Emergence(verdict, accuracy, scores, level, n_items, n_models, _warnings(items, accuracy, scores))


def find_break(computes: Array, means: Array, covariance: Array, level: float = 0.9) -> Break:
    """Broken against smooth: `means` (models,) of one quantity with the covariance (models, models) of their errors."""
    x = np.log10(computes)
    start, length = float(x.min()), float(np.ptp(x))
    x = (x - start) / length
    unit = max(float(np.ptp(means)), 2 * math.sqrt(float(np.diag(covariance).max())), 1e-9)
    y = (means - means.mean()) / unit
    prior, log_prior = _smooth(x)
    inverse = np.linalg.inv(prior[:, None] + covariance / unit**2 + SCATTERS[:, None, None] ** 2 * np.eye(len(x)))
    log_prior = log_prior[:, None] + np.log(SCATTER_PRIOR)
    pull = inverse @ y
    smooth = log_prior + (np.linalg.slogdet(inverse)[1] - pull @ y) / 2
    edges, knots = _knots(x)
    steps, bends = (x > knots[:, None]).astype(float), np.maximum(x - knots[:, None], 0)
    cells = [_added(smooth, inverse, pull, steps, size) for size in STEPS]
    cells += [_added(smooth, inverse, pull, bends, size) for size in BENDS]
    broken = np.stack([evidence for evidence, _, _ in cells]) - math.log(len(cells) * len(knots))
    factor = float(logsumexp(broken) - logsumexp(smooth))
    weight = np.exp(broken - logsumexp(broken))
    place = np.append(0, weight.sum((0, 1, 2)).cumsum())
    low, middle, high = 10 ** (start + length * np.interp([(1 - level) / 2, 0.5, (1 + level) / 2], place, edges))
    height, height_sd = _moments(weight[: len(STEPS)], cells[: len(STEPS)])
    p_step = float(weight[: len(STEPS)].sum())
    answer = "jump" if factor > JUMP else "no jump" if factor < NONE else "cannot tell"
    return Break(answer, factor, float(middle), float(low), float(high), p_step, height * unit, height_sd * unit)


def _smooth(x: Array) -> tuple[Array, Array]:
    """Covariances (cells, models, models) of smooth curves, and the logarithm of their prior."""
    line = 100 + np.outer(x - 0.5, x - 0.5)
    far = (x[:, None] - x) ** 2
    waves = [line + wave**2 * np.exp(-far / (2 * length**2)) for length in LENGTHS for wave in WAVES]
    return np.stack([line, *waves]), np.log([0.25] + len(waves) * [0.75 / len(waves)])


def _knots(x: Array) -> tuple[Array, Array]:
    """Stretches that a break may be in (their edges, their middles): as many, and as probable, in each gap."""
    rungs = np.unique(x)
    edges = np.interp(np.arange(PLACES * (len(rungs) - 1) + 1) / PLACES, np.arange(len(rungs)), rungs)
    return edges, (edges[1:] + edges[:-1]) / 2


def _added(smooth: Array, inverse: Array, pull: Array, feature: Array, size: float) -> tuple[Array, Array, Array]:
    """Log evidence with one more feature (knots, models) of coefficient N(0, size^2); the coefficient and its variance.

    By the matrix determinant lemma and Sherman-Morrison, from the smooth cells' inverse covariances.
    """
    precision = size**-2 + ((feature @ inverse) * feature).sum(-1)
    score = pull @ feature.T
    evidence = smooth[..., None] + score**2 / precision / 2 - np.log(precision * size**2) / 2
    return evidence, score / precision, 1 / precision


def _moments(weight: Array, cells: Sequence[tuple[Array, Array, Array]]) -> tuple[float, float]:
    """Mean and deviation of the coefficient over weighted cells."""
    share = weight / weight.sum()
    means, variances = np.stack([c[1] for c in cells]), np.stack([c[2] for c in cells])
    mean = float((share * means).sum())
    return mean, math.sqrt(float((share * (variances + (means - mean) ** 2)).sum()))


def _covariance(values: Array) -> Array:
    """Of the means over items (items, models): paired, since every model had the same items."""
    off = values - values.mean(0)
    covariance: Array = off.T @ off / (len(values) - 1) / len(values)
    return covariance


def _share_covariance(correct: Array) -> Array:
    """The same for shares; none right, or none wrong, out of n does not make a share certain."""
    n = len(correct)
    share = (correct.sum(0) + 0.5) / (n + 1)
    covariance = _covariance(correct)
    np.fill_diagonal(covariance, np.maximum(np.diag(covariance), share * (1 - share) / (n + 1)))
    return covariance


def _warnings(items: Items, accuracy: Break, scores: dict[str, Break]) -> list[str]:
    logprob, margin = scores["logprob"], scores.get("margin")
    computes = len(np.unique(items.computes))
    both = accuracy.answer == logprob.answer == "jump"
    apart = accuracy.at_lo > logprob.at_hi or accuracy.at_hi < logprob.at_lo
    tell = {
        f"only {len(items.correct)} items: their errors are rough": len(items.correct) < 30,
        f"only {computes} different computes: small jumps cannot be told from a smooth rise": computes < 8,
        "accuracy and log-probability break at different computes: the one jump does not explain the other": both
        and apart,
        f"the margin gives another answer than the log-probability: {margin.answer if margin else ''}": margin
        is not None
        and margin.answer != logprob.answer,
    }
    return [text for text, holds in tell.items() if holds]


def _check(items: Items, level: float) -> None:
    shape = (items.correct.shape[0], len(items.computes))
    for name, values in {"correct": items.correct, **items.scores}.items():
        if values.shape != shape or not np.isfinite(values).all():
            raise DataError(f"{name} is not a finite array of {shape[0]} items and {shape[1]} models")
    if "logprob" not in items.scores:
        raise DataError("no log-probabilities of the right answers to compare accuracy with")
    if len(items.correct) < 2:
        raise DataError(f"{len(items.correct)} items are too few", hint="errors need at least 2, better 100")
    computes = len(np.unique(items.computes))
    if computes < FEWEST:
        raise DataError(f"a jump can be looked for over at least {FEWEST} different computes, got {computes}")
    if not 0 < level < 1:
        raise DataError(f"the level {level} is not between 0 and 1", where="--level")


# ---- the table ------------------------------------------------------------------------------------------------------


def read_items(path: Path) -> Items:
    """Items of a CSV table, one item under one model a row.

    Columns: item, compute (FLOPs), correct (0 or 1), logprob (nats, of the right answer), and perhaps margin (nats,
    over the best wrong answer) and run (which of several models of one compute). Every item must be there for every
    model. Raises DataError naming file, line and column.
    """
    table = read_table(path)
    names = ["correct", "logprob", *(["margin"] if "margin" in table.columns else [])]
    cells: dict[tuple[str, tuple[float, str]], dict[str, float]] = {}
    for row in table.rows(("item", "compute", "correct", "logprob"), ("margin", "run")):
        model = (row.number("compute", 1.0, HUGE, "FLOPs"), row["run"])
        key = (row["item"], model)
        if key in cells:
            raise row.error(f"item '{row['item']}' is there twice for {_name(model)}")
        cells[key] = {name: _value(row, name) for name in names}
    models, items = sorted({model for _, model in cells}), _in_order(item for item, _ in cells)
    for item in items:
        for model in models:
            if (item, model) not in cells:
                hint = "every item must be answered by every model"
                raise DataError(f"no row for item '{item}' and {_name(model)}", where=path, hint=hint)
    arrays = {name: np.array([[cells[item, model][name] for model in models] for item in items]) for name in names}
    computes = np.array([compute for compute, _ in models])
    return Items(computes, arrays["correct"], {name: arrays[name] for name in names[1:]})


def _value(row: Row, name: str) -> float:
    low, high = {"correct": (0.0, 1.0), "logprob": (-1e9, 0.0), "margin": (-1e9, 1e9)}[name]
    value = row.number(name, low, high)
    if name == "correct" and value not in (0, 1):
        raise row.error(f"{row[name]} is neither 0 nor 1", name)
    return value


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _name(model: tuple[float, str]) -> str:
    compute, run = model
    return f"compute {compute:g}" + (f", run '{run}'" if run else "")
