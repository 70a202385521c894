"""Programs that models wrote, run in the sandbox for a task's methods."""

from __future__ import annotations

from collections.abc import Sequence

from presage.tasks.sandbox import Program, Sandbox
from presage.tasks.task import Execute, Verdict

LONGEST = 500  # characters of a detail that is kept


class Executing:
    """A sandbox that answers Execute requests."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def check(self, programs: Sequence[Execute]) -> list[Verdict]:
        """A verdict a program, in their order."""
        asked = [
            Program(one.id, one.source, (one.entry, *one.more_entries), one.test, one.setup, one.timeout_s)
            for one in programs
        ]
        return [Verdict(one.passed, one.reason, one.detail[:LONGEST]) for one in self.sandbox.check(asked)]
