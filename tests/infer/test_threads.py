"""Waiting for many answers at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest

from presage.core.errors import Stopped
from presage.infer.threads import side_by_side


def test_the_first_error_ends_the_work_and_the_rest_is_not_begun() -> None:
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    with pytest.raises(ValueError, match="three"):
        side_by_side(work, range(100), 1)
    assert begun[:4] == [0, 1, 2, 3]
    assert len(begun) < 100


def test_a_thread_that_hangs_does_not_keep_an_error_back() -> None:
    hold = threading.Event()

    def work(wait: Callable[[], object]) -> None:
        wait()
        raise ValueError("over")

    with pytest.raises(ValueError, match="over"):
        side_by_side(work, [hold.wait, lambda: None], 2)
    hold.set()


def test_a_signal_ends_the_wait_for_threads_that_hang() -> None:
    hold = threading.Event()

    def stop(number: int, frame: object) -> None:
        raise Stopped("a signal")

    def work(item: int) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        hold.wait()

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Stopped):
            side_by_side(work, [1], 1)
    finally:
        signal.signal(signal.SIGUSR1, before)
        hold.set()
