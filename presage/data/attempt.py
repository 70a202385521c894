"""A stage that turns its input into one result: on bad input it leaves nothing half-written behind."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from presage.core.config import Config
from presage.core.errors import PresageError, Stopped
from presage.core.run import RunDir


@contextlib.contextmanager
def attempt(out: Path, stage: str, config: Config, *, seed: int, resume: bool) -> Iterator[RunDir]:
    """A run directory, finished when the block ends well.

    When it ends in a PresageError and the directory was new or empty before, it is so again, and so are those above.
    Stopped by a signal or killed, it stays as it is, to be resumed.
    """
    existed = out.exists()
    new = [folder for folder in out.parents if not folder.exists()]
    fresh = not existed or (out.is_dir() and not any(out.iterdir()))
    with RunDir.create(out, stage, config, seed=seed, resume=resume) as run:
        try:
            yield run
            run.finish()
        except PresageError as error:
            if fresh and not isinstance(error, Stopped):
                _empty(out, existed)
                for folder in new:
                    with contextlib.suppress(OSError):  # somebody else's by now
                        folder.rmdir()
            raise


def _empty(folder: Path, keep: bool) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
    if not keep:
        shutil.rmtree(folder)
