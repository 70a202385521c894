"""Opening a sandbox: the best isolation that this machine has and that holds, or a refusal saying what is missing."""

from __future__ import annotations

import os
import platform
import queue
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from presage.core.errors import ConfigError, Unavailable, did_you_mean
from presage.core.workers import usable_cores
from presage.tasks.sandbox.pair import Users, judge
from presage.tasks.sandbox.probe import probe
from presage.tasks.sandbox.program import Program, Verdict
from presage.tasks.sandbox.python import Python, find_python
from presage.tasks.sandbox.tiers import ACCEPT, BWRAP, NONE, TIERS, Tier, make, namespaces_refused
from presage.tasks.sandbox.watcher import Watcher

# Users that a slot runs as when root opens the sandbox: nobody's own, in the range that systemd keeps for such users,
# below the 65,536 that a container's root may have. Two sandboxes at once may share some; neither can reach the other.
FIRST_USER, USERS = 61_184, 4_000
AHEAD = 32  # programs that wait for each slot: a slow one keeps few others from being told, and few are held at once


class Sandbox:
    """Judges programs, several at once. Open it with `Sandbox.open`, close it or use it in a `with`."""

    def __init__(self, tier: Tier, slots: Sequence[Users]) -> None:
        self.tier, self.slots, self.watcher = tier, tuple(slots), Watcher(tier.python)
        self._free: queue.SimpleQueue[Users] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)
        self._threads = ThreadPoolExecutor(len(slots), thread_name_prefix="sandbox")

    @classmethod
    def open(cls, *, accept_unsandboxed: bool = False, tier: str | None = None, jobs: int | None = None) -> Self:
        """The best tier that holds a hostile probe, or the one that is named; `jobs` programs at once, one per core.

        Raises Unavailable (exit 3) if none does, naming for each what is missing; with `accept_unsandboxed` programs
        then run without isolation, and every verdict says so. Raises ConfigError for an unknown tier or no jobs.
        """
        if tier not in (None, NONE, *TIERS):
            raise ConfigError(f"no tier '{tier}'", where="sandbox", hint=did_you_mean(str(tier), [NONE, *TIERS]))
        if jobs is not None and jobs < 1:
            raise ConfigError(f"{jobs} jobs", where="sandbox", hint="at least one")
        slots = _slots(jobs or usable_cores())
        python = find_python(slots[0].candidate)
        if tier == NONE and not accept_unsandboxed:
            raise Unavailable("programs would run without isolation", where="sandbox", hint=ACCEPT)
        found = make(NONE, python) if tier == NONE else _best(TIERS if tier is None else (tier,), python, slots[0])
        if isinstance(found, Tier):
            return cls(found, slots)
        if accept_unsandboxed:
            return cls(make(NONE, python), slots)
        raise Unavailable(
            f"no isolation for untrusted programs on {platform.platform()}; {'; '.join(found)}",
            where="sandbox",
            hint=f"docs/sandbox.md has what each needs; {ACCEPT} runs them all the same, and every result says so",
        )

    @property
    def isolation(self) -> str:
        """The name of the tier: bwrap+seccomp, landlock+seccomp or none."""
        return self.tier.name

    @property
    def kernel(self) -> str:
        """The kernel that all programs share with this process."""
        return f"{platform.system()} {platform.release()}"

    @property
    def python(self) -> str:
        """The version of the Python that programs run in."""
        return self.tier.python.version

    def each(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        """A verdict for every program, in their order, each as soon as it and those before it are done."""
        waiting: deque[Future[Verdict]] = deque()
        try:
            for program in programs:
                waiting.append(self._submit(program))
                if len(waiting) > AHEAD * len(self.slots):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for later in waiting:
                later.cancel()

    def _submit(self, program: Program) -> Future[Verdict]:
        try:
            return self._threads.submit(self._judge, program)
        except RuntimeError as error:  # what Python says when the system gives no thread
            hint = "raise the limit on processes, or give fewer --jobs"
            raise Unavailable(f"no thread can be started: {error}", where=self.isolation, hint=hint) from None

    def check(self, programs: Iterable[Program]) -> list[Verdict]:
        """A verdict for every program, in their order. Raises Unavailable if processes can no longer be started."""
        return list(self.each(programs))

    def _judge(self, program: Program) -> Verdict:
        users = self._free.get()
        try:
            return judge(program, self.tier, users, self.watcher)
        finally:
            self._free.put(users)

    def close(self) -> None:
        """Wait for what runs, drop what does not yet."""
        self._threads.shutdown(cancel_futures=True)
        self.watcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _slots(count: int) -> list[Users]:
    """Users for so many slots: two of nobody's for each if this is root, whose limits would not hold; else itself."""
    if os.geteuid() != 0:
        return [Users()] * count
    first = os.getpid() * 2 * count
    numbers = [FIRST_USER + (first + n) % USERS for n in range(2 * count)]
    return [Users(*pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def _best(names: Sequence[str], python: Python, users: Users) -> Tier | list[str]:
    """The first tier that holds, or why each does not."""
    reasons = []
    for name in names:
        try:
            tier = make(name, python)
            probe(tier, users)
            return tier
        except Unavailable as error:
            kernel = namespaces_refused() if name == BWRAP else ""
            reasons.append(f"{error}{f' [{kernel}]' if kernel else ''}")
        except OSError as error:
            reasons.append(f"{name}: {error}")
    return reasons
