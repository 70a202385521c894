"""Several sets of items against one corpus in one pass: reports, planted copies, what to warn of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, did_you_mean
from presage.data.documents import Bad
from presage.data.items import Item
from presage.evaluate.contamination import METHODS, Report, Scanner, scan_together
from presage.evaluate.copied import Copied, contaminate
from presage.evaluate.planted import Hosts, measure
from presage.evaluate.reading import Corpus
from presage.evaluate.sets import ItemSet

ITSELF = "this file is itself part of the corpus: everything in it is contaminated"


@dataclass(frozen=True)
class Looked:
    """What one pass found, by the name of the set.

    items: as they were looked for; copied: the contaminated copy, if one was asked for; warnings: (set's label, text).
    """

    items: dict[str, list[Item]]
    reports: dict[str, Report]
    copied: Copied | None
    skipped: list[Bad]
    warnings: list[tuple[str, str]]

    def as_json(self, name: str) -> dict[str, Any]:
        """One set's report as plain data."""
        return self.reports[name].as_json() | {"unreadable": len(self.skipped)}


def look(
    sets: Sequence[ItemSet],
    corpus: Sequence[Path],
    *,
    methods: Sequence[str] = tuple(METHODS),
    seed: int = 0,
    plant: int = 0,
    skip_unreadable: bool = False,
    copy: tuple[str, int] | None = None,
) -> Looked:
    """Scan the corpus once for all sets; then measure `plant` planted copies of each, and copy = (set, items).

    Raises DataError for an unknown method or set, items or a corpus that cannot be read.
    """
    items = {one.name: one.items() for one in sets}
    scanners = {name: Scanner(some, methods, seed) for name, some in items.items()}
    if copy and copy[0] not in scanners:
        raise DataError(f"no set '{copy[0]}' to contaminate a copy with", hint=did_you_mean(copy[0], scanners))
    source = Corpus(corpus, skip_unreadable=skip_unreadable)
    itself = [one.label for one in sets if one.path and source.holds(Path(one.path))]
    hosts = Hosts(seed)
    documents = hosts.passing(source.documents()) if plant or copy else source.documents()
    reports = dict(zip(scanners, _scan(list(scanners.values()), documents, itself), strict=True))
    for name, report in reports.items():
        report.planted.update(measure(scanners[name], report, hosts.texts, plant, seed) if plant else {})
    copied = contaminate(scanners[copy[0]], hosts.texts, copy[1], seed) if copy else None
    warnings = [*_of_sets(sets, reports, itself), *_of_corpus(source.skipped)]
    return Looked(items, reports, copied, source.skipped, warnings)


def _scan(scanners: Sequence[Scanner], documents: Any, itself: Sequence[str]) -> list[Report]:
    try:
        return scan_together(scanners, documents)
    except DataError as error:
        if itself:  # often not even in the form of documents
            raise DataError(f"{ITSELF}; besides, {error}", where=itself[0]) from None
        raise


def _of_sets(
    sets: Sequence[ItemSet], reports: Mapping[str, Report], itself: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for one in sets:
        report = reports[one.name]
        testable = report.items - len(report.untestable)
        if one.label in itself:
            yield one.label, ITSELF
        elif testable and len(report.flagged) == testable:
            yield one.label, f"everything is contaminated: all {testable} testable items are in the corpus"
        if not testable:
            yield one.label, "every item is too short for every method: nothing is known about any of them"


def _of_corpus(skipped: Sequence[Bad]) -> Iterator[tuple[str, str]]:
    if skipped:
        first = f"{skipped[0].path}: {skipped[0].reason}"
        yield "", f"{len(skipped)} files or lines of the corpus could not be read and were not scanned; first {first}"
