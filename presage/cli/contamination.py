"""`presage contamination`: which evaluation items stand in a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from presage.cli.grammar import AsJson, Quiet, app, be_quiet, dumps, emit, in_columns, warn
from presage.core.errors import CheckFailed, DataError, PresageError

if TYPE_CHECKING:
    from presage.data.documents import Document
    from presage.evaluate.contamination import Hit, Report, Scanner

SCORES = Group("What a score is worth", sort_key=5)
Several = Parameter(consume_multiple=True, negative="")
ITSELF = "this file is itself part of the corpus: everything in it is contaminated"
SHOWN = 10  # hits printed as text; --json has them all
WIDTH = 160  # characters of an excerpt shown


@app.command(group=SCORES)
def contamination(
    *,
    items: Path,
    corpus: Annotated[tuple[Path, ...], Several],
    method: Annotated[tuple[str, ...], Several] = (),
    plant: int = 0,
    seed: int = 0,
    fail: Annotated[bool, Parameter(negative="")] = False,
    skip_unreadable: Annotated[bool, Parameter(negative="")] = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell which evaluation items stand in a corpus, by the methods of the GPT-4, GPT-3 and GPT-2 reports.

    Every item is flagged, clean or untestable (too short for every method: nothing is known about it). Each flag comes
    with the document, the byte where it begins and an excerpt of both sides: look at them, a shared phrase is no copy.

    Parameters
    ----------
    items
        The evaluation items: JSON lines with id and text, or a file of MMLU, ARC, TruthfulQA, GSM8K or HumanEval.
        Answers and choices are left out.
    corpus
        What the model was trained on: files, folders, globs or finished corpus runs; may be given several times.
    method
        gpt4 (three random substrings of 50 letters and digits), gpt3 (runs of 8 to 13 words), gpt2 (runs of 8 words);
        all of them unless some are named.
    plant
        Also plant copies of so many items into the corpus's documents, exact and lightly edited, and print how many
        are found.
    seed
        Draws the substrings and what is planted.
    fail
        Exit with 1 when any item is flagged.
    skip_unreadable
        Go on past files and lines of the corpus that cannot be read, and count them.
    """
    from presage.data.items import read_items
    from presage.evaluate.contamination import METHODS, Scanner
    from presage.evaluate.planted import Hosts, measure
    from presage.evaluate.reading import Corpus

    if plant < 0:
        raise PresageError(f"--plant {plant}", where="contamination", hint="a number of items")
    be_quiet(quiet)
    scanner = Scanner(read_items(items), method or tuple(METHODS), seed)
    source = Corpus(corpus, skip_unreadable=skip_unreadable)
    hosts = Hosts(seed)
    documents = hosts.passing(source.documents()) if plant else source.documents()
    report = _scan(scanner, documents, source.holds(items), items)
    report.planted.update(measure(scanner, report, hosts.texts, plant, seed) if plant else {})
    warn(_warnings(report, source.holds(items), items, [f"{bad.path}: {bad.reason}" for bad in source.skipped]))
    emit([dumps(report.as_json() | {"unreadable": len(source.skipped)})] if json else _lines(report))
    if fail and report.flagged:
        raise CheckFailed(f"{len(report.flagged)} of {report.items} items are in the corpus", where=items)


def _scan(scanner: Scanner, documents: Iterable[Document], is_corpus: bool, items: Path) -> Report:
    try:
        return scanner.scan(documents)
    except DataError as error:
        if is_corpus:  # often not even in the form of documents
            raise DataError(f"{ITSELF}; besides, {error}", where=items) from None
        raise


def _warnings(report: Report, is_corpus: bool, items: Path, skipped: list[str]) -> Iterator[str]:
    testable = report.items - len(report.untestable)
    if is_corpus:
        yield f"{items}: {ITSELF}"
    elif testable and len(report.flagged) == testable:
        yield f"{items}: everything is contaminated: all {testable} testable items are in the corpus"
    if skipped:
        yield f"{len(skipped)} files or lines of the corpus could not be read and were not scanned; first {skipped[0]}"
    if not testable:
        yield f"{items}: every item is too short for every method: nothing is known about any of them"


def _lines(report: Report) -> Iterator[str]:
    size = f"{report.documents:,} documents, {report.bytes / 1e6:,.1f} MB"
    clean = report.items - len(report.flagged) - len(report.untestable)
    yield (
        f"{report.items} items: {len(report.flagged)} flagged, {clean} clean, {len(report.untestable)} untestable "
        f"(too short for every method); {size}"
    )
    yield ""
    yield from in_columns([["method", "testable", "flagged", "of testable", "n-grams met"], *_methods(report)])
    for title, table in _planted(report.planted):
        yield from ["", title, *in_columns(table)]
    for hit in report.hits[:SHOWN]:
        yield from ["", *_hit(hit)]
    if len(report.hits) > SHOWN:
        yield from ["", f"and {len(report.hits) - SHOWN} more: --json prints all"]


def _methods(report: Report) -> Iterator[list[str]]:
    for name, ids in report.testable.items():
        flagged, facts = len(report.flagged_by(name)), report.facts[name]
        met = f"{100 * facts['overlap']:.2f} % of {facts['n']}-grams" if "overlap" in facts else "-"
        yield [name, str(len(ids)), str(flagged), _percent(flagged / len(ids) if ids else None), met]


def _planted(planted: dict[str, Any]) -> Iterator[tuple[str, list[list[str]]]]:
    if planted:
        recall: dict[str, dict[str, float | None]] = planted["planted_recall"]
        methods = list(next(iter(recall.values())))
        changed = planted["planted"]["changed"]
        rows = [[edit, str(changed.get(edit, "")), *map(_percent, by.values())] for edit, by in recall.items()]
        title = f"found of {planted['planted']['copies']} planted copies, among those that a method can test"
        yield title, [["edit", "changed", *methods], *rows]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _hit(hit: Hit) -> Iterator[str]:
    yield f"{hit.item}  {hit.method}  {hit.document} at byte {hit.offset}"
    yield f"  item      {_short(hit.item_excerpt)}"
    yield f"  document  {_short(hit.document_excerpt)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[:WIDTH] + "…"
