"""Text to ids, and the scan for items of tests, over Python's own documentation; and a law fitted to losses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pydoc_data.topics import topics

from tokenizers import Tokenizer as HfTokenizer

from presage.bench.figures import Figure, Machine, beside, rates
from presage.data.bpe import Tokenizer
from presage.data.documents import Document
from presage.data.items import Item
from presage.evaluate.contamination import METHODS, Scanner
from presage.forecast import law
from presage.forecast.points import Point

VOCAB, ITEMS, PASSAGE = 4096, 1000, 200
MEGABYTE = 1e6


@cache
def _texts() -> tuple[str, ...]:
    return tuple(topics.values())


def _megabytes() -> float:
    return sum(len(text.encode()) for text in _texts()) / MEGABYTE


def tokenizer(machine: Machine) -> Iterator[Figure]:
    """Megabytes a second of one thread; beside it the library `tokenizers` with the same merges."""
    ours = Tokenizer.train(_texts(), VOCAB)
    theirs = HfTokenizer.from_str(ours.to_json())

    def encode() -> float:
        for text in _texts():
            ours.encode(text)
        return _megabytes()

    def peer() -> float:
        for text in _texts():
            theirs.encode(text, add_special_tokens=False)
        return _megabytes()

    found = rates({"ours": encode, "peer": peer}, machine)
    line = Figure("tokenizer", f"encode, vocabulary of {VOCAB:,}, one thread", found["ours"], "MB/s")
    yield from beside([line], "tokenizers", found["peer"])


def scanner(machine: Machine) -> Iterator[Figure]:
    """Megabytes a second past a thousand items that the text does not hold."""
    documents = [Document("topics", str(number), text) for number, text in enumerate(_texts())]
    passages = ["".join(reversed(text[:PASSAGE])) for text in _texts()]
    items = [Item(str(n), f"{passages[n % len(passages)]} {n}") for n in range(ITEMS)]
    for name, methods in {"GPT-4's rule": ("gpt4",), "all methods": tuple(METHODS)}.items():
        one = Scanner(items, methods)

        def scan(one: Scanner = one) -> float:
            one.scan(documents)
            return _megabytes()

        rate = rates({"ours": scan}, machine)["ours"]
        yield Figure("scanner", f"{ITEMS:,} items, {name}", rate, "MB/s")


def forecast(machine: Machine) -> Iterator[Figure]:
    """Laws fitted a second, interval and all: eight budgets, as the demo has."""
    points = [Point(10 ** (9 + place / 3), 1.5 + 2.0 * 10 ** (-0.1 * place), 0.003) for place in range(8)]

    def fit() -> float:
        law.fit(points, 0.003).predict(10**13)
        return 1.0

    yield Figure("forecast", "a law with its interval, 8 budgets", 1 / rates({"ours": fit}, machine)["ours"], "seconds")
