"""How texts are laid out: characters of a few kinds, tokens between blanks, lines between line breaks, paragraphs.

A token is what stands between blanks, punctuation and all. A line is what stands between line breaks, without the
blanks around it; what is empty then is no line. A paragraph is lines that no blank line parts. All of it is told from
one array with a byte for each character of all texts, each text followed by a line break.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from presage.data.rules.repetition import again, sequence_hashes, span_hashes

BLANK, LETTER, STOP, QUOTE, BRACKET, BULLET, ELLIPSIS = (1 << place for place in range(7))
_UNKNOWN = 255  # no sum of kinds

# What ends sentences in the scripts of the world: Unicode's Sentence_Terminal of the scripts in wide use.
_STOPS = frozenset(".!?…։؟۔܀܁܂।॥။።፧፨។៕᙮᠃᠉‼‽⁇⁈⁉⸮。꓿꘎꘏꛳꛷︒﹒﹖﹗！．？｡")
_QUOTES = frozenset("\"'”’“‘»«›‹」』〞〟＂＇")  # « and “ close quotations in some languages
_BRACKETS = frozenset(")]}⟩〉》】〕）］｝")
_BULLETS = frozenset("-*•‣⁃◦∙●○■□▪▫◆◇·")


def kind_of(character: str) -> int:
    """The kinds of a character, as a sum: the definition of all that follows."""
    return (
        BLANK * character.isspace()
        + LETTER * character.isalpha()
        + STOP * (character in _STOPS)
        + QUOTE * (character in _QUOTES)
        + BRACKET * (character in _BRACKETS)
        + BULLET * (character in _BULLETS)
        + ELLIPSIS * (character == "…")
    )


_BEYOND = 0x80  # stands for every character beyond ASCII
_ASCII = bytes(range(_BEYOND))
_LATER_BYTES = bytes(range(0x80, 0xC0))  # of a character's UTF-8
_ONE_BYTE = bytes(min(code, _BEYOND) for code in range(256))
_ASCII_KINDS = bytes(kind_of(chr(code)) if code < _BEYOND else 0 for code in range(256))


@functools.cache
def _table() -> np.ndarray:
    """uint8 [code points], filled as characters are met: most texts use few."""
    return np.full(0x110000, _UNKNOWN, np.uint8)


def _kinds_beyond_ascii(characters: np.ndarray) -> np.ndarray:
    table = _table()
    kinds: np.ndarray = table[characters]
    if np.any(kinds == _UNKNOWN):
        for new in np.unique(characters[kinds == _UNKNOWN]).tolist():
            table[new] = kind_of(chr(new))
        kinds = table[characters]
    return kinds


@dataclass(frozen=True)
class Tokens:
    """First character and the one after the last, int64 [tokens] each."""

    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class Lines:
    """Lines of all texts in order; int64 [lines] each.

    starts, ends: first character and the one after the last. first, after: the same of its tokens. texts: the text it
    belongs to. rows: how many line breaks stand before it.
    """

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    after: np.ndarray
    texts: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def sizes(self) -> np.ndarray:
        """int64 [lines]: characters."""
        sizes: np.ndarray = self.ends - self.starts
        return sizes


class Layout:
    """Where everything stands in some texts; positions count characters of all texts in a row.

    bounds: int64 [texts + 1]; text i lies from bounds[i] to bounds[i + 1], its added line break included.
    plain: bytes [characters], all those beyond ASCII as 0x80.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.bounds = np.concatenate([[0], np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)])
        self._encoded = "\n".join([*texts, ""]).encode()
        self.plain = self._encoded.translate(_ONE_BYTE, _LATER_BYTES)
        self._places: dict[str, np.ndarray] = {}

    # ---- characters -------------------------------------------------------------------------------------------------

    @cached_property
    def _wide(self) -> tuple[np.ndarray, np.ndarray]:
        """(where, int64; code point, uint32) of each character beyond ASCII."""
        characters = self._encoded.translate(None, _ASCII).decode().encode("utf-32-le")
        return np.flatnonzero(np.frombuffer(self.plain, np.uint8) == _BEYOND), np.frombuffer(characters, "<u4")

    @cached_property
    def kinds(self) -> np.ndarray:
        """uint8 [characters]: the sum of the kinds of each."""
        kinds = np.frombuffer(bytearray(self.plain.translate(_ASCII_KINDS)), np.uint8)
        where, characters = self._wide
        kinds[where] = _kinds_beyond_ascii(characters)
        return kinds

    def where(self, character: str) -> np.ndarray:
        """int64: every place of an ASCII character."""
        return np.flatnonzero(np.frombuffer(self.plain, np.uint8) == ord(character))

    @cached_property
    def _lowered(self) -> bytes:
        return self.plain.lower()

    def phrases(self, *phrases: str) -> np.ndarray:
        """int64, in order: where ASCII phrases begin, small and capital letters being the same."""
        for phrase in phrases:
            if phrase not in self._places:
                self._places[phrase] = np.fromiter(_every(phrase.encode(), self._lowered), np.int64)
        return np.sort(np.concatenate([self._places[phrase] for phrase in phrases]))

    def per_text(self, places: np.ndarray) -> np.ndarray:
        """int64 [texts]: how many of these places, which are in order, lie in each."""
        counts: np.ndarray = np.diff(np.searchsorted(places, self.bounds))
        return counts

    # ---- tokens, lines, paragraphs ----------------------------------------------------------------------------------

    @cached_property
    def tokens(self) -> Tokens:
        """What stands between blanks."""
        edges = np.flatnonzero(np.diff((self.kinds & BLANK) != 0, prepend=True))
        return Tokens(edges[0::2], edges[1::2])  # the last character is a line break, so each token ends

    @cached_property
    def lines(self) -> Lines:
        """What stands between line breaks, without blanks around it, if anything is left."""
        breaks = self.where("\n")
        after = np.searchsorted(self.tokens.starts, breaks)
        first = np.concatenate([[0], after[:-1]])[: len(after)]
        rows = np.flatnonzero(first < after)
        first, after = first[rows], after[rows]
        starts = self.tokens.starts[first]
        texts = np.searchsorted(self.bounds, starts, side="right") - 1
        return Lines(starts, self.tokens.ends[after - 1], first, after, texts, rows)

    @cached_property
    def line_hashes(self) -> np.ndarray:
        """uint64 [lines]: of each line's characters and the text it belongs to."""
        where, characters = self._wide
        longer = 1 + (characters >= 0x800) + (characters >= 0x10000)  # bytes of UTF-8 beside the first
        shifts = np.concatenate([[0], np.cumsum(longer, dtype=np.int64)])
        starts, ends = (at + shifts[np.searchsorted(where, at)] for at in (self.lines.starts, self.lines.ends))
        return span_hashes(self._encoded, starts, ends, self.lines.texts)

    @cached_property
    def duplicate_lines(self) -> np.ndarray:
        """bool [lines]: which occurred before in their text."""
        return again(self.line_hashes)

    @cached_property
    def paragraphs(self) -> np.ndarray:
        """int64 [paragraphs]: the index of the first line of each."""
        lines = self.lines
        follows = (np.diff(lines.rows, prepend=-2) == 1) & (np.diff(lines.texts, prepend=-1) == 0)
        return np.flatnonzero(~follows)

    @cached_property
    def paragraph_hashes(self) -> np.ndarray:
        """uint64 [paragraphs]: of each paragraph's lines, in their order."""
        return sequence_hashes(self.line_hashes, self.paragraphs)

    @cached_property
    def duplicate_paragraphs(self) -> np.ndarray:
        """bool [paragraphs]: which occurred before in their text."""
        return again(self.paragraph_hashes)


def _every(phrase: bytes, data: bytes) -> Iterator[int]:
    place = data.find(phrase)
    while place >= 0:
        yield place
        place = data.find(phrase, place + 1)
