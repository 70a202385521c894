"""Contamination: speed of the scan beside plain ones, memory, recall of planted copies, false positives.

Made items and documents by default; --items and --corpus take real ones. Speed is in processor time of one process over
documents already in memory, so that it is the scan's alone.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from harness.report import entry, options, publish, table

from presage.data.batches import byte_length
from presage.data.documents import Document
from presage.data.items import Item, read_items
from presage.evaluate.contamination import METHODS, Scanner
from presage.evaluate.planted import Hosts, measure
from presage.evaluate.reading import Corpus

GRAM = 13
LONGEST = 30  # letters of a word that is shuffled: a long address or formula is found whole wherever it is moved to
T = TypeVar("T")
SYLLABLES = ("ba", "cor", "den", "fi", "gal", "hu", "jer", "kin", "lo", "mas", "nor", "pe", "qui", "ros", "tu", "vel")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--items", type=Path, nargs="*", default=[], help="files of evaluation items")
    parser.add_argument("--corpus", type=Path, nargs="*", default=[], help="files or folders of documents")
    parser.add_argument("--megabytes", type=float, default=4.0, help="documents to scan")
    parser.add_argument("--counts", default="500", help="numbers of items, 5000,50000 for the full measurement")
    parser.add_argument("--plant", type=int, default=40, help="items to plant copies of")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    documents = _documents(args.corpus, args.megabytes)
    size = sum(byte_length(document.text) for document in documents)
    counts = [int(count) for count in args.counts.split(",")]
    items = _items(args.items, documents, max(counts))
    rows = [row for count in counts for row in _speeds(items[:count], documents, size, args.rounds)]
    parts = [
        table(["items", "scan", "MB/s", "tables, s", "flagged"], rows),
        f"{len(documents):,} documents, {size / 1e6:.1f} MB; best of {args.rounds} rounds. Greatest memory of the "
        f"process: {_peak_mb():,.0f} MB, items and documents included.",
        "A plain Aho-Corasick needs the package ahocorasick_rs; without it the line is left out.",
        *_recall(items[: counts[0]], documents, args.plant),
        _shuffled(items, documents),
    ]
    publish("contamination", "Contamination", parts, write=args.write)


# ---- what is scanned ------------------------------------------------------------------------------------------------


def _documents(paths: Sequence[Path], megabytes: float) -> list[Document]:
    """At least so many megabytes, if the corpus has them."""
    found: list[Document] = []
    size = 0
    for document in Corpus(paths).documents() if paths else _made_documents():
        found.append(document)
        size += byte_length(document.text)
        if size >= 1e6 * megabytes:
            break
    return found


def _made_documents() -> Iterable[Document]:
    chance = random.Random(0)
    words = [*{"".join(chance.choices(SYLLABLES, k=chance.choice((1, 2, 2, 3)))) for _ in range(4000)}]
    number = 0
    while True:
        sentences = (" ".join(chance.choices(words, k=chance.randint(5, 25))).capitalize() for _ in range(40))
        yield Document("made", str(number), "It’s this. " + ". ".join(sentences))
        number += 1


def _items(paths: Sequence[Path], documents: Sequence[Document], count: int) -> list[Item]:
    """Real items first; if they are too few, passages of documents with their words in another order fill up."""
    real = [Item(f"{path.name}/{item.id}", item.text) for path in paths for item in read_items(path)][:count]
    return [*real, *_shuffled_passages(documents, count - len(real), 1)]


def _shuffled_passages(documents: Sequence[Document], count: int, seed: int) -> list[Item]:
    chance = random.Random(seed)
    made = []
    for number in range(count):
        text = documents[number % len(documents)].text[:20_000]
        words = [word for word in text.split() if len(word) <= LONGEST]
        first = chance.randrange(max(1, len(words) - 40))
        passage = words[first : first + chance.randint(12, 60)]
        chance.shuffle(passage)
        made.append(Item(f"shuffled/{seed}/{number}", " ".join(passage)))
    return made


# ---- measuring ------------------------------------------------------------------------------------------------------


def _speeds(items: Sequence[Item], documents: Sequence[Document], size: int, rounds: int) -> list[list[str]]:
    rows = []
    for name, methods in {"GPT-4 rule": ["gpt4"], "all methods": list(METHODS)}.items():
        scanner, building = _timed(lambda methods=methods: Scanner(items, methods))  # type: ignore[misc]
        report, seconds = _best(lambda scanner=scanner: scanner.scan(documents), rounds)  # type: ignore[misc]
        rows.append([f"{len(items):,}", name, f"{size / 1e6 / seconds:.1f}", f"{building:.1f}", len(report.flagged)])
    texts = [document.text for document in documents]
    for name, scan in {"a sliding set of 13-grams": _sliding, "Aho-Corasick": _aho_corasick}.items():
        found, seconds = _best(lambda scan=scan: scan(items, texts), 1)  # type: ignore[misc]
        if found is not None:
            rows.append([f"{len(items):,}", name, f"{size / 1e6 / seconds:.1f}", "-", found])
    return rows


def _sliding(items: Sequence[Item], texts: Sequence[str]) -> int | None:
    """Plain Python: the items' 13-grams in a dictionary, every 13-gram of every document looked up."""
    owners: dict[str, set[str]] = {}
    for item in items:
        for gram in _grams(item.text):
            owners.setdefault(gram, set()).add(item.id)
    found: set[str] = set()
    for text in texts:
        for gram in _grams(text):
            found |= owners.get(gram, set())
    return len(found)


def _grams(text: str) -> Iterable[str]:
    words = "".join(c for c in text.lower() if c.isalnum() or c.isspace()).split()
    return (" ".join(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1))


def _aho_corasick(items: Sequence[Item], texts: Sequence[str]) -> int | None:
    """The GPT-4 rule's kind of patterns (the first 50 letters and digits of each item) through a plain automaton."""
    try:
        import ahocorasick_rs
    except ImportError:
        return None
    keep = {code: None for code in range(128) if not chr(code).isalnum()}
    patterns = {pattern for item in items if len(pattern := item.text.lower().translate(keep)[:50]) == 50}
    automaton = ahocorasick_rs.AhoCorasick(sorted(patterns))
    return len({index for text in texts for index in automaton.find_matches_as_indexes(text.lower().translate(keep))})


def _recall(items: Sequence[Item], documents: Sequence[Document], count: int) -> list[str]:
    scanner, hosts = Scanner(items), Hosts(0)
    report = scanner.scan(hosts.passing(documents))
    found = measure(scanner, report, hosts.texts, count)
    rows = [
        [
            edit,
            found["planted"]["changed"].get(edit, ""),
            *(f"{100 * x:.1f} %" if x is not None else "-" for x in by.values()),
        ]
        for edit, by in found["planted_recall"].items()
    ]
    methods = list(next(iter(found["planted_recall"].values())))
    said = f"Found of {found['planted']['copies']} planted copies, among those that a method can test."
    return [table(["edit", "changed by it", *methods], rows), said]


def _shuffled(items: Sequence[Item], documents: Sequence[Document]) -> str:
    """Items whose words were shuffled, and passages of the documents themselves whose words were."""
    chance = random.Random(2)
    shuffled = []
    for item in items[:1000]:
        words = item.text.split()
        chance.shuffle(words)
        shuffled.append(Item(item.id, " ".join(words)))
    counts = [
        ", ".join(f"{name} {len(report.flagged_by(name))}" for name in METHODS)
        for report in (Scanner(some).scan(documents) for some in (shuffled, _shuffled_passages(documents, 1000, 3)))
    ]
    return f"Flagged of {len(shuffled):,} shuffled items: {counts[0]}. Of 1,000 shuffled passages: {counts[1]}."


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _best(work: Callable[[], T], rounds: int) -> tuple[T, float]:
    done = [_timed(work) for _ in range(rounds)]
    return done[0][0], min(seconds for _, seconds in done)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    entry(main)
