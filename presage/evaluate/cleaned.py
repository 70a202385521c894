"""Stage: a corpus without the documents that hold evaluation items.

The items are looked for in the training split, by the methods of presage.evaluate.contamination: only what a model
trained on can have reached it. Where any is found, every document of either split that holds any item goes, whole: a
window cut around the item (GPT-3, sheet section 5.8) would leave its context behind. The documents that stay keep
their order and their side of the split.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import DataError
from presage.core.run import RunDir, sha256
from presage.data.attempt import attempt
from presage.data.batches import byte_length
from presage.data.documents import Document
from presage.data.items import read_items
from presage.data.records import SPLITS, read_split, write_documents
from presage.evaluate.contamination import METHODS, Scanner, batches_of, pieces_of

__all__ = ["Config", "run"]

COLUMNS = ["split", "source", "document", "bytes"]


class Config(BaseConfig):
    corpus: Parent
    items: Path
    """File of items, as `presage contamination` reads it; a copy of their texts is kept with the run."""
    items_sha256: str | None = None
    """Digest of that file: other items under the same name are then refused."""
    methods: tuple[str, ...] = tuple(METHODS)
    seed: int = 0
    """Draws the substrings of GPT-4's method."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/{train,val}.jsonl.zst without the documents, items.jsonl, contamination.json; tables/removed.csv.

    contamination.json is the report on the training split, as `presage contamination --json` prints it. Raises
    DataError for bad items and when a split would be left without documents.
    """
    items = read_items(config.items)
    if config.items_sha256 not in (None, sha256(config.items)):
        raise DataError("has changed since the config was made", where=config.items)
    scanner = Scanner(items, config.methods, config.seed)
    with attempt(out, "cleaned", config, seed=config.seed, resume=resume) as run:
        report = scanner.scan(read_split(config.corpus, "train"))
        lines = (json.dumps({"id": item.id, "text": item.text}, ensure_ascii=False) for item in items)
        run.write_text("artifacts/items.jsonl", "".join(f"{line}\n" for line in lines))
        run.write_json("artifacts/contamination.json", report.as_json())
        removed: list[dict[str, object]] = []
        for split in SPLITS:
            holding = _holding(scanner, config.corpus, split) if report.flagged else set()
            kept: Counter[str] = Counter()
            staying = _staying(config.corpus, split, holding, removed, kept)
            write_documents(run.artifact(f"{split}.jsonl.zst"), staying)
            for unit in ("documents", "bytes"):
                run.result(f"{split}/{unit}", kept[unit], unit=unit)
        run.table("removed", removed, COLUMNS)
        for name, count in {"flagged": len(report.flagged), "untestable": len(report.untestable)}.items():
            run.result(f"items/{name}", count, unit="items")
        run.result("items/all", len(items), unit="items")
        run.result("removed/documents", len(removed), unit="documents")
        run.result("removed/bytes", sum(int(str(row["bytes"])) for row in removed), unit="bytes")
    return run


def _holding(scanner: Scanner, corpus: Path, split: str) -> set[int]:
    """Numbers of the documents that hold an item, in the order of the split; pieces of one count together."""
    found: set[int] = set()
    number, last = -1, ("", "")
    for batch in batches_of(pieces_of(read_split(corpus, split))):
        held = scanner.holding([piece.document.text for piece in batch])
        for piece, holds in zip(batch, held, strict=True):
            number, last = number + (_name(piece.document) != last), _name(piece.document)
            found |= {number} if holds else set()
    return found


def _staying(
    corpus: Path, split: str, holding: set[int], gone: list[dict[str, object]], kept: Counter[str]
) -> Iterator[Document]:
    """The documents that stay, counted in `kept`; rows of the others go to `gone`. DataError when none stays."""
    for number, (source, path, pieces) in enumerate(_documents(corpus, split)):
        if number in holding:
            size = sum(byte_length(piece.text) for piece in pieces)
            gone.append({"split": split, "source": source, "document": path, "bytes": size})
            continue
        kept.update({"documents": len(pieces), "bytes": sum(byte_length(piece.text) for piece in pieces)})
        yield from pieces
    if not kept["documents"]:
        raise DataError(
            f"every document of the {split} split holds an item: without them none is left",
            where=corpus,
            hint="fewer items, or a corpus of more documents",
        )


def _documents(corpus: Path, split: str) -> Iterator[tuple[str, str, list[Document]]]:
    for (source, path), pieces in groupby(read_split(corpus, split), _name):
        yield source, path, list(pieces)


def _name(document: Document) -> tuple[str, str]:
    return document.source, document.path
