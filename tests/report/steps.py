"""What may stand beside a chain, made by the stages that write it from planted numbers: record, next run, collapse."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from presage.core.run import RunDir
from presage.forecast import advice, collapsed, gpus, law, plan, planned, record
from presage.forecast.collapse import collapse
from presage.forecast.published import sized
from tests.forecast.lab import make_ledger
from tests.forecast.test_collapse import FLOOR, with_off
from tests.report.conftest import AnyConfig

NOISE, SPEED, TARGET = 0.004, 7e10, 1e14
OFF = 5
"""The rung whose curve leaves the others'."""


def add(root: Path) -> None:
    """The three runs below `root`."""
    make_ledger(root / "lab")
    record.run(record.Config(ledger=Path("../lab/ledger.jsonl")), root / "record")
    next_run(root / "planned", plan_of())
    with RunDir.create(root / "collapse", "collapse", AnyConfig()) as run:
        collapsed.write(run, collapse(with_off(OFF, 0.04), FLOOR))
        run.finish()


def plan_of(*, spend: float | None = None, gpu: str | None = None, price: float | None = None) -> plan.Plan:
    """For a target a hundred times beyond eight rungs on a planted law, or for a hundredth of an hour of a GPU."""
    budgets = np.geomspace(1e11, 1e12, 8).tolist()
    points, _ = law.summarise([(c, 60 * c**-0.135 + 0.55) for c in budgets])
    rules, fit = "twenty tokens a parameter", law.fit(points, NOISE)
    source = advice.RunsAdvice("planted", fit, "bits/byte", rules, lambda c: sized(c**0.5, c**0.5 / 6))
    money = gpus.budget(None, 0.01, gpu) if gpu else gpus.budget(TARGET, None, None)
    return plan.make(money, source, spend=spend, price=price)


def next_run(path: Path, made: plan.Plan, speed: float | None = SPEED) -> RunDir:
    with RunDir.create(path, "plan", AnyConfig()) as run:
        planned.write(run, made, speed)
        run.finish()
    return run
