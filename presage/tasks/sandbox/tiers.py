"""The kinds of isolation: how a process is started in each, and why a machine may not have it.

bwrap+seccomp      namespaces of its own (bubblewrap): no network, no process, no file but Python's, read-only
landlock+seccomp   no namespaces: Landlock denies every file but Python's
none               neither; only for those who accept it

Both of the first two have the same system call filter and limits (filters.py, LIMITS) and no place to write to.
"""

from __future__ import annotations

import ctypes
import errno
import glob
import math
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import Unavailable
from presage.tasks.sandbox.filters import seccomp_filter
from presage.tasks.sandbox.python import Python, is_within, package_folders

BWRAP, LANDLOCK, NONE = "bwrap+seccomp", "landlock+seccomp", "none"
TIERS = (BWRAP, LANDLOCK)
"""Kinds that isolate, the better first."""

MEMORY = 512 * 2**20  # bytes of address space of each process
LIMITS = {
    "RLIMIT_AS": MEMORY,
    "RLIMIT_FSIZE": 0,
    "RLIMIT_NOFILE": 64,
    "RLIMIT_NPROC": 1,
    "RLIMIT_CORE": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}
ACCEPT = "--i-accept-unsandboxed-execution"
_CREATE_RULESET, _VERSION = 444, 1  # of landlock
_SYSCTLS = (
    ("kernel/unprivileged_userns_clone", "0"),
    ("user/max_user_namespaces", "0"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
)


@dataclass(frozen=True)
class Tier:
    """One kind of isolation on this machine: what comes before Python's own command line, and the locks inside."""

    name: str
    python: Python
    prefix: tuple[str, ...] = ()
    filter: bytes | None = None
    landlock: int = 0

    @property
    def in_namespaces(self) -> bool:
        """Whether processes are started by bubblewrap, which tells their numbers."""
        return bool(self.prefix)

    def command(self, told: int | None) -> list[str]:
        """How to start Python; bubblewrap tells which process it made in the file `told`."""
        told_in = [] if told is None else ["--info-fd", str(told), "--"]
        return [*self.prefix, *told_in, *self.python.command]

    def locks(self, timeout_s: float) -> dict[str, Any]:
        """What a process closes behind itself before it reads what it is to run."""
        limits = LIMITS if self.filter else {"RLIMIT_CORE": 0}
        return {
            "limits": [*limits.items(), ("RLIMIT_CPU", math.ceil(timeout_s) + 1)],
            "parent": os.getpid(),
            "filter": self.filter,
            "landlock": self.landlock,
            "readable": [*self.python.readable(), *_existing("/etc/ld.so.cache")] if self.landlock else [],
        }


def make(name: str, python: Python) -> Tier:
    """The kind of this name. Raises Unavailable, saying which layer is missing and why."""
    if name == NONE:
        return Tier(NONE, python)
    if sys.platform != "linux":
        raise Unavailable(f"needs Linux, this is {sys.platform}", where=name)
    if name == LANDLOCK:
        return Tier(name, python, landlock=landlock_version(), filter=seccomp_filter())
    program = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if program is None:
        raise Unavailable("bubblewrap is not installed", where=name, hint="apt install bubblewrap")
    _can_hold_processes()
    return Tier(name, python, prefix=(program, *_namespaces(python)), filter=seccomp_filter())


def _can_hold_processes() -> None:
    """Raises Unavailable without pidfd_open, by which a namespace is ended and no other process in its place."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        hint = "Linux 5.3 or later, and a container's filter that lets it through"
        raise Unavailable(f"no pidfd_open: {error}", where=BWRAP, hint=hint) from None


def namespaces_refused() -> str:
    """The settings of the kernel that forbid namespaces to ordinary users, as `name=value`; empty if none does."""
    found = []
    for name, forbidding in _SYSCTLS:
        path = Path("/proc/sys") / name
        if path.is_file() and path.read_text().strip() == forbidding:
            found.append(f"{name.replace('/', '.')}={forbidding}")
    return ", ".join(found)


def landlock_version() -> int:
    """The version of Landlock that the kernel has. Raises Unavailable."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))
    if version >= 1:
        return version
    number = ctypes.get_errno()
    why = {
        errno.ENOSYS: f"the kernel ({os.uname().release}) has none; it came with 5.13",
        errno.EOPNOTSUPP: "the kernel has it but was not started with it (lsm=landlock,…)",
    }
    raise Unavailable(f"no Landlock: {why.get(number, os.strerror(number))}", where=LANDLOCK)


def _namespaces(python: Python) -> Iterator[str]:
    """bubblewrap's options: everything unshared, an empty read-only root with Python in it. No /proc, /dev or /tmp."""
    yield from ("--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL")
    libraries = {os.path.dirname(path) for path in python.shared}
    places = [*python.folders, python.program, *sorted(libraries)]
    places = [one for one in places if not any(other != one and is_within(one, other) for other in places)]
    for place in [*places, *_existing("/etc/ld.so.cache")]:
        yield from ("--ro-bind", place, place)
    for hidden in (folder for place in places for folder in package_folders(place)):
        yield from ("--tmpfs", hidden, "--remount-ro", hidden)
    for link in filter(os.path.islink, ("/lib", "/lib64", "/bin")):
        yield from ("--symlink", os.readlink(link), link)
    for loader in (path for pattern in ("/lib64/ld-*.so*", "/lib/ld-*.so*") for path in glob.glob(pattern)):
        at = os.path.join(os.path.realpath(os.path.dirname(loader)), os.path.basename(loader))
        if not any(is_within(at, place) for place in places):
            yield from ("--symlink", os.path.realpath(loader), at)
    yield from ("--remount-ro", "/", "--chdir", "/")


def _existing(*paths: str) -> list[str]:
    return list(filter(os.path.exists, paths))
