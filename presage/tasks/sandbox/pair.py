"""One program: a candidate and a checker are started, watched, and ended, whatever they do."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from presage.core.errors import Unavailable
from presage.tasks.sandbox import inside
from presage.tasks.sandbox.program import LARGEST, Program, Reason, Verdict
from presage.tasks.sandbox.python import as_user
from presage.tasks.sandbox.tiers import Tier
from presage.tasks.sandbox.watcher import Watcher

START = 60.0  # seconds in which both processes must stand ready, however busy the machine is
SHOWN = 200  # characters of a detail
LONGEST_VERDICT = 4_096  # bytes: a nonce, a reason and inside.MAX_TEXT characters


@dataclass(frozen=True)
class Users:
    """Numbers of the users that the candidate and the checker run as; None: as this process does."""

    candidate: int | None = None
    checker: int | None = None


def judge(program: Program, tier: Tier, users: Users, watcher: Watcher) -> Verdict:
    """Run one program, whose processes the watcher ends if this one cannot.

    Raises Unavailable if they could not be started, which is no verdict on it.
    """
    try:
        return _judge(program, tier, users, watcher)
    except OSError as error:  # nothing that a program does raises one here
        hint = "raise the limits on open files and processes, or give fewer --jobs"
        raise Unavailable(f"no process can be started or watched: {error}", where=tier.name, hint=hint) from None


def _judge(program: Program, tier: Tier, users: Users, watcher: Watcher) -> Verdict:
    if any(len(text.encode("utf-8", "surrogatepass")) > LARGEST for text in program.texts):
        return Verdict(program.id, "refused", f"more than {LARGEST:,} bytes of source", 0.0, tier.name)
    nonce = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        verdicts, errors = _start(stack, program, tier, users, watcher, nonce)
        if _read(verdicts, 1, time.monotonic() + START) != b"+":
            raise Unavailable(f"a process could not be started: {_said(errors)}", where=tier.name)
        start = time.monotonic()
        frame = _frame(verdicts, start + program.timeout_s)
        seconds = time.monotonic() - start
    if frame is None:
        late = seconds >= program.timeout_s
        reason, detail = ("timeout", "") if late else ("error", "the checker ended without a verdict")
    else:
        reason, detail = _understood(frame, nonce)
    return Verdict(program.id, cast(Reason, reason), detail, seconds, tier.name)


# ---- starting and ending ---------------------------------------------------------------------------------------------


def _start(
    stack: contextlib.ExitStack, program: Program, tier: Tier, users: Users, watcher: Watcher, nonce: str
) -> tuple[int, int]:
    """Start both processes, which end with the stack; the pipes for the verdict and for errors of the start."""
    with contextlib.ExitStack() as theirs:  # what this process holds only until they have it
        asked, ask = _pipe(theirs, theirs)
        answered, answer = _pipe(theirs, theirs)
        verdicts, verdict = _pipe(stack, theirs)
        errors, error = _pipe(stack, theirs)
        locks = tier.locks(program.timeout_s)
        job = _job(theirs, locks, {"source": program.source})
        one = _Role(stack, tier, users.candidate, watcher, "candidate", (job, asked, answer), error)
        work = {"setup": program.setup, "entries": list(program.entries), "test": program.test, "nonce": nonce}
        job = _job(theirs, locks, work)
        other = _Role(stack, tier, users.checker, watcher, "checker", (job, ask, answered, verdict), error)
    for role in (one, other):
        role.know_inner()
    return verdicts, errors


def _pipe(reads: contextlib.ExitStack, writes: contextlib.ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    for stack, end in zip((reads, writes), ends, strict=True):
        stack.callback(os.close, end)
    return ends


def _job(stack: contextlib.ExitStack, *values: object) -> int:
    """A file without a name that holds these values, to be read from its beginning."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the stack closes it
    stack.callback(file.close)
    for value in values:
        inside.send(file.fileno(), value)
    file.seek(0)
    return file.fileno()


class _Role:
    """A process of one role; with the stack it ends, and all that it started."""

    def __init__(
        self,
        stack: contextlib.ExitStack,
        tier: Tier,
        user: int | None,
        watcher: Watcher,
        role: str,
        fds: Sequence[int],
        error: int,
    ) -> None:
        self.inner: int | None = None  # bubblewrap's child, which is process 1 of the namespace
        with contextlib.ExitStack() as theirs:
            self.told: int | None
            tell: int | None
            self.told, tell = _pipe(stack, theirs) if tier.in_namespaces else (None, None)
            words = ["-c", _text(), watcher.mark, role, *map(str, fds)]
            self.process = subprocess.Popen(
                [*tier.command(tell), *words],
                **as_user(user),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=error,
                pass_fds=[*fds, *([] if tell is None else [tell])],
                env={},
                cwd="/",
                start_new_session=True,
            )
            stack.callback(self._end)

    def know_inner(self) -> None:
        """Learn which process bubblewrap made, while it surely lives or has not been reaped."""
        if self.told is None:
            return
        text = b""
        while b"}" not in text and (part := _read(self.told, 1, time.monotonic() + START)):
            text += part
        with contextlib.suppress(ValueError, ProcessLookupError):  # it ended before it made one
            self.inner = os.pidfd_open(json.loads(text)["child-pid"])

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.inner is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:  # its namespace ends with it, and bubblewrap when it has seen that
                signal.pidfd_send_signal(self.inner, signal.SIGKILL)
        self.process.wait()
        if self.inner is not None:
            os.close(self.inner)


@functools.cache
def _text() -> str:
    """What runs inside."""
    return Path(inside.__file__).read_text(encoding="utf-8")


# ---- reading what comes out ------------------------------------------------------------------------------------------


def _read(fd: int, count: int, deadline: float) -> bytes:
    """So many bytes; fewer if the other side ends or the time (of the monotonic clock) is over."""
    data = b""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    while len(data) < count and waiting.poll(max(0.0, 1000 * (deadline - time.monotonic()))):
        part = os.read(fd, count - len(data))
        if not part:
            break
        data += part
    return data


def _frame(fd: int, deadline: float) -> bytes | None:
    """One frame (inside.send), or None if none came whole."""
    head = _read(fd, inside.HEAD, deadline)
    if not (len(head) == inside.HEAD and head.isdigit()):
        return None
    if int(head) > LONGEST_VERDICT:  # what a data set's tests wrote, not the checker: nothing of it is read
        return b""
    data = _read(fd, int(head), deadline)
    return data if len(data) == int(head) else None


def _understood(frame: bytes, nonce: str) -> tuple[str, str]:
    """Reason and detail of a verdict."""
    try:
        told = inside.decode(frame)
    except inside.NotPlain:
        told = None
    if not (type(told) is tuple and len(told) == 3 and told[0] == nonce and told[1] in get_args(Reason)):
        return "error", "a verdict that is not the checker's"
    return told[1], printable(str(told[2]))


def _said(errors: int) -> str:
    """The last line that was said on standard error."""
    lines = _read(errors, 1 << 16, time.monotonic()).decode(errors="replace").strip().splitlines()
    return printable(lines[-1]) if lines else "it says nothing"


def printable(text: str) -> str:
    """One short line with nothing in it that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:SHOWN])
