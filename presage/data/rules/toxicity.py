"""Two rules against toxic documents: too many words of a list, or a classifier's word for it.

C4 (Raffel et al. 2020, section 2.2) removes every page that holds a single word of a list, and with it much text about
medicine, law, and the people whom the words are used against (Dodge et al. 2021, section 5.3). What is measured here is
the share of such words in a document, so that a novel may swear and a dictionary explain.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np

from presage.core.errors import DataError
from presage.data.fingerprints import Table, grams_at
from presage.data.rules.quality import Quality
from presage.data.rules.rule import Rule
from presage.data.rules.texts import Texts

BUILT_IN = "built-in"
_LONGEST = 8  # words of a phrase


def read_words(path: str) -> list[str]:
    """Words and phrases of a file, one a line; what follows # is a remark. `built-in`: our own list, of English.

    Raises DataError for a file that cannot be read, has no words, or a phrase of more than 8.
    """
    source = files("presage.data.rules") / "words.txt" if path == BUILT_IN else Path(path)
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=path) from None
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 at byte {error.start}", where=path, hint="one word or phrase a line") from None
    read = [line.split("#")[0].strip() for line in lines]
    counts = Texts(read).word_counts.tolist()
    for number, count in enumerate(counts, 1):
        if count > _LONGEST:
            raise DataError(f"a phrase of {count} words: {_LONGEST} at most", where=f"{path}:{number}")
    words = [line for line, count in zip(read, counts, strict=True) if count]
    if not words:
        raise DataError("has no words", where=path, hint="one word or phrase a line")
    return words


def blocklist_rule(words: Iterable[str], most: float) -> Rule:
    """Removes documents in which more than `most` of the words are of the list, or of its phrases."""
    firsts, tables = _tables(words)

    def measure(texts: Texts) -> np.ndarray:
        hashes, of = texts.words.hashes, texts.text_of_word
        listed = np.zeros(len(hashes), bool)
        maybe, _ = firsts.find(hashes)
        for size, table in tables.items():
            begin = maybe[maybe + size <= len(hashes)]
            begin = begin[of[begin] == of[begin + size - 1]]
            where, _ = table.find(grams_at(hashes, begin, size))
            listed[begin[where][:, None] + np.arange(size)] = True
        counts = np.bincount(of, listed, len(texts))
        shares: np.ndarray = counts / np.maximum(texts.word_counts, 1)
        return shares

    return Rule("blocklist", "share of the words that are on the list", "after Raffel et al. 2020, section 2.2",
                measure, high=most)  # fmt: skip


def toxicity_rule(model: Quality, most: float) -> Rule:
    """Removes documents that a classifier, trained on toxic documents and others, takes for toxic."""
    says = "probability that the document is toxic, by a classifier trained in this run"
    return Rule("toxicity", says, "after Rae et al. 2021, section 2.2 (there SafeSearch)", model.scores, high=most)


def _tables(words: Iterable[str]) -> tuple[Table, dict[int, Table]]:
    """(first words of all phrases, {words of a phrase: phrases of so many}), as hashes."""
    texts = Texts(list(words))
    counts, marks = texts.word_counts, texts.word_marks[:-1]
    hashes = texts.words.hashes
    sizes = np.unique(counts[counts > 0]).tolist()
    phrases = {size: Table(np.unique(grams_at(hashes, marks[counts == size], size))) for size in sizes}
    return Table(np.unique(hashes[marks[counts > 0]])), phrases
