"""The tree of errors. Each says what happened, where, and what to do about it.

PresageError                exit 2   bad input
├── ConfigError                      a recipe, key or value that does not fit
├── DataError                        files that cannot be read as documents
├── CorruptError                     a digest that does not match, a truncated file
├── RunError                         a run directory in use, unfinished or not empty
├── BudgetError                      compute, memory or disk too small for what was asked
├── SealError                        a seal refused
├── EndpointError                    a model behind a URL that cannot be reached, or refuses to answer
├── CheckFailed             exit 1   a verification that came out false
├── Unavailable             exit 3   an isolation or hardware requirement is missing
├── Stopped                 exit 4   a signal stopped the run; it can be resumed
└── SaidElsewhere                    another rank of the same run says what happened, and how all end
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PresageError(Exception):
    """Something a person can mend. `where` is a file, line, byte or key; `hint` is one thing to do."""

    exit_code = 2

    def __init__(self, what: str, *, where: object = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where is not None else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.what}{advice}"


class ConfigError(PresageError):
    """A recipe, key or value that does not fit."""


class DataError(PresageError):
    """Files that cannot be read as documents."""


class CorruptError(PresageError):
    """A digest that does not match, a truncated file."""


class RunError(PresageError):
    """A run directory in use, unfinished or not empty."""


class BudgetError(PresageError):
    """Compute, memory or disk too small for what was asked."""


class SealError(PresageError):
    """A seal refused."""


class EndpointError(PresageError):
    """A model behind a URL that cannot be reached, or refuses to answer."""


class CheckFailed(PresageError):
    """A verification that came out false."""

    exit_code = 1


class Unavailable(PresageError):
    """An isolation or hardware requirement is missing."""

    exit_code = 3


class Stopped(PresageError):
    """A signal stopped the run; it can be resumed."""

    exit_code = 4


class SaidElsewhere(PresageError):
    """Another rank of the same run says what happened; this one ends with the same exit code."""

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        super().__init__("another rank says why")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'lr'?`, or the list of what is known when nothing is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"
