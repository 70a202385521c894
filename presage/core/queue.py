"""Work in a cluster's queue: submitit's jobs, waited for as if they were processes of this machine.

submitit hands functions and results over as pickles in a folder beside the run: its own, written and read by this user.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from presage.core import progress
from presage.core.errors import ConfigError, PresageError, RunError, Unavailable
from presage.core.workers import stopped_by_signals

POLL = 1.0
"""Seconds between looks at what has ended."""


@contextlib.contextmanager
def queued(cluster: str, folder: Path, parameters: Mapping[str, object]) -> Iterator[Executor]:
    """An executor whose work waits in a queue: "slurm", or "local" for processes that submitit starts here.

    parameters: of a job, by submitit's names (timeout_min, slurm_partition, gpus_per_node). Logs are in `folder`. A
    signal cancels what is queued, and Stopped is raised here. Raises Unavailable where there is no such queue,
    ConfigError for parameters that submitit does not know.
    """
    submitit = _library()
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
    except (RuntimeError, ValueError, OSError) as error:
        raise Unavailable(f"no queue '{cluster}' here: {_line(error)}", where="--queue") from None
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
        """The future of what a job will give."""
        future: Future[Any] = Future()
        self._jobs[future] = self._executor.submit(_told, function, arguments, named)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop looking; `cancel_futures`: take out of the queue what has not ended."""
        for job in [*self._jobs.values()] if cancel_futures else ():
            job.cancel(check=False)
        self._over.set()
        if wait:
            self._watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(POLL):
            for future, job in [*self._jobs.items()]:
                if job.done():
                    del self._jobs[future]
                    _settle(future, job)


def _settle(future: Future[Any], job: Any) -> None:
    """Hand over what a job gave, or why it gave nothing."""
    try:
        value, error = job.result()
    except Exception as lost:  # whatever a queue does to jobs
        hint = f"its output is {job.paths.stderr}"
        value, error = None, RunError(f"ended without a result: {_line(lost)}", where=f"job {job.job_id}", hint=hint)
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _told(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any, PresageError | None]:
    """In the job: what a function gives, or what a person can mend."""
    progress.QUIET = True
    try:
        return function(*arguments, **named), None
    except PresageError as error:
        return None, error


def _library() -> Any:
    try:
        return importlib.import_module("submitit")
    except ImportError:
        raise Unavailable("submitit is not installed", where="--queue", hint="pip install 'presage[cluster]'") from None


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
