"""Stage `corpus`: sources to documents, cleaned, de-duplicated and split; every document removed is counted.

Order: read; drop what is too short; drop exact and near copies; split by the hash of the file's path; drop paragraphs
seen before; add generated documents. Copies are gone before the split, so none of them can straddle it. Generated
documents are for training only: what is held out stays text that people wrote.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from presage.core.config import Config as BaseConfig
from presage.core.errors import DataError
from presage.core.run import RunDir, note
from presage.data import microcode
from presage.data.attempt import attempt
from presage.data.documents import Bad, Document, Limits, read_paths, split_text
from presage.data.duplicates import Paragraphs, fingerprint, near_copies, signature
from presage.data.embedded import Package, read_embedded
from presage.data.microcode_families import LEVELS
from presage.data.records import SPLITS, write_documents

__all__ = ["Config", "run"]

BAD_ROWS = 1000  # rows of tables/bad.csv; all are counted in result.json
# Columns of tables/sources.csv in the order in which things happen to a document, with their units.
COUNTS = {
    "read/documents": "documents",
    "read/bytes": "bytes",
    "bad/documents": "documents",
    "cut/pieces": "documents",
    "removed/too_short": "documents",
    "removed/exact_copies": "documents",
    "removed/near_copies": "documents",
    "removed/paragraphs": "paragraphs",
    "removed/paragraph_bytes": "bytes",
    "removed/emptied": "documents",
} | {f"{split}/{unit}": unit for split in SPLITS for unit in ("documents", "bytes")}


GENERATED = {"microcode": microcode.documents}
"""Kinds of sources that are made: documents by (seed, count, levels), a longer supply beginning with a shorter."""


LICENCES = {
    "files": "",
    "python-docs": "see packages.csv",
    "python-code": "see packages.csv",
    "microcode": "Apache-2.0",
}
"""What tables/sources.csv says where the recipe says nothing."""


class Source(BaseConfig):
    """One source: files of yours (`paths`: files, folders, globs), the Python of this machine, or generated tasks."""

    name: str
    kind: Literal["python-docs", "python-code", "microcode", "files"] = "files"
    paths: tuple[str, ...] = ()
    share: float | None = Field(default=None, gt=0, lt=1)
    """For microcode: its part of all training bytes."""
    levels: tuple[int, ...] | None = None
    """For microcode: which levels; by default all."""
    licence: str | None = None
    unique_paragraphs: bool | None = None
    """Keep a long paragraph once in the whole corpus; by default for python-docs only, whose libraries repeat notices
    and parameter descriptions thousands of times."""

    @property
    def repeats_dropped(self) -> bool:
        return self.kind == "python-docs" if self.unique_paragraphs is None else self.unique_paragraphs


class Config(BaseConfig):
    sources: tuple[Source, ...] = (Source(name="python-docs", kind="python-docs"),)
    val_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of files (not bytes) held out, chosen by the hash of their paths."""
    min_document_bytes: int = Field(default=16, ge=1)
    max_document_bytes: int = Field(default=1 << 24, ge=1024)
    """A longer document is cut into pieces, all on the same side of the split."""
    max_file_bytes: int = Field(default=1 << 32, ge=1024)
    """After decompression; a longer file is refused."""
    paragraph_chars: int = Field(default=80, ge=1)
    """What counts as a long paragraph in sources with unique paragraphs."""
    text_key: str = "text"
    seed: int = 0

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [source.name for source in sources]
        if not sources or len(set(names)) < len(names):
            raise ValueError("at least one source, each with a name of its own")
        for source in sources:
            if (source.kind == "files") != bool(source.paths):
                raise ValueError(f"source '{source.name}': kind 'files' needs paths, the other kinds take none")
            if (source.kind in GENERATED) != (source.share is not None):
                raise ValueError(f"source '{source.name}': kind 'microcode' needs a share, the other kinds take none")
            if source.kind not in GENERATED and source.levels is not None:
                raise ValueError(f"source '{source.name}': levels are for kind 'microcode'")
        if all(source.kind in GENERATED for source in sources):
            raise ValueError("generated documents are for training only: another source must be held out from")
        if sum(source.share or 0.0 for source in sources) >= 1:
            raise ValueError("the shares of generated sources leave nothing for the others")
        return sources


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/{train,val}.jsonl.zst, tables/{sources,bad,packages}.csv. Raises DataError when nothing is left."""
    with attempt(out, "corpus", config, seed=config.seed, resume=resume) as run:
        tally = _Tally()
        documents = _without_copies(_read(config, tally), tally)
        if not documents:
            raise DataError("no document is left", hint=tally.summary())
        splits = _split(documents, config)
        once = Paragraphs(config.paragraph_chars)
        for split in SPLITS:
            kept = list(_without_repeats(splits[split], once, config, tally))
            if not kept:
                raise DataError(f"no document is left for the {split} split", hint=tally.summary())
            if split == "train":
                kept += _generated(config, sum(len(d.text.encode()) for d in kept))
            write_documents(run.artifact(f"{split}.jsonl.zst"), kept)
            tally.kept(split, kept)
        _write_tables(run, config, tally)
    if tally.bad:
        first = tally.bad[0]
        note(f"presage: {len(tally.bad)} unreadable documents left out, see {run.path / 'tables' / 'bad.csv'}")
        note(f"presage: the first: {first.path} {first.place}: {first.reason}")
    return run


class _Tally:
    """What happened to every document, by source."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.bad: list[Bad] = []
        self.package_of: dict[str, Package] = {}
        self.packages: Counter[tuple[Package, str]] = Counter()

    def add(self, source: str, what: str, amount: int = 1) -> None:
        self.counts[source, what] += amount

    def kept(self, split: str, documents: list[Document]) -> None:
        for document in documents:
            size = len(document.text.encode())
            self.add(document.source, f"{split}/documents")
            self.add(document.source, f"{split}/bytes", size)
            package = self.package_of.get(document.path)
            if package:
                self.packages[package, "documents"] += 1
                self.packages[package, "bytes"] += size

    def total(self, what: str) -> int:
        return sum(amount for (_, name), amount in self.counts.items() if name == what)

    def summary(self) -> str:
        first = next((f"; first bad one: {b.path} {b.place}: {b.reason}" for b in self.bad), "")
        return ", ".join(f"{name} {n}" for name in COUNTS if (n := self.total(name))) + first


def _read(config: Config, tally: _Tally) -> Iterator[Document]:
    limits = Limits(config.max_document_bytes, config.max_file_bytes, config.text_key)
    for source in (s for s in config.sources if s.kind not in GENERATED):
        before = ""
        for package, item in _items(source, limits):
            if isinstance(item, Bad):
                tally.add(source.name, "bad/documents")
                tally.bad.append(item)
                continue
            tally.add(source.name, "read/documents")
            tally.add(source.name, "read/bytes", len(item.text.encode()))
            tally.add(source.name, "cut/pieces", int(item.path == before))
            before = item.path
            if package:
                tally.package_of[item.path] = package
            if len(item.text.strip().encode()) < config.min_document_bytes:
                tally.add(source.name, "removed/too_short")
                continue
            yield item


def _generated(config: Config, read: int) -> list[Document]:
    """Documents of the generated sources, each up to its share of all training bytes, `read` of which are there."""
    shares = {source.name: source.share for source in config.sources if source.share is not None}
    total = read / (1 - sum(shares.values()))
    documents: list[Document] = []
    for source in config.sources:
        left = (source.share or 0.0) * total
        if source.share is None:
            continue
        levels = LEVELS if source.levels is None else source.levels
        for document in GENERATED[source.kind](config.seed, sys.maxsize, levels):
            if (left := left - len(document.text.encode())) < 0:
                break
            documents.append(Document(source.name, document.path, document.text))
    return documents


def _items(source: Source, limits: Limits) -> Iterator[tuple[Package | None, Document | Bad]]:
    if source.kind == "files":
        yield from ((None, item) for item in read_paths(source.name, source.paths, limits))
    else:
        yield from read_embedded(source.name, source.kind, limits)


def _without_copies(documents: Iterator[Document], tally: _Tally) -> list[Document]:
    unique: dict[bytes, Document] = {}
    for document in documents:
        if unique.setdefault(fingerprint(document.text), document) is not document:
            tally.add(document.source, "removed/exact_copies")
    kept = list(unique.values())
    leaders = near_copies([signature(document.text) for document in kept])
    for index, leader in enumerate(leaders):
        if index != leader:
            tally.add(kept[index].source, "removed/near_copies")
    return [document for index, document in enumerate(kept) if leaders[index] == index]


def _split(documents: list[Document], config: Config) -> dict[str, list[Document]]:
    """By the hash of the path. With too few files for chance to serve both sides, the lowest hash is held out."""
    if len({d.path for d in documents}) == 1:
        return _split_one(documents, config)
    place = {document.path: _place(document.path, config.seed) for document in documents}
    bound = max(config.val_fraction, min(place.values()))
    held_out = {path for path, at in place.items() if at <= bound}
    if len(held_out) == len(place):
        held_out.discard(max(place, key=lambda path: place[path]))
    return {
        "train": [d for d in documents if d.path not in held_out],
        "val": [d for d in documents if d.path in held_out],
    }


def _split_one(documents: list[Document], config: Config) -> dict[str, list[Document]]:
    """A single file: its last part is held out."""
    text = "".join(d.text for d in documents).encode()
    first, *rest = split_text(text, max(1, round(len(text) * (1 - config.val_fraction))))
    source, path = documents[0].source, documents[0].path
    return {
        "train": [Document(source, path, piece.decode()) for piece in split_text(first, config.max_document_bytes)],
        "val": [Document(source, f"{path}#tail", b"".join(rest).decode())],
    }


def _place(path: str, seed: int) -> float:
    """Where in [0, 1) a path falls."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{path}".encode()).digest()[:7], "big") / (1 << 56)


def _without_repeats(documents: list[Document], once: Paragraphs, config: Config, tally: _Tally) -> Iterator[Document]:
    dropping = {source.name for source in config.sources if source.repeats_dropped}
    for document in documents:
        if document.source not in dropping:
            yield document
            continue
        text, removed, removed_bytes = once.keep_new(document.text)
        tally.add(document.source, "removed/paragraphs", removed)
        tally.add(document.source, "removed/paragraph_bytes", removed_bytes)
        if len(text.strip().encode()) < config.min_document_bytes:
            tally.add(document.source, "removed/emptied")
            continue
        yield Document(document.source, document.path, text)


def _write_tables(run: RunDir, config: Config, tally: _Tally) -> None:
    sources = [
        {"source": s.name, "kind": s.kind, "licence": s.licence or LICENCES[s.kind]}
        | {what: tally.counts[s.name, what] for what in COUNTS}
        for s in config.sources
    ]
    run.table("sources", sources)
    bad = [{"source": b.source, "file": b.path, "place": b.place, "reason": b.reason} for b in tally.bad[:BAD_ROWS]]
    run.table("bad", bad, ["source", "file", "place", "reason"])
    packages = [
        {"package": p.name, "version": p.version, "licence": p.licence}
        | {unit: tally.packages[p, unit] for unit in ("documents", "bytes")}
        for p in sorted({package for package, _ in tally.packages}, key=lambda p: p.name)
    ]
    run.table("packages", packages, ["package", "version", "licence", "documents", "bytes"])
    for what, unit in COUNTS.items():
        run.result(what, tally.total(what), unit=unit)
