"""Where a run came from: code, libraries, machine. Facts only, no wall-clock."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("torch", "numpy", "scipy", "tokenizers", "tiktoken", "safetensors", "pydantic")
PACKAGE = Path(__file__).resolve().parent.parent


def describe(seed: int) -> dict[str, Any]:
    """origin.json without parents: version, digest of the code, commit, libraries, platform, seed."""
    return {
        "presage": version(),
        "code": code_digest(),
        "commit": commit(),
        "python": platform.python_version(),
        "libraries": {name: _version_of(name) for name in LIBRARIES},
        "platform": f"{platform.system()} {platform.machine()}",
        "seed": seed,
    }


def version() -> str:
    """The version of presage."""
    from presage import __version__

    return __version__


@functools.cache
def code_digest() -> str:
    """sha256 over every source file of the package (names and contents), with or without git."""
    digest = hashlib.sha256()
    for path in sorted(p for p in PACKAGE.rglob("*") if p.suffix in {".py", ".html", ".md", ".css", ".js"}):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@functools.cache
def commit() -> dict[str, Any] | None:
    """The git commit and whether the tree differs from it; None outside a checkout."""
    try:
        _git("rev-parse", "--verify", "HEAD:./presage")  # fails where presage is only installed inside another checkout
        head = _git("rev-parse", "HEAD")
        return {"id": head, "dirty": bool(_git("status", "--porcelain", "--", "presage"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE.parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
