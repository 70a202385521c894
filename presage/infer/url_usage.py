"""What asking an endpoint took: requests, tokens, money, and everything that was not as it should be."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

_MILLION = 1_000_000
_MOST = 1 << 40  # tokens of one answer: a count beyond is damage


@dataclass
class Usage:
    """Counts of one model; prices per million tokens.

    retries: attempts beyond the first. invalid: answers that could not be read, returned as empty texts. unmetered:
    answers that do not say how many tokens they took, which the cost leaves out. straddled: continuations whose first
    token begins in the prompt. unscored: first tokens of a document, for which the endpoint gives no probability.
    """

    price_in: float = 0.0
    price_out: float = 0.0
    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    invalid: int = 0
    unmetered: int = 0
    straddled: int = 0
    unscored: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def cost(self) -> float:
        """In the currency of the prices."""
        return (self.prompt_tokens * self.price_in + self.completion_tokens * self.price_out) / _MILLION

    def count(self, **more: int) -> None:
        """Add to counts; threads may do so at once."""
        with self._lock:
            for name, amount in more.items():
                setattr(self, name, getattr(self, name) + amount)

    def answered(self, answer: Any) -> int:
        """Count what an answer says it took; the tokens of both kinds."""
        told = answer.get("usage") if isinstance(answer, dict) else None
        spent = [counted(told, name) for name in ("prompt_tokens", "completion_tokens")]
        if spent[0] is None:
            self.count(unmetered=1)
            return 0
        self.count(prompt_tokens=spent[0], completion_tokens=spent[1] or 0)
        return spent[0] + (spent[1] or 0)

    def table(self) -> list[dict[str, str | int | float]]:
        """Rows {"what", "value"} for a table; the cost where there are prices."""
        names = ("requests", "retries", "prompt_tokens", "completion_tokens")
        rare = ("invalid", "unmetered", "straddled", "unscored")
        rows: list[dict[str, str | int | float]] = [{"what": name, "value": getattr(self, name)} for name in names]
        rows += [{"what": name, "value": getattr(self, name)} for name in rare if getattr(self, name)]
        priced = self.price_in or self.price_out
        return [*rows, {"what": "cost", "value": self.cost}] if priced else rows


def counted(told: Any, name: str) -> int | None:
    """A count of an answer's `usage`; None where it says none that can be."""
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
