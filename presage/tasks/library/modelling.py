"""Language modelling: LAMBADA and perplexity of texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from presage.core.errors import ConfigError, DataError
from presage.tasks.family import Family
from presage.tasks.files import Files, Reader
from presage.tasks.methods.last_word import LastContentWord, LastWord
from presage.tasks.methods.perplexity import Perplexity
from presage.tasks.readers.texts import lambada, plain_text, treebank, wikitext
from presage.tasks.task import Example, Task, Template

_LAMBADA_FILES = Files(
    lambada,
    (("lambada_test.jsonl*",), ("lambada/test.jsonl*",)),
    (("lambada_development*.jsonl*",), ("lambada_dev.jsonl*",), ("lambada/dev.jsonl*",)),
)
_PLAIN = Template(lambda example: example.fields["context"], lambda example: f" {example.targets[0]}")
_CLOZE = Template(
    lambda example: f"{example.fields['context']} ____. ->",
    lambda example: f" {example.targets[0]}",
    lambda example: "Fill in blank:",
)
LAMBADA = Task("lambada", 1, _LAMBADA_FILES, _PLAIN, LastWord(), "GPT-2 report, §3.3; GPT-3 report, §3.1.2: zero-shot")

_LANGUAGE = Template(lambda example: example.question, lambda example: "")
_GPT2 = "GPT-2 report, §3.1: invertible detokeniser, perplexity over the original's units"


def _perplexity(name: str, read: Reader, patterns: tuple[str, ...], source: str = _GPT2) -> Task:
    files = Files(read, tuple((pattern,) for pattern in patterns))
    return Task(name, 1, files, _LANGUAGE, Perplexity(), source)


@dataclass(frozen=True)
class OneFile:
    """A file named by the user: below the data folder, or from where the program runs, or by its whole path."""

    path: str

    def files(self, folder: Path) -> list[Path]:
        """The file. Raises DataError where it is in neither place."""
        places = (folder / self.path, Path(self.path))
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError("no such file", where=self.path, hint=f"looked in {folder} and here")
        return [found]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return plain_text(self.files(folder))

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return []


def perplexity(path: str) -> Task:
    """Perplexity of any text file, in pieces of 64 KiB."""
    stem = re.sub(r"\W+", "_", Path(path).name.partition(".")[0])
    if not stem:
        raise ConfigError("no file is named", where="tasks", hint="perplexity:FILE")
    source = "ours: words are what blanks divide"
    return Task(f"perplexity_{stem}", 1, OneFile(path), _LANGUAGE, Perplexity(), source)


TASKS: tuple[Task, ...] = (
    LAMBADA,
    replace(
        LAMBADA,
        name="lambada_cloze",
        template=_CLOZE,
        shots=15,
        source="GPT-3 report, §3.1.2: fill in the blank, 15-shot of the development set, or of the test set itself",
    ),
    replace(
        LAMBADA,
        name="lambada_stop_words",
        method=LastContentWord(),
        source="GPT-2 report, §3.3: stop-word filter; the words proposed by sampling, the list ours",
    ),
    _perplexity("wikitext2", wikitext, ("wikitext2_eval/test.txt*", "wikitext-2/test.txt*", "wiki.test.tokens*")),
    _perplexity(
        "wikitext2_valid", wikitext, ("wikitext2_eval/valid.txt*", "wikitext-2/valid.txt*", "wiki.valid.tokens*")
    ),
    _perplexity("ptb", treebank, ("ptb.test.txt*",)),
    _perplexity(
        "tinyshakespeare", plain_text, ("tinyshakespeare/input.txt*",), "ours: smoke test of language modelling"
    ),
)
FAMILIES: tuple[Family, ...] = (Family("perplexity", "perplexity:FILE", "perplexity of any text file", perplexity),)
