"""Sequences of one request at the engine: asked for in the server's loop, written in the runner's thread."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

from presage.core.errors import PresageError
from presage.infer.engine.asks import Ask, Event
from presage.serve.errors import ApiError, internal, of_presage

Sink = Callable[[Event], None]


class Writes(Protocol):
    """What is needed of presage.infer.engine.runner.Runner."""

    def begin(self, ask: Ask, sink: Sink) -> Future[int]:
        """The key of a new request, once it is known; the sink is called in another thread."""
        ...

    def cancel(self, key: int) -> None:
        """Nothing more of it is wanted."""
        ...

    @property
    def waiting(self) -> int:
        """Sequences that have no place yet."""
        ...

    @property
    def active(self) -> int:
        """Sequences that are written."""
        ...


Queue = asyncio.Queue[tuple[int, Event] | ApiError]


class Mail:
    """From the engine's thread to a loop: what comes while the loop is busy is handed over at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: deque[tuple[Queue, tuple[int, Event]]] = deque()
        self._called = False

    def post(self, queue: Queue, item: tuple[int, Event]) -> None:
        """In the engine's thread."""
        self._held.append((queue, item))
        if not self._called:
            self._called = True
            with contextlib.suppress(RuntimeError):  # a loop that is closed wants no more events
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._called = False  # first: what is posted from here on calls again
        while self._held:
            queue, item = self._held.popleft()
            queue.put_nowait(item)


class Work:
    """Some sequences until each has ended, or until `close`: then none is left at the engine."""

    def __init__(self, runner: Writes, asks: Sequence[Ask], mail: Mail) -> None:
        self._runner, self._asks, self._mail = runner, asks, mail
        self._queue: Queue = asyncio.Queue()
        self._open: dict[int, Future[int]] = {}

    async def events(self) -> AsyncIterator[tuple[int, Event]]:
        """(number of the sequence, event). Raises the ApiError that `fail` was given, 500 for a fault of the engine,
        and 400 for what it does not take."""
        try:
            await self._begin()
            while self._open:
                item = await self._queue.get()
                if isinstance(item, ApiError):
                    raise item
                number, event = item
                if number not in self._open:
                    continue
                if event.finish:
                    del self._open[number]
                if event.finish in ("error", "cancelled"):
                    raise internal()
                yield number, event
        finally:
            self.close()

    async def _begin(self) -> None:
        for number, ask in enumerate(self._asks):
            self._open[number] = self._runner.begin(ask, partial(self._sink, number))
        for future in list(self._open.values()):
            try:
                await asyncio.wrap_future(future)
            except PresageError as error:
                raise of_presage(error) from None

    def enough(self, number: int) -> None:
        """Nothing more of this sequence is wanted."""
        future = self._open.pop(number, None)
        if future is not None:
            self._drop(future)

    def fail(self, error: ApiError) -> None:
        """End it all with an error. In the loop's thread."""
        self._queue.put_nowait(error)

    def close(self) -> None:
        """Whatever is still written is cancelled."""
        for number in list(self._open):
            self.enough(number)

    def _drop(self, future: Future[int]) -> None:
        """Cancelled now where its key is known, else as soon as it is."""
        if not future.cancel():
            future.add_done_callback(self._cancel)

    def _cancel(self, future: Future[int]) -> None:
        if future.exception() is None:
            self._runner.cancel(future.result())

    def _sink(self, number: int, event: Event) -> None:
        self._mail.post(self._queue, (number, event))
