"""What may stand beside a chain about an examination: of one model, and of a ladder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.run import RunDir
from tests.examined import EvalConfig, make

LADDER = ["model", "flops", "task", "shots", "metric", "value", "stderr", "chance", "invalid", "truncated"]
BUDGETS = (2e11, 1e12, 5e12)


def add(root: Path) -> None:
    """root/examination and root/scaling."""
    make(root / "examination", name="target", sharper=2.0)
    ladder(root / "scaling", ladder_rows())


def ladder_rows() -> list[dict[str, Any]]:
    """Two tasks, three rungs, three numbers of shots; the better the more compute and the more shots."""
    chance = np.random.default_rng(0)
    return [
        {"model": f"c{rung}-s0", "flops": flops, "task": task, "shots": shots, "metric": "accuracy",
         "value": 0.25 + 0.15 * rung + 0.05 * step + float(chance.normal(0, 0.005)), "stderr": 0.01, "chance": floor}
        for rung, flops in enumerate(BUDGETS)
        for task, many, floor in (("mmlu", 5, 0.25), ("arithmetic_2d", 16, None))
        for step, shots in enumerate((0, 1, many))
    ]  # fmt: skip


def ladder(path: Path, rows: list[dict[str, Any]], warnings: Sequence[str] = ()) -> RunDir:
    """An examined ladder's run directory."""
    with RunDir.create(path, "eval-ladder", EvalConfig()) as run:
        run.table("ladder", rows, LADDER)
        if warnings:
            run.table("warnings", [{"warning": text} for text in warnings])
        run.finish()
    return run
