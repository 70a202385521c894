"""A process that ends what programs left when this one is killed, which no code of ours can then do.

bubblewrap ends with its parent, and what runs in it ends with it, but for one moment: a child that has been made and
not yet been told to go on waits for its parent for ever. The watcher reads from a pipe that only this process holds
open. When that ends without a word, it looks through all command lines for the mark that every process of the sandbox
bears, and kills those, several times, since one may have been about to begin.
"""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from types import TracebackType
from typing import Self

from presage.tasks.sandbox import inside
from presage.tasks.sandbox.python import Python

_TEXT = """
import os, signal, sys, time
mark = sys.argv[1].encode()
for again in range(0 if sys.stdin.read() else 20):
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(bytes(1))
            if entry.isdigit() and int(entry) != os.getpid() and mark in words:
                os.kill(int(entry), signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.1)
"""


class Watcher:
    """Kills every process whose command line has the word `mark`, once this process is no more.

    Raises OSError when it cannot be started.
    """

    def __init__(self, python: Python) -> None:
        self.mark = f"{inside.MARK}-{secrets.token_hex(8)}"
        self._process = subprocess.Popen(
            [*python.command, "-c", _TEXT, self.mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,  # a signal to the terminal's group is not for it
        )

    def close(self) -> None:
        """Nothing is left to be watched."""
        with contextlib.suppress(OSError):  # it was killed itself
            self._process.communicate(b"closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
