"""A process that ends what programs left when this one is killed, which no code of ours can then do.

bubblewrap ends with its parent, and what runs in it ends with it, but for one moment: a child that has been made and
not yet been told to go on waits for its parent for ever. The watcher knows every process group that is at work, reads
from a pipe that only this process writes to, and kills the groups when nobody is left to write.
"""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Self

from presage.tasks.sandbox.python import Python

_TEXT = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
"""


class Watcher:
    """Kills the process groups that are begun and not ended when this process is no more, or has closed it.

    Raises OSError when it cannot be started, or is no longer there to be told.
    """

    def __init__(self, python: Python) -> None:
        self._process = subprocess.Popen(
            [*python.command, "-c", _TEXT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,  # a signal to the terminal's group is not for it
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()

    def begun(self, group: int) -> None:
        """A process group is at work."""
        os.write(self._pipe, b"+%d\n" % group)  # so few bytes are written whole, whoever else writes

    def ended(self, group: int) -> None:
        """All of it has ended."""
        os.write(self._pipe, b"-%d\n" % group)

    def close(self) -> None:
        """Kill what has not ended, and wait for that."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
