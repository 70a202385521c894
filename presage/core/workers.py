"""Work side by side: processes that end when their parent does, by a signal or by a kill."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait as wait_for

from presage.core import progress
from presage.core.errors import Stopped


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """`jobs` worker processes that stop with us: a signal reaches them, they save, and Stopped is raised here."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker)

    def stop(number: int, _: object) -> None:
        for process in list(getattr(pool, "_processes", {}).values()):
            os.kill(process.pid, number)
        raise Stopped("stopped by a signal; what is finished is kept", hint="--resume goes on")

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    pool.shutdown()


def _start_worker() -> None:
    """No bar of its own; and it ends with its parent, even one killed with SIGKILL, so that its work can be resumed."""
    progress.QUIET = True
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(Stopped.exit_code)


def usable_cores() -> int:
    """Cores this process may run on (a container or taskset may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
