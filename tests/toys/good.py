"""A stage that keeps the contract: a few steps, each a row, resumed from the last row."""

from __future__ import annotations

from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.run import RunDir

__all__ = ["Config", "run"]


class Config(BaseConfig):
    steps: int = 4


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    with RunDir.create(out, "good", config, resume=resume) as run:
        done = len(list(run.rows()))
        run.cut_rows(done - 1)
        for step in range(done, config.steps):
            run.metric(step=step)
        run.result("steps", config.steps)
        run.finish()
    return run
