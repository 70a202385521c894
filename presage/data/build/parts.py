"""The sources cut into parts of some megabytes of files, in a fixed order; and reading a part.

A document's place in the whole is (part, place in the part): the same in one process, in many, and on many machines.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from presage.core.errors import RunError
from presage.core.run import atomic_write, load_config
from presage.data.build.config import Config, Source
from presage.data.build.given import given_files
from presage.data.build.tally import Tally
from presage.data.documents import Bad, Document, find_files, read_file
from presage.data.embedded import InstalledFile, Package, installed_files, is_source_of, read_installed

PART = 1 << 26
"""Bytes of files in a part, as they lie on disk; a larger file is a part of its own."""


class File(NamedTuple):
    """A file of a source. `package`: its number, or -1; `mark`: size and time of its last change."""

    name: str
    location: str
    package: int
    mark: str


@dataclass(frozen=True)
class Part:
    """Files of one source."""

    source: str
    files: tuple[File, ...]
    bytes: int


@dataclass(frozen=True)
class Plan:
    """All parts in order, the packages that files belong to, the files that rules are given as (location, mark)."""

    parts: tuple[Part, ...]
    packages: tuple[Package, ...] = ()
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Raises DataError where a path of a source does not exist or holds nothing readable, or a rule's file not
        what it should."""
        given = tuple((str(path), _mark(path)) for path in given_files(config))
        packages: dict[Package, int] = {}
        parts = [part for source in config.read_sources for part in _parts(source, packages)]
        return cls(tuple(parts), tuple(packages), given)

    def marks(self) -> set[tuple[str, str]]:
        """(location, mark) of all files that are read."""
        return {(file.location, file.mark) for part in self.parts for file in part.files} | set(self.given)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """What `as_json` gave."""
        parts = (
            Part(part["source"], tuple(File(*file) for file in part["files"]), part["bytes"]) for part in data["parts"]
        )
        given = tuple((location, mark) for location, mark in data["given"])
        return cls(tuple(parts), tuple(Package(**package) for package in data["packages"]), given)


def _parts(source: Source, packages: dict[Package, int]) -> Iterator[Part]:
    files: list[File] = []
    held = 0
    for name, location, package in _files(source):
        number = -1 if package is None else packages.setdefault(package, len(packages))
        files.append(File(name, str(location), number, _mark(location)))
        held += location.stat().st_size if location.is_file() else 0
        if held >= PART:
            yield Part(source.name, tuple(files), held)
            files, held = [], 0
    if files:
        yield Part(source.name, tuple(files), held)


def _mark(location: Path) -> str:
    try:
        found = location.stat()
    except OSError:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}"


def _files(source: Source) -> Iterator[tuple[str, Path, Package | None]]:
    if source.kind == "files":
        yield from ((name, location, None) for location, name in find_files(source.paths))
    else:
        yield from ((f.path, f.location, f.package) for f in installed_files() if is_source_of(source.kind, f))


class Work:
    """The folder `work` of a corpus run, while it lasts: the plan, what each pass wrote. Gone when the run is done."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / "work"
        self.config = load_config(Config, out / "config.json")

    def begin(self) -> None:
        """Write the plan, or find it as it was. Raises RunError when the files are others than when the run began."""
        shutil.rmtree(self._spent, ignore_errors=True)
        plan = Plan.of(self.config)
        file = self.folder / "plan.json"
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as out:
                out.write(json.dumps(plan.as_json()).encode())
        elif (before := self.plan) != plan:
            changed = sorted(location for location, _ in before.marks() ^ plan.marks())
            which = f"such as {changed[0]}, " if changed else ""
            raise RunError(
                f"files that it reads, {which}have changed since it began", where=self.out, hint="begin anew"
            )

    def end(self) -> None:
        """Delete the folder: at once by name, so that one killed meanwhile does not find half of it."""
        os.replace(self.folder, self._spent)
        shutil.rmtree(self._spent)

    @property
    def _spent(self) -> Path:
        return self.folder.with_name("work.tmp")

    @property
    def plan(self) -> Plan:
        """The parts."""
        file = self.folder / "plan.json"
        return _plan(file, file.stat().st_mtime_ns)

    def part(self, step: str, index: int) -> Path:
        """Where a pass writes what it makes of a part."""
        return self.folder / step / f"{index:06d}"

    def tally(self, step: str, index: int) -> Tally:
        """What a pass counted in a part."""
        return Tally.from_json(json.loads((self.part(step, index) / "tally.json").read_text(encoding="utf-8")))


@functools.lru_cache(maxsize=1)
def _plan(file: Path, _: int) -> Plan:
    """Read once by a process, though it is asked for at every part."""
    return Plan.from_json(json.loads(file.read_text(encoding="utf-8")))


def read_part(config: Config, part: Part, packages: tuple[Package, ...]) -> Iterator[tuple[int, Document | Bad]]:
    """(number of the package, document or what is wrong) in the order of the files."""
    kind = config.source(part.source).kind
    for file in part.files:
        location = Path(file.location)
        if kind == "files":
            items = read_file(part.source, location, file.name, config.limits)
        else:
            installed = InstalledFile(packages[file.package], file.name, location)
            items = read_installed(part.source, kind, installed, config.limits)
        yield from ((file.package, item) for item in items)
