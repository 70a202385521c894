"""Corpus stage: megabytes of input a second of one core, end to end, and the most memory it takes.

The documents are made: real sentences of the installed Python's prose in random order, with copies, edited copies,
addresses, noise and evaluation items among them. --megabytes 2000 shows that memory does not grow with the corpus.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness.report import entry, options, publish, table

from presage.data import corpus
from presage.data.build.config import Config, Decontamination, Quality, Rules, Source, Toxicity
from presage.data.documents import LIMITS, Document
from presage.data.embedded import read_embedded

FILE = 100_000_000  # bytes
REFERENCE = 3_000  # documents
ITEMS = 5_000
SENTENCES = 40_000
_SENTENCE = re.compile(r"(?<![\w.])[A-Z][a-z]+(?:[ ,;]{1,2}[\w'-]+){4,30}\.(?=\s)")
_EVERY = ("gopher", "gopher_repetition", "c4", "fineweb")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--recipes", nargs="*", choices=RECIPES, default=list(RECIPES))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _alone(_make, Path(folder), args.megabytes)
        rows = [_alone(_measure, Path(folder), name) for name in args.recipes]
    said = (
        f"{args.megabytes:,.0f} MB of documents in JSON lines. One process on one core; seconds are processor time of "
        "the whole stage, from reading the files to the finished split with its tables. Every rule: one spelling, "
        f"language, {', '.join(_EVERY)}, GPT-3's quality classifier (trained in the run), exact and near copies, words "
        f"and a classifier of toxicity, personal data, decontamination against {ITEMS:,} items, mixture by weights."
    )
    columns = ["recipe", "s", "MB/s", "peak memory, MB", "documents read", "kept"]
    publish("corpus-stage", "Corpus stage", [table(columns, rows), said], write=args.write)


def _alone(call, *args):  # type: ignore[no-untyped-def]
    """In a process of its own, whose memory is nobody else's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(call, args)


# ---- recipes --------------------------------------------------------------------------------------------------------


def _plain(folder: Path) -> Config:
    return Config(sources=(_source(folder, "raw"),), allowed={"near_copies": 1.0})


def _whole(folder: Path) -> Config:
    return _every(folder, 0)


def _heads(folder: Path) -> Config:
    return _every(folder, 2_000)


def _all_stay(folder: Path) -> Config:
    config = _every(folder, 2_000)
    return config.model_copy(update={"rules": config.rules.model_copy(update={"quality": None})})


def _every(folder: Path, head: int) -> Config:
    rules = Rules(
        normalise=True, languages=("en",), heuristics=_EVERY, privacy=("all",), head_chars=head,
        quality=Quality(reference=("reference",), raw=("raw",), sample=REFERENCE),
        toxicity=Toxicity(toxic=str(folder / "toxic.jsonl"), other=str(folder / "reference.jsonl")),
    )  # fmt: skip
    sources = (_source(folder, "raw", weight=0.9), _source(folder, "reference", weight=0.1))
    decontaminate = Decontamination(items=(str(folder / "items.jsonl"),))
    return Config(sources=sources, rules=rules, decontaminate=decontaminate, stop_above=1.0)


def _source(folder: Path, name: str, weight: float | None = None) -> Source:
    return Source(name=name, paths=(str(folder / name) if name == "raw" else str(folder / f"{name}.jsonl"),),
                  weight=weight)  # fmt: skip


RECIPES = {
    "copies and split only": _plain,
    "every rule, classifiers read all": _whole,
    "every rule, classifiers read 2,000 characters": _heads,
    "the same without the quality classifier": _all_stay,
}


def _measure(folder: Path, name: str) -> list[str]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    megabytes = sum(path.stat().st_size for path in (folder / "raw").iterdir()) / 1e6
    begin = time.process_time()
    run = corpus.run(RECIPES[name](folder), folder / "out" / name.replace(" ", "-"))
    seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    kept = sum(run.value(f"{split}/documents") for split in ("train", "val"))
    counts = (f"{run.value('read/documents'):,}", f"{kept:,}")
    return [name, f"{seconds:.1f}", f"{megabytes / seconds:.1f}", f"{peak:.0f}", *counts]


# ---- documents ------------------------------------------------------------------------------------------------------


def _make(folder: Path, megabytes: float) -> None:
    sentences = _sentences()
    (folder / "raw").mkdir()
    chance = random.Random(0)
    apart, sentences = sentences[:9_000], sentences[9_000:]  # what items say is said nowhere else
    items = [{"id": str(i), "text": " ".join(chance.choices(apart, k=2))} for i in range(ITEMS)]
    _write(folder / "items.jsonl", items)
    documents = _documents(sentences, [item["text"] for item in items], chance)
    left, number = 1e6 * megabytes, 0
    while left > 0:
        left -= _fill(folder / "raw" / f"{number:03d}.jsonl", documents, min(left, FILE))
        number += 1
    _write(folder / "reference.jsonl", [{"text": _text(sentences[::2], chance)} for _ in range(REFERENCE)])
    rude = [f"{word} you stupid {other}." for word in ("Shame on", "Damn", "Curse") for other in ("fool", "idiot")]
    _write(
        folder / "toxic.jsonl",
        [{"text": " ".join(chance.choices(sentences[:99] + 50 * rude, k=9))} for _ in range(999)],
    )


def _sentences() -> list[str]:
    found: dict[str, None] = {}
    for _, document in read_embedded("python", "python-docs", LIMITS):
        if isinstance(document, Document):
            found |= dict.fromkeys(" ".join(match[0].split()) for match in _SENTENCE.finditer(document.text))
        if len(found) > SENTENCES:
            break
    return list(found)[:SENTENCES]


def _documents(sentences: list[str], items: list[str], chance: random.Random) -> Iterator[str]:
    """Nine in ten are new; of the others some are copies, some are edited copies, some are noise."""
    last = _text(sentences, chance)
    while True:
        kind = chance.random()
        if kind < 0.03:
            yield last
        elif kind < 0.06:
            yield last.replace(last[:40], f"Edited by hand {chance.randrange(1000)}: ", 1)
        elif kind < 0.08:
            yield "\n".join(f"{chance.randrange(10**6)} | {chance.randrange(10**6)} ###" for _ in range(100))
        elif kind < 0.10:
            yield (
                _text(sentences, chance) + f"\n\nWrite to {chance.choice('abc')}.person{chance.randrange(99)}@mail.org."
            )
        elif kind < 0.101:
            yield f"{_text(sentences, chance)}\n\n{chance.choice(items)}\n\n{_text(sentences, chance)}"
        else:
            last = _text(sentences, chance)
            yield last


def _text(sentences: list[str], chance: random.Random) -> str:
    """About three kilobytes, as a page of Common Crawl has (Rae et al. 2021, table 2)."""
    return "\n\n".join(
        " ".join(chance.choices(sentences, k=chance.randint(3, 9))) for _ in range(chance.randint(4, 16))
    )


def _fill(path: Path, documents: Iterator[str], size: float) -> int:
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < size:
            for _ in range(100):
                file.write(json.dumps({"text": next(documents)}) + "\n")
    return path.stat().st_size


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    entry(main)
