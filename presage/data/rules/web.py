"""Rules for web pages of C4 (Raffel et al. 2020, section 2.2) and of FineWeb (Penedo et al. 2024, section 3.6).

C4 removes lines first and then pages; a rule here removes pages only, so C4's are these:

- Pages with "{" and with "lorem ipsum" go, as in the paper. datatrove looks for both only in lines that it retains.
- Lines with "Javascript", and with the phrases of policy notices, go in C4. Here a page goes if nothing else is left.
- C4 keeps pages of at least three sentences. They are counted in the lines that C4 retains: lines that end with a stop
  or a closing quotation mark, have at least five words, and neither Javascript nor a policy notice. A sentence ends
  with a line, and with a word whose last character is a stop, up to three closing quotes and brackets left aside; so
  "Mr. Smith" ends one, where the punkt splitter that C4 used may see none.

The numbers are those of the journal (JMLR 21, 2020): three sentences, five words a line. The first preprint has five
sentences and three words, and so have datatrove's defaults. C4's list of bad words, its citation markers, its three
sentences seen elsewhere and its language threshold are no rule on one document.

FineWeb's third rule removes pages with at least 0.1 of their characters in duplicate lines (section 3.6 and the text
about it); the table in its appendix E.4, and datatrove, have 0.01. A line is short below 30 characters; datatrove's
also at 30. FineWeb's bounds themselves are removed, Gopher's are kept.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from presage.data.rules.gopher import duplicate_line_characters, share_of_lines
from presage.data.rules.layout import BRACKET, QUOTE, STOP, Layout
from presage.data.rules.rule import Rule
from presage.data.rules.texts import Texts

SHORT_LINE = 30
WORDS_A_LINE = 5
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
JAVASCRIPT = ("javascript",)

_CLOSERS = 3  # closing quotes and brackets after a stop
_C4 = "Raffel et al. 2020, section 2.2"
_FINEWEB = "Penedo et al. 2024, section 3.6"


def _curly_brackets(texts: Texts) -> np.ndarray:
    return texts.layout.per_text(texts.layout.where("{")).astype(np.float64)


def _lorem_ipsum(texts: Texts) -> np.ndarray:
    return texts.layout.per_text(texts.layout.phrases("lorem ipsum")).astype(np.float64)


def _lines_with(layout: Layout, phrases: tuple[str, ...]) -> np.ndarray:
    """bool [lines]: which contain one of the phrases."""
    found = np.zeros(len(layout.lines), bool)
    found[np.searchsorted(layout.lines.starts, layout.phrases(*phrases), side="right") - 1] = True
    return found


def _share_of_lines_with(phrases: tuple[str, ...], texts: Texts) -> np.ndarray:
    return share_of_lines(texts, _lines_with(texts.layout, phrases))


def _sentences(texts: Texts) -> np.ndarray:
    """float64 [texts]: sentences in the lines that C4 retains."""
    layout, lines = texts.layout, texts.layout.lines
    retained = _ends_in_punctuation(layout) & (lines.after - lines.first >= WORDS_A_LINE)
    retained &= ~_lines_with(layout, JAVASCRIPT + POLICY)
    last = lines.after[retained] - 1
    ended = np.concatenate([[0], np.cumsum(_ends_sentence(layout))])
    sentences = ended[last] - ended[lines.first[retained]] + 1  # those that end before the last word, and the last
    return np.bincount(lines.texts[retained], sentences, len(texts)).astype(np.float64)


def _ends_in_punctuation(layout: Layout) -> np.ndarray:
    """bool [lines]: which end with a stop or a closing quotation mark."""
    ends: np.ndarray = (layout.kinds[layout.lines.ends - 1] & (STOP | QUOTE)) != 0
    return ends


def _ends_sentence(layout: Layout) -> np.ndarray:
    """bool [tokens]: which end with a stop, up to three closing quotes and brackets left aside."""
    last = layout.tokens.ends - 1
    closed = np.arange(len(last))
    for _ in range(_CLOSERS):  # before a token's first character stands a blank, so none is left backwards
        closed = closed[(layout.kinds[last[closed]] & (QUOTE | BRACKET)) != 0]
        last[closed] -= 1
    ends: np.ndarray = (layout.kinds[last] & STOP) != 0
    return ends


def _punctuated_lines(texts: Texts) -> np.ndarray:
    return share_of_lines(texts, _ends_in_punctuation(texts.layout))


def _short_lines(texts: Texts) -> np.ndarray:
    return share_of_lines(texts, texts.layout.lines.sizes < SHORT_LINE)


_BELOW_ALL = math.nextafter(1.0, 0.0)

C4 = (
    Rule("c4_curly_bracket", "curly brackets {", _C4, _curly_brackets, high=0),
    Rule("c4_lorem_ipsum", 'phrases "lorem ipsum"', _C4, _lorem_ipsum, high=0),
    Rule(
        "c4_javascript",
        "share of lines with the word Javascript",
        _C4,
        partial(_share_of_lines_with, JAVASCRIPT),
        high=_BELOW_ALL,
    ),
    Rule(
        "c4_policy",
        "share of lines with a phrase of policy notices",
        _C4,
        partial(_share_of_lines_with, POLICY),
        high=_BELOW_ALL,
    ),
    Rule("c4_sentences", "sentences in lines that C4 retains", _C4, _sentences, low=3),
)

FINEWEB = (
    Rule(
        "fineweb_punctuated_lines",
        "share of lines that end with punctuation",
        _FINEWEB,
        _punctuated_lines,
        low=math.nextafter(0.12, 1.0),
    ),
    Rule(
        "fineweb_duplicate_line_characters",
        "share of characters in duplicate lines",
        _FINEWEB,
        duplicate_line_characters,
        high=math.nextafter(0.1, 0.0),
    ),
    Rule(
        "fineweb_short_lines",
        "share of lines shorter than 30 characters",
        _FINEWEB,
        _short_lines,
        high=math.nextafter(0.67, 0.0),
    ),
)
