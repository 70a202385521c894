"""A file of labels that one process writes to: whole lines, on disk before the next is asked for.

The last line can be taken back, and only when it is still what was written. So that every line counts, what a person
takes back is cut off and not contradicted by a later line: readers of records know each id once a person.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from presage.align.records import append_line, mend
from presage.core.errors import DataError, RunError
from presage.core.files import cannot_write, is_json, is_same_file

_BEGINS = b'{"'


@dataclass(frozen=True)
class Mark:
    """A line that was written, and the byte that it begins at."""

    start: int
    line: bytes


class Log:
    """One file, locked until `close`."""

    def __init__(self, path: Path, lock: Any) -> None:
        self.path, self._lock = path, lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Made where there is none; of a last line that a killed process left torn nothing stays.

        Raises RunError where it cannot be written, or another process writes to it, DataError for a file of something
        else, of which nothing is touched.
        """
        log = cls(path, _locked(path))
        try:
            _check(path)
            mend(path)
        except BaseException:
            log.close()
            raise
        return log

    def add(self, line: bytes) -> Mark:
        """Write a line; it is on disk on return, or not there at all. Raises RunError when the disk is full, DataError
        as `check`."""
        self.check()
        append_line(self.path, line)
        return Mark(self.path.stat().st_size - len(line), line)

    def cut(self, mark: Mark) -> None:
        """Take the last line back. Raises DataError where the file does not end with it any more, or as `check`."""
        self.check()
        try:
            with open(self.path, "r+b", buffering=0) as file:
                file.seek(mark.start)
                if file.read() != mark.line:
                    raise DataError("was changed from elsewhere: nothing is taken back", where=self.path)
                file.truncate(mark.start)
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def check(self) -> None:
        """Raises DataError where the locked file is not the one of this name any more: what is written would be in
        another file than what was."""
        if not is_same_file(self._lock, self.path):
            hint = "stop, look where what was labelled is, and run the same command again"
            raise DataError("was removed or replaced from elsewhere: nothing is saved", where=self.path, hint=hint)

    def marks(self) -> list[Mark]:
        """All lines, in their order."""
        found, start = [], 0
        for line in self.path.read_bytes().split(b"\n")[:-1]:
            found.append(Mark(start, line + b"\n"))
            start += len(line) + 1
        return found

    def close(self) -> None:
        """Unlock it; a file that nothing was written to is removed."""
        if is_same_file(self._lock, self.path) and not self.path.stat().st_size:
            self.path.unlink()  # while still held
        self._lock.close()


def _check(path: Path) -> None:
    """Only what this program may have written is mended: objects of JSON, the last one cut off or not."""
    *lines, last = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if line.strip() and not is_json(line):
            raise DataError("not a file of labels: no JSON", where=f"{path}:{number}", hint="choose another file")
    if not _BEGINS.startswith(last[: len(_BEGINS)]):
        raise DataError("not a file of labels", where=f"{path}:{len(lines) + 1}", hint="choose another file")


def _locked(path: Path) -> Any:
    """The file, opened and locked under its name: its last holder may have removed it between our open and our lock."""
    while True:
        try:
            file = open(path, "ab")  # noqa: SIM115 - held until close()
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise RunError("another process writes to it", where=path, hint="a file for each who labels") from None
        if is_same_file(file, path):
            return file
        file.close()
