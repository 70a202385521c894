"""Rules: megabytes a second of one core through normalise, language identification and each set of published rules.

Documents are the prose of the installed Python by default; --corpus takes others. Longer ones are cut at line breaks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.report import entry, options, publish, table

from presage.data.batches import batches as in_batches
from presage.data.documents import LIMITS, Document
from presage.data.embedded import read_embedded
from presage.data.rules.heuristics import SETS, chosen
from presage.data.rules.language import identify
from presage.data.rules.normalise import normalise
from presage.data.rules.texts import Texts
from presage.evaluate.reading import Corpus

BATCH = 1_000_000  # characters
Work = Callable[[list[str]], object]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--corpus", type=Path, nargs="*", default=[], help="files or folders of documents")
    parser.add_argument("--megabytes", type=float, default=3.0, help="documents to measure on")
    parser.add_argument("--characters", type=int, default=5_000, help="the longest document")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    texts = list(_texts(args.corpus, args.characters, int(1e6 * args.megabytes)))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    batches = list(in_batches(texts, len, BATCH))
    seconds = _seconds(batches, args.rounds)
    rows = [[name, f"{megabytes / took:.1f}", _removed(name, batches)] for name, took in seconds.items()]
    said = (
        f"{len(texts):,} documents, {megabytes:.1f} MB, in batches of {BATCH / 1e6:.0f} MB; processor time of one "
        f"process, best of {args.rounds} rounds in turns. Language looks at the head of a document, its rate all of "
        "it. We measure every rule on every document; datatrove stops at the first that removes one. Its words come "
        "from str.split here, which spares it the tokenizer that it would use (spaCy)."
    )
    publish("rules", "Rules", [table(["what", "MB/s", "documents removed"], rows), said], write=args.write)


# ---- documents ------------------------------------------------------------------------------------------------------


def _texts(paths: Sequence[Path], characters: int, size: int) -> Iterator[str]:
    """Documents of at most so many characters until they have so many bytes, if there are as many."""
    embedded = (found for _, found in read_embedded("python", "python-docs", LIMITS))
    for document in Corpus(paths).documents() if paths else embedded:
        for text in _cut(document.text, characters) if isinstance(document, Document) else ():
            if size <= 0:
                return
            size -= len(text.encode())
            yield text


def _cut(text: str, characters: int) -> Iterator[str]:
    while len(text) > characters:
        end = text.rfind("\n", 1, characters) + 1 or characters
        yield text[:end]
        text = text[end:]
    yield text


# ---- measuring ------------------------------------------------------------------------------------------------------


def _seconds(batches: Sequence[list[str]], rounds: int) -> dict[str, float]:
    """The best time of each work; what is loaded once is loaded first."""
    works = _works()
    for work in works.values():
        work(batches[0][:2])
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            start = time.process_time()
            for batch in batches:
                work(batch)
            best[name] = min(best[name], time.process_time() - start)
    return best


def _works() -> dict[str, Work]:
    return {
        "normalise": lambda batch: list(map(normalise, batch)),
        "language": identify,
        **{f"set {name}": _measuring([name]) for name in SETS},
        "all sets": _measuring(list(SETS)),
        "all sets, normalise, language": _everything,
        **_datatrove(),
    }


def _measuring(names: Sequence[str]) -> Work:
    rules = chosen(names)

    def work(batch: list[str]) -> object:
        texts = Texts(batch)
        return [rule.measure(texts) for rule in rules]

    return work


def _everything(batch: list[str]) -> object:
    batch = list(map(normalise, batch))
    return identify(batch), _measuring(list(SETS))(batch)


def _datatrove() -> dict[str, Work]:
    """The peer's filters, each document an object of its own as in its pipelines; none if it is not installed."""
    try:
        from datatrove.data import Document as Theirs
        from datatrove.pipeline.filters import gopher_quality_filter, gopher_repetition_filter
    except ImportError:
        return {}
    for module in (gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = lambda text, _: text.split()
    filters: dict[str, Any] = {
        "gopher": gopher_quality_filter.GopherQualityFilter(),
        "gopher_repetition": gopher_repetition_filter.GopherRepetitionFilter(),
    }

    def filtering(names: Sequence[str]) -> Work:
        return lambda batch: [
            [filters[name].filter(document) for name in names] for document in (Theirs(text, "") for text in batch)
        ]

    version = metadata.version("datatrove")
    works = {f"datatrove {version}, {name}": filtering([name]) for name in filters}
    return {**works, f"datatrove {version}, both": filtering(list(filters))}


def _removed(name: str, batches: Sequence[list[str]]) -> str:
    """The share of documents that a set removes."""
    rules = chosen([name.removeprefix("set ")]) if name.startswith("set ") else []
    if not rules:
        return "-"
    removed = 0
    for batch in batches:
        texts = Texts(batch)
        removed += int(sum(rule.removes(rule.measure(texts)) for rule in rules).astype(bool).sum())  # type: ignore[union-attr]
    return f"{100 * removed / sum(map(len, batches)):.1f} %"


if __name__ == "__main__":
    entry(main)
