"""A stage that starts anew when resumed, but keeps the rows it had."""

from __future__ import annotations

from pathlib import Path

from presage.core.run import RunDir
from tests.toys.good import Config

__all__ = ["Config", "run"]


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    with RunDir.create(out, "forgetful", config, resume=resume) as run:
        for step in range(config.steps):
            run.metric(step=step)
        run.finish()
    return run
