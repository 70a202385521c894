"""One line of progress for long work: a live bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

QUIET = False  # set by the command line's --quiet
PLAIN_EVERY = 20.0  # seconds between plain lines


class Progress:
    """`with Progress("target", total=tokens) as p: p.update(tokens, loss=2.1)`; all output goes to stderr."""

    def __init__(self, label: str, total: float, unit: str = "tok", *, shown: bool = True) -> None:
        self.shown = shown and not QUIET
        self.label, self.total, self.unit = label, max(total, 1e-9), unit
        self._start = self._last = time.perf_counter()
        self._first = 0.0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty() and self.shown:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
            self._bar = Bar(*columns, TextColumn("{task.fields[facts]}"), console=Console(stderr=True))
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total, facts="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, done: float) -> None:
        """Work that was already done when this process began: it does not count for the rate."""
        self._first, self._start = done, time.perf_counter()

    def update(self, done: float, **facts: object) -> None:
        """Show that `done` of `total` is done, with facts such as loss=2.1."""
        now = time.perf_counter()
        rate = (done - self._first) / max(now - self._start, 1e-9)
        left = (self.total - done) / rate if rate > 0 else float("inf")
        eta = f"ETA {left:,.0f} s" if left < 1e6 else ""
        text = "  ".join([f"{rate:,.0f} {self.unit}/s", *(f"{k} {v}" for k, v in facts.items()), eta])
        if self._bar is not None:
            self._bar.update(self._task, completed=done, facts=text)
        elif self.shown and (now - self._last > PLAIN_EVERY or done >= self.total):
            self._last = now
            print(f"{self.label}: {100 * done / self.total:.0f} %  {text}", file=sys.stderr, flush=True)
