"""Does the scan find what is there? Copies of items, exact and lightly edited, planted into the corpus's own documents.

Each copy stands alone in a document that does not hold its item otherwise, so what is found is the copy. The edits:

exact        the item as it is
case         every letter in the other case
whitespace   every space between words becomes a line break, a tab or several spaces
punctuation  every mark is dropped or exchanged, and marks are added after words
word         every 30th word is another one, beginning with a random one of the first 30: a shorter item may escape
word_changed those of the copies before that did not escape
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from presage.core.seeds import stream
from presage.data.documents import Document
from presage.data.folding import BREAK, fold_character
from presage.evaluate.contamination import Report, Scanner

WORD_EVERY = 30
HOSTS = 32
HOST_CHARS = 8000
NGRAMS = ("gpt3", "gpt2")
_GAPS = ("  ", "\n", "\t", "\n\n", " \n ")
_MARKS = (",", ";", ":", "!", "?", "*", "'", '"')
_OTHERS = ("otherwise", "yellow", "seventeen", "river", "quickly", "beneath", "imagined", "copper")

Edit = Callable[[str, np.random.Generator], str]


def exact(text: str, random: np.random.Generator) -> str:
    """The text itself."""
    return text


def case(text: str, random: np.random.Generator) -> str:
    """Every letter in the other case, where that is one character too."""
    return "".join(other if len(other := c.swapcase()) == 1 and c.isalnum() else c for c in text)


def whitespace(text: str, random: np.random.Generator) -> str:
    """Other whitespace between the same words."""
    return re.sub(r"\s+", lambda _: _GAPS[random.integers(len(_GAPS))], text)


def punctuation(text: str, random: np.random.Generator) -> str:
    """Marks dropped or exchanged with even chances; one word in four gets a mark after it."""
    edited = "".join(c if fold_character(c) != BREAK else _mark(random, 0.5) for c in text)
    return re.sub(r"(?<=\S)(?=\s)", lambda _: _mark(random, 0.25), edited)


def word(text: str, random: np.random.Generator) -> str:
    """One word in 30 is another one."""
    phase = int(random.integers(WORD_EVERY))
    places = list(re.finditer(r"\S+", text))[phase::WORD_EVERY]
    for place in reversed(places):
        other = _OTHERS[random.integers(len(_OTHERS))]
        text = text[: place.start()] + (other if other != place.group() else other * 2) + text[place.end() :]
    return text


EDITS: dict[str, Edit] = {
    "exact": exact,
    "case": case,
    "whitespace": whitespace,
    "punctuation": punctuation,
    "word": word,
}


def _mark(random: np.random.Generator, chance: float) -> str:
    return _MARKS[random.integers(len(_MARKS))] if random.random() < chance else ""


# ---- measuring ------------------------------------------------------------------------------------------------------


class Hosts:
    """A sample of the documents that stream by, each cut to HOST_CHARS characters (reservoir sampling)."""

    def __init__(self, seed: int) -> None:
        self.texts: list[str] = []
        self._random = stream(seed, "hosts")
        self._seen = 0

    def passing(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents, unchanged."""
        for document in documents:
            self._offer(document.text)
            yield document

    def _offer(self, text: str) -> None:
        self._seen += 1
        if len(self.texts) < HOSTS:
            self.texts.append(text[:HOST_CHARS])
        elif (place := int(self._random.integers(self._seen))) < HOSTS:
            self.texts[place] = text[:HOST_CHARS]


def measure(scanner: Scanner, report: Report, hosts: Sequence[str], count: int, seed: int = 0) -> dict[str, Any]:
    """Recall of planted copies of `count` testable items: by kind of edit, and by method.

    {"planted_recall": {edit: {method: share}}, "planted": {"copies": items planted, "changed": {edit: copies that the
    edit changed}}}. The share is of the copies that the method can test, None if there are none. Beside the methods
    stand "ngrams" (GPT-3's and GPT-2's together) and "any". The scanner's memory of what it met is lost.
    """
    planted = _choose(scanner, report, hosts, count, seed)
    testable = {method.name: set(np.flatnonzero(method.testable).tolist()) for method in scanner.methods}
    groups = {**{name: [name] for name in testable}, "ngrams": [n for n in testable if n in NGRAMS], "any": [*testable]}
    tries: dict[str, list[_Try]] = {}
    for edit, apply in EDITS.items():
        random = stream(seed, "planted", edit)
        tries[edit] = [_try(scanner, item, hosts[host], apply, random) for item, host in planted]
    sizes = {edit: sum(one.changed for one in some) for edit, some in tries.items()}
    tries["word_changed"] = [one for one in tries["word"] if one.changed]
    recall = {
        edit: {name: _share(some, testable, methods) for name, methods in groups.items()}
        for edit, some in tries.items()
    }
    return {"planted_recall": recall, "planted": {"copies": len(planted), "changed": sizes}}


@dataclass(frozen=True)
class _Try:
    """One copy in a document of its own: whether the edit changed it, and which methods met its item there."""

    item: int
    changed: bool
    met: set[str]


def _try(scanner: Scanner, item: int, host: str, edit: Edit, random: np.random.Generator) -> _Try:
    text = scanner.items[item].text
    copy = edit(text, random)
    return _Try(item, copy != text, {name for i, name in scanner.meets(_plant(host, copy, random)) if i == item})


def _choose(scanner: Scanner, report: Report, hosts: Sequence[str], count: int, seed: int) -> list[tuple[int, int]]:
    """[(item, host)] of items that some method can test, each with a host that does not hold it."""
    known = set(report.untestable)
    items = [i for i, item in enumerate(scanner.items) if item.id not in known]
    held = [{item for item, _ in scanner.meets(host)} for host in hosts]
    random = stream(seed, "chosen")
    chosen = (items[k] for k in random.permutation(len(items)))
    pairs = ((item, _host(item, held, int(random.integers(len(hosts))))) for item in chosen)
    return list(islice(((item, host) for item, host in pairs if host is not None), count))


def _host(item: int, held: Sequence[set[int]], first: int) -> int | None:
    turned = ((first + k) % len(held) for k in range(len(held)))
    return next((host for host in turned if item not in held[host]), None)


def _plant(host: str, copy: str, random: np.random.Generator) -> str:
    """The host with the copy on lines of its own, after a random word."""
    gaps = [gap.start() for gap in re.finditer(r"\s", host)] or [len(host)]
    place = gaps[random.integers(len(gaps))]
    return f"{host[:place]}\n{copy}\n{host[place:]}"


def _share(tries: Sequence[_Try], testable: dict[str, set[int]], methods: Sequence[str]) -> float | None:
    can = [one for one in tries if any(one.item in testable[name] for name in methods)]
    return sum(not one.met.isdisjoint(methods) for one in can) / len(can) if can else None
