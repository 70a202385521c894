"""MMLU in other languages (GPT-4 report, appendix F): instruction, question and options translated, all else English.

"Answer:" and the letters A) to D) stay English; three shots from the subject's dev questions, not five, since many
languages take more tokens; the answer is the letter of the highest probability. The report translated with a service;
here anyone may, once, into a table that lies with the data (`write_translations`), and the task reads that table. A
text that is not in it is an error. The words of the instruction are not published: these say what it is reported to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presage.core.errors import DataError
from presage.core.strict import read_json
from presage.data.items import read_items
from presage.tasks.files import Files
from presage.tasks.methods.choice import LETTERS, Choice
from presage.tasks.readers.plain import text_of
from presage.tasks.task import Data, Example, Task, Template
from presage.tasks.translation import LANGUAGES, Table, Translator, Unchanged, write_table

PREFIX = "mmlu_translated:"
SHOTS = 3
SOURCE = (
    "GPT-4 report, appendix F: 3 shots, instruction, question and options translated; letter of highest probability"
)
_INSTRUCTION = "A highly knowledgeable and intelligent AI model answers multiple-choice questions about {subject}."
_SPLITS = ("_dev", "_val", "_test")
ENGLISH = "en"


def mmlu(paths: Sequence[Path]) -> list[Example]:
    """MMLU's questions with their subjects as categories: of the rows of JSON lines, or of a CSV file's name."""
    return [one for path in paths for one in _with_subjects(path)]


def _with_subjects(path: Path) -> list[Example]:
    subject = _subject_of_rows(path) if ".jsonl" in path.name else _subject_of_name(path)
    items = [item for item in read_items(path) if item.answer is not None]
    return [Example(one.id, one.text, one.options, one.answer, category=subject(one.id)) for one in items]


def _subject_of_name(path: Path) -> Callable[[str], str]:
    stem = path.name.split(".")[0]
    subject = next((stem.removesuffix(split) for split in _SPLITS if stem.endswith(split)), stem)
    return lambda name: subject.replace("_", " ")


def _subject_of_rows(path: Path) -> Callable[[str], str]:
    """By the line that ends an id."""
    lines = text_of(path).split("\n")

    def subject(name: str) -> str:
        where = f"{path}:{name.rpartition(':')[2]}"
        row = read_json(lines[int(name.rpartition(":")[2]) - 1], where)
        if not isinstance(row, dict) or not isinstance(row.get("subject"), str):
            raise DataError("no subject", where=where)
        return str(row["subject"]).replace("_", " ")

    return subject


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
