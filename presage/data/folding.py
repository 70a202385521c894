"""Text as overlap is judged on: lower-case letters and digits, with or without the spaces between words.

The papers' three readings of a text (sheet sections 9.7, 5.8, 4.6), of "Don't stop-over, 2nd time":

LETTERS  dontstopover2ndtime        GPT-4: letters and digits only
WORDS    dont stopover 2nd time     GPT-3: whitespace-delimited words, without punctuation
RUNS     don t stop over 2nd time   GPT-2: runs of letters and digits

Every character belongs to one of four classes, in all scripts alike: letters and digits (and the vowel signs that are
part of a letter in Indic scripts) are kept, whitespace separates, punctuation and symbols separate or vanish, and what
is not seen vanishes (accents that stand alone, soft hyphens, joiners). Case, accents and widths are folded one
character to one: É, é and e followed by an accent are all e; ﬁ, ß and the like stay as they are. The three readings of
a text hold the same letters, so a place in one is found in the text by counting letters.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# Classes of characters below any letter's own code; a reading keeps what lies above its floor.
DROPPED, BREAK, SPACE = 0, 1, 32
LETTERS, WORDS, RUNS = SPACE, BREAK, DROPPED

_MARK = 0xFF  # before and after each text, a word of its own: a byte that no UTF-8 text holds
_NOTHING = 0xFE  # another: left out of every reading
_SEPARATOR = bytes([32, _MARK, 32])
_PADDING = 16  # bytes after the end of a stream that eight-byte loads may touch
_UNKNOWN = 0xFFFFFFFF
_LAST_CODE = 0x110000
_SPARSE = 16  # bytes for each character beyond ASCII, from which on exchanging them pays


def fold_character(character: str) -> int:
    """The code of the folded character, or its class (DROPPED, BREAK, SPACE): the definition of all that follows."""
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)
    if unicodedata.combining(character) or category == "Cf":
        return DROPPED
    if not (character.isalnum() or category in ("Mn", "Mc")):
        return BREAK
    base = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    folded = base[0] if len(base) == 1 and base[0].isalnum() else character
    for change in (str.upper, str.lower, str.casefold):  # upper first: ı and i have one upper case, ς and σ too
        changed = change(folded)
        folded = changed if len(changed) == 1 else folded
    return ord(folded)


# ---- characters -----------------------------------------------------------------------------------------------------


def codes_of(text: str) -> np.ndarray:
    """uint32 [characters]: `fold_character` of each."""
    table = _table()
    characters = np.frombuffer(text.encode("utf-32-le"), "<u4")
    codes: np.ndarray = table[characters]
    if len(codes) and codes.max() == _UNKNOWN:
        for new in np.unique(characters[codes == _UNKNOWN]).tolist():
            table[new] = fold_character(chr(new))
        codes = table[characters]
    return codes


def letter_positions(text: str) -> np.ndarray:
    """int64 [letters]: where in the text, in characters, the letters of every reading come from."""
    return np.flatnonzero(codes_of(text) > SPACE)


@functools.cache
def _table() -> np.ndarray:
    """uint32 [code points], filled as characters are met: most texts use few."""
    return np.full(_LAST_CODE, _UNKNOWN, np.uint32)


# ---- texts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stream:
    """One reading of many texts in a row, a mark before and after each, padded with NUL to a multiple of eight bytes.

    marks: int64 [texts + 1], where the marks stand; text i lies between marks i and i + 1.
    """

    data: bytes
    marks: np.ndarray

    @classmethod
    def of(cls, folded: bytes, floor: int) -> Stream:
        """A reading of what `fold` made."""
        data = folded.translate(*_rule(floor))
        marks = np.flatnonzero(np.frombuffer(data, np.uint8) == _MARK)
        return cls(data + bytes(_PADDING + -len(data) % 8), marks)

    def text_at(self, position: int | np.ndarray) -> np.ndarray:
        """The index of the text that a byte of the stream belongs to."""
        return np.searchsorted(self.marks, position, side="right") - 1

    def is_mark(self, position: np.ndarray) -> np.ndarray:
        """Whether these bytes stand between texts."""
        between: np.ndarray = np.frombuffer(self.data, np.uint8)[position] == _MARK
        return between

    def part(self, index: int) -> bytes:
        """The reading of one text."""
        return self.data[self.marks[index] + 1 : self.marks[index + 1]]


class Batch:
    """Texts and those of their readings that are named by `floors`; folded together, for speed on short ones."""

    def __init__(self, texts: Sequence[str], floors: Iterable[int]) -> None:
        self.texts = texts
        folded = fold(texts)
        self.streams = {floor: Stream.of(folded, floor) for floor in floors}
        self._place: tuple[tuple[int, int], np.ndarray, np.ndarray] | None = None

    def locate(self, floor: int, start: int, end: int) -> tuple[int, int, int]:
        """(text, first character, character after the last) of what bytes start to end of a reading were made from."""
        stream = self.streams[floor]
        index = int(stream.text_at(start))
        key = (floor, index)
        if self._place is None or self._place[0] != key:  # places are asked for text by text
            self._place = key, letter_starts(stream.part(index)), letter_positions(self.texts[index])
        _, in_stream, in_text = self._place
        first, after = np.searchsorted(in_stream, np.array([start, end]) - (stream.marks[index] + 1))
        return index, int(in_text[first]), int(in_text[after - 1]) + 1


def fold(texts: Sequence[str]) -> bytes:
    """The texts as UTF-8 between marks; beyond ASCII all is folded, the rest is left to the rules of the readings."""
    exchanged = _exchanged(_joined(text.encode() for text in texts))
    return _joined(map(_rewritten, texts)) if exchanged is None else exchanged


def _joined(parts: Iterable[bytes]) -> bytes:
    return _SEPARATOR.join([b"", *parts, b""])


@functools.cache
def _rule(floor: int) -> tuple[bytes, bytes]:
    """What `bytes.translate` takes: the table, and the bytes to delete. Other bytes beyond ASCII stay."""
    codes = [fold_character(chr(code)) for code in range(128)]
    table = bytes([*(max(code, SPACE) for code in codes), *range(128, 256)])
    return table, bytes([*(code for code in range(128) if codes[code] <= floor), _NOTHING])


def _exchanged(data: bytes) -> bytes | None:
    """UTF-8 with each character beyond ASCII exchanged, in its place, for what it folds to.

    In most texts they stand far apart (curly quotes, dashes). None where they do not, or where one folds to a longer
    one: then `_rewritten` is faster, or needed.
    """
    raw = np.frombuffer(data, np.uint8)
    leads = np.flatnonzero((raw >= 0xC0) & (raw != _MARK))
    if not len(leads):
        return data
    if len(leads) * _SPARSE > len(data):
        return None
    sizes = 2 + (raw[leads] >= 0xE0) + (raw[leads] >= 0xF0)
    quads = np.where(np.arange(4) < sizes[:, None], raw[leads[:, None] + np.arange(4)], 0).astype(np.uint8)
    different, which = np.unique(quads.view("<u4"), return_inverse=True)
    exchanged = [_stand_in(number.to_bytes(4, "little").rstrip(b"\0")) for number in different.tolist()]
    if None in exchanged:
        return None
    new = np.frombuffer(b"".join(filter(None, exchanged)), np.uint8).reshape(-1, 4)[which.ravel()]
    raw = raw.copy()
    for place in range(4):
        longer = sizes > place
        raw[leads[longer] + place] = new[longer, place]
    return raw.tobytes()


def _rewritten(text: str) -> bytes:
    """The same for any text, a few times slower."""
    codes = codes_of(text)
    codes = codes[codes != DROPPED]
    return np.where(codes == BREAK, ord("-"), codes).astype("<u4").tobytes().decode("utf-32-le").encode()


@functools.cache
def _stand_in(character: bytes) -> bytes | None:
    """Four bytes that take the place of a character's UTF-8: what it folds to, then _NOTHING; None if it is longer."""
    code = fold_character(character.decode())
    folded = {DROPPED: bytes([_NOTHING]), BREAK: b"-", SPACE: b" "}.get(code, chr(code).encode())
    return folded.ljust(4, bytes([_NOTHING])) if len(folded) <= len(character) else None


def letter_starts(stream: bytes) -> np.ndarray:
    """int64 [letters]: the first byte of each letter of a reading."""
    data = np.frombuffer(stream, np.uint8)
    return np.flatnonzero((data > SPACE) & (data & 0xC0 != 0x80))
