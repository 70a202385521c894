"""Facts: the only way a number gets into a report. Each knows the run, file, key and digest that it was read from.

A key is a dotted path into the file; lists, and the rows of .csv and .jsonl files, count from 0. Two re-expressions of
stored numbers are allowed, as units of display: `a / b` (compute in units of the target's) and `(a - b) / 2` (an
interval as plus or minus).
"""

from __future__ import annotations

import base64
import csv
import functools
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from presage.core.errors import CorruptError
from presage.core.run import RunDir, sha256
from presage.report import formats

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
INTEGER = re.compile(r"-?(0|[1-9]\d*)")
VERBATIM = frozenset({"completion", "problem", "model", "item_before", "item_match", "item_after", "document_before",
                      "document_match", "document_after"})  # fmt: skip
"""Columns with texts that are kept as they are, also where one is empty or reads as a number."""
TEXT_COLUMNS = frozenset({"name", "version", "digest", "licence", "package", "source", "file", "path", "reason",
                          "rung", "seal", "warning", "rule", "why", "excerpt", "dates", "about", "looks_at",
                          "reference", "set", "item", "document", "task", "metric", "method", "category"})  # fmt: skip
SHORT = 16  # hex digits of a digest beside a value; the whole digest stands in the list of sources
HEX = re.compile(r"[0-9a-f]{12}|[0-9a-f]{40}|[0-9a-f]{64}")
PNG, MOST_IMAGE = b"\x89PNG\r\n\x1a\n", 500_000
HALF = re.compile(r"\((\S+) - (\S+)\) / 2")


@dataclass(frozen=True)
class Fact:
    """One printed value. `str()` is what is shown (Markdown); `__html__` wraps it with its source (HTML)."""

    id: str
    shown: str
    value: Any
    run: str
    file: str
    key: str
    digest: str

    @property
    def missing(self) -> bool:
        return self.value is None and self.shown == formats.MISSING

    @property
    def source(self) -> str:
        """run/file#key"""
        return f"{self.run}/{self.file}#{self.key}"

    @property
    def title(self) -> str:
        return f"{self.source} · " + (f"sha256:{self.digest[:SHORT]}…" if self.digest else "no such file")

    @property
    def attributes(self) -> str:
        """The source as HTML attributes, for any element that shows this value."""
        pairs = {
            "data-fact": self.id,
            "data-run": self.run,
            "data-file": self.file,
            "data-key": self.key,
            "data-digest": self.digest[:SHORT],
        }
        return " ".join(f'{name}="{escape(value)}"' for name, value in pairs.items())

    def __str__(self) -> str:
        return self.shown

    def __html__(self) -> str:
        kind = "fact missing" if self.missing else "fact hash" if HEX.fullmatch(self.shown) else "fact"
        return f'<span class="{kind}" {self.attributes} title="{escape(self.title)}">{escape(self.shown)}</span>'


@dataclass(frozen=True)
class Image:
    """A PNG of a run: its bytes, what it shows in words, and how a report calls its file."""

    data: bytes
    alt: str
    run: str
    file: str
    digest: str

    @property
    def name(self) -> str:
        """Of the file beside the report: the runs' files have the same names."""
        return f"artifacts/{self.run.replace('.', '-')}-{Path(self.file).name}"

    @property
    def uri(self) -> str:
        """The image within a page."""
        return f"data:image/png;base64,{base64.b64encode(self.data).decode()}"


class Sources:
    """The run directories a report reads, by role. Without its directory a role, and all it would say, is missing."""

    def __init__(self, runs: dict[str, Path | None]) -> None:
        self.runs = runs
        self.facts: dict[tuple[str, str, str, str], Fact] = {}
        self._read = functools.cache(self._read_file)

    def has(self, run: str, file: str) -> bool:
        path = self.path(run, file)
        return path is not None and path.is_file()

    def path(self, run: str, file: str = "") -> Path | None:
        """The file on disk. A role may go below a run directory: "ladder/rungs/c3-s0"."""
        role, _, below = run.partition("/")
        base = self.runs.get(role)
        return None if base is None else base / below / file

    def data(self, run: str, file: str) -> Any:
        """The parsed file (.json a tree, .jsonl and .csv a list of rows); None when there is none."""
        return self._read(run, file)[0] if self.has(run, file) else None

    def rows(self, run: str, file: str) -> list[dict[str, Any]]:
        return list(self.data(run, file) or [])

    def digest(self, run: str, file: str) -> str:
        """sha256 of the file; empty when there is none."""
        return str(self._read(run, file)[1]) if self.has(run, file) else ""

    def get(self, run: str, file: str, key: str, default: Any = None) -> Any:
        found = look_up(self.data(run, file), key)
        return default if found is None else found

    def fact(self, run: str, file: str, key: str, form: str = "auto") -> Fact:
        """The value at run/file#key, written in `form`; "missing" when any of the three is not there."""
        found, value = _evaluate(self.data(run, file), key)
        shown = formats.show(value, form) if found else formats.MISSING
        place = (run, file, key, shown)
        if place not in self.facts:
            self.facts[place] = Fact(f"f{len(self.facts) + 1}", shown, value, run, file, key, self.digest(run, file))
        return self.facts[place]

    def find(self, run: str, file: str, name: str, form: str = "setting") -> Fact:
        """The fact whose key ends in `name`, wherever in the file it stands; the shallowest one wins."""
        keys = [k for k in leaves(self.data(run, file)) if k == name or k.endswith(f".{name}")]
        return self.fact(run, file, min(keys, key=lambda k: (k.count("."), k), default=name), form)

    def image(self, run: str, file: str, alt: str) -> Image | None:
        """A PNG that a run wrote; None where it is not there, is no such file or larger than a page can hold."""
        path = self.path(run, file)
        if path is None or not path.is_file() or path.stat().st_size > MOST_IMAGE:
            return None
        data, digest = path.read_bytes(), sha256(path)
        self._check_against_done(path.parents[len(Path(file).parts) - 1], file, digest)
        return Image(data, alt, run, file, digest) if data.startswith(PNG) else None

    def last(self, run: str, file: str, name: str, form: str = "auto") -> Fact:
        """The last row of a .jsonl or .csv file that has a value under `name`."""
        rows = self.rows(run, file)
        numbers = [i for i, row in enumerate(rows) if row.get(name) is not None]
        return self.fact(run, file, f"{numbers[-1]}.{name}" if numbers else name, form)

    def result(self, run: str, name: str, form: str = "auto", part: str = "value") -> Fact:
        return self.fact(run, "result.json", f"{name}.{part}", form)

    def _read_file(self, run: str, file: str) -> tuple[Any, str]:
        path = self.path(run, file)
        assert path is not None
        digest = sha256(path)
        base = path.parents[len(Path(file).parts) - 1]
        self._check_against_done(base, file, digest)
        return _parse(base, file), digest

    @staticmethod
    def _check_against_done(base: Path, file: str, digest: str) -> None:
        """A report prints nothing from a file that is not the one its run was finished with."""
        run = RunDir(base)
        recorded = run.read_json("DONE")["files"].get(file) if run.done else None
        if recorded is not None and recorded != digest:
            raise CorruptError(
                "content differs from the run's DONE", where=base / file, hint="presage check names every such file"
            )


def look_up(data: Any, key: str) -> Any:
    """The value at a dotted path; None when it is not there. A dictionary key may itself contain dots."""
    return _find(data, key)[1]


def leaves(data: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted path of a tree of dictionaries that ends in a value."""
    if not isinstance(data, dict) or not data:
        return
    for name, value in data.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _find(data: Any, key: str) -> tuple[bool, Any]:
    if not key:
        return True, data
    parts = key.split(".")
    if isinstance(data, list):
        inside = parts[0].isdigit() and int(parts[0]) < len(data)
        return _find(data[int(parts[0])], ".".join(parts[1:])) if inside else (False, None)
    if not isinstance(data, dict):
        return False, None
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in data:
            found, value = _find(data[name], ".".join(parts[length:]))
            if found:
                return found, value
    return False, None


def _evaluate(data: Any, key: str) -> tuple[bool, Any]:
    half = HALF.fullmatch(key)
    if half:
        (a_there, a), (b_there, b) = (_find(data, half[1]), _find(data, half[2]))
        return a_there and b_there, (a - b) / 2 if _numbers(a, b) else None
    top, slash, bottom = key.partition(" / ")
    if slash:
        (a_there, a), (b_there, b) = (_find(data, top), _find(data, bottom))
        return a_there and b_there, a / b if _numbers(a, b) and b else None
    return _find(data, key)


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _parse(base: Path, file: str) -> Any:
    run = RunDir(base)
    if file.endswith(".jsonl"):
        return list(run.rows(file))
    if file.endswith(".csv"):
        text = (base / file).read_bytes().decode()  # a line end in what a model wrote stays what it is
        return [{k: _cell(k, v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(text))]
    return run.read_json(file)


def _cell(column: str, text: str | None) -> Any:
    """A table's cell: a number where it reads as one, None where it is empty, otherwise text (a version is text)."""
    if column in VERBATIM:
        return text
    if text is None or text == "":
        return None
    if text in ("True", "False"):
        return text == "True"
    if column in TEXT_COLUMNS or not NUMBER.fullmatch(text):
        return text
    return json.loads(text) if INTEGER.fullmatch(text) else float(text)


def files(facts: list[Fact]) -> list[tuple[str, str, str, int]]:
    """[(run, file, digest, number of facts)] in order of first use."""
    counts = Counter((fact.run, fact.file, fact.digest) for fact in facts)
    return [(*place, count) for place, count in counts.items()]


def to_csv(facts: list[Fact]) -> str:
    """facts.csv: one row per printed value: id, shown, value (JSON), run, file, key, digest."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "shown", "value", "run", "file", "key", "digest"])
    for f in facts:
        value = json.dumps(f.value, ensure_ascii=False)
        writer.writerow([f.id, f.shown, value, f.run, f.file, f.key, f.digest])
    return text.getvalue()
