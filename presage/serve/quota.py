"""Limits of a key by the minute, as buckets that fill steadily. Tokens are counted when they are known: at the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from presage.serve.errors import ApiError
from presage.serve.keys import Key

Clock = Callable[[], float]
MINUTE = 60.0


@dataclass
class Bucket:
    """Holds a minute's worth at most. What is taken may exceed what is there: it is then owed."""

    a_minute: float
    clock: Clock
    _held: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._held, self._seen = self.a_minute, self.clock()

    def wait(self, wanted: float) -> float:
        """Seconds until so much is there; 0 now."""
        now = self.clock()
        self._held = min(self.a_minute, self._held + (now - self._seen) * self.a_minute / MINUTE)
        self._seen = now
        return max(0.0, (min(wanted, self.a_minute) - self._held) * MINUTE / self.a_minute)

    def take(self, amount: float) -> None:
        """Less is there."""
        self._held -= amount


class Quotas:
    """Of all keys."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def ask(self, key: Key) -> None:
        """One request more. Raises ApiError, 429, where that is one too many."""
        requests, tokens = self._of(key)
        waits = {
            "requests": requests.wait(1.0) if requests else 0.0,
            "tokens": tokens.wait(1.0) if tokens else 0.0,
        }
        what, seconds = max(waits.items(), key=lambda one: one[1])
        if seconds > 0:
            limit = key.requests_per_minute if what == "requests" else key.tokens_per_minute
            message = f"Rate limit reached: {limit:g} {what} a minute. Try again in {seconds:.1f} s."
            raise ApiError(429, message, code="rate_limit_exceeded", retry_after=seconds)
        if requests:
            requests.take(1.0)

    def spend(self, key: Key, tokens: int) -> None:
        """What an answer cost, its prompt included."""
        bucket = self._of(key)[1]
        if bucket:
            bucket.take(tokens)

    def _of(self, key: Key) -> tuple[Bucket | None, Bucket | None]:
        return (
            self._bucket(key.name, "requests", key.requests_per_minute),
            self._bucket(key.name, "tokens", key.tokens_per_minute),
        )

    def _bucket(self, name: str, what: str, limit: float | None) -> Bucket | None:
        if limit is None:
            return None
        return self._buckets.setdefault((name, what), Bucket(limit, self._clock))
