"""Invertible detokenisers: text as WikiText and Penn Treebank publish it, rewritten as people write, and back.

A language model has never seen " @-@ " or "do n't"; the GPT-2 report (§3.1) undoes such artefacts, and counts the
perplexity over the original's units all the same, which is sound only if the rewriting loses nothing. Ours cannot:
two tokens are joined only where the splitter takes them apart again, and a line that would not come back is left as it
was, known by the blank that it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from presage.core.errors import DataError

_OPEN, _CLOSE = "([{$£€¥#“‘", ",.;:!?)]}%”"


@dataclass(frozen=True)
class Style:
    """How a corpus writes tokens: `split` takes one text without blanks apart, `inside` are marks that join both sides
    (as published: as written)."""

    name: str
    split: Callable[[str], tuple[str, ...]]
    inside: dict[str, str]


def detokenise(text: str, style: Style, path: str = "the text", first: int = 1) -> str:
    """Lines of " token token \\n" as people write them.

    Raises DataError, naming path and line, for a text that does not have this form; `first` is its first line's number.
    """
    lines = _lines(text, path)
    return "".join(f"{_written(line, style, f'{path}:{number}')}\n" for number, line in enumerate(lines, first))


def tokenise(text: str, style: Style) -> str:
    """The original of what `detokenise` wrote."""
    return "".join(f"{_published(line, style)}\n" for line in _lines(text, style.name))


def _lines(text: str, where: str) -> list[str]:
    if text and not text.endswith("\n"):
        raise DataError("the last line does not end", where=where)
    return text.split("\n")[:-1]


def _written(line: str, style: Style, where: str) -> str:
    body = line[1:-1] if line.strip() else ""
    if line != (f" {body} " if body else " "):
        raise DataError("a line that does not begin and end with a blank", where=where)
    shown = " ".join(_chunks(body.split(" "), style)) if body else ""
    return shown if not shown.startswith(" ") and _published(shown, style) == line else line


def _published(line: str, style: Style) -> str:
    if line.startswith(" ") or not line:
        return line or " "
    return f" {' '.join(token for chunk in line.split(' ') for token in style.split(chunk))} "


def _chunks(tokens: list[str], style: Style) -> list[str]:
    """Texts without blanks: each token joined to the last text where that can be undone and where people would."""
    made: list[tuple[str, list[str]]] = []
    quotes = place = 0
    while place < len(tokens):
        size = 2 if tokens[place] in style.inside and made and place + 1 < len(tokens) else 1
        piece = tokens[place : place + size]
        quotes += piece.count('"')
        before = made[-1] if made else ("", [])
        shown = before[0] + "".join(style.inside.get(token, token) if size == 2 else token for token in piece)
        if made and _joins(before[1][-1], piece, quotes, size) and style.split(shown) == (*before[1], *piece):
            made[-1] = (shown, before[1] + piece)
            place += size
        else:
            made.append((tokens[place], [tokens[place]]))
            quotes -= piece[1:].count('"')
            place += 1
    return [shown for shown, _ in made]


def _joins(before: str, piece: list[str], quotes: int, size: int) -> bool:
    """Whether people write no blank there. quotes: how many quotation marks up to here, this piece's included."""
    token = piece[0]
    if before == token == "=":  # of a heading
        return True
    if size == 2 or (token == '"' and quotes % 2 == 0) or token in _CLOSE or _CLITIC.fullmatch(token):
        return True
    return before in _OPEN or (before == '"' and (quotes - piece.count('"')) % 2 == 1)


# ---- the two styles --------------------------------------------------------------------------------------------------

_REMEMBERED = 1 << 16  # texts of which a file holds most many times
_CLITIC = re.compile(r"'(?:s|t|re|ve|ll|d|m|S)|n't")
_ENDS = re.compile(r"(.+)('(?:s|t|re|ve|ll|d|m|S))")
_ENDS_TREEBANK = re.compile(r"(.+?)(n't|'(?:s|re|ve|ll|d|m))")
_ABBREVIATION = re.compile(
    r"(?:[A-Za-z]\.)+|\.\.\.|(?:No|Nos|St|Mr|Mrs|Ms|Dr|Col|Gen|Lt|Sgt|Capt|Maj|Jr|Sr|Rev|Prof|Gov|Sen|Rep|Ft|Mt|Inc|Co"
    r"|Corp|Ltd|vs|etc|al|cf|Vol|pp|Op|Adm|Cpl|Cmdr|Brig|Bros|Art|Jan|Feb|Aug|Sept|Oct|Nov|Dec|var)\."
)
_MARK = re.compile(r"@[-,.]@|<[a-z]+>")
_MIDDLE = re.compile(r"(?<=\w)-(?=\w)|(?<=\d)[,.](?=\d)|(?<=>)-(?=\w)|(?<=\w)-(?=<)|(?<=\))-(?=\w)|(?<=>)-(?=<)")


@lru_cache(_REMEMBERED)
def _wikitext(chunk: str) -> tuple[str, ...]:
    if set(chunk) == {"="}:
        return tuple(chunk)
    if _MARK.fullmatch(chunk) or _ABBREVIATION.fullmatch(chunk):
        return (chunk,)
    front, chunk, back = _edges(chunk, _OPEN + '"', _CLOSE + '"')
    ends = _ENDS.fullmatch(chunk)
    core, ending = (ends[1], [ends[2]]) if ends else (chunk, [])
    pieces: list[str] = []
    start = 0
    for match in [] if _ABBREVIATION.fullmatch(core) else _MIDDLE.finditer(core):
        pieces += [core[start : match.start()], f"@{match[0]}@"]
        start = match.end()
    return (*front, *pieces, core[start:], *ending, *back)


@lru_cache(_REMEMBERED)
def _treebank(chunk: str) -> tuple[str, ...]:
    """Of Mikolov's files, which have no punctuation but in abbreviations."""
    if _MARK.fullmatch(chunk):
        return (chunk,)
    front, chunk, back = _edges(chunk, "$#", "%")
    ends = _ENDS_TREEBANK.fullmatch(chunk)
    return (*front, *(ends.groups() if ends else (chunk,)), *back)


def _edges(chunk: str, opening: str, closing: str) -> tuple[list[str], str, list[str]]:
    """(signs that open, the rest, signs that close); one character always stays, and an abbreviation whole."""
    front: list[str] = []
    back: list[str] = []
    while len(chunk) > 1 and chunk[0] in opening:
        front.append(chunk[0])
        chunk = chunk[1:]
    while len(chunk) > 1 and chunk[-1] in closing and not _ABBREVIATION.fullmatch(chunk):
        back.insert(0, chunk[-1])
        chunk = chunk[:-1]
    return front, chunk, back


WIKITEXT = Style("WikiText", _wikitext, {"@-@": "-", "@,@": ",", "@.@": "."})
TREEBANK = Style("Penn Treebank", _treebank, {})
