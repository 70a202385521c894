"""Data of a task: public files found below a folder by their names, or examples generated from a seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.task import Example

Reader = Callable[[Sequence[Path]], list[Example]]


@dataclass(frozen=True)
class Files:
    """Public files. A pattern is the end of a path below the folder or of the folder itself, with wildcards, so that
    "gsm8k/test.jsonl*" is found whether the folder is gsm8k or one that holds it.

    `test` and `shots` are alternatives, each a set of patterns whose files belong together: the first alternative of
    which every pattern finds a file is read.
    """

    read: Reader
    test: tuple[tuple[str, ...], ...]
    shots: tuple[tuple[str, ...], ...] = ()

    def files(self, folder: Path) -> list[Path]:
        """The files with the examples and those with the shots, where there are any."""
        return [*_required(folder, self.test), *(_found(folder, self.shots) or [])]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return self.read(_required(folder, self.test))

    def pool(self, folder: Path, seed: int) -> list[Example]:
        found = _found(folder, self.shots)
        return self.read(found) if found else []


@dataclass(frozen=True)
class Generated:
    """Examples from a seed, and shots from another stream of it: make(seed, count, split), split "test" or "shots"."""

    make: Callable[[int, int, str], list[Example]]
    count: int
    shots: int = 0

    def files(self, folder: Path) -> list[Path]:
        return []

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return self.make(seed, self.count, "test")

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return self.make(seed, self.shots, "shots") if self.shots else []


def _required(folder: Path, alternatives: tuple[tuple[str, ...], ...]) -> list[Path]:
    found = _found(folder, alternatives)
    if found is None:
        names = " or ".join(" + ".join(patterns) for patterns in alternatives)
        raise DataError(f"no file {names}", where=folder, hint="name the folder that holds the public files: --data")
    return found


def _found(folder: Path, alternatives: tuple[tuple[str, ...], ...]) -> list[Path] | None:
    below = _below(folder, {Path(pattern).name for patterns in alternatives for pattern in patterns})
    for patterns in alternatives:
        matches = [[path for path in below if path.match(pattern)] for pattern in patterns]
        if all(matches):
            return [path for some in matches for path in some]
    return None


def _below(folder: Path, names: set[str]) -> list[Path]:
    """The files of such names below a folder, sorted. What lies in hidden folders (.git, .venv) is nobody's data, and
    may be most of what there is to walk."""
    found: list[Path] = []
    for place, inner, files in os.walk(folder.resolve()) if names else ():
        inner[:] = [one for one in inner if not one.startswith(".")]
        found += [Path(place, one) for one in files if any(fnmatchcase(one, name) for name in names)]
    return sorted(path for path in found if path.is_file())
