"""Dated facts: does the model know what came after its corpus ended? (GPT-4 report, §5: it does not.)

Facts with dates are taken from dated documents: what was added in which version of Python, from "versionadded" in its
documentation, and in which year a PEP was created, from its header. The category of an example is the date, so that
accuracy by date, and before and after the corpus's end (`presage.evaluate.limits`), needs nothing else.

Read are the .rst and .txt files below a folder called `dated`; without one, the documentation that the installed
Python carries (the topics of its help).
"""

from __future__ import annotations

import ast
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.documents import read_bytes
from presage.tasks.task import Example

FOLDER = "dated"
SUFFIXES = (".rst", ".txt")
TOPICS = "pydoc_data/topics.py"
OPTIONS = 4
# fmt: off
RELEASES: Mapping[str, str] = {
    "2.0": "2000-10-16", "2.1": "2001-04-15", "2.2": "2001-12-21", "2.3": "2003-07-29", "2.4": "2004-11-30",
    "2.5": "2006-09-19", "2.6": "2008-10-01", "3.0": "2008-12-03", "3.1": "2009-06-27", "2.7": "2010-07-03",
    "3.2": "2011-02-20", "3.3": "2012-09-29", "3.4": "2014-03-16", "3.5": "2015-09-13", "3.6": "2016-12-23",
    "3.7": "2018-06-27", "3.8": "2019-10-14", "3.9": "2020-10-05", "3.10": "2021-10-04", "3.11": "2022-10-24",
    "3.12": "2023-10-02", "3.13": "2024-10-07", "3.14": "2025-10-07",
}
# fmt: on
"""The day each version of Python was released; other versions are not asked about."""

_DIRECTIVE = re.compile(
    r"^( *)\.\. (?:py:)?(function|class|method|attribute|data|exception|module|currentmodule|decorator)::\s+([\w.]+)"
)
_SIGNATURE = re.compile(r"^( *)()([A-Za-z_]\w*\.[\w.]+)(?:\(.*\))?\s*$")  # of the help's topics: str.removeprefix(...)
_MODULES = ("module", "currentmodule")
_ADDED = re.compile(r"^( *)(?:\.\. versionadded::\s*(\d+\.\d+)(?:\.\d+)?\s*$|New in version (\d+\.\d+)(?:\.\d+)?\.$)")
_PEP = re.compile(r"\A\s*PEP:\s*(\d+)\s*\nTitle:\s*(.+)\n", re.IGNORECASE)
_CREATED = re.compile(r"^Created:\s*(\d{1,2})-([A-Z][a-z]{2})-(\d{4})\s*$", re.MULTILINE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Fact:
    """A question, its answer, the answers nearest to it, and the day it became true (ISO)."""

    question: str
    answer: str
    near: tuple[str, ...]
    day: str


def added(text: str) -> Iterator[tuple[str, str]]:
    """(name, version) of everything that a documentation text says was added, as a whole, in a version of Python.

    "versionadded" with a text of its own is about a parameter or the like, and is not taken.
    """
    defined: list[tuple[int, str]] = []
    module = ""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        defined = [one for one in defined if one[0] < indent]  # a line further left ends what was defined
        begins, found = _DIRECTIVE.match(line) or _SIGNATURE.match(line), _ADDED.match(line)
        if begins and begins[2] in _MODULES:
            module = f"{begins[3]}."
        elif begins:
            defined.append((indent, _full_name(begins[3], defined, module if begins[2] else "")))
        elif found and defined and not _goes_on(lines, number, indent):
            yield defined[-1][1], found[2] or found[3]


def _full_name(name: str, around: Sequence[tuple[int, str]], module: str) -> str:
    """With what it is defined in, where it does not say so itself."""
    if around:
        return name if "." in name else f"{around[-1][1]}.{name}"
    return name if name.startswith(module) else f"{module}{name}"


def _goes_on(lines: Sequence[str], number: int, indent: int) -> bool:
    """Whether the line after is part of a directive at this indent."""
    following = lines[number + 1] if number + 1 < len(lines) else ""
    return bool(following.strip()) and len(following) - len(following.lstrip()) > indent


def facts_of(text: str) -> Iterator[Fact]:
    """The dated facts of one document."""
    pep, created = _PEP.match(text), _CREATED.search(text)
    if pep and created and created[2] in _MONTHS:
        try:
            day = date(int(created[3]), _MONTHS.index(created[2]) + 1, int(created[1]))
        except ValueError:
            return
        near = tuple(str(day.year + step) for step in (-1, 1, -2, 2, -3, 3))
        question = f'In which year was PEP {pep[1]}, "{pep[2].strip()}", created?'
        yield Fact(question, str(day.year), near, day.isoformat())
    versions = list(RELEASES)
    for name, version in added(text):
        if version in RELEASES:
            others = sorted((one for one in versions if one != version),
                            key=lambda one: (abs(versions.index(one) - versions.index(version)), one))  # fmt: skip
            question = f"In which version of Python was {name} added?"
            yield Fact(question, version, tuple(others[:6]), RELEASES[version])


@dataclass(frozen=True)
class Dated:
    """Facts of dated documents as questions of multiple choice. Raises DataError where there are none."""

    options: int = OPTIONS

    def files(self, folder: Path) -> list[Path]:
        """The documents of the folder, or the topics of the installed Python's help."""
        root = folder.resolve()
        below = (path for path in sorted(root.rglob("*")) if FOLDER in (root.name, *path.relative_to(root).parts))
        own = [path for path in below if path.suffix in SUFFIXES and path.is_file()]
        topics = Path(sysconfig.get_paths()["stdlib"]) / TOPICS
        return own or [path for path in [topics] if path.is_file()]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        """A question a fact, in the order of the files. Raises DataError where there is none."""
        facts = {fact.question: fact for path in self.files(folder) for text in _texts(path) for fact in facts_of(text)}
        if not facts:
            hint = f"files with 'versionadded' or a PEP's header, in a folder called {FOLDER}"
            raise DataError("no dated facts", where=folder, hint=hint)
        return [self._example(fact, seed) for fact in facts.values()]

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return []

    def _example(self, fact: Fact, seed: int) -> Example:
        chance = stream(seed, "dated", fact.question)
        wrong = [fact.near[i] for i in chance.choice(len(fact.near), self.options - 1, replace=False)]
        options = sorted([fact.answer, *wrong], key=lambda text: [int(part) for part in text.split(".")])
        answer = options.index(fact.answer)
        return Example(fact.question, fact.question, tuple(options), answer, (fact.answer,), category=fact.day)


def _texts(path: Path) -> list[str]:
    """The document of a file, or the texts of a module: its longer strings."""
    text = read_bytes(path).decode("utf-8", "replace")
    if path.suffix != ".py":
        return [text]
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
