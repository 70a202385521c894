"""How fast an endpoint is asked: token buckets, a pause that all threads keep, the wait between attempts, and time."""

from __future__ import annotations

import email.utils
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

_FIRST_S, _LONGEST_S = 1.0, 60.0
_BURST_S = 10.0
_INSTANT_S = 1e-6  # what rounding leaves of a wait
_NAP_S = 1e8  # the system sleeps no longer at once


class Clock:
    """Real time; tests bring their own."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def today(self) -> datetime:
        """The date, for a Retry-After that names one."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, _NAP_S))


class Bucket:
    """At most `per_minute` on average, and a burst of ten seconds' worth. None: as fast as it goes."""

    def __init__(self, per_minute: float | None, clock: Clock) -> None:
        self._rate = per_minute / 60 if per_minute else 0.0
        self._clock, self._lock = clock, threading.Lock()
        self._full = max(1.0, self._rate * _BURST_S)
        self._level, self._seen = self._full, clock.now()

    def take(self, amount: float) -> float:
        """Take it now, and say how many seconds to wait before using it. Who comes later waits longer."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = self._clock.now()
            self._level = min(self._full, self._level + (now - self._seen) * self._rate) - amount
            self._seen = now
            return max(0.0, -self._level / self._rate)

    def give(self, amount: float) -> None:
        """Give back what was taken and not used; negative: more was used than taken."""
        with self._lock:
            self._level += amount


@dataclass
class Limits:
    """All that a request waits for before it is sent."""

    clock: Clock
    requests: Bucket
    tokens: Bucket
    _until: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, tokens: float) -> None:
        """Until this request may be sent; a pause that begins meanwhile is kept too."""
        turn = max(self.requests.take(1), self.tokens.take(tokens)) + self.clock.now()
        while (seconds := max(turn, self._until) - self.clock.now()) > _INSTANT_S:
            self.clock.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """The endpoint asked for patience: nobody asks before."""
        with self._lock:
            self._until = max(self._until, self.clock.now() + seconds)


def backoff(attempt: int, chance: Random) -> float:
    """Seconds before another attempt: 1, 2, 4, ... up to 60, each half of it by chance so that threads spread."""
    return float(min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt - 1, 10)) * (0.5 + 0.5 * chance.random()))


def retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds that a Retry-After header asks for, as seconds or as a date; None if there is none to be understood."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until_date(value, clock)
    return seconds if 0 <= seconds < float("inf") else None


def _until_date(value: str, clock: Clock) -> float:
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return float("nan")
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - clock.today()).total_seconds())
