"""Texts for language modelling, passages whose last word is asked for, and articles with summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.embedded import standard_library
from presage.data.prose import docstrings
from presage.tasks.detokenise import TREEBANK, WIKITEXT, Style, detokenise
from presage.tasks.methods.rouge import sentences
from presage.tasks.readers.rows import json_rows
from presage.tasks.readers.sources import text_of
from presage.tasks.task import Example

# ---- LAMBADA ---------------------------------------------------------------------------------------------------------


def lambada(paths: Sequence[Path]) -> list[Example]:
    """{text}: the passage; its last word, after its last blank, is the target, the field "context" all before it."""
    return [_passage(row.id, row.text("text"), row.where) for path in paths for row in json_rows(path)]


def _passage(name: str, text: str, where: str) -> Example:
    context, blank, word = text.rpartition(" ")
    if not blank or not context.strip() or not word:
        raise DataError("a passage of one word", where=where)
    return Example(name, text, targets=(word,), fields={"context": context})


# ---- language modelling ----------------------------------------------------------------------------------------------

_TITLE = re.compile(r"^ = [^=].* = $")
_PIECE = 1 << 16
_LONGEST = 6000


def wikitext(paths: Sequence[Path]) -> list[Example]:
    """WikiText's tokenised form, an example an article, shown detokenised, counted in its own tokens and bytes.

    Words are tokens and ends of lines, as is usual (217,646 in the validation text of WikiText-2, 245,569 in the test).
    """
    return [_detokenised(example, WIKITEXT, path) for path in paths for example in _articles(path)]


def treebank(paths: Sequence[Path]) -> list[Example]:
    """Penn Treebank as Mikolov's files have it (" no it was n't black monday "); pieces of 64 KiB, lines whole."""
    return [_detokenised(example, TREEBANK, path) for path in paths for example in _pieces(path, _lines(text_of(path)))]


def plain_text(paths: Sequence[Path]) -> list[Example]:
    """Any text as it is, in pieces of about 64 KiB that end at a line's end; words are what blanks divide.

    A piece is not told the one before it, which costs a little at its beginning.
    """
    return [example for path in paths for example in _pieces(path, _lines(text_of(path)))]


def _articles(path: Path) -> list[Example]:
    return [_document(f"{path.name}:{number}", text, path.name) for number, text in _by_title(text_of(path))]


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a newline ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _by_title(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, text) of every article; joined they are the whole text."""
    lines = _lines(text)
    starts = [place for place, line in enumerate(lines) if _TITLE.match(line.rstrip("\n"))]
    if not starts:
        yield 1, text
        return
    edges = [0, *starts[1:], len(lines)]
    for first, end in pairwise(edges):
        yield first + 1, "".join(lines[first:end])


def _pieces(path: Path, lines: Sequence[str]) -> list[Example]:
    made, size, first = [], 0, 0
    for place, line in enumerate(lines):
        size += len(line.encode())
        if size >= _PIECE or place + 1 == len(lines):
            made.append(_document(f"{path.name}:{first + 1}", "".join(lines[first : place + 1]), path.name))
            size, first = 0, place + 1
    if not made:
        raise DataError("holds no text", where=path)
    return made


def _document(name: str, text: str, category: str) -> Example:
    counts = {"words": len(text.split()), "bytes": len(text.encode())}
    return Example(name, text, category=category, fields=counts)


def _detokenised(example: Example, style: Style, path: Path) -> Example:
    words = example.fields["words"] + example.question.count("\n")
    counts = {"words": words, "bytes": example.fields["bytes"]}
    shown = detokenise(example.question, style, str(path), int(example.id.rpartition(":")[2]))
    return replace(example, question=shown, fields=counts)


# ---- summaries -------------------------------------------------------------------------------------------------------


def summaries(paths: Sequence[Path]) -> list[Example]:
    """{article, highlights} as CNN/Daily Mail, or {document, summary}: one JSON object a line."""
    rows = (row for path in paths for row in json_rows(path))
    return [_summary(row.id, row.of(str, "article", "document"), row.of(str, "highlights", "summary")) for row in rows]


@dataclass(frozen=True)
class Docstrings:
    """Docstrings of the standard library that Python is installed with: the first sentence is the summary of the rest.

    Which they are depends on the Python that runs; of those with `least` sentences or more, some are drawn by the seed.
    """

    least: int = 6

    def __call__(self, seed: int, count: int, split: str) -> list[Example]:
        found = _documented(self.least)
        order = stream(seed, "docstrings", split).permutation(len(found))[:count]
        return [found[place] for place in sorted(order)]


@cache
def _documented(least: int) -> Sequence[Example]:
    files = (one for one in standard_library() if one.path.endswith(".py"))
    codes = ((one.path, one.location.read_bytes().decode("utf-8", "replace")) for one in files)
    texts = ((f"{path}:{n}", text) for path, code in codes for n, text in enumerate(docstrings(code), 1))
    return [pair for name, text in texts for pair in _described(name, text, least)]


def _described(name: str, text: str, least: int) -> Iterator[Example]:
    """A docstring as an article and a summary, where it is long enough, not too long, and shows no console."""
    if text.count(".") < least or len(text) > _LONGEST or ">>>" in text:
        return
    first, *rest = sentences(text)
    if len(rest) + 1 >= least and first.endswith("."):
        yield _summary(name, text[text.index(first) + len(first) :].strip(), " ".join(first.split()))


def _summary(name: str, article: str, summary: str) -> Example:
    return Example(name, article, targets=(summary,), fields={"article": article})
