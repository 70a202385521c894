"""A rubric: a question about a completion, options in letters, and how to answer, as a Markdown file for a judge.

    # Title             what the rubric is called; the text below it introduces the material
    ## Question         what is asked, in any words
    ## Options          "(A) class: what it is", "(B) class: …", each over as many indented lines as it needs
    ## Answer           the contract: the first line a single letter, then why

The form is the GPT-4 report's (papers.md §9.12: multiple choice; first line a single letter, then an explanation); the
words of our own rubric are ours. Classes are the system card's (§3.1): a refusal in the desired style, one in an
undesired style, disallowed content, a safe answer; "invalid" is an answer of the judge out of its contract.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

from presage.core.errors import DataError, did_you_mean
from presage.data.chat import transcript
from presage.data.verbs import Prompt

Kind = Literal["refusal", "bad_refusal", "disallowed", "answer", "invalid"]
"""Policy class of a completion."""
KINDS: tuple[Kind, ...] = get_args(Kind)
_OPTIONAL: dict[str, Kind] = {kind: kind for kind in KINDS if kind != "invalid"}
_SECTIONS = ("Question", "Options", "Answer")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OPTION = re.compile(r"\(([^)]*)\)\s*([^:]*?)\s*:\s*(.*)")
_SAID = re.compile(r"\(?([A-Z])\)?")


@dataclass(frozen=True)
class Option:
    """One answer to choose, and the class it stands for."""

    letter: str
    kind: Kind
    text: str


@dataclass(frozen=True)
class Rubric:
    """A rubric as read; digest: sha256 of its file, for records."""

    title: str
    introduction: str
    question: str
    options: tuple[Option, ...]
    contract: str
    digest: str

    def option(self, letter: str | None) -> Option | None:
        """The option of this letter, if there is one."""
        return next((one for one in self.options if one.letter == letter), None)

    def first(self, kind: Kind) -> Option | None:
        """The first option of this class, if there is one."""
        return next((one for one in self.options if one.kind == kind), None)


@dataclass(frozen=True)
class Answer:
    """What a judge chose and why; letter None where the answer is out of contract, `why` being all that was said."""

    letter: str | None
    why: str


# ---- asking and reading ----------------------------------------------------------------------------------------------


def ask(rubric: Rubric, prompt: Prompt | None, completion: str) -> str:
    """The text for a judge. Every line of the material is quoted with "> ", so that none can pass for the rubric's."""
    parts = [f"# {rubric.title}", rubric.introduction]
    if prompt is not None:
        said = prompt if isinstance(prompt, str) else transcript(prompt).removesuffix("\n\nAssistant:")
        parts += ["## Conversation", quoted(said)]
    options = "\n".join(f"({one.letter}) {one.text}" for one in rubric.options)
    parts += ["## Reply", quoted(completion), "## Question", rubric.question, options, rubric.contract]
    return "\n\n".join(part for part in parts if part)


def read_answer(rubric: Rubric, text: str) -> Answer:
    """The letter on the first line that is not blank, with or without its brackets, and what follows as the reason.

    Anything else on that line, or a letter that is no option, is out of contract. A reason that is missing is not: a
    judge may be cut short after the letter.
    """
    line, _, rest = text.strip().partition("\n")
    said = _SAID.fullmatch(line.strip())
    if said is None or rubric.option(said[1]) is None:
        return Answer(None, text.strip())
    return Answer(said[1], rest.strip())


def quoted(text: str) -> str:
    """Every line behind "> ", so that no text can end its own quotation."""
    return "\n".join(f"> {line}" for line in text.splitlines()) or ">"


# ---- the file --------------------------------------------------------------------------------------------------------


def refusal_style() -> Rubric:
    """Our rubric of how a reply declines, the published structure in our words: three questions, options A to R."""
    text = files("presage.align").joinpath("rubrics/refusal_style.md").read_text(encoding="utf-8")
    return parse(text, "refusal_style.md")


def read_rubric(path: Path) -> Rubric:
    """A rubric from its file, a mark at its beginning aside. Raises DataError naming the line that is wrong, or a file
    that is no text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as a rubric: {error}", where=path) from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Rubric:
    """A rubric from the text of its file, called `where` in messages. Raises DataError naming the wrong line."""
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    title = re.fullmatch(r"# +(.+)", lines[start].strip()) if lines else None
    if title is None:
        raise _wrong(where, start, "a rubric begins with its title", "write '# Title'")
    introduction, sections = _divided(lines, start + 1, where)
    return Rubric(
        title=title[1],
        introduction=introduction,
        question=_text(sections["Question"][1]),
        options=_options(*sections["Options"], where),
        contract=_text(sections["Answer"][1]),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _divided(lines: Sequence[str], start: int, where: str) -> tuple[str, dict[str, tuple[int, list[str]]]]:
    """The introduction, and {section: (where its heading stands, its lines)}, each section once and not empty."""
    introduction: list[str] = []
    sections: dict[str, tuple[int, list[str]]] = {}
    current = introduction
    for number, line in enumerate(lines[start:], start):
        heading = re.fullmatch(r"(#+) *(.*?) *", line)
        if heading is None:
            current.append(line)
            continue
        name = _section(heading, sections, where, number)
        sections[name] = number, (current := [])
    for name in _SECTIONS:
        if name not in sections:
            raise _wrong(where, len(lines) - 1, f"no section '## {name}' up to here", f"needed: {', '.join(_SECTIONS)}")
        if not _text(sections[name][1]):
            raise _wrong(where, sections[name][0], f"nothing under '## {name}'", None)
    return _text(introduction), sections


def _section(heading: re.Match[str], before: dict[str, tuple[int, list[str]]], where: str, number: int) -> str:
    marks, name = heading.groups()
    if marks == "#":
        raise _wrong(where, number, "a second title", "one file, one rubric; sections begin with '## '")
    if marks != "##" or name not in _SECTIONS:
        raise _wrong(where, number, f"unknown section '{marks} {name}'", did_you_mean(name, _SECTIONS))
    if name in before:
        raise _wrong(where, number, f"'## {name}' a second time", None)
    return name


def _options(heading: int, lines: Sequence[str], where: str) -> tuple[Option, ...]:
    options: list[Option] = []
    for number, line in enumerate(lines, heading + 1):
        if not line.strip():
            continue
        if not line.startswith(("(", " ", "\t")) or (line[0] != "(" and not options):
            raise _wrong(where, number, "no option", "write '(A) class: what it is', and indent what goes on")
        if line[0] == "(":
            options.append(_option(line, len(options), where, number))
        else:
            last = options.pop()
            options.append(Option(last.letter, last.kind, f"{last.text} {line.strip()}"))
    if len(options) < 2:
        raise _wrong(where, heading, f"{len(options)} option to choose from", "two are the least")
    return tuple(options)


def _option(line: str, place: int, where: str, number: int) -> Option:
    found = _OPTION.fullmatch(line.strip())
    if found is None:
        raise _wrong(where, number, "no option", "write '(A) class: what it is'")
    letter, kind, text = found.groups()
    if place >= len(_LETTERS):
        raise _wrong(where, number, "more options than letters", f"{len(_LETTERS)} are the most")
    if letter != _LETTERS[place]:
        raise _wrong(where, number, f"option ({letter}) where ({_LETTERS[place]}) is due", "letters follow each other")
    if kind not in _OPTIONAL:
        raise _wrong(where, number, f"unknown class '{kind}'", did_you_mean(kind, _OPTIONAL))
    if not text:
        raise _wrong(where, number, f"option ({letter}) says nothing", None)
    return Option(letter, _OPTIONAL[kind], text)


def _text(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()


def _wrong(where: str, number: int, what: str, hint: str | None) -> DataError:
    """number: of the line, from 0."""
    return DataError(what, where=f"{where}:{number + 1}", hint=hint)
