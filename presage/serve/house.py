"""What all requests share: settings, the model and its engine, keys and their limits, and who is being served now."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError
from presage.infer.engine.asks import Ask
from presage.serve.errors import ApiError
from presage.serve.keys import Key
from presage.serve.metrics import Metrics
from presage.serve.policy import Usage
from presage.serve.quota import Quotas
from presage.serve.served import Served
from presage.serve.work import Mail, Work, Writes

LOCAL = "127.0.0.1"
RETRY = 1.0
"""Seconds after which a full queue is worth another try."""


class Settings(Config):
    """How a server behaves. Sizes in bytes, times in seconds."""

    host: str = LOCAL
    port: int = Field(default=8000, ge=0, lt=1 << 16)
    rows: int = Field(default=16, gt=0)
    """Sequences written at once."""
    queue: int = Field(default=64, ge=0)
    """Requests that may wait besides as many as there are rows; one more is told 503."""
    deadline: float = Field(default=600.0, gt=0)
    """Of one request, waiting included."""
    grace: float = Field(default=30.0, ge=0)
    """For requests at work after SIGTERM."""
    body: int = Field(default=32_000_000, gt=0)
    """Of one request."""
    head_seconds: float = Field(default=10.0, gt=0)
    """Until a request's headers are there."""
    body_seconds: float = Field(default=30.0, gt=0)
    """Until its body is."""
    write_seconds: float = Field(default=30.0, gt=0)
    """That a client may read nothing of what is sent to it."""
    max_tokens: int = Field(default=4096, gt=0)
    """Of an answer that names no number of its own; the context bounds every one."""


@dataclass(eq=False)
class Place:
    """A request being served."""

    key: Key | None
    work: Work | None = None
    error: ApiError | None = None

    def begin(self, work: Work) -> Work:
        """What is to be written, which ends at once where the request has failed already."""
        self.work = work
        if self.error is not None:
            work.fail(self.error)
        return work

    def fail(self, error: ApiError) -> None:
        """End its work with an error."""
        self.error = error
        if self.work is not None:
            self.work.fail(error)


@dataclass(eq=False)
class House:
    """usage: the policy that requests and answers are judged by, where there is one. open_paths: what anybody may read
    without a key, besides /health."""

    served: Served
    runner: Writes
    settings: Settings = field(default_factory=Settings)
    keys: Sequence[Key] = ()
    usage: Usage | None = None
    open_paths: frozenset[str] = frozenset()
    metrics: Metrics = field(default_factory=Metrics)
    quotas: Quotas = field(default_factory=Quotas)
    _mails: WeakKeyDictionary[asyncio.AbstractEventLoop, Mail] = field(default_factory=WeakKeyDictionary)
    draining: bool = False
    places: set[Place] = field(default_factory=set)
    others: dict[str, House] = field(default_factory=dict)
    """Models beside this one, by their ids: all but the model and its engine is shared."""

    def __post_init__(self) -> None:
        check_address(self.settings.host, self.keys)
        self.metrics.gauge("sequences_waiting", lambda: sum(one.runner.waiting for one in self.all))
        self.metrics.gauge("sequences_active", lambda: sum(one.runner.active for one in self.all))
        self.metrics.gauge("requests_in_flight", lambda: len(self.places))

    @property
    def all(self) -> list[House]:
        """Itself and those beside it."""
        return [self, *self.others.values()]

    def add(self, served: Served, runner: Writes) -> None:
        """Serve another model beside this one. Raises ConfigError for one of the same name."""
        if served.id in (one.served.id for one in self.all):
            raise ConfigError(f"both are called '{served.id}'", where="serve", hint="--name calls the first otherwise")
        other = copy.copy(self)
        other.served, other.runner, other.others = served, runner, {}
        self.others[served.id] = other

    def work(self, asks: Sequence[Ask]) -> Work:
        """Some sequences, not yet begun, whose events come to the loop that runs."""
        loop = asyncio.get_running_loop()
        return Work(self.runner, asks, self._mails.setdefault(loop, Mail(loop)))

    def check_room(self) -> None:
        """ApiError, 503, where no request is taken now."""
        if self.draining:
            raise ApiError(503, "The server is shutting down.", code="shutting_down", retry_after=self.settings.grace)
        if len(self.places) >= self.settings.rows + self.settings.queue:
            raise ApiError(503, "The server is at its limit of requests.", code="overloaded", retry_after=RETRY)

    @contextlib.contextmanager
    def place(self, key: Key | None) -> Iterator[Place]:
        """A place for one request. Raises ApiError, 503, where there is none, 429 or 403 where its key may not ask."""
        self.check_room()
        if key is not None:
            if self.usage is not None:
                self.usage.check(key)
            self.quotas.ask(key)
        place = Place(key)
        self.places.add(place)
        loop = asyncio.get_running_loop()
        late = ApiError(504, "The request took longer than it may.", code="deadline_exceeded")
        timer = loop.call_later(self.settings.deadline, place.fail, late)
        try:
            yield place
        finally:
            timer.cancel()
            if place.work is not None:
                place.work.close()
            self.places.discard(place)

    def spend(self, key: Key | None, prompt: int, written: int) -> None:
        """Count what an answer cost."""
        self.metrics.count("prompt_tokens", prompt)
        self.metrics.count("completion_tokens", written)
        if key is not None:
            self.quotas.spend(key, prompt + written)

    def close(self) -> None:
        """Whoever is still served is told that it ends."""
        for place in list(self.places):
            place.fail(ApiError(503, "The server is shutting down.", code="shutting_down", retry_after=RETRY))


def check_address(host: str, keys: Sequence[Key]) -> None:
    """ConfigError for an address that others reach, without a key to tell them apart."""
    if not keys and not is_local(host):
        hint = "give --keys FILE (presage keys add NAME --file FILE), or stay on 127.0.0.1"
        raise ConfigError(f"{host} can be reached from elsewhere, and no key is asked for", where="--host", hint=hint)


def is_local(host: str) -> bool:
    """Does this address lead to this machine alone?"""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
