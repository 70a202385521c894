"""What a report is made of: text, tables and figures that hold facts. One tree, written out as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from presage.report.facts import Fact, Image
from presage.report.figures import Figure

_SLOT = re.compile(r"\{(\w+)\}|`([^`]+)`")
_MARKDOWN = re.compile(r"([\\`*_<>\[\]|~])")


@dataclass(frozen=True)
class Code:
    """A word to type or the name of a file or key."""

    text: str

    def __str__(self) -> str:
        return f"`{self.text}`"

    def __html__(self) -> str:
        return f"<code>{escape(self.text)}</code>"


class Text:
    """Words with facts in them: `Text("it came out at {z}", z=fact)`; backticks mark code. Nests."""

    kind = "text"

    def __init__(self, template: str, **values: Any) -> None:
        self.parts: list[Any] = []
        end = 0
        for match in _SLOT.finditer(template):
            self.parts += [template[end : match.start()], Code(match[2]) if match[2] else values[match[1]]]
            end = match.end()
        self.parts.append(template[end:])

    def facts(self) -> Iterator[Fact]:
        yield from _facts(self.parts)

    def __html__(self) -> str:
        return "".join(p.__html__() if hasattr(p, "__html__") else escape(str(p)) for p in self.parts)

    def __str__(self) -> str:
        return "".join(markdown(p) for p in self.parts)


class Unbroken(Text):
    """Words that stay on one line: an interval in a narrow column."""

    def __html__(self) -> str:
        return f'<span class="line">{super().__html__()}</span>'


class Wrapped(Text):
    """Words that may be broken in a first column, where others stay on one line."""

    def __html__(self) -> str:
        return f'<span class="wrap">{super().__html__()}</span>'


Cell = Fact | Text | Code | str


@dataclass
class Table:
    """Columns of cells. `fold` puts a long one behind a summary; `note` says what to know about it."""

    caption: str
    columns: list[str]
    rows: Sequence[Sequence[Cell]]
    note: Text | None = None
    fold: bool = False
    kind = "table"

    def facts(self) -> Iterator[Fact]:
        yield from _facts(cell for row in self.rows for cell in row)
        yield from self.note.facts() if self.note else ()

    def numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows]
        values = [c.value for c in cells if isinstance(c, Fact)]
        return any(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


@dataclass
class Pairs:
    """Labels and one cell each; Markdown gives every row its source."""

    caption: str
    rows: Sequence[tuple[str, Cell]]
    fold: bool = False
    kind = "pairs"

    @property
    def layout(self) -> str:
        """How a page sets the rows: "short" side by side, "hashes" with room for digests."""
        hashes = any(isinstance(cell, Fact) and len(cell.shown) == 64 for _, cell in self.rows)
        return "hashes" if hashes else "short" if self.short else ""

    @property
    def short(self) -> bool:
        """Whether two of its columns fit side by side."""
        return len(self.rows) > 4 and all(len(label) < 34 and len(str(cell)) < 24 for label, cell in self.rows)

    def facts(self) -> Iterator[Fact]:
        yield from _facts(cell for _, cell in self.rows)


@dataclass
class Picture:
    """A figure and what it shows, in words."""

    figure: Figure
    caption: Text
    kind = "picture"

    def facts(self) -> Iterator[Fact]:
        yield from self.figure.marks.values()
        yield from self.caption.facts()


@dataclass
class Quote:
    """A sample: what the model was given and what it wrote. `note` says what to know about it."""

    prompt: Fact
    completion: Fact
    note: Text | None = None
    kind = "quote"

    def facts(self) -> Iterator[Fact]:
        yield from (self.prompt, self.completion)
        yield from self.note.facts() if self.note else ()

    @property
    def fence(self) -> str:
        """Backticks enough to hold the sample in Markdown."""
        return fence(self.prompt.shown, self.completion.shown)


@dataclass
class Items:
    """A list of paragraphs."""

    items: list[Text]
    kind = "items"

    def facts(self) -> Iterator[Fact]:
        yield from _facts(self.items)


@dataclass
class Excerpts:
    """Two texts side by side, what they have in common marked. sides: {label: (before, in common, after)}."""

    title: Text
    sides: dict[str, tuple[Fact, Fact, Fact]]
    kind = "excerpts"

    def facts(self) -> Iterator[Fact]:
        yield from self.title.facts()
        yield from _facts(fact for side in self.sides.values() for fact in side)

    @property
    def fence(self) -> str:
        """Backticks enough to hold the texts in Markdown."""
        return fence(*(fact.shown for side in self.sides.values() for fact in side))


@dataclass
class Answers:
    """What several models answered, prompt by prompt: [(prompt, [(whose, answer)])]; folded away, as there are many."""

    caption: str
    rows: Sequence[tuple[Text, Sequence[tuple[Cell, Fact]]]]
    kind = "answers"

    def facts(self) -> Iterator[Fact]:
        for prompt, answers in self.rows:
            yield from prompt.facts()
            yield from _facts(part for pair in answers for part in pair)

    @property
    def fence(self) -> str:
        """Backticks enough to hold every answer in Markdown."""
        return fence(*(answer.shown for _, answers in self.rows for _, answer in answers))


@dataclass(frozen=True)
class Shown:
    """A question about images, what was said to it, and the images."""

    asked: Text
    said: Sequence[Text]
    images: Sequence[Image]

    def facts(self) -> Iterator[Fact]:
        yield from _facts([self.asked, *self.said])


@dataclass
class Gallery:
    """Questions about images one after another."""

    caption: Text
    rows: Sequence[Shown]
    kind = "gallery"

    def facts(self) -> Iterator[Fact]:
        yield from _facts([self.caption, *self.rows])


Block = Text | Table | Pairs | Picture | Quote | Items | Excerpts | Answers | Gallery


@dataclass
class Section:
    """A heading, an anchor and the blocks below it."""

    id: str
    title: str
    blocks: list[Block] = field(default_factory=list)

    def facts(self) -> Iterator[Fact]:
        for block in self.blocks:
            yield from block.facts()


def origins(block: Block) -> list[tuple[str, str]]:
    """[(run/file, digest)] of the facts in a block, each once: the line below a table."""
    return list(dict.fromkeys((f"{f.run}/{f.file}", f.digest) for f in block.facts() if f.digest))


def each_origin(block: Any) -> list[tuple[str, str]]:
    """[(shown, run/file#key)] of the facts in a block, each once: what stands behind a sentence in Markdown."""
    return list(dict.fromkeys((f.shown, f.source) for f in _facts([block])))


def printed(parts: Iterable[Any]) -> list[Fact]:
    """Every fact in the parts, each once, in the order of reading."""
    return list({fact.id: fact for fact in _facts(parts)}.values())


def fence(*texts: str) -> str:
    """Backticks enough to hold the texts, one after another, in Markdown."""
    runs = re.findall(r"`+", "".join(texts))
    return "`" * max(3, *(len(run) + 1 for run in runs), 3)


def markdown(part: Any) -> str:
    """A part as Markdown: what is a word stays a word, whatever signs are in it."""
    if isinstance(part, Text | Code):
        return str(part)
    return _MARKDOWN.sub(r"\\\1", str(part)).replace("\n", " ")


def _facts(parts: Iterable[Any]) -> Iterator[Fact]:
    for part in parts:
        if isinstance(part, Fact):
            yield part
        elif hasattr(part, "facts"):
            yield from part.facts()
