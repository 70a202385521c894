"""The run directory: what every stage writes and everything else reads. See docs/run-directory.md.

A stage opens one with `RunDir.create`, adds rows and files, and calls `finish()`, which writes DONE last: the digest
over everything that should be the same if the same config ran again. Wall-clock lives in timing.jsonl and log.txt,
outside that digest.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from presage.core import origin as origins
from presage.core.config import Config, by_element, diff
from presage.core.errors import ConfigError, RunError
from presage.core.files import (
    append,
    atomic_write,
    digest_of,
    is_same_file,
    is_temporary,
    object_of,
    own_files,
    parse_row,
    read_json,
    remove_temporary,
    row_step,
    sha256,
    to_json,
    whole_lines,
)

SCHEMA = 1
FILE = "file"
"""What origin.json calls a parent that is a file, not a run."""
OUTSIDE_DIGEST = frozenset({"DONE", "OMITTED", ".lock", "timing.jsonl", "log.txt"})
AS_BEFORE = "have it as it was, or choose another --out"
ROW_FILES = ("metrics.jsonl", "timing.jsonl", "samples.jsonl")

__all__ = [
    "OUTSIDE_DIGEST",
    "SCHEMA",
    "RunDir",
    "atomic_write",
    "digest_of",
    "file_digests",
    "find_runs",
    "load_config",
]
__all__ += ["note", "sha256"]

C = TypeVar("C", bound=Config)


class RunDir:
    """One run directory, open for writing (through `create`) or reading (through `open`)."""

    speaks = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: Any = None

    # ---- opening ----------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path | str, stage: str, config: Config, *, seed: int = 0, resume: bool = False, **facts: Any
    ) -> Self:
        """A locked directory with config.json and origin.json written.

        Raises RunError when the directory is finished, not empty (unless `resume`), of another config, or in use.
        `facts` (device, seal, …) are added to origin.json.
        """
        run = cls(Path(path))
        made = _make_directory(run.path)
        run._acquire()
        try:
            run._begin(stage, config, seed, resume, facts)
        except BaseException:
            run.close()
            if made:
                with contextlib.suppress(OSError):
                    run.path.rmdir()
            raise
        return run

    @classmethod
    def open(cls, path: Path | str, stage: str | None = None) -> Self:
        """A finished run directory. Raises RunError when it is none, unfinished, or of another stage."""
        run = cls(Path(path))
        if not (run.path / "config.json").is_file():
            raise RunError("not a run directory (no config.json)", where=path)
        if stage and run.stage != stage:
            raise RunError(f"a '{run.stage}' run, but a '{stage}' run is needed", where=path)
        if not run.done:
            raise RunError("this run is not finished (no DONE)", where=path, hint="run its stage again with --resume")
        return run

    def _acquire(self) -> None:
        while self._lock is None:
            lock = open(self.path / ".lock", "w")  # noqa: SIM115 - held until close()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise RunError(
                    "another process is writing to this run directory",
                    where=self.path,
                    hint="wait, or choose another --out",
                ) from None
            # Its last holder may have removed the name between our open and our lock: then we hold nothing.
            if is_same_file(lock, self.path / ".lock"):
                self._lock = lock
            else:
                lock.close()

    def _begin(self, stage: str, config: Config, seed: int, resume: bool, facts: dict[str, Any]) -> None:
        if self.done:
            raise RunError("already finished (DONE is there)", where=self.path, hint="choose another --out")
        existing = [p.name for p in self.path.iterdir() if p.name != ".lock"]
        written = self._written(stage, config)
        if existing and not resume:
            raise RunError("the directory is not empty", where=self.path, hint="use --resume, or another --out")
        if any(name not in {"origin.json", "config.json"} for name in existing if not name.endswith(".tmp")):
            self._check_is_run()
        parents = dict(_origins(config))
        if "config.json" in existing:
            self._check_same(type(config), written, parents)
            remove_temporary(self.path)
            return
        self.write_json("origin.json", origins.describe(seed) | {"parents": parents} | facts)
        self.write_json("config.json", written)

    def _written(self, stage: str, config: Config) -> dict[str, Any]:
        return {"stage": stage, "schema": SCHEMA, "config": _relative_paths(config, self.path)}

    def _check_is_run(self) -> None:
        if not (self.path / "origin.json").is_file() or not (self.path / "config.json").is_file():
            raise RunError("not a run directory, so it cannot be resumed", where=self.path, hint="choose another --out")

    def _check_same(self, kind: type[Config], written: dict[str, Any], parents: dict[str, Any]) -> None:
        before = self.read_object("config.json", stage=str, config=dict)
        if before["stage"] != written["stage"]:
            raise RunError(f"holds a '{before['stage']}' run, not a '{written['stage']}' run", where=self.path)
        began_with = _relative_paths(self.config(kind), self.path)  # with what configs have gained since, as by default
        changed = diff(began_with, written["config"])
        if changed:
            lines = "; ".join(f"{k}: {a!r} -> {b!r}" for k, (a, b) in by_element(changed).items())
            raise RunError(f"the config differs from the one it began with: {lines}", where=self.path, hint=AS_BEFORE)
        origin = self.read_object("origin.json", code=str, parents=dict)
        for role, parent in parents.items():
            if origin["parents"].get(role) != parent:
                raise RunError(f"parent '{role}' is not the one it began with", where=self.path, hint=AS_BEFORE)
        if origin["code"] != origins.code_digest():
            note(f"{self.path}: presage's code has changed since this run began")

    # ---- writing ----------------------------------------------------------------------------------------------

    def write_config(self, name: str, stage: str, config: Config) -> None:
        """The config of another run, to be begun from this file as from a config.json."""
        self.write_json(name, self._written(stage, config))

    def metric(self, **row: Any) -> None:
        """One row of metrics.jsonl: step, tokens, flops, then values. No wall-clock here."""
        self._append("metrics.jsonl", row)

    def timing(self, **row: Any) -> None:
        """One row of timing.jsonl: step, then seconds, tokens/s, memory, energy. Outside the digest."""
        self._append("timing.jsonl", row)

    def sample(self, **row: Any) -> None:
        """One row of samples.jsonl: prompt, completion, step."""
        self._append("samples.jsonl", row)

    def log(self, text: str) -> None:
        """A line of log.txt, for people; outside the digest."""
        with open(self.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")

    def result(self, name: str, value: float | int | str | None, **extra: Any) -> None:
        """Add one entry to result.json: value with any of stderr, lo, hi, level, n, unit."""
        results = self.results()
        results[name] = {"value": value, **extra}
        self.write_json("result.json", results)

    def table(self, name: str, rows: Iterable[dict[str, Any]], columns: list[str] | None = None) -> Path:
        """tables/NAME.csv with the given columns (by default the first row's keys)."""
        import csv
        import io

        rows = list(rows)
        text = io.StringIO()
        writer = csv.DictWriter(text, columns or list(rows[0] if rows else {}), lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(rows)
        return self.write_text(f"tables/{name}.csv", text.getvalue())

    def write_json(self, name: str, data: Any) -> Path:
        """A JSON file of the run, whole or not at all. Raises RunError for NaN and infinity."""
        return self.write_text(name, to_json(data, self.path / name, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """A UTF-8 file of the run, whole or not at all."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(target) as file:
            file.write(text.encode())
        return target

    def artifact(self, name: str) -> Path:
        """The path of artifacts/NAME, its folder made."""
        target = self.path / "artifacts" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def cut_rows(self, step: int) -> None:
        """Drop rows later than `step` (and a torn last line): a resumed run leaves the files an unbroken one would."""
        for name in ROW_FILES:
            path = self.path / name
            if not path.exists():
                continue
            lines = whole_lines(path)
            kept = [line for number, line in enumerate(lines, 1) if row_step(line, f"{path}:{number}") <= step]
            with atomic_write(path) as file:
                file.writelines(line + b"\n" for line in kept)

    def finish(self) -> str:
        """Write DONE and release the lock; returns the digest."""
        files = dict(sorted(file_digests(self.path)))
        digest = digest_of(files)
        self.write_json("DONE", {"stage": self.stage, "schema": SCHEMA, "digest": digest, "files": files})
        self.close()
        return digest

    def close(self) -> None:
        """Release the lock; what is written stays."""
        if self._lock is not None:
            (self.path / ".lock").unlink(missing_ok=True)  # while still held; see _acquire
            self._lock.close()
            self._lock = None

    def _append(self, name: str, row: dict[str, Any]) -> None:
        path = self.path / name
        line = to_json(row, path) + "\n"
        append(path, line.encode())

    # ---- reading ----------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether the run is finished."""
        return (self.path / "DONE").is_file()

    @property
    def stage(self) -> str:
        """The stage that this run is of."""
        return str(self.read_object("config.json", stage=str)["stage"])

    @property
    def digest(self) -> str:
        """The digest of a finished run; RunError when it is not finished."""
        return str(self.read_object("DONE", digest=str)["digest"])

    @property
    def origin(self) -> dict[str, Any]:
        """origin.json: code, libraries, machine, seed, parents."""
        return self.read_object("origin.json")

    def config(self, kind: type[C]) -> C:
        """The config this run was made from, its parent paths resolved against this directory."""
        return load_config(kind, self.path / "config.json")

    def results(self) -> dict[str, dict[str, Any]]:
        """result.json: {name: {value, stderr, lo, hi, level, n, unit}}; empty when there is none yet."""
        return self.read_object("result.json") if (self.path / "result.json").exists() else {}

    def value(self, name: str) -> Any:
        """The value of one entry of result.json. Raises RunError when it is not there."""
        results = self.results()
        if name not in results:
            raise RunError(f"result.json has no '{name}'", where=self.path)
        return results[name]["value"]

    def changed(self, config: Config) -> dict[str, tuple[Any, Any]]:
        """{dotted key: (in this run's config, in the one given)} where they differ; empty when it is the same."""
        return diff(self.read_object("config.json", config=dict)["config"], _relative_paths(config, self.path))

    def rows(self, name: str = "metrics.jsonl") -> Iterator[dict[str, Any]]:
        """Rows of a .jsonl file; a torn last line (a run killed while writing) is ignored."""
        path = self.path / name
        for number, line in enumerate(whole_lines(path) if path.exists() else [], 1):
            yield parse_row(line, f"{path}:{number}")

    def read_json(self, name: str) -> Any:
        """A JSON file of the run. Raises RunError when it cannot be read, CorruptError when it is not JSON."""
        return read_json(self.path / name)

    def read_object(self, name: str, **kinds: type) -> dict[str, Any]:
        """As `read_json`, an object with these keys of these kinds. Raises CorruptError where it is none."""
        return object_of(self.read_json(name), self.path / name, **kinds)

    def read_table(self, name: str) -> list[dict[str, str]]:
        """The rows of tables/NAME.csv, every value as text."""
        import csv

        path = self.path / "tables" / f"{name}.csv"
        if not path.is_file():
            raise RunError("missing file", where=path)
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def omitted(self) -> set[str]:
        """Files that a published copy of this run lists by digest but leaves out (large ones), from OMITTED."""
        path = self.path / "OMITTED"
        return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()

    def problems(self) -> list[tuple[str, str]]:
        """[(file, what is wrong)] against DONE: changed, missing and added files; empty when the run is whole."""
        done = self.read_object("DONE", files=dict, digest=str)
        recorded, found = done["files"], dict(file_digests(self.path))
        wrong = [(name, "missing") for name in recorded if name not in found and name not in self.omitted()]
        wrong += [(name, "not listed in DONE") for name in found if name not in recorded]
        wrong += [(n, "content differs from DONE") for n in found if n in recorded and found[n] != recorded[n]]
        if digest_of(recorded) != done["digest"]:
            wrong.append(("DONE", "its digest is not that of its own list of files"))
        return sorted(wrong)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_config(kind: type[C], path: Path) -> C:
    """A config from a run's config.json (or a bare config file), paths of parents and files relative to that file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not JSON: {error}", where=path) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=path) from None
    config = kind.parse(data.get("config", data) if isinstance(data, dict) else data, where=path)
    return config.map_paths(lambda p: p if p.is_absolute() else Path(os.path.normpath(path.parent / p)))


def find_runs(root: Path) -> list[RunDir]:
    """Every run directory at or below `root`, in path order."""
    return [RunDir(p.parent) for p in sorted(Path(root).rglob("config.json")) if (p.parent / "origin.json").is_file()]


def file_digests(root: Path) -> Iterator[tuple[str, str]]:
    """(relative posix path, sha256) of every file that counts towards a run's digest. Nested runs are skipped."""
    for path in own_files(root):
        relative = path.relative_to(root)
        if relative.parts[0] not in OUTSIDE_DIGEST and not is_temporary(relative):
            yield relative.as_posix(), sha256(path)


def _make_directory(path: Path) -> bool:
    """True when the directory was not there before."""
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the directory: {error.strerror}", where=path) from None
    return made


def _origins(config: Config) -> Iterator[tuple[str, dict[str, str]]]:
    """(role, what it is and its digest) of every parent and file that a config names."""
    for role, path in config.parents().items():
        parent = RunDir.open(path)
        yield role, {"stage": parent.stage, "digest": parent.digest}
    for role, path in config.inputs().items():
        if not path.is_file():
            raise RunError("missing file", where=path)
        yield role, {"stage": FILE, "digest": sha256(path)}


def _relative_paths(config: Config, base: Path) -> dict[str, Any]:
    """The config as plain data with these paths written relative to the run, so a tree of runs can be moved."""
    relative = config.map_paths(lambda p: Path(os.path.relpath(p.resolve(), base.resolve())))
    return relative.model_dump(mode="json")


def note(text: str) -> None:
    """A line for a person, on standard error; standard output is for results."""
    print(text, file=sys.stderr, flush=True)
