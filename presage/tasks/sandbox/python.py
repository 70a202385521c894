"""A Python for the inside: one that the user of the slot can run, and the files it needs to be able to read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import Unavailable

OLDEST = (3, 9)
PACKAGES = ("site-packages", "dist-packages")  # may hold data sets and their solutions: never readable inside

# Told by the Python itself: extension modules are imported for the sake of the libraries that they load.
_DESCRIBE = """
import sys, os, json
for name in "ctypes hashlib _ssl zlib bz2 lzma decimal sqlite3 uuid pyexpat unicodedata _socket math array".split():
    try:
        __import__(name)
    except ImportError:
        pass
libraries = set()
if os.path.exists("/proc/self/maps"):
    with open("/proc/self/maps") as file:
        libraries = {line.split(None, 5)[5].strip() for line in file if "/" in line and ".so" in line}
print(json.dumps({"version": sys.version_info[:3], "program": os.path.realpath(sys.executable),
    "library": os.path.dirname(os.path.realpath(os.__file__)), "path": [p for p in sys.path if os.path.isdir(p)],
    "shared": sorted(libraries)}))
"""


@dataclass(frozen=True)
class Python:
    """`program` is its file, `folders` those of its standard library, `shared` the libraries that it loads."""

    version: str
    program: str
    folders: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """How to start it without the environment, site-packages, and writing .pyc files."""
        return (self.program, "-I", "-S", "-E", "-B")

    def readable(self) -> list[str]:
        """Every file or folder that it needs, none of which holds a folder of PACKAGES."""
        return [*(path for folder in self.folders for path in _without_packages(folder)), *self.shared]


def find_python(user: int | None) -> Python:
    """A Python that `user` (a number; this process's own if None) can run. Raises Unavailable, saying what was tried.

    The one that runs presage comes first, then the system's: root's own often lives where no other user can look.
    """
    tried = []
    for program in dict.fromkeys(_programs()):
        found = _describe(program, user)
        if isinstance(found, Python):
            return found
        tried.append(f"{program}: {found}")
    who = "this user" if user is None else f"an unprivileged user ({user})"
    hint = "install a system-wide Python, as with apt install python3"
    raise Unavailable(f"no Python that {who} can run; {'; '.join(tried)}", where="sandbox", hint=hint)


def _programs() -> Iterable[str]:
    yield os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    yield from map(os.path.realpath, ("/usr/bin/python3", "/usr/local/bin/python3"))


def _describe(program: str, user: int | None) -> Python | str:
    """The Python, or why it will not do."""
    try:
        told: subprocess.CompletedProcess[bytes] = subprocess.run(
            [program, "-I", "-S", "-E", "-B", "-c", _DESCRIBE],
            **as_user(user),
            capture_output=True,
            env={},
            cwd="/",
            timeout=60,
            check=False,
        )
        facts = json.loads(told.stdout)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    except ValueError:
        lines = told.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "says nothing"
    version = ".".join(map(str, facts["version"]))
    if tuple(facts["version"]) < OLDEST:
        return f"is {version}, older than {'.'.join(map(str, OLDEST))}"
    folders = _outermost([facts["library"], *facts["path"]])
    outside = (path for path in facts["shared"] if not any(is_within(path, folder) for folder in folders))
    shared = tuple(path for path in outside if os.path.isfile(path))
    return Python(version, facts["program"], folders, shared)


def as_user(user: int | None) -> dict[str, Any]:
    """What subprocess takes to run as another user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def is_within(path: str, folder: str) -> bool:
    """Whether a path is a folder or lies in it."""
    return os.path.commonpath([path, folder]) == folder


def _outermost(folders: Iterable[str]) -> tuple[str, ...]:
    known = dict.fromkeys(map(os.path.realpath, folders))
    return tuple(one for one in known if not any(other != one and is_within(one, other) for other in known))


def package_folders(folder: str) -> list[str]:
    """Folders of third-party packages at most two below one."""
    return [str(path) for name in PACKAGES for depth in ("", "*/") for path in Path(folder).glob(depth + name)]


def _without_packages(folder: str) -> list[str]:
    """The folder, or all that is in it when it holds a folder of packages."""
    entries = list(os.scandir(folder))
    kept = [entry.path for entry in entries if entry.name not in PACKAGES]
    return [folder] if len(kept) == len(entries) else kept
