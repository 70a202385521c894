"""Waiting for many answers at once, in threads that never keep a program from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(work: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """work(item) of all, in their order, by up to `threads` threads. The first exception is raised here at once.

    The threads are daemons: one that still waits for an answer when an exception or a signal ends the work is left
    behind, and takes no further item.
    """
    ended = threading.Event()
    todo: SimpleQueue[tuple[int, T]] = SimpleQueue()
    done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    for numbered in enumerate(items):
        todo.put(numbered)

    def run() -> None:
        while not ended.is_set() and not todo.empty():
            try:
                place, item = todo.get_nowait()
            except Empty:  # another thread took the last one
                return
            try:
                done.put((place, work(item), None))
            except BaseException as error:
                ended.set()
                done.put((place, None, error))

    for _ in range(min(threads, len(items))):
        threading.Thread(target=run, daemon=True).start()
    results: list[Any] = [None] * len(items)
    try:
        for _ in items:
            place, result, error = done.get()
            if error is not None:
                raise error
            results[place] = result
    finally:
        ended.set()
    return results
