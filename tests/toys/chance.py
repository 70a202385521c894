"""A stage whose result depends on the process it runs in."""

from __future__ import annotations

from pathlib import Path

from presage.core.run import RunDir
from tests.toys.good import Config

__all__ = ["Config", "run"]


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    with RunDir.create(out, "chance", config, resume=resume) as run:
        run.result("order", str({"a", "b", "c", "d", "e", "f"}))
        run.finish()
    return run
