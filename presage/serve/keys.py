"""Keys of the API: a file that holds their hashes, so that who reads it cannot ask with them.

    {"keys": [{"name": "ada", "sha256": "…", "requests_per_minute": 60, "tokens_per_minute": 20000}]}

A key is drawn by `presage keys add`, which prints it once: 256 bits of chance need no salt and no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.files import atomic_write, object_of, read_json

PREFIX = "sk-presage-"
LONGEST = 200
"""Characters of a key that is looked at: a longer one is none."""
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Key(Config):
    """Who may ask, and how much. Nothing is limited where no limit stands."""

    name: str = Field(pattern=f"^{NAME.pattern}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)


def hashed(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def match(keys: Sequence[Key], given: str) -> Key | None:
    """Whose key this is. Every hash is compared, each in the same time whatever is given."""
    digest = hashed(given) if len(given) <= LONGEST else ""
    found = [key for key in keys if hmac.compare_digest(key.sha256, digest)]
    return found[0] if found else None


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file. Raises DataError or ConfigError naming what is wrong with it."""
    if not path.is_file():
        raise DataError("no such file", where=path, hint="make one: presage keys add NAME --file FILE")
    rows = object_of(read_json(path), path, keys=list)["keys"]
    keys = tuple(Key.parse(row, where=f"{path}: key {number}") for number, row in enumerate(rows, 1))
    for place, key in enumerate(keys):
        if any(key.name == other.name or key.sha256 == other.sha256 for other in keys[:place]):
            raise DataError(f"the key '{key.name}' stands there twice", where=path)
    return keys


def served_keys(path: Path) -> tuple[Key, ...]:
    """The same, at least one: who names a file of keys means to ask for one, also when the last was removed."""
    keys = read_keys(path)
    if not keys:
        raise DataError("no key is in it", where=path, hint="add one: presage keys add NAME --file FILE")
    return keys


def add_key(path: Path, name: str, requests: float | None, tokens: float | None) -> str:
    """A new key of this name in the file, which is made where there is none; the key itself, which stands nowhere."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is no name of a key", hint="up to 64 letters, digits, _ . -")
    keys = read_keys(path) if path.exists() else ()
    if any(key.name == name for key in keys):
        raise ConfigError(f"a key '{name}' is there", where=path, hint=f"presage keys remove {name} first")
    secret = PREFIX + secrets.token_urlsafe(32)
    limits = {"requests_per_minute": requests, "tokens_per_minute": tokens}
    _write(path, (*keys, Key.parse({"name": name, "sha256": hashed(secret)} | limits, where=name)))
    return secret


def remove_key(path: Path, name: str) -> None:
    """Without the key of this name. Raises ConfigError where there is none."""
    keys = read_keys(path)
    if all(key.name != name for key in keys):
        raise ConfigError(f"no key '{name}'", where=path, hint=did_you_mean(name, [key.name for key in keys]))
    _write(path, tuple(key for key in keys if key.name != name))


def _write(path: Path, keys: Sequence[Key]) -> None:
    rows = [key.model_dump(exclude_none=True) for key in keys]
    with atomic_write(path) as file:
        file.write(json.dumps({"keys": rows}, indent=2).encode() + b"\n")
    path.chmod(0o600)
