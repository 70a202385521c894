"""Fine-tuned runs beside each other: metrics, differences over the same items, curves, one figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from presage.align.finetune_data import Item
from presage.align.finetune_scores import AGGREGATES, Prediction
from presage.core.estimates import Estimate, Mean, bootstrap, of_mean
from presage.core.run import RunDir
from presage.report import svg
from presage.report.figures import STYLE
from presage.report.svg import DRAW


@dataclass(frozen=True)
class Difference:
    """A metric of some runs less that of others, one pair a seed: its mean, its error over items, and every seed's."""

    over_items: Estimate
    seeds: tuple[float, ...]

    @property
    def stderr(self) -> float | None:
        """Over items, which the runs share, and over seeds where there are several; the larger one."""
        errors = [self.over_items.stderr or 0.0]
        if len(self.seeds) > 1:
            errors.append(float(np.std(self.seeds, ddof=1)) / math.sqrt(len(self.seeds)))
        return max(errors) or None

    @property
    def errors(self) -> float | None:
        """How many standard errors it is away from nothing."""
        value = self.over_items.value
        return None if value is None or not self.stderr else value / self.stderr


def metric(run: RunDir, name: str) -> dict[str, Any]:
    """An entry of result.json."""
    return run.results()[name]


def mean_over(runs: Sequence[RunDir], name: str) -> str:
    """The mean over seeds and, in brackets, the error over items of the first; – of none."""
    if not runs:
        return "–"
    values = [metric(run, name)["value"] for run in runs]
    error = metric(runs[0], name)["stderr"]
    return f"{sum(values) / len(values):.3f}" + (f" ({error:.3f})" if error else "")


def difference(ones: Sequence[RunDir], others: Sequence[RunDir], name: str) -> Difference:
    """ones less others, whose runs judged the same items; of accuracy Student's error, else the bootstrap's."""
    sides = [[_predictions(run) for run in some] for some in (ones, others)]
    ids = {tuple(one.item.id for one in run) for side in sides for run in side}
    assert len(ids) == 1, "the runs judged different items"
    judge = AGGREGATES.get(name, lambda found: float(np.mean([one.right for one in found])))
    pairs = list(zip(*(run for side in sides for run in side), strict=True))
    if name == "accuracy":
        found = of_mean([_mean(one.right for one in row[: len(ones)]) - _mean(o.right for o in row[len(ones) :])
                         for row in pairs])  # fmt: skip
    else:
        found = bootstrap(pairs, lambda rows: _gap(rows, len(ones), judge))
    seeds = [judge(a) - judge(b) for a, b in zip(*sides, strict=True)]
    return Difference(found, tuple(seeds))


def _gap(rows: Sequence[tuple[Prediction, ...]], count: int, judge: Callable[[Sequence[Prediction]], float]) -> float:
    runs = [judge(run) for run in zip(*rows, strict=True)]
    return _mean(runs[:count]) - _mean(runs[count:])


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def _predictions(run: RunDir) -> list[Prediction]:
    rows = run.read_table("predictions")
    found = {row["label"] for row in rows} | {row["predicted"] for row in rows}
    names = sorted(found, key=lambda name: (name in POSITIVE, name))
    place = {name: number for number, name in enumerate(names)}
    return [Prediction(Item(row["id"], (), place[row["label"]]), place[row["predicted"]], ()) for row in rows]


POSITIVE = ("yes", "acceptable")
"""Of two classes the one that F1 is of."""


def asked(run: RunDir, name: str) -> dict[str, str]:
    """{zero-shot, k shots: value (error)} of a metric, from tables/compared.csv."""
    rows = [row for row in run.read_table("compared") if row["metric"] == name and row["how"] != "fine-tuned"]
    return {row["how"]: f"{float(row['value']):.3f} ({float(row['stderr'] or 0):.3f})" for row in rows}


def curve(run: RunDir, name: str) -> list[float]:
    """A metric after each epoch."""
    return [row[f"test/{name}"] for row in run.rows() if f"test/{name}" in row]


# ---- the figure -----------------------------------------------------------------------------------------------------

Line = list[tuple[float, Mean]]


def figure(path: Path, title: str, lines: dict[str, Line], epochs: dict[str, list[float]], baseline: float) -> Path:
    """Two panels: a metric over the number of labels with one error up and down, and over epochs."""
    import matplotlib
    from matplotlib.figure import Figure

    colours = dict(zip(lines, (DRAW["accent"], DRAW["target"]), strict=False))
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE}):
        canvas = Figure(figsize=(7.4, 3.2), layout="constrained")
        left, right = canvas.subplots(1, 2, sharey=True)
        for name, points in lines.items():
            x, y = [count for count, _ in points], [one.value or 0.0 for _, one in points]
            left.errorbar(x, y, [one.stderr or 0.0 for _, one in points], color=colours[name], marker="o")
            left.text(x[-1], y[-1] + 0.012, name, color=colours[name], ha="right")
        for name, values in epochs.items():
            right.plot(range(1, len(values) + 1), values, color=colours.get(name, DRAW["muted"]), marker="o")
        for panel, label in ((left, "labels"), (right, "epochs")):
            panel.axhline(baseline, color=DRAW["muted"], linestyle="--", linewidth=0.8)
            panel.set_xlabel(label)
        counts = sorted({count for points in lines.values() for count, _ in points})
        left.set_xscale("log")
        left.set_xticks(counts, [f"{count:,.0f}" for count in counts])
        left.set_xticks([], minor=True)
        right.set_xticks(range(1, 1 + max(map(len, epochs.values()))))
        left.set_ylabel("accuracy")
        raw = svg.save(canvas, path.stem)
    path.write_text(svg.standalone(svg.finish(raw, title, title, {})), encoding="utf-8")
    return path
