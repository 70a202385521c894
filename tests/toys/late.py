"""A stage that goes on writing when it is DONE."""

from __future__ import annotations

from pathlib import Path

from presage.core.run import RunDir
from tests.toys.good import Config

__all__ = ["Config", "run"]


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    with RunDir.create(out, "late", config, resume=resume) as run:
        run.finish()
        run.log("finished")
    return run
