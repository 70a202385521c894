"""Work side by side: processes that end when their parent does, by a signal or by a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.connection import wait as wait_for
from typing import Any

from presage.core import progress
from presage.core.errors import Stopped


@contextlib.contextmanager
def workers(jobs: int, gpus: int = 0) -> Iterator[ProcessPoolExecutor]:
    """`jobs` worker processes that stop with us: a signal reaches them, they save, and Stopped is raised here.

    gpus: of this machine; each process computes on the next one.
    """
    context = multiprocessing.get_context("spawn")
    begin = partial(_start_worker, context.Value("i", 0), gpus)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=begin)

    def pass_on(number: int) -> None:
        for process in list(getattr(pool, "_processes", {}).values()):
            os.kill(process.pid, number)

    with stopped_by_signals(pass_on):
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    pool.shutdown()


@contextlib.contextmanager
def stopped_by_signals(first: Callable[[int], object] = lambda number: None) -> Iterator[None]:
    """At SIGTERM or SIGINT do something `first`, given its number, and raise Stopped."""

    def stop(number: int, _: object) -> None:
        first(number)
        raise Stopped("stopped by a signal; what is finished is kept", hint="--resume goes on")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """SIGTERM and SIGINT that come meanwhile are delivered when the block has ended."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _start_worker(places: Any, gpus: int) -> None:
    """No bar of its own; and it ends with its parent, even one killed with SIGKILL, so that its work can be resumed."""
    progress.QUIET = True
    if gpus:
        take_gpu(places, gpus)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(Stopped.exit_code)


def take_gpu(places: Any, gpus: int) -> None:
    """Make the next GPU the one that "cuda" means in this process; `places` counts those that are taken."""
    import torch

    with places.get_lock():
        torch.cuda.set_device(places.value % gpus)
        places.value += 1


def usable_cores() -> int:
    """Cores this process may run on (a container or taskset may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
