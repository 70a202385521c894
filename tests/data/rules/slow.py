"""The rules once more, one text at a time in plain Python."""

from __future__ import annotations

import functools
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from presage.data.folding import SPACE, fold_character
from presage.data.rules import layout
from presage.data.rules.code import HEAD_LINES, NOTICES
from presage.data.rules.gopher import STOP_WORDS
from presage.data.rules.web import POLICY

T = TypeVar("T")
_fold = functools.cache(fold_character)

STOPS = tuple(character for character in map(chr, range(0x110000)) if layout.kind_of(character) & layout.STOP)
QUOTES = ('"', "'", "”", "’", "“", "‘", "»", "«", "›", "‹", "」", "』", "〞", "〟", "＂", "＇")
CLOSERS = (*QUOTES, *")]}⟩〉》】〕）］｝")
BULLETS = tuple("-*•‣⁃◦∙●○■□▪▫◆◇·")


def words(text: str) -> list[str]:
    codes = map(_fold, text)
    folded = "".join(" " if code == SPACE else chr(code) for code in codes if code >= SPACE)
    return [word for word in folded.split(" ") if word]


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def paragraphs(text: str) -> list[tuple[str, ...]]:
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            found[-1].append(line.strip())
        else:
            found.append([])
    return [tuple(paragraph) for paragraph in found if paragraph]


def share(part: float, whole: float) -> float:
    if whole:
        return part / whole
    return math.inf if part else math.nan


def share_of_lines(test: Callable[[str], bool]) -> Callable[[str], float]:
    return lambda text: share(sum(map(test, lines(text))), len(lines(text)))


def ellipses(text: str) -> int:
    return len(re.findall(r"\.\.\.|…", text))


def letters(text: str) -> float:
    tokens = text.split()
    return share(sum(any(map(str.isalpha, token)) for token in tokens), len(tokens))


# ---- repetition -----------------------------------------------------------------------------------------------------


def duplicates(things: Sequence[T], size: Callable[[T], int]) -> float:
    seen: set[T] = set()
    part = 0
    for thing in things:
        part += size(thing) * (thing in seen)
        seen.add(thing)
    return share(part, sum(map(size, things)))


def characters(paragraph: tuple[str, ...]) -> int:
    return sum(map(len, paragraph))


def grams(text: str, n: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


def covered(text: str, places: Sequence[int], n: int) -> int:
    """Characters of the words that runs of n at these places cover."""
    found = words(text)
    return sum(len(found[place]) for place in {first + k for first in places for k in range(n)})


def top(n: int) -> Callable[[str], float]:
    def measure(text: str) -> float:
        found = grams(text, n)
        times = Counter(found)
        most = max(times.values(), default=0)
        sizes = [
            covered(text, [i for i, other in enumerate(found) if other == gram], n)
            for gram, count in times.items()
            if count == most > 1
        ]
        return share(max(sizes, default=0), sum(map(len, words(text))))

    return measure


def duplicated(n: int) -> Callable[[str], float]:
    def measure(text: str) -> float:
        found, seen, places = grams(text, n), set(), []
        for place, gram in enumerate(found):
            if gram in seen:
                places.append(place)
            seen.add(gram)
        return share(covered(text, places, n), sum(map(len, words(text))))

    return measure


# ---- web ------------------------------------------------------------------------------------------------------------


def lowered(text: str) -> str:
    """Small letters of ASCII alone: K, the sign of Kelvin, is no k."""
    return text.translate({capital: capital + 32 for capital in range(65, 91)})


def has(*phrases: str) -> Callable[[str], bool]:
    return lambda line: any(phrase in lowered(line) for phrase in phrases)


def sentences(text: str) -> float:
    total = 0
    for line in lines(text):
        tokens = line.split()
        if len(tokens) < 5 or not line.endswith((*STOPS, *QUOTES)) or has("javascript", *POLICY)(line):
            continue
        total += sum(map(ends_sentence, tokens[:-1])) + 1
    return total


def ends_sentence(token: str) -> bool:
    for _ in range(3):
        token = token[:-1] if token.endswith(CLOSERS) else token
    return token.endswith(STOPS)


def notices(text: str) -> int:
    head = lowered("\n".join(text.split("\n")[:HEAD_LINES]))
    return sum(head.startswith(notice, place) for place in range(len(head)) for notice in NOTICES)


MEASURES: dict[str, Callable[[str], float]] = {
    "gopher_words": lambda text: len(words(text)),
    "gopher_word_length": lambda text: share(sum(map(len, words(text))), len(words(text))),
    "gopher_hashes": lambda text: share(text.count("#"), len(words(text))),
    "gopher_ellipses": lambda text: share(ellipses(text), len(words(text))),
    "gopher_bullet_lines": share_of_lines(lambda line: line.startswith(BULLETS)),
    "gopher_ellipsis_lines": share_of_lines(lambda line: line.endswith(("...", "…"))),
    "gopher_letters": letters,
    "gopher_stop_words": lambda text: len(set(words(text)) & set(STOP_WORDS)),
    "gopher_duplicate_lines": lambda text: duplicates(lines(text), lambda _: 1),
    "gopher_duplicate_paragraphs": lambda text: duplicates(paragraphs(text), lambda _: 1),
    "gopher_duplicate_line_characters": lambda text: duplicates(lines(text), len),
    "gopher_duplicate_paragraph_characters": lambda text: duplicates(paragraphs(text), characters),
    **{f"gopher_top_{n}_gram": top(n) for n in range(2, 5)},
    **{f"gopher_duplicate_{n}_grams": duplicated(n) for n in range(5, 11)},
    "c4_curly_bracket": lambda text: text.count("{"),
    "c4_lorem_ipsum": lambda text: lowered(text).count("lorem ipsum"),
    "c4_javascript": share_of_lines(has("javascript")),
    "c4_policy": share_of_lines(has(*POLICY)),
    "c4_sentences": sentences,
    "fineweb_punctuated_lines": share_of_lines(lambda line: line.endswith((*STOPS, *QUOTES))),
    "fineweb_duplicate_line_characters": lambda text: duplicates(lines(text), len),
    "fineweb_short_lines": share_of_lines(lambda line: len(line) < 30),
    "codex_mean_line": lambda text: sum(map(len, text.split("\n"))) / len(text.split("\n")),
    "codex_longest_line": lambda text: max(map(len, text.split("\n"))),
    "codex_alphanumeric": lambda text: sum(c.isalpha() or c in string.digits for c in text) / max(1, len(text)),
    "codex_generated": notices,
}
