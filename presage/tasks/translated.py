"""MMLU in other languages (GPT-4 report, appendix F): instruction, question and options translated, all else English.

"Answer:" and the letters A) to D) stay English; three shots from the subject's dev questions, not five, since many
languages take more tokens; the answer is the letter of the highest probability. The report translated with a service;
here anyone may, once, into a table that lies with the data (`write_translations`), and the task reads that table. A
text that is not in it is an error. The words of the instruction are not published: these say what it is reported to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presage.tasks.files import Files
from presage.tasks.methods.choice import LETTERS, Choice
from presage.tasks.readers import choices
from presage.tasks.task import Data, Example, Task, Template
from presage.tasks.translation import LANGUAGES, Table, Translator, Unchanged, write_table

PREFIX = "mmlu_translated:"
SHOTS = 3
SOURCE = (
    "GPT-4 report, appendix F: 3 shots, instruction, question and options translated; letter of highest probability"
)
_INSTRUCTION = "A highly knowledgeable and intelligent AI model answers multiple-choice questions about {subject}."
ENGLISH = "en"


def mmlu(paths: Sequence[Path]) -> list[Example]:
    """MMLU's questions; ids have the file's whole name, categories are subjects as people write them."""
    return [
        replace(one, id=f"{path.name}:{one.id.rpartition(':')[2]}", category=choices.subject(one))
        for path in paths
        for one in choices.mmlu([path])
    ]


_MMLU = Files(
    mmlu,
    (("mmlu_test.jsonl*",), ("mmlu/test/*_test.csv",), ("*_test.csv",)),
    (("mmlu_dev.jsonl*",), ("mmlu/dev/*_dev.csv",), ("*_dev.csv",)),
)


def instruction(example: Example) -> str:
    """The instruction in English, about the example's subject."""
    return _INSTRUCTION.format(subject=example.category)


@dataclass(frozen=True)
class Translated:
    """English examples in another language. `translator`: given, or None for the table {language}.jsonl in the folder
    of data, in a folder called translations."""

    base: Data
    language: str
    translator: Translator | None = None

    def files(self, folder: Path) -> list[Path]:
        table = [] if self.language == ENGLISH or self.translator else self._table().files(folder)
        return [*self.base.files(folder), *table]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        return self._translated(self.base.examples(folder, seed), folder)

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return self._translated(self.base.pool(folder, seed), folder)

    def _table(self) -> Files:
        return Files(lambda paths: [], ((f"translations/{self.language}.jsonl",),))

    def _by(self, folder: Path) -> Translator:
        if self.language == ENGLISH:
            return Unchanged()
        return self.translator or Table.read(self._table().files(folder)[0])

    def _translated(self, examples: list[Example], folder: Path) -> list[Example]:
        texts = [text for one in examples for text in texts_of(one)]
        different = list(dict.fromkeys(texts))
        translations = self._by(folder).translate(different, ENGLISH, self.language)
        known = dict(zip(different, translations, strict=True))
        return [
            replace(one, question=known[one.question], options=tuple(known[text] for text in one.options),
                    fields={**one.fields, "instruction": known[instruction(one)], "english": one.question})
            for one in examples
        ]  # fmt: skip


def texts_of(example: Example) -> list[str]:
    """What is translated of an example: instruction, question, options."""
    return [instruction(example), example.question, *example.options]


def _ask(example: Example) -> str:
    options = (f"{letter}) {option}" for letter, option in zip(LETTERS, example.options, strict=False))
    return "\n".join([example.question.strip(), *options, "Answer:"])


TEMPLATE = Template(
    _ask, lambda example: f" {LETTERS[example.answer or 0]}", lambda example: str(example.fields["instruction"])
)


def translated_task(language: str, translator: Translator | None = None, base: Data = _MMLU) -> Task:
    """MMLU in a language, by its code; translated by `translator`, or by the table in the folder of data."""
    name = f"{PREFIX}{language}"
    data = Translated(base, language, translator)
    return Task(name, 1, data, TEMPLATE, Choice("letter"), SOURCE, SHOTS, "first", by_category=True)


def write_translations(folder: Path, language: str, translator: Translator, out: Path, base: Data = _MMLU) -> int:
    """Everything that MMLU in a language needs, translated into the table `out`; how many texts.

    With a `Cached` translator an interrupted call goes on where it was. Raises DataError.
    """
    examples = [*base.pool(folder, 0), *base.examples(folder, 0)]
    return write_table(out, [text for one in examples for text in texts_of(one)], translator, ENGLISH, language)


TASKS: tuple[Task, ...] = tuple(translated_task(language) for language in LANGUAGES)
