"""Gopher's rules for the quality and the repetition of web pages (Rae et al. 2021, appendix A.1.1 and its table A1).

What the paper leaves open is settled here, and implementations settle it differently:

- Words are those of `Texts`: between blanks, without punctuation, upper and lower case alike. Only the share of words
  with a letter is taken over tokens, since "|" and "12" are what it looks for. datatrove takes a tokenizer's words.
- An ellipsis is "…" or three dots; four dots are one, six are two. Bullets are -, *, • and the like.
- Lines are compared and counted without the blanks around them; blank lines are none, line breaks are no characters.
- A duplicate line, paragraph or n-gram is one that occurred before; the first occurrence is none (so datatrove; Dolma
  and RedPajama count it too). Its characters are taken over those of all lines, or of all words, not over the text
  with its blanks and punctuation, so that a text of one word repeated comes near 1.
- Characters in overlapping n-grams count once, as the paper says of duplicate ones; so they do for the most frequent
  one, which must occur twice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from presage.data.rules.layout import BULLET, ELLIPSIS, LETTER
from presage.data.rules.rule import Rule
from presage.data.rules.texts import Texts

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

_QUALITY = "Rae et al. 2021, appendix A.1.1, quality filtering"
_REPETITION = "Rae et al. 2021, appendix A.1.1, table A1"


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """float64: part / whole; NaN where both are 0, since there is nothing to measure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares: np.ndarray = np.asarray(part, np.float64) / whole
    return shares


# ---- words ----------------------------------------------------------------------------------------------------------


def _words(texts: Texts) -> np.ndarray:
    return texts.word_counts.astype(np.float64)


def _mean_word_length(texts: Texts) -> np.ndarray:
    return share(texts.runs.characters, texts.word_counts)


def _hashes_per_word(texts: Texts) -> np.ndarray:
    return share(texts.layout.per_text(texts.layout.where("#")), texts.word_counts)


def _ellipses_per_word(texts: Texts) -> np.ndarray:
    layout = texts.layout
    dots = layout.where(".")
    starts = np.flatnonzero(np.diff(dots, prepend=-2) != 1)
    triples = np.diff(starts, append=len(dots)) // 3
    in_dots = np.repeat(dots[starts], triples)
    return share(layout.per_text(in_dots) + layout.per_text(_with(layout.kinds, ELLIPSIS)), texts.word_counts)


def _words_with_a_letter(texts: Texts) -> np.ndarray:
    layout, tokens = texts.layout, texts.layout.tokens
    without = (layout.kinds[tokens.starts] & LETTER) == 0
    if without.any():  # few tokens begin with anything else, and only those are looked at as a whole
        edges = np.stack([tokens.starts[without], tokens.ends[without]], axis=1).ravel()
        without[without] = (np.bitwise_or.reduceat(layout.kinds, edges)[::2] & LETTER) == 0
    return share(layout.per_text(tokens.starts[~without]), layout.per_text(tokens.starts))


def _stop_words(texts: Texts) -> np.ndarray:
    hashes = texts.words.hashes
    places = (np.flatnonzero(hashes == stop) for stop in _stop_hashes())
    counts = [np.diff(np.searchsorted(found, texts.word_marks)) for found in places]
    different: np.ndarray = np.sum(np.array(counts) > 0, axis=0)
    return different.astype(np.float64)


@cache
def _stop_hashes() -> np.ndarray:
    return Texts(STOP_WORDS).words.hashes


def _with(kinds: np.ndarray, kind: int) -> np.ndarray:
    return np.flatnonzero((kinds & kind) != 0)


# ---- lines ----------------------------------------------------------------------------------------------------------


def share_of_lines(texts: Texts, which: np.ndarray) -> np.ndarray:
    """float64 [texts]: the share of each text's lines for which `which`, bool [lines], is true."""
    owners = texts.layout.lines.texts
    return share(np.bincount(owners[which], minlength=len(texts)), np.bincount(owners, minlength=len(texts)))


def _bullet_lines(texts: Texts) -> np.ndarray:
    layout = texts.layout
    return share_of_lines(texts, (layout.kinds[layout.lines.starts] & BULLET) != 0)


def _ellipsis_lines(texts: Texts) -> np.ndarray:
    layout, ends = texts.layout, texts.layout.lines.ends
    dots = np.frombuffer(layout.plain, np.uint8) == ord(".")
    # Before a line stands a blank or a line break; before the first of all Python counts on from the end: another.
    three = dots[ends - 1] & dots[ends - 2] & dots[ends - 3]
    return share_of_lines(texts, three | ((layout.kinds[ends - 1] & ELLIPSIS) != 0))


# ---- repetition -----------------------------------------------------------------------------------------------------


def _duplicate_lines(texts: Texts) -> np.ndarray:
    return share_of_lines(texts, texts.layout.duplicate_lines)


def duplicate_line_characters(texts: Texts) -> np.ndarray:
    """float64 [texts]: the share of the characters of all lines that stand in lines that occurred before."""
    lines = texts.layout.lines
    return _share_by_text(texts, texts.layout.duplicate_lines, lines.sizes, lines.texts)


def _duplicate_paragraphs(texts: Texts) -> np.ndarray:
    owners = texts.layout.lines.texts[texts.layout.paragraphs]
    return _share_by_text(texts, texts.layout.duplicate_paragraphs, np.ones(len(owners)), owners)


def _duplicate_paragraph_characters(texts: Texts) -> np.ndarray:
    layout = texts.layout
    first = layout.paragraphs
    sizes = np.add.reduceat(layout.lines.sizes, first) if len(first) else np.zeros(0)
    return _share_by_text(texts, layout.duplicate_paragraphs, sizes, layout.lines.texts[first])


def _share_by_text(texts: Texts, which: np.ndarray, weights: np.ndarray, owners: np.ndarray) -> np.ndarray:
    part = np.bincount(owners, weights * which, len(texts))
    return share(part, np.bincount(owners, weights, len(texts)))


def _most_frequent(n: int, texts: Texts) -> np.ndarray:
    return share(texts.runs.most_frequent(n), texts.runs.characters)


def _duplicated(n: int, texts: Texts) -> np.ndarray:
    return share(texts.runs.duplicated(n), texts.runs.characters)


# ---- rules ----------------------------------------------------------------------------------------------------------


def _quality(name: str, says: str, measure: Callable[[Texts], np.ndarray], **bounds: float) -> Rule:
    return Rule(f"gopher_{name}", says, _QUALITY, measure, **bounds)


def _at_most(name: str, says: str, measure: Callable[[Texts], np.ndarray], high: float) -> Rule:
    return Rule(f"gopher_{name}", says, _REPETITION, measure, high=high)


QUALITY = (
    _quality("words", "words", _words, low=50, high=100_000),
    _quality("word_length", "mean length of words, in characters", _mean_word_length, low=3, high=10),
    _quality("hashes", "signs # for each word", _hashes_per_word, high=0.1),
    _quality("ellipses", "ellipses for each word", _ellipses_per_word, high=0.1),
    _quality("bullet_lines", "share of lines that begin with a bullet", _bullet_lines, high=0.9),
    _quality("ellipsis_lines", "share of lines that end with an ellipsis", _ellipsis_lines, high=0.3),
    _quality("letters", "share of words with a letter", _words_with_a_letter, low=0.8),
    _quality("stop_words", "different words of the, be, to, of, and, that, have, with", _stop_words, low=2),
)

_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_OF_LINES, _OF_PARAGRAPHS = "share of characters in duplicate lines", "share of characters in duplicate paragraphs"

REPETITION = (
    _at_most("duplicate_lines", "share of lines that are duplicates", _duplicate_lines, 0.30),
    _at_most("duplicate_paragraphs", "share of paragraphs that are duplicates", _duplicate_paragraphs, 0.30),
    _at_most("duplicate_line_characters", _OF_LINES, duplicate_line_characters, 0.20),
    _at_most("duplicate_paragraph_characters", _OF_PARAGRAPHS, _duplicate_paragraph_characters, 0.20),
    *(
        _at_most(
            f"top_{n}_gram", f"share of characters in the most frequent {n}-gram", partial(_most_frequent, n), high
        )
        for n, high in _TOP.items()
    ),
    *(
        _at_most(f"duplicate_{n}_grams", f"share of characters in duplicate {n}-grams", partial(_duplicated, n), high)
        for n, high in _DUPLICATE.items()
    ),
)
