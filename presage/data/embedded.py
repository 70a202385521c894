"""The embedded corpus: the Python installed on this machine, read where it lies and never copied into the project.

`python-docs` is its prose (docstrings, comments, documentation files), `python-code` its sources, `python-world` both:
sources whole, and documentation files. Only files that installed distributions list as their own are read, so the
corpus is the same from run to run in one environment. Tests are left out: their strings are data, and some packagers
strip them. Licence texts are left out: near-copies of each other. Paths are written relative to the `stdlib` and
`site-packages` roots.
"""

from __future__ import annotations

import ast
import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from presage.data.documents import Bad, Document, Limits, read_file
from presage.data.prose import prose

SKIPPED_FOLDERS = frozenset({"test", "tests", "testing", "_tests", "idle_test", "__pycache__", "site-packages"})
DOC_SUFFIXES = (".rst", ".md", ".txt")
_LICENCE_NAME = re.compile(r"licen[cs]e|copying|notice|authors|top_level|entry_points|requirements", re.IGNORECASE)


@dataclass(frozen=True)
class Package:
    """An installed distribution, or the standard library."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class InstalledFile:
    """A file of a package: its name in the corpus and where it lies on this machine."""

    package: Package
    path: str  # relative: "stdlib/…" or "site-packages/…"
    location: Path


def installed_files() -> Iterator[InstalledFile]:
    """Sources and documentation files of the standard library and of every installed distribution, in path order."""
    yield from sorted([*_standard_library(), *_distributions()], key=lambda f: f.path)


def standard_library() -> Iterator[InstalledFile]:
    """Those of the standard library alone, in path order."""
    yield from sorted(_standard_library(), key=lambda f: f.path)


def _standard_library() -> Iterator[InstalledFile]:
    root = Path(sysconfig.get_paths()["stdlib"])
    package = Package("python", platform.python_version(), "PSF-2.0")
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if _is_read(f"{name}/x")]
        for name in names:
            location = Path(folder, name)
            relative = location.relative_to(root).as_posix()
            if _is_read(relative) and not name.endswith(".txt"):
                yield InstalledFile(package, f"stdlib/{relative}", location)


def _distributions() -> Iterator[InstalledFile]:
    seen = {"presage"}
    for distribution in metadata.distributions(path=_site_folders()):
        name = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
        if name in seen:
            continue
        seen.add(name)
        package = Package(name, distribution.version, _licence(distribution.metadata))
        for file in distribution.files or ():
            relative = file.as_posix()
            if _is_read(relative) and not relative.startswith(("..", "/")):
                yield InstalledFile(package, f"site-packages/{relative}", Path(str(distribution.locate_file(file))))


def _site_folders() -> list[str]:
    """Where distributions are installed; not the current folder or PYTHONPATH, which differ from call to call."""
    paths = sysconfig.get_paths()
    found = [paths["purelib"], paths["platlib"], *(p for p in sys.path if Path(p).name in _SITE_NAMES)]
    return list(dict.fromkeys(os.path.realpath(p) for p in found))


_SITE_NAMES = ("site-packages", "dist-packages")


def _is_read(relative: str) -> bool:
    *folders, name = relative.split("/")
    if SKIPPED_FOLDERS.intersection(folders) or name.startswith("test_") or name == "conftest.py":
        return False
    if any(f.startswith(("config-", ".")) for f in folders):
        return False
    if folders and folders[-1].endswith(".dist-info"):
        return name == "METADATA"
    if any(f.endswith(".dist-info") for f in folders):
        return False
    return name.endswith(".py") or name == "x" or (name.endswith(DOC_SUFFIXES) and not _LICENCE_NAME.search(name))


def _licence(fields: metadata.PackageMetadata) -> str:
    """The licence a distribution states: its SPDX expression, or its classifiers, or the first line of its field."""
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = [c.split(" :: ")[-1] for c in fields.get_all("Classifier", []) if c.startswith("License ::")]
    stated = "".join(fields.get_all("License", [])).strip().split("\n")[0]
    return "; ".join(classifiers) or stated[:80] or "not stated"


def read_embedded(source: str, kind: str, limits: Limits) -> Iterator[tuple[Package, Document | Bad]]:
    """Every document of one of the three kinds, with the package it came from, in path order."""
    for file in installed_files():
        if is_source_of(kind, file):
            yield from ((file.package, item) for item in read_installed(source, kind, file, limits))


def is_source_of(kind: str, file: InstalledFile) -> bool:
    """Whether a file belongs to a source of this kind."""
    return kind != "python-code" or file.path.endswith(".py")


def read_installed(source: str, kind: str, file: InstalledFile, limits: Limits) -> Iterator[Document | Bad]:
    """The documents of one installed file."""
    for item in read_file(source, file.location, file.path, limits, as_text=True):
        whole = file.path.endswith(".py") and kind != "python-docs"
        if isinstance(item, Document) and not whole:
            item = Document(source, item.path, _prose_of(file.path, item.text))
        yield item


def _prose_of(path: str, text: str) -> str:
    """What a person would read in a file: docstrings and comments of sources, the body of package metadata."""
    if path.endswith("pydoc_data/topics.py"):
        return _topics(text)
    if path.endswith(".py"):
        return prose(text)
    body = text.partition("\n\n")[2] if path.endswith("/METADATA") else text
    return body if _reads_as_prose(body) else ""


def _topics(text: str) -> str:
    """The language reference as `help()` shows it: the values of one dictionary of strings."""
    tree = ast.parse(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    values = [value.value for node in found for value in node.values if isinstance(value, ast.Constant)]
    return "\n\n".join(value.strip() for value in values if isinstance(value, str))


def _reads_as_prose(text: str) -> bool:
    """At least 65 % letters and blanks: numbers, tables of data and word lists without sentences fall out."""
    return bool(text) and sum(c.isalpha() or c.isspace() for c in text) >= 0.65 * len(text) and ". " in text
