"""Stage: which evaluation items stand in a corpus, for several sets of items, and whether the scan sees what is there.

Methods of the GPT-4, GPT-3 and GPT-2 reports (presage.evaluate.contamination). What it writes is in
docs/contamination.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.run import RunDir
from presage.data.attempt import attempt
from presage.evaluate.contamination import METHODS, Hit, Report
from presage.evaluate.copied import Copied
from presage.evaluate.sets import ItemSet
from presage.evaluate.together import Looked, look

__all__ = ["Config", "run"]

PARTS = [f"{side}_{part}" for side in ("item", "document") for part in ("before", "match", "after")]
HITS = ["set", "item", "method", "document", "offset", *PARTS]


class Copy(BaseConfig):
    """A contaminated copy: so many items of one set, planted into copies of a sample of the corpus's documents."""

    of: str
    items: int = Field(default=20, ge=1)


class Config(BaseConfig):
    sets: tuple[ItemSet, ...] = Field(min_length=1)
    corpus: tuple[Parent, ...] = ()
    """Finished corpus runs."""
    files: tuple[str, ...] = ()
    """Or beside them files, folders and globs."""
    methods: tuple[str, ...] = Field(default=tuple(METHODS), min_length=1)
    plant: int = Field(default=0, ge=0)
    """Copies of so many items of each set, exact and edited, planted one by one to measure what share is found."""
    contaminated_copy: Copy | None = None
    seed: int = 0
    """Draws GPT-4's substrings and what is planted."""
    skip_unreadable: bool = False

    @field_validator("sets")
    @classmethod
    def _named_apart(cls, sets: tuple[ItemSet, ...]) -> tuple[ItemSet, ...]:
        names = [one.name for one in sets]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two sets are named '{twice}'")
        return sets


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """result.json, tables/{items,hits,planted,copy,copy_hits,warnings}.csv, artifacts/{set}.report.json.

    Generated items are kept as artifacts/{set}.items.jsonl. Raises DataError for items or a corpus that cannot be
    read, for an unknown method or set.
    """
    with attempt(out, "contamination", config, seed=config.seed, resume=resume) as directory:
        found = looked(config)
        for name in found.reports:
            directory.write_json(f"artifacts/{name}.report.json", found.as_json(name))
        _write_items(directory, config, found)
        _write_tables(directory, config, found)
        directory.write_json("result.json", dict(_results(found)))
    return directory


def looked(config: Config) -> Looked:
    """What the config asks for, nothing written."""
    copy = config.contaminated_copy
    return look(
        config.sets,
        [*config.corpus, *map(Path, config.files)],
        methods=config.methods,
        seed=config.seed,
        plant=config.plant,
        skip_unreadable=config.skip_unreadable,
        copy=(copy.of, copy.items) if copy else None,
    )


def _write_items(directory: RunDir, config: Config, found: Looked) -> None:
    """What was generated, in a form that `presage contamination --items` reads."""
    for one in config.sets:
        if one.kind != "file":
            lines = (json.dumps({"id": i.id, "text": i.text}, ensure_ascii=False) for i in found.items[one.name])
            directory.write_text(f"artifacts/{one.name}.items.jsonl", "".join(f"{line}\n" for line in lines))


def _write_tables(directory: RunDir, config: Config, found: Looked) -> None:
    methods = list(dict.fromkeys(config.methods))
    rows = [row for name, report in found.reports.items() for row in _items(report, report.names, set=name)]
    directory.table("items", rows, ["set", "item", *methods, "document", "offset"])
    hits = [row for name, report in found.reports.items() for row in _hits(report.hits, set=name)]
    directory.table("hits", hits, HITS)
    if config.plant:
        groups = [*methods, "ngrams", "any"]
        directory.table("planted", _planted(found), ["set", "edit", "copies", "changed", *groups])
    if found.copied and config.contaminated_copy:
        copied, planted = found.copied, set(found.copied.planted)
        columns = ["item", *methods, "document", "offset"]
        directory.table("copy", _items(copied.report, copied.planted), columns)
        of_planted = [hit for hit in copied.report.hits if hit.item in planted]
        directory.table("copy_hits", _hits(of_planted, set=config.contaminated_copy.of), HITS)
    names = {one.label: one.name for one in config.sets}
    warnings = [{"set": names.get(label, ""), "warning": text} for label, text in found.warnings]
    directory.table("warnings", warnings, ["set", "warning"])


def _items(report: Report, names: Iterable[str], **more: str) -> Iterator[dict[str, Any]]:
    """A row an item: each method's verdict, and the place of the first hit."""
    first: dict[str, Hit] = {}
    for hit in report.hits:
        first.setdefault(hit.item, hit)
    verdicts = report.verdicts
    for name in names:
        place = {"document": first[name].document, "offset": first[name].offset} if name in first else {}
        yield more | {"item": name} | verdicts[name] | place


def _hits(hits: Iterable[Hit], **more: str) -> Iterator[dict[str, Any]]:
    """A row a hit, both excerpts in three parts: before what matched, what matched, after it."""
    for hit in hits:
        parts = [*_parts(hit.item_excerpt, hit.item_match), *_parts(hit.document_excerpt, hit.document_match)]
        place = {"item": hit.item, "method": hit.method, "document": hit.document, "offset": hit.offset}
        yield more | place | dict(zip(PARTS, parts, strict=True))


def _parts(text: str, match: tuple[int, int]) -> tuple[str, str, str]:
    first, after = match
    return text[:first], text[first:after], text[after:]


def _planted(found: Looked) -> Iterator[dict[str, Any]]:
    for name, report in found.reports.items():
        facts = report.planted["planted"]
        for edit, recall in report.planted["planted_recall"].items():
            yield {"set": name, "edit": edit, "copies": facts["copies"], "changed": facts["changed"].get(edit)} | recall


# ---- results --------------------------------------------------------------------------------------------------------


def _results(found: Looked) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, entry) of result.json, where `share` is of the items that a method can test."""
    some = next(iter(found.reports.values()))
    yield "documents", {"value": some.documents, "unit": "documents"}
    yield "bytes", {"value": some.bytes, "unit": "bytes"}
    yield "unreadable", {"value": len(found.skipped), "unit": "files or lines"}
    for name, report in found.reports.items():
        yield from _of_set(name, report)
    if found.copied:
        yield from _of_copy(found.copied)


def _of_set(name: str, report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    counts = {"items": report.items, "flagged": len(report.flagged), "untestable": len(report.untestable)}
    for key, count in counts.items():
        yield f"{name}/{key}", {"value": count, "unit": "items"}
    for method, names in report.testable.items():
        flagged = len(report.flagged_by(method))
        counts = {"testable": len(names), "untestable": report.items - len(names), "flagged": flagged}
        for key, count in counts.items():
            yield f"{name}/{method}/{key}", {"value": count, "unit": "items"}
        share = flagged / len(names) if names else None
        yield f"{name}/{method}/share", {"value": share, "n": len(names), "unit": "of testable items"}
        for key, value in report.facts[method].items():
            yield f"{name}/{method}/{key}", {"value": value}
    for edit, recall in report.planted.get("planted_recall", {}).items():
        yield f"{name}/planted/{edit}", {"value": recall["any"], "unit": "of planted copies"}


def _of_copy(copied: Copied) -> Iterator[tuple[str, dict[str, Any]]]:
    counts = {"planted": len(copied.planted), "found": len(copied.found), "free": copied.free}
    for key, count in counts.items():
        yield f"copy/{key}", {"value": count, "unit": "items"}
    yield "copy/documents", {"value": copied.documents, "unit": "documents"}
    planted = set(copied.planted)
    for method, names in copied.report.testable.items():
        met = planted.intersection(copied.report.flagged_by(method))
        yield f"copy/{method}/testable", {"value": len(planted.intersection(names)), "unit": "items"}
        yield f"copy/{method}/found", {"value": len(met), "unit": "items"}
