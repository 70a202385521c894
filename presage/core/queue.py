"""Work in a cluster's queue: submitit's jobs, waited for as if they were processes of this machine.

submitit hands functions and results over as pickles in a folder beside the run: its own, written and read by this user.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from presage.core import progress
from presage.core.errors import ConfigError, PresageError, RunError, Unavailable
from presage.core.workers import held_back, stopped_by_signals

POLL = 1.0
"""Seconds between looks at what has ended."""
LIMITS = (signal.SIGUSR1, signal.SIGUSR2)
"""By which a queue says that a job's time is nearly up."""


@contextlib.contextmanager
def queued(cluster: str, folder: Path, parameters: Mapping[str, object]) -> Iterator[Executor]:
    """An executor whose work waits in a queue: "slurm", or "local" for processes that submitit starts here.

    parameters: of a job, by submitit's names (timeout_min, slurm_partition, gpus_per_node). Logs are in `folder`. An
    error or a signal cancels what has not ended. Raises Unavailable where there is no such queue, ConfigError for
    parameters that submitit does not know, RunError where the queue takes no job or loses one.
    """
    submitit = _library()
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    except (RuntimeError, ValueError, OSError) as error:
        hint = "type it where jobs are submitted from, or try --queue local"
        raise Unavailable(f"no queue '{cluster}' here: {_line(error)}", where="--queue", hint=hint) from None
    try:
        executor.update_parameters(**parameters)
    except (NameError, TypeError, ValueError, AssertionError) as error:
        raise ConfigError(_line(error), where="--job") from None
    queue = Queue(executor)
    with stopped_by_signals():
        try:
            yield queue
        except BaseException:
            queue.shutdown(cancel_futures=True)
            raise
    queue.shutdown()


class Queue(Executor):
    """submitit's jobs as futures."""

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        self._jobs: dict[Future[Any], Any] = {}
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """The future of what a job will give. Raises RunError where the queue takes no such job."""
        future: Future[Any] = Future()
        with held_back():  # a job that is not on our list would never be cancelled
            try:
                self._jobs[future] = self._executor.submit(_told, function, arguments, named)
            except (RuntimeError, OSError) as error:
                raise RunError(f"the queue takes no job: {_line(error)}", where="--queue") from None
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop looking; `cancel_futures`: take out of the queue what has not ended."""
        with held_back():
            for job in [*self._jobs.values()] if cancel_futures else ():
                with contextlib.suppress(OSError, RuntimeError):
                    job.cancel(check=False)
        self._over.set()
        if wait:
            self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL):
            for future, job in [*self._jobs.items()]:
                if _settled(future, job):
                    del self._jobs[future]


def _settled(future: Future[Any], job: Any) -> bool:
    """Whether a job has ended; then what it gave is handed over, or why it gave nothing."""
    try:
        if not job.done():
            return False
        value, error = job.result()
    except Exception as lost:  # whatever a queue does to jobs
        hint = f"its output is {job.paths.stderr}"
        value, error = None, RunError(f"ended without a result: {_line(lost)}", where=f"job {job.job_id}", hint=hint)
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
    return True


def _told(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, PresageError | None]:
    """In the job: what a function gives, or what a person can mend; near its time limit it is stopped."""
    progress.QUIET = True
    for number in LIMITS:
        signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        return function(*arguments, **named), None
    except PresageError as error:
        return None, error
    except Exception as error:
        traceback.print_exc()
        return None, RunError(f"internal error: {type(error).__name__}: {_line(error)}", hint="its output has more")


def _library() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise Unavailable("submitit is not installed", where="--queue", hint="pip install 'presage[cluster]'") from None


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
