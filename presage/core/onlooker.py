"""A run directory as the other ranks of a run see it: one of them writes, for all."""

from __future__ import annotations

from typing import Any

from presage.core.run import RunDir


class Onlooker(RunDir):
    """A run that another rank writes: it can be read, and what is told to it is told by that one."""

    speaks = False

    def metric(self, **row: Any) -> None:
        """Nothing."""

    def timing(self, **row: Any) -> None:
        """Nothing."""

    def log(self, text: str) -> None:
        """Nothing."""

    def cut_rows(self, step: int) -> None:
        """Nothing."""
