"""A few hostile programs that every kind of isolation must hold before it is trusted with others."""

from __future__ import annotations

import contextlib
import socket
import tempfile
from pathlib import Path

from presage.core.errors import Unavailable
from presage.tasks.sandbox.pair import Users, judge
from presage.tasks.sandbox.program import Program
from presage.tasks.sandbox.tiers import Tier
from presage.tasks.sandbox.watcher import Watcher

SECONDS = 20.0  # a busy machine is no failure
SECRET = "canary"

# Each attempt that comes off is told, and looked for on this side as well.
_ATTEMPTS = """
import os, socket

def add(a, b):
    return a + b

def attempts(port, canary, target):
    done = []
    def attempt(name, act):
        try:
            act()
            done.append(name)
        except OSError:
            pass
    def connect():
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    def read():
        with open(canary) as file:
            file.read()
    def write():
        with open(target, "w") as file:
            file.write("here")
    def empty(flags):
        os.close(os.open(canary, flags | os.O_TRUNC))
    def fork():
        if os.fork() == 0:
            os._exit(0)
    attempt("network", connect)
    attempt("reading a file", read)
    attempt("writing a file", write)
    attempt("emptying a file", lambda: empty(os.O_RDONLY))
    attempt("emptying a file", lambda: empty(os.O_WRONLY | os.O_RDWR))
    attempt("making a process", fork)
    attempt("signals", lambda: os.kill(os.getppid(), 0))
    if not done:  # it would not come back to tell of the others
        attempt("running a program", lambda: os.execv("/bin/true", ["true"]))
    return done
"""


def probe(tier: Tier, users: Users) -> None:
    """Raises Unavailable if the tier does not hold, or does not run a harmless program."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="presage-probe-")))
        folder.chmod(0o777)  # so that nothing but the isolation is in the way
        canary, target = folder / "canary", folder / "target"
        canary.write_text(SECRET)
        canary.chmod(0o666)
        port = listener.getsockname()[1]
        test = f"assert add(1, 2) == 3\nmade = attempts({port}, {str(canary)!r}, {str(target)!r})\n"
        test += "assert made == [], ', '.join(made)"
        program = Program("probe", _ATTEMPTS, ("add", "attempts"), test, timeout_s=SECONDS)
        verdict = judge(program, tier, users, stack.enter_context(Watcher(tier.python)))
        broken = [] if verdict.passed else [verdict.detail or verdict.reason]
        broken += ["a file was written"] if target.exists() or canary.read_text() != SECRET else []
        broken += ["a connection came through"] if _was_called(listener) else []
    if broken:
        raise Unavailable(f"a hostile probe got through: {'; '.join(broken)}", where=tier.name)


def _was_called(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True
