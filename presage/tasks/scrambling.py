"""GPT-3's five word-scrambling tasks, as the released files write them.

| task | rule |
| :-- | :-- |
| cycle_letters_in_word (CL) | letters rotated, never by nothing |
| mid_word_1_anagrams (A1) | all but the first and last letter shuffled; never the word itself |
| mid_word_2_anagrams (A2) | all but the first two and last two shuffled; may be the word itself (193 of 10,000 are) |
| random_insertion_in_word (RI) | one of " ./!" between every two letters |
| reversed_words (RW) | from behind |

Words are the most frequent ones of more than 4 and fewer than 15 letters of a to z: of a corpus that the user names, or
of the documentation in the standard library of the Python that runs. (The report took the top 10,000 of a public list;
its files have 6 to 15 letters.) All five tasks ask for the same words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.documents import Document, read_paths
from presage.data.embedded import standard_library
from presage.data.prose import prose
from presage.tasks.arithmetic import made
from presage.tasks.task import Example

COUNT = 10_000
SHORTEST, LONGEST = 5, 14
INSERTED = (" ", ".", "/", "!")
_WORD = re.compile(r"(?<![\w'’-])[a-z]{5,14}(?![\w'’-])")

Rule = Callable[[str, np.random.Generator], str]


@dataclass(frozen=True)
class Scrambled:
    """Words scrambled by the rule of a name. paths: a corpus, as files, folders or globs; () the Python documentation.

    Asked are the most frequent words, shots are made of the next ones.
    """

    rule: str
    paths: tuple[str, ...] = ()
    count: int = COUNT

    def __call__(self, seed: int, count: int, split: str) -> list[Example]:
        words = [word for word in frequent_words(self.paths) if _can(self.rule, word)]
        test = words[: min(self.count, len(words) * 9 // 10)]  # some must be left for shots
        chosen = test[:count] if split == "test" else words[len(test) : len(test) + count]
        if not chosen:
            raise DataError(f"{len(words)} words of {SHORTEST} to {LONGEST} letters", where=", ".join(self.paths))
        order = stream(seed, "words", split).permutation(len(chosen))
        return [self._made(seed, chosen[place], split) for place in order]

    def _made(self, seed: int, word: str, split: str) -> Example:
        shown = RULES[self.rule](word, stream(seed, "scrambled", self.rule, word))
        return made(f"{split}:{word}", f"\n{shown} =", f" {word}")


@cache
def frequent_words(paths: tuple[str, ...]) -> Sequence[str]:
    """Words from the most frequent to the least, equally frequent ones by the alphabet."""
    counts: Counter[str] = Counter()
    for text in _texts(paths):
        counts.update(_WORD.findall(text))
    return sorted(counts, key=lambda word: (-counts[word], word))


def _texts(paths: tuple[str, ...]) -> Iterable[str]:
    if paths:
        return (one.text for one in read_paths("words", paths) if isinstance(one, Document))
    files = (one for one in standard_library() if one.path.endswith(".py"))
    return (prose(one.location.read_bytes().decode("utf-8", "replace")) for one in files)


def _can(rule: str, word: str) -> bool:
    """Whether the rule can make anything but the word itself of it (A2 need not)."""
    changed = word[1:-1] if rule == "mid_word_1_anagrams" else word
    return rule == "mid_word_2_anagrams" or len(set(changed)) > 1


# ---- rules -----------------------------------------------------------------------------------------------------------


def _cycled(word: str, chance: np.random.Generator) -> str:
    turned = [word[by:] + word[:by] for by in range(1, len(word))]
    others = [one for one in turned if one != word]  # a word such as "couscous" can be turned into itself
    return others[chance.integers(len(others))]


def _shuffled(word: str, kept: int, chance: np.random.Generator) -> str:
    return word[:kept] + "".join(chance.permutation(list(word[kept:-kept]))) + word[-kept:]


def _anagram_1(word: str, chance: np.random.Generator) -> str:
    shown = word
    while shown == word:
        shown = _shuffled(word, 1, chance)
    return shown


def _inserted(word: str, chance: np.random.Generator) -> str:
    signs = chance.choice(INSERTED, len(word) - 1)
    return "".join(letter + str(sign) for letter, sign in zip(word, [*signs, ""], strict=True))


RULES: Mapping[str, Rule] = {
    "cycle_letters_in_word": _cycled,
    "mid_word_1_anagrams": _anagram_1,
    "mid_word_2_anagrams": lambda word, chance: _shuffled(word, 2, chance),
    "random_insertion_in_word": _inserted,
    "reversed_words": lambda word, chance: word[::-1],
}
