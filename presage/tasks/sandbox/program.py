"""What goes into the sandbox and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presage.core.errors import ConfigError

LONGEST = 3600.0  # seconds
LARGEST = 1_000_000  # bytes of source, of setup and of test

Reason = Literal["passed", "failed", "error", "timeout", "limit", "ended", "refused"]


@dataclass(frozen=True)
class Program:
    """Untrusted source and the tests that judge it.

    The candidate's process runs `source` alone. The checker's runs `setup`, which must not hold anything of the
    candidate's, then binds every name of `entries` to a function that asks the candidate, then runs `test`, which must
    call one of them. `timeout_s` is wall time from the moment that both processes stand ready. Raises ConfigError.
    """

    id: str
    source: str
    entries: tuple[str, ...]
    test: str
    setup: str = ""
    timeout_s: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= LONGEST:
            raise ConfigError(f"a time limit of {self.timeout_s} seconds", where=self.id, hint=f"at most {LONGEST:.0f}")
        if not self.entries:
            raise ConfigError("no function to call", where=self.id, hint="name what the tests call")

    @property
    def texts(self) -> tuple[str, str, str]:
        """All that is run."""
        return self.source, self.setup, self.test


@dataclass(frozen=True)
class Verdict:
    """What came of one program.

    passed    every test held
    failed    an assertion of the tests did not hold
    error     an exception, in the candidate or in the tests
    timeout   not done in time
    limit     out of memory
    ended     the candidate's process ended before the tests did
    refused   a value that may not cross, or a source too long to be run
    """

    id: str
    reason: Reason
    detail: str
    seconds: float
    isolation: str

    @property
    def passed(self) -> bool:
        """Whether every test held."""
        return self.reason == "passed"
