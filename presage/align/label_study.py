"""Who wrote this, a person or a machine? A blind study as GPT-3's of news articles (section 3.9.4 and appendix E).

Items are JSON lines; `detection` says what becomes of the answers:

| key | what it is |
| :-- | :-- |
| human | the text that a person wrote |
| machine | the model's, or a list of several: the one with the nearest number of words is shown |
| control | the same of a model that is bad on purpose; of every item, or of none |
| prompt | what is shown above the text, a title say |
| id | by default drawn from the texts |

There are two quizzes, half of the items each way, and the other way around in the second; with control texts another
two. Which of them a person is given is drawn by their name, or told by a number that gives nothing away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.align.detection import SCALE, Against, Detection, Guess, against, closest, detection, quizzes
from presage.align.label_compare import checked_name
from presage.align.label_tasks import rows_of, some_rows
from presage.core.errors import ConfigError, DataError
from presage.core.estimates import LEVEL
from presage.core.files import json_line
from presage.core.seeds import derive, stream
from presage.tasks.readers.rows import Row

WORDS = (
    "very likely a human",
    "more likely a human",
    "I don't know",
    "more likely a machine",
    "very likely a machine",
)
_DIGEST = 16


@dataclass(frozen=True)
class Item:
    """One text by a person and one by the model, and one of the control model's where there is one."""

    id: str
    human: str
    machine: str
    control: str = ""
    prompt: str = ""


def read_items(*paths: Path) -> list[Item]:
    """All items of some files, in their order. Raises DataError naming file and line of the first fault."""
    rows = rows_of(paths, "prompt", "human", "machine", "control")
    items = [_item(row) for row in rows]
    for row, one in zip(rows, items, strict=True):
        if bool(one.control) != bool(items[0].control):
            raise DataError("some items have a control text, some have none", where=row.where)
    return items


def _item(row: Row) -> Item:
    human = row.text("human")
    control = _nearest(row, "control", human) if "control" in row.value else ""
    prompt = row.text("prompt") if "prompt" in row.value else ""
    return Item(row.id, human, _nearest(row, "machine", human), control, prompt)


def _nearest(row: Row, key: str, human: str) -> str:
    texts = row.one_or_more(key)
    return texts[closest(texts, human)]


# ---- what one person is asked ----------------------------------------------------------------------------------------


class Studying:
    """A quiz for one person: Raises ConfigError for a quiz that there is none, DataError for a name that is none."""

    kind = "study"

    def __init__(self, items: Sequence[Item], who: str, quiz: int | None = None) -> None:
        self.who, self._items = checked_name(who), {item.id: item for item in items}
        cells = _cells(items)
        if quiz is not None and not 1 <= quiz <= len(cells):
            raise ConfigError(f"--quiz {quiz}", where="label", hint=f"1 to {len(cells)}")
        self.quiz = quiz or 1 + derive(0, "study", who) % len(cells)
        self.control, second = cells[self.quiz - 1]
        self._machine = quizzes(list(self._items))[second]
        order = stream(0, "study", "order", who).permutation(len(self._machine))
        self._order = tuple(list(self._machine)[place] for place in order)

    @property
    def ids(self) -> Sequence[str]:
        """In an order drawn for the person."""
        return self._order

    def shown(self, id: str) -> dict[str, Any]:
        """The text, what stands above it, and the scale; not who wrote it."""
        scale = list(zip(SCALE, WORDS, strict=True))
        return {"prompt": self._items[id].prompt, "text": self._text(id), "scale": scale}

    def line(self, id: str, answer: Mapping[str, Any], when: str) -> bytes:
        """An answer {answer: 1 to 5} as a line, with what was shown."""
        said = answer.get("answer")
        if type(said) is not int or said not in SCALE:  # no 1.0, which equals 1 and is read as no answer
            raise DataError(f"{said!r:.40} is not on the scale", where=id)
        row = {
            "id": id,
            "who": self.who,
            "when": when,
            "quiz": self.quiz,
            "control": self.control,
            "machine": self._machine[id],
            "answer": said,
            "sha256": _digest(self._text(id)),
        }
        return json_line(row)

    def answered(self, path: Path) -> Collection[str]:
        """What the person has answered. Raises DataError where it was of another quiz, or of other texts."""
        rows = [row for row in some_rows(path) if _answer(row).guess.who == self.who]
        for row in rows:
            id, quiz = row.name("id"), row.of(int, "quiz")
            if quiz != self.quiz:
                raise DataError(f"{self.who} began with quiz {quiz}", where=row.where, hint=f"--quiz {quiz}")
            if id in self._items and row.of(str, "sha256") != _digest(self._text(id)):
                raise DataError(f"the id '{id}' is of another text here", where=row.where)
        return [row.name("id") for row in rows]

    def _text(self, id: str) -> str:
        item = self._items[id]
        return item.human if not self._machine[id] else item.control if self.control else item.machine


def _cells(items: Sequence[Item]) -> list[tuple[bool, int]]:
    """(whether it is the control's, which of two quizzes) by number; their order says nothing, as it is drawn."""
    arms = (False, True) if items[0].control else (False,)
    found = [(control, second) for control in arms for second in range(2)]
    return [found[place] for place in stream(0, "study", *(item.id for item in items)).permutation(len(found))]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]


# ---- what became of it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a person said of one text, and whether they were among those who were shown the control's."""

    guess: Guess
    control: bool


@dataclass(frozen=True)
class Study:
    """People who were shown the model's texts, people who were shown the control's, and one against the other."""

    model: Detection
    control: Detection
    against: Against


def read_answers(*paths: Path) -> list[Answer]:
    """All answers of some files. Raises DataError naming file and line of the first fault."""
    return [_answer(row) for path in paths for row in some_rows(path)]


def _answer(row: Row) -> Answer:
    machine, control = (_yes(row, key) for key in ("machine", "control"))
    answer = SCALE[row.one_of("answer", SCALE)]
    return Answer(Guess(row.text("who"), row.name("id"), machine, answer), control)


def _yes(row: Row, key: str) -> bool:
    return (False, True)[row.one_of(key, (False, True))]


def study(answers: Iterable[Answer], excluded: Collection[str] = (), level: float = LEVEL) -> Study:
    """The study of all answers. Raises DataError for somebody who was asked twice, a name to exclude of nobody, or
    where all are excluded."""
    given = list(answers)
    names = {one.guess.who for one in given}
    for name in excluded:
        if name not in names:
            raise DataError(f"nobody is called '{name}'", where="--exclude", hint=f"known: {', '.join(sorted(names))}")
    if names and names <= set(excluded):
        raise DataError("nobody is left", where="--exclude", hint="exclude fewer")
    model, control = (
        detection([one.guess for one in given if one.control == arm], excluded, level) for arm in (False, True)
    )
    return Study(model, control, against(control, model, level))
