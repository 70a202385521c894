"""From a run to what it was made from."""

from __future__ import annotations

from pathlib import Path

from presage.core.errors import RunError
from presage.core.run import RunDir


def parent_of(run: RunDir, role: str, path: Path) -> RunDir:
    """A parent that is still the one which the run was made from. Raises RunError when it is not."""
    parent = RunDir.open(path)
    if run.origin["parents"][role]["digest"] != parent.digest:
        raise RunError(f"is not the {role} that {run.path} was made from: its digest differs", where=path)
    return parent
