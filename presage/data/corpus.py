"""Stage `corpus`: sources to documents, cleaned, de-duplicated and split; every document removed is counted.

Order: read; drop what is too short; drop exact and near copies; split by the hash of the file's path; drop paragraphs
seen before. Copies are gone before the split, so none of them can straddle it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from presage.core.config import Config as BaseConfig
from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.data.documents import Bad, Document, Limits, read_paths, split_text
from presage.data.duplicates import Paragraphs, fingerprint, near_copies, signature
from presage.data.embedded import Package, read_embedded
from presage.data.records import SPLITS, write_documents

__all__ = ["Config", "run"]

BAD_ROWS = 1000  # rows of tables/bad.csv; all are counted in result.json
COUNTS = ("read", "read_bytes", "bad", "too_short", "exact_copies", "near_copies", "emptied")


class Source(BaseConfig):
    """One source: files of yours (`paths`: files, folders, globs), or the Python of this machine."""

    name: str
    kind: Literal["python-docs", "python-code", "files"] = "files"
    paths: tuple[str, ...] = ()
    licence: str | None = None


class Config(BaseConfig):
    sources: tuple[Source, ...] = (Source(name="python-docs", kind="python-docs"),)
    val_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of files (not bytes) held out, chosen by the hash of their paths."""
    min_document_bytes: int = Field(default=16, ge=1)
    max_document_bytes: int = Field(default=1 << 24, ge=1024)
    """A longer document is cut into pieces, all on the same side of the split."""
    max_file_bytes: int = Field(default=1 << 32, ge=1024)
    """After decompression; a longer file is refused."""
    paragraph_chars: int = Field(default=80, ge=0)
    """Paragraphs at least this long are kept once in the whole corpus; 0 keeps all."""
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
        return sources


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/{train,val}.jsonl.zst, tables/{sources,bad,packages}.csv. Raises DataError when nothing is left."""
    with RunDir.create(out, "corpus", config, seed=config.seed, resume=resume) as run:
        tally = _Tally()
        documents = _without_copies(_read(config, tally), tally)
        splits = _split(documents, config)
        paragraphs = Paragraphs(config.paragraph_chars)
        for split in SPLITS:
            kept = list(_without_repeats(splits[split], paragraphs, config, tally))
            if not kept:
                raise DataError(f"no document is left for the {split} split", hint=tally.summary())
            write_documents(run.artifact(f"{split}.jsonl.zst"), kept)
            tally.kept(split, kept)
        _write_tables(run, config, tally, paragraphs)
        run.finish()
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
            self.add(document.source, f"{split}_documents")
            self.add(document.source, f"{split}_bytes", size)
            package = self.package_of.get(document.path)
            if package:
                self.packages[package, "documents"] += 1
                self.packages[package, "bytes"] += size

    def total(self, what: str) -> int:
        return sum(amount for (_, name), amount in self.counts.items() if name == what)

    def summary(self) -> str:
        first = f"; first bad: {self.bad[0].path} {self.bad[0].place}: {self.bad[0].reason}" if self.bad else ""
        return ", ".join(f"{self.total(name)} {name.replace('_', ' ')}" for name in COUNTS) + first


def _read(config: Config, tally: _Tally) -> Iterator[Document]:
    limits = Limits(config.max_document_bytes, config.max_file_bytes, config.text_key)
    for source in config.sources:
        for package, item in _items(source, limits):
            if isinstance(item, Bad):
                tally.add(source.name, "bad")
                tally.bad.append(item)
                continue
            size = len(item.text.encode())
            tally.add(source.name, "read")
            tally.add(source.name, "read_bytes", size)
            if len(item.text.strip().encode()) < config.min_document_bytes:
                tally.add(source.name, "too_short")
                continue
            if package:
                tally.package_of[item.path] = package
            yield item


def _items(source: Source, limits: Limits) -> Iterator[tuple[Package | None, Document | Bad]]:
    if source.kind == "files":
        yield from ((None, item) for item in read_paths(source.name, source.paths, limits))
    else:
        yield from read_embedded(source.name, source.kind, limits)


def _without_copies(documents: Iterator[Document], tally: _Tally) -> list[Document]:
    unique: dict[bytes, Document] = {}
    for document in documents:
        if unique.setdefault(fingerprint(document.text), document) is not document:
            tally.add(document.source, "exact_copies")
    kept = list(unique.values())
    leaders = near_copies([signature(document.text) for document in kept])
    for index, leader in enumerate(leaders):
        if index != leader:
            tally.add(kept[index].source, "near_copies")
    return [document for index, document in enumerate(kept) if leaders[index] == index]


def _split(documents: list[Document], config: Config) -> dict[str, list[Document]]:
    """By the hash of the path. With too few files for chance to serve both sides, the lowest hash is held out."""
    if len({d.path for d in documents}) == 1:
        return _split_one(documents, config)
    place = {document.path: _place(document.path, config.seed) for document in documents}
    bound = max(config.val_fraction, min(place.values(), default=0.0))
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


def _without_repeats(
    documents: list[Document], paragraphs: Paragraphs, config: Config, tally: _Tally
) -> Iterator[Document]:
    for document in documents:
        text = paragraphs.keep_new(document.text)
        if len(text.strip().encode()) < config.min_document_bytes:
            tally.add(document.source, "emptied")
            continue
        yield Document(document.source, document.path, text)


def _write_tables(run: RunDir, config: Config, tally: _Tally, paragraphs: Paragraphs) -> None:
    kept = [f"{split}_{unit}" for split in SPLITS for unit in ("documents", "bytes")]
    rows = [
        {"source": s.name, "kind": s.kind, "licence": s.licence or _LICENCES.get(s.kind, "")}
        | {what: tally.counts[s.name, what] for what in (*COUNTS, *kept)}
        for s in config.sources
    ]
    run.table("sources", rows)
    bad = [{"source": b.source, "file": b.path, "place": b.place, "reason": b.reason} for b in tally.bad[:BAD_ROWS]]
    run.table("bad", bad, ["source", "file", "place", "reason"])
    packages = sorted({package for package, _ in tally.packages}, key=lambda p: p.name)
    run.table(
        "packages",
        [
            {"package": p.name, "version": p.version, "licence": p.licence}
            | {unit: tally.packages[p, unit] for unit in ("documents", "bytes")}
            for p in packages
        ],
        ["package", "version", "licence", "documents", "bytes"],
    )
    for split in SPLITS:
        run.result(f"{split}/documents", tally.total(f"{split}_documents"), unit="documents")
        run.result(f"{split}/bytes", tally.total(f"{split}_bytes"), unit="bytes")
    for what in COUNTS:
        run.result(f"documents/{what}", tally.total(what), unit="bytes" if what.endswith("bytes") else "documents")
    run.result("paragraphs/removed", paragraphs.removed, unit="paragraphs")
    run.result("paragraphs/removed_bytes", paragraphs.removed_bytes, unit="bytes")


_LICENCES = {"python-docs": "per package, see packages.csv", "python-code": "per package, see packages.csv"}
