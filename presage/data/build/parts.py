"""The sources cut into parts of some megabytes of files, in a fixed order; and reading a part.

A document's place in the whole is (part, place in the part): the same in one process, in many, and on many machines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import RunError
from presage.core.run import atomic_write, load_config
from presage.data.build.config import Config, Source
from presage.data.build.tally import Tally
from presage.data.documents import Bad, Document, find_files, read_file
from presage.data.embedded import InstalledFile, Package, installed_files, is_source_of, read_installed

PART = 1 << 26
"""Bytes of files in a part, as they lie on disk; a larger file is a part of its own."""


@dataclass(frozen=True)
class Part:
    """Files of one source: (name in the corpus, location, number of its package or -1)."""

    source: str
    files: tuple[tuple[str, str, int], ...]
    bytes: int


@dataclass(frozen=True)
class Plan:
    """All parts in order, and the packages that files belong to."""

    parts: tuple[Part, ...]
    packages: tuple[Package, ...] = ()

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Raises DataError where a path of a source does not exist or holds nothing readable."""
        packages: dict[Package, int] = {}
        parts = [part for source in config.read_sources for part in _parts(source, packages)]
        return cls(tuple(parts), tuple(packages))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"parts": [asdict(part) for part in self.parts], "packages": [asdict(p) for p in self.packages]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """What `as_json` gave."""
        parts = (
            Part(part["source"], tuple((name, place, package) for name, place, package in part["files"]), part["bytes"])
            for part in data["parts"]
        )
        return cls(tuple(parts), tuple(Package(**package) for package in data["packages"]))


def _parts(source: Source, packages: dict[Package, int]) -> Iterator[Part]:
    files: list[tuple[str, str, int]] = []
    held = 0
    for name, location, package in _files(source):
        number = -1 if package is None else packages.setdefault(package, len(packages))
        files.append((name, str(location), number))
        held += location.stat().st_size if location.is_file() else 0
        if held >= PART:
            yield Part(source.name, tuple(files), held)
            files, held = [], 0
    if files:
        yield Part(source.name, tuple(files), held)


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
        plan = json.dumps(Plan.of(self.config).as_json())
        file = self.folder / "plan.json"
        if not file.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as out:
                out.write(plan.encode())
        elif file.read_text(encoding="utf-8") != plan:
            raise RunError("the files of its sources have changed since it began", where=self.out, hint="begin anew")

    @property
    def plan(self) -> Plan:
        """The parts."""
        return Plan.from_json(json.loads((self.folder / "plan.json").read_text(encoding="utf-8")))

    def part(self, step: str, index: int) -> Path:
        """Where a pass writes what it makes of a part."""
        return self.folder / step / f"{index:06d}"

    def tally(self, step: str, index: int) -> Tally:
        """What a pass counted in a part."""
        return Tally.from_json(json.loads((self.part(step, index) / "tally.json").read_text(encoding="utf-8")))


def read_part(config: Config, part: Part, packages: tuple[Package, ...]) -> Iterator[tuple[int, Document | Bad]]:
    """(number of the package, document or what is wrong) in the order of the files."""
    kind = config.source(part.source).kind
    for name, location, number in part.files:
        if kind == "files":
            items = read_file(part.source, Path(location), name, config.limits)
        else:
            file = InstalledFile(packages[number], name, Path(location))
            items = read_installed(part.source, kind, file, config.limits)
        yield from ((number, item) for item in items)
