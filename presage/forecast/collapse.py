"""Learning curves that fall onto one another: whether the recipe transfers from rung to rung, and which rung is off.

Where one recipe holds at every size, the reducible loss over its final value is nearly the same curve of the share of
tokens seen (Qiu et al. 2025, "Scaling collapse"; seen for compute-optimal runs with transferred rates). A rung whose
curve leaves the others' has been trained otherwise than they, whatever its last loss says: the law through the ends
then mixes two recipes. The curves are cheap: they are in metrics.jsonl already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.forecast import ladder as ladders
from presage.forecast import law
from presage.train import pretrain

Array = np.ndarray

WINDOW = 0.06  # share of the tokens: one deviation of the kernel that smooths the loss
FIRST = 0.1  # share of the tokens from which curves are compared: before it, warm-up and the first fall
LIMIT = 3.5  # robust deviations beyond which a rung is off
FEWEST_ROWS, FEWEST_RUNGS = 8, 4
WORTH = 0.5  # per cent of the loss: an end less far off than this does not spoil a forecast
EXACT = 0.05  # per cent of the loss: the ends of no ladder agree better than this
SURE = 0.01  # probability of so large an F by chance, below which rungs are said to differ more than seeds
GRID = np.linspace(0.05, 1.0, 96)


@dataclass(frozen=True)
class Curve:
    """One run's learning curve; losses of rows and at the end in one unit, nats per token."""

    name: str
    rung: str
    """Runs of one rung differ in their seed."""
    compute: float
    tokens: Array
    loss: Array
    total: float
    """Tokens at the end."""
    final: float
    """Held-out loss at the end."""
    decay_from: float = 1.0
    """The share of the tokens at which the rate begins to decay."""
    fitted: bool = True
    """Whether it belongs to those that the common curve is made of."""


@dataclass(frozen=True)
class Collapse:
    """What `presage forecast collapse --json` prints; percentages are of the loss."""

    floor: float
    stable: tuple[float, float]
    """The share of the tokens over which curves are compared."""
    x: list[float]
    """Share of the tokens."""
    common: list[float]
    """The median over rungs of (loss - floor) / (final loss - floor) at x."""
    curves: dict[str, list[float]]
    """The same of each rung, the mean over its seeds."""
    runs: list[dict[str, Any]]
    """name, rung, compute, deviation (root mean square from the common curve), end, fitted."""
    rungs: list[dict[str, Any]]
    """rung, compute, runs, deviation, end (mean over seeds), apart (the end less the rungs' trend), z, off, fitted."""
    between: float
    """Standard deviation of the rungs' ends."""
    seeds: float | None
    """Standard deviation of one run's end about its rung's mean; None where no rung has two seeds."""
    chance: float | None
    """The probability that seeds alone spread the rungs so far (F test)."""
    trend: float
    """Change of the end per decade of compute, by medians."""
    warnings: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def collapse(curves: Sequence[Curve], floor: float) -> Collapse:
    """Compare learning curves of four or more rungs; `floor` is the fitted law's, in the curves' unit.

    Each curve becomes y(x) = (loss - floor) / (final - floor) over x = tokens / total. `deviation` is its distance from
    the common curve over the stable part. `end` is how far the run ends above (+) or below (-) where the common curve,
    scaled to its own stable part, would have taken it. Raises DataError naming the curve that cannot be used.
    """
    shapes = {c.name: (_usable(c, floor) - floor) / (c.final - floor) for c in curves}
    rungs, stable = _rungs(curves), _stable(curves)
    means = {rung: np.mean([shapes[c.name] for c in members], axis=0) for rung, members in rungs.items()}
    common = np.median([means[rung] for rung, members in rungs.items() if members[0].fitted], axis=0)
    inside = (stable[0] <= GRID) & (stable[1] >= GRID)
    runs = [_run_row(c, shapes[c.name][inside], common[inside], floor) for c in curves]
    rows, seeds, trend = _rung_rows(rungs, runs)
    fitted = [row for row in rows if row["fitted"]]
    between = float(np.std([row["end"] for row in fitted], ddof=1))
    chance = _chance(fitted, seeds)
    return Collapse(
        floor=floor,
        stable=stable,
        x=_listed(GRID),
        common=_listed(common),
        curves={rung: _listed(mean) for rung, mean in means.items()},
        runs=runs,
        rungs=rows,
        between=between,
        seeds=seeds,
        chance=chance,
        trend=trend,
        warnings=_warnings(rows, between, seeds, chance, trend),
    )


def load(ladder: Path) -> list[Curve]:
    """The curves of a finished ladder's rungs.

    Held-out losses where the rungs were evaluated often enough on the way, else training losses, which are noisier: a
    row is the mean over one batch. Raises RunError when it is no ladder or rungs are missing.
    """
    run = ladders.of_text(ladder)
    table = run.read_table("rungs")
    rows = {row["name"]: list(RunDir.open(run.path / "rungs" / row["name"], "pretrain").rows()) for row in table}
    held_out = min(_count(r, "val/loss") for r in rows.values()) >= FEWEST_ROWS
    metric = "val/loss" if held_out else "train/loss"
    return [_curve(run, row, rows[row["name"]], metric) for row in table]


def floor_of(ladder: Path) -> float:
    """The floor of the law through a ladder's fitted rungs, nats per token (posterior median)."""
    table = RunDir.open(ladder, "ladder").read_table("rungs")
    points, noise = law.summarise([(float(row["compute"]), float(row["loss"])) for row in table if _is_fitted(row)])
    return law.fit(points, noise).floor().value


def _curve(run: RunDir, row: dict[str, str], rows: list[dict[str, Any]], metric: str) -> Curve:
    config = RunDir(run.path / "rungs" / row["name"]).config(pretrain.Config)
    there = [(r["tokens"], r[metric]) for r in rows if metric in r]
    tokens, loss = (np.array(v, dtype=float) for v in zip(*there, strict=True)) if there else (np.empty(0), np.empty(0))
    decay = config.schedule.decay_tokens / config.tokens if config.schedule.kind == "wsd" else 0.0
    return Curve(
        name=row["name"],
        rung=row["name"].rpartition("-")[0] or row["name"],
        compute=float(row["compute"]),
        tokens=tokens,
        loss=loss,
        total=float(row["tokens"]),
        final=float(row["loss"]),
        decay_from=1 - decay,
        fitted=_is_fitted(row),
    )


def _is_fitted(row: dict[str, str]) -> bool:
    return row.get("fitted", "1").lower() not in ("0", "false", "no")


def _count(rows: Sequence[dict[str, Any]], metric: str) -> int:
    return sum(metric in row for row in rows)


def _usable(curve: Curve, floor: float) -> Array:
    """The smoothed curve, of one that can be used."""
    numbers = [curve.compute, curve.total, curve.final, *curve.tokens, *curve.loss]
    if not all(0 < v < math.inf for v in numbers):
        raise DataError("values must be positive and finite", where=f"learning curve of {curve.name}")
    if len(curve.tokens) < FEWEST_ROWS:
        few = f"only {len(curve.tokens)} logged losses, {FEWEST_ROWS} are needed"
        raise DataError(few, where=f"learning curve of {curve.name}", hint="log more often (log_every)")
    smooth = _smooth(curve)
    # Smoothed: a single batch may well lie below, one of generated text among prose for example.
    if not floor < min(curve.final, float(smooth.min())):
        raise DataError(f"the floor {floor:.4g} is not below the losses", where=f"learning curve of {curve.name}")
    return smooth


def _rungs(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """{rung: its runs}, smallest compute first."""
    rungs: dict[str, list[Curve]] = {}
    for curve in sorted(curves, key=lambda c: c.compute):
        rungs.setdefault(curve.rung, []).append(curve)
    fitted = sum(members[0].fitted for members in rungs.values())
    if fitted < FEWEST_RUNGS:
        raise DataError(f"{fitted} rungs have no common curve to speak of, at least {FEWEST_RUNGS} are needed")
    return rungs


def _stable(curves: Sequence[Curve]) -> tuple[float, float]:
    """The share of the tokens over which every curve's rate stands still."""
    end = min(c.decay_from for c in curves) - WINDOW / 2
    if end - FIRST < WINDOW:
        first = min(curves, key=lambda c: c.decay_from)
        what = f"the rate decays from {first.decay_from:.0%} of the tokens on: too short a stable part to compare"
        raise DataError(what, where=f"learning curve of {first.name}")
    return FIRST, end


def _smooth(curve: Curve) -> Array:
    """The loss at each point of GRID: a local straight line through the rows around it, near ones weighing more."""
    far = curve.tokens / curve.total - GRID[:, None]
    w = np.exp(-0.5 * (far / WINDOW) ** 2) + 1e-12
    mass, one, two = w.sum(axis=1), (w * far).sum(axis=1), (w * far**2).sum(axis=1)
    level, slope = (w * curve.loss).sum(axis=1), (w * far * curve.loss).sum(axis=1)
    determinant = np.maximum(mass * two - one**2, 1e-12 * mass**2)
    return np.asarray((two * level - one * slope) / determinant)


def _run_row(curve: Curve, shape: Array, common: Array, floor: float) -> dict[str, Any]:
    """Deviation and end of one run, in per cent of its loss."""
    reducible = curve.final - floor
    apart = (shape - common) * reducible / (floor + shape * reducible)
    promised = floor + reducible * float((shape / common).mean())
    return {
        "name": curve.name,
        "rung": curve.rung,
        "compute": curve.compute,
        "deviation": 100 * float(np.sqrt((apart**2).mean())),
        "end": 100 * (curve.final / promised - 1),
        "fitted": curve.fitted,
    }


def _rung_rows(
    rungs: dict[str, list[Curve]], runs: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], float | None, float]:
    """A row a rung; one run's standard deviation about its rung's mean, pooled; the ends' trend with compute."""
    ends = {rung: np.array([r["end"] for r in runs if r["rung"] == rung]) for rung in rungs}
    freedom = sum(len(e) - 1 for e in ends.values())
    squares = sum(float(((e - e.mean()) ** 2).sum()) for e in ends.values())
    seeds = math.sqrt(squares / freedom) if freedom else None
    x = np.array([math.log10(members[0].compute) for members in rungs.values()])
    y = np.array([e.mean() for e in ends.values()])
    fitted = np.array([members[0].fitted for members in rungs.values()])
    trend, level = _line(x[fitted], y[fitted])
    apart = y - level - trend * np.clip(x, x[fitted].min(), x[fitted].max())
    spread = 1.4826 * float(np.median(np.abs(apart[fitted]))) * math.sqrt(fitted.sum() / (fitted.sum() - 2))
    rows = []
    for (rung, members), off in zip(rungs.items(), apart.tolist(), strict=True):
        z = off / max(spread, (seeds or 0.0) / math.sqrt(len(members)), EXACT)
        deviation = float(np.mean([r["deviation"] for r in runs if r["rung"] == rung]))
        facts = {"rung": rung, "compute": members[0].compute, "runs": len(members), "deviation": deviation}
        facts |= {"end": float(ends[rung].mean()), "apart": off, "z": z}
        rows.append(facts | {"off": abs(z) > LIMIT and abs(off) > WORTH, "fitted": members[0].fitted})
    return rows, seeds, trend


def _line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and level of a line that one odd point does not move: medians (Theil 1950, Sen 1968)."""
    i, j = np.triu_indices(len(x), 1)
    apart = x[j] != x[i]
    slope = float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart])) if apart.any() else 0.0
    return slope, float(np.median(y - slope * x))


def _chance(fitted: Sequence[dict[str, Any]], seeds: float | None) -> float | None:
    """How often seeds alone would spread the rungs' means as far: one-way analysis of variance."""
    from scipy.special import fdtrc

    if not seeds:
        return None
    ends, counts = (np.array([row[key] for row in fitted]) for key in ("end", "runs"))
    ratio = float((counts * (ends - np.average(ends, weights=counts)) ** 2).sum()) / (len(ends) - 1) / seeds**2
    return float(fdtrc(len(ends) - 1, max(int(counts.sum()) - len(ends), 1), ratio))


def _warnings(
    rows: Sequence[dict[str, Any]], between: float, seeds: float | None, chance: float | None, trend: float
) -> list[str]:
    said = [_off(row) for row in rows if row["off"]]
    if chance is None:
        said.append("one seed a rung: how far seeds alone spread the curves is not known")
    elif chance < SURE:
        said.append(
            f"the rungs' curves differ by {between:.2g} %, seeds of one rung by {seeds:.2g} %: they do not collapse, "
            f"with a trend of {trend:+.2g} % per decade of compute; a law through their ends may bend"
        )
    return said


def _off(row: dict[str, Any]) -> str:
    side = "above" if row["apart"] > 0 else "below"
    verdict = "its recipe does not transfer" if row["fitted"] else "it is rightly left out of the fit"
    return f"rung {row['rung']} ends {abs(row['apart']):.1f} % {side} the others' curve: {verdict}"


def _listed(values: Array) -> list[float]:
    return [round(float(v), 6) for v in values]
