"""Files that appear whole or not at all, their digests, and files of rows that may end in a torn line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import CorruptError, DataError, RunError

FORM = "not in the form that presage writes"


def own_files(root: Path) -> list[Path]:
    """Every file below `root`, in path order, but those of runs nested in it."""
    nested = {p.parent for p in root.rglob("origin.json")} - {root}
    return sorted(p for p in root.rglob("*") if not p.is_dir() and nested.isdisjoint(p.parents))


def is_temporary(relative: Path) -> bool:
    """Whether a path within a run is a file or in a folder that was never given its final name."""
    return any(part.endswith(".tmp") for part in relative.parts)


def remove_temporary(root: Path) -> None:
    """Delete what a killed process left half-written in a run; nested runs look after themselves."""
    for path in own_files(root):
        if is_temporary(path.relative_to(root)):
            path.unlink()
    for folder in sorted(root.rglob("*"), reverse=True):
        if folder.is_dir() and is_temporary(folder.relative_to(root)):
            with contextlib.suppress(OSError):  # not empty: holds what belongs to a nested run
                folder.rmdir()


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def on_disk(path: Path) -> None:
    """Wait until what was written of a file or folder is there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest_of(files: dict[str, str]) -> str:
    """One digest for a {name: sha256} listing, independent of order."""
    return hashlib.sha256("".join(f"{n}\0{h}\n" for n, h in sorted(files.items())).encode()).hexdigest()


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Any]:
    """A binary file that appears under its name only when whole and on disk; RunError when the disk is full."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def json_line(row: Any) -> bytes:
    """A row as its line of JSON, newline and all."""
    return f"{json.dumps(row, ensure_ascii=False)}\n".encode()


def write_rows(path: Path, rows: Iterable[Any]) -> int:
    """A file of JSON lines that appears when it is whole; returns how many. Raises RunError when the disk is full."""
    count = 0
    with atomic_write(path) as file:
        for row in rows:
            file.write(json_line(row))
            count += 1
    return count


def prepare_new(path: Path, option: str = "--out") -> None:
    """Make the folder of a file that is to be written, named by `option`. DataError when there is something of this
    name, or no folder."""
    if path.exists():
        raise DataError("there is something of this name", where=path, hint=f"remove it or choose another {option}")
    _make_folder(path)


def prepare_added(path: Path) -> None:
    """Make the folder of a file that lines are to be added to, which may be there. DataError where there can be no
    folder, RunError where it, or the file, cannot be written."""
    _make_folder(path)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise RunError("cannot be written", where=path, hint="choose another file")


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make its folder: {error.strerror}", where=path) from None


def cannot_write(path: Path, error: OSError) -> RunError:
    """What to raise when the system refuses a write: disk full, read-only, a limit."""
    free = f" ({shutil.disk_usage(path.parent).free:,} bytes free)" if path.parent.is_dir() else ""
    return RunError(f"cannot write: {error.strerror}{free}", where=path)


def append(path: Path, data: bytes) -> None:
    """Add to the end of a file, which is made where there is none. RunError when the disk is full."""
    try:
        with open(path, "ab") as file:
            file.write(data)
    except OSError as error:
        raise cannot_write(path, error) from error


def is_same_file(file: Any, path: Path) -> bool:
    """True when `path` still names the open `file`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def read_json(path: Path) -> Any:
    """A JSON file. Raises RunError when it cannot be read, CorruptError when it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise RunError("missing file", where=path) from None
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror}", where=path) from None
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"not JSON: {error}", where=path) from None


def to_json(data: Any, where: Path, indent: int | None = None) -> str:
    """Data as JSON. Raises RunError for numbers that are not finite, naming the keys of an object that hold some."""
    try:
        return json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        named = data.items() if isinstance(data, dict) else ()
        wrong = ", ".join(name for name, value in named if not _finite(value)) or "a value"
        raise RunError(f"not a finite number: {wrong}", where=where, hint="lower a learning rate") from None


def _finite(value: Any) -> bool:
    """Whether all numbers in a value are."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(map(_finite, parts)) and not (isinstance(value, float) and not math.isfinite(value))


def object_of(data: Any, where: Path, **kinds: type) -> dict[str, Any]:
    """What was read, where it is an object with these keys of these kinds. Raises CorruptError otherwise."""
    if not isinstance(data, dict):
        raise CorruptError(f"{FORM}: no JSON object", where=where)
    wrong = next((key for key, kind in kinds.items() if not isinstance(data.get(key), kind)), None)
    if wrong is not None:
        raise CorruptError(f"{FORM}: '{wrong}'", where=where)
    return data


def whole_lines(path: Path) -> list[bytes]:
    """Lines of a file of rows; a torn last one (a process killed while writing) is left out. Raises RunError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror}", where=path) from None
    lines = text.splitlines()
    return lines if text.endswith(b"\n") or not lines or is_json(lines[-1]) else lines[:-1]


def is_json(line: bytes) -> bool:
    """Whether a line is a whole value of JSON."""
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def parse_row(line: bytes, where: str) -> dict[str, Any]:
    """One line of a file of rows. Raises CorruptError."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise CorruptError("a line that is not JSON", where=where) from None
    if not isinstance(row, dict):
        raise CorruptError("a line that is not a JSON object", where=where)
    return row


def row_step(line: bytes, where: str) -> float:
    """The step a row belongs to; -1 for a row of no step. Raises CorruptError."""
    step = parse_row(line, where).get("step", -1)
    if isinstance(step, bool) or not isinstance(step, int | float):
        raise CorruptError(f"a step that is no number: {json.dumps(step)[:40]}", where=where)
    return step
