"""A stage that overwrites whatever is there."""

from __future__ import annotations

import shutil
from pathlib import Path

from presage.core.run import RunDir
from tests.toys.good import Config

__all__ = ["Config", "run"]


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    shutil.rmtree(out, ignore_errors=True)
    with RunDir.create(out, "careless", config) as run:
        run.finish()
    return run
