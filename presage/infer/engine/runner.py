"""A thread that owns a batcher: requests come from any thread, and what is new is told to each one's sink."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from presage.core.errors import PresageError
from presage.infer.engine.asks import Ask, Event
from presage.infer.engine.batcher import Batcher

Sink = Callable[[Event], None]
"""Called in the runner's thread: it hands on and returns."""
BROKEN = "the model failed"


class Runner:
    """Steps while there is something to do. Errors of a step end the requests at work, not the thread."""

    def __init__(self, batcher: Batcher) -> None:
        self.batcher = batcher
        self._wake = threading.Condition()
        self._asked: deque[tuple[Ask, Sink, Future[int]]] = deque()
        self._cancelled: deque[int] = deque()
        self._sinks: dict[int, Sink] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> Runner:
        """Begin to work."""
        self._thread.start()
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """Cancel what is left and end; whether it ended in time."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def submit(self, ask: Ask, sink: Sink) -> int:
        """The key of a new request; waits for the step at work. Raises ConfigError for what cannot be asked."""
        future = self.begin(ask, sink)
        return future.result()

    def begin(self, ask: Ask, sink: Sink) -> Future[int]:
        """As `submit`, without waiting."""
        future: Future[int] = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(RuntimeError("the engine is stopped"))
                return future
            self._asked.append((ask, sink, future))
            self._wake.notify()
        return future

    def cancel(self, key: int) -> None:
        """End a request; its slot is free at the next step."""
        with self._wake:
            self._cancelled.append(key)
            self._wake.notify()

    @property
    def waiting(self) -> int:
        """Requests without a slot."""
        return self.batcher.waiting + len(self._asked)

    @property
    def active(self) -> int:
        """Requests at work."""
        return self.batcher.active

    @property
    def tokens_read(self) -> int:
        """Since the start, those of answers included."""
        return self.batcher.tokens_read

    @property
    def tokens_written(self) -> int:
        """Since the start."""
        return self.batcher.tokens_written

    @property
    def alive(self) -> bool:
        """Whether its thread works."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while self._news():
            try:
                events = self.batcher.step()
            except Exception as error:  # whatever the model raises: those at work are told, the next may fare better
                trouble = str(error) if isinstance(error, PresageError) else BROKEN
                events = [Event(key, None, finish="error", trouble=trouble) for key in self.batcher.abandoned()]
            for event in events:
                self._tell(event)
        for key in list(self._sinks):
            self._tell(Event(key, None, finish="cancelled"))

    def _news(self) -> bool:
        """Take in what was asked and cancelled, waiting where there is nothing to do; False when it is time to end."""
        with self._wake:
            self._wake.wait_for(self._something)
            asked, self._asked = self._asked, deque()
            cancelled, self._cancelled = self._cancelled, deque()
            stopping = self._stopping
        for ask, sink, future in asked:
            self._take(ask, sink, future, stopping)
        for key in cancelled:
            self.batcher.cancel(key)
        return not stopping

    def _something(self) -> bool:
        return bool(self._stopping or self._asked or self._cancelled or not self.batcher.idle)

    def _take(self, ask: Ask, sink: Sink, future: Future[int], stopping: bool) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            if stopping:
                raise RuntimeError("the engine is stopped")
            key = self.batcher.submit(ask)
        except Exception as error:
            future.set_exception(error)
            return
        self._sinks[key] = sink
        future.set_result(key)

    def _tell(self, event: Event) -> None:
        sink = self._sinks[event.key] if event.finish is None else self._sinks.pop(event.key)
        try:
            sink(event)
        except Exception:  # a sink that fails has nobody who listens
            self._sinks.pop(event.key, None)
            if event.finish is None:
                self._sinks[event.key] = _nobody
                self.batcher.cancel(event.key)


def _nobody(event: Event) -> None:
    """Where the rest of a request goes to whose sink failed."""
