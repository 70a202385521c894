"""What a judge is asked, and how its reply is read: classifications as in OpenAI Evals, and rubrics in Markdown.

A classification is a prompt with places for {names}, the choices, their scores, and where the choice stands:

| form | the judge writes |
| :-- | :-- |
| classify | the choice alone |
| classify_cot | the choice on the first line, then why |
| cot_classify | its reasoning, then the choice on the last line |

A reply is read as ModelBasedClassify of OpenAI Evals reads it (research sheet, 9.17): lines without punctuation, the
last first for cot_classify; the first line that a choice matches counts. A reply that names no choice is `__invalid__`,
and scored as the lowest of all choices.

A rubric is a question to the judge in Markdown, with a line for each letter and its score:

    # Does the answer say where its figures come from?

    A source is a name, a link or a document.

    - A (1): for every figure.
    - B (0.5): for some.
    - C (0): for none.

The judge must reply with a letter alone on the first line, and say why after it; nothing else is read.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.strict import read_json

Form = Literal["classify", "classify_cot", "cot_classify"]
INVALID = "__invalid__"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FEWEST = 2
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_PLACE = re.compile(r"\{(\w+)\}")
_OPTION = re.compile(r"^(?:[-*] +)?\**([A-Z])\**(?: *\((-?\d+(?:\.\d+)?)\))?\**[:.)]\** +(\S.*)$")

MATCHES: dict[str, Callable[[str, str], bool]] = {
    "include": lambda line, choice: choice in line,
    "exact": lambda line, choice: line == choice,
    "endswith": lambda line, choice: line.endswith(choice),
    "starts_or_endswith": lambda line, choice: line.startswith(choice) or line.endswith(choice),
}
_CONTRACTS: dict[Form, str] = {
    "classify": "Reply with {choices}: one of them alone, without quotes, marks or any further word.",
    "classify_cot": "On the first line of your reply write {choices}: one of them alone, without quotes or marks. "
    "On the lines after it say why, step by step.",
    "cot_classify": "Think it through first, step by step, before you settle on anything. Then write your choice "
    "alone on the last line, without quotes or marks: {choices}.",
}


@dataclass(frozen=True)
class Classification:
    """A question to a judge whose reply is one of `choices`, each worth its score.

    only_first: only the first line that is not empty is read, as a rubric promises.
    """

    prompt: str
    choices: tuple[str, ...]
    scores: tuple[float, ...]
    form: Form = "cot_classify"
    match: str = "starts_or_endswith"
    only_first: bool = False

    def ask(self, fields: Mapping[str, str]) -> str:
        """The prompt with its places filled, and the contract. Raises ConfigError for a place without a field."""
        quoted = " or ".join(f'"{choice}"' for choice in self.choices)
        return f"{fill(self.prompt, fields)}\n\n{_CONTRACTS[self.form].format(choices=quoted)}"

    def read(self, reply: str) -> str:
        """The choice that a reply names, or `__invalid__`."""
        lines = [line.strip().translate(_PUNCTUATION).strip() for line in reply.strip().split("\n")]
        lines = [line for line in (reversed(lines) if self.form == "cot_classify" else lines) if line]
        matches = MATCHES[self.match]
        for line in lines[:1] if self.only_first else lines:
            for choice in self.choices:
                if matches(line, choice):
                    return choice
        return INVALID

    def score(self, choice: str) -> float:
        """What a choice is worth; `__invalid__` as little as any."""
        return min(self.scores) if choice == INVALID else self.scores[self.choices.index(choice)]


def fill(prompt: str, fields: Mapping[str, str]) -> str:
    """{name} replaced once, so that what an answer says is never taken for a place. Raises ConfigError."""

    def put(place: re.Match[str]) -> str:
        if place[1] not in fields:
            raise ConfigError(f"nothing to put for {place[0]}", where="rubric", hint=did_you_mean(place[1], fields))
        return fields[place[1]]

    return _PLACE.sub(put, prompt)


def read_classification(path: Path) -> Classification:
    """A rubric (.md), or what stands under a name in a registry of OpenAI Evals, as JSON. Raises DataError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=path) from None
    return read_rubric(text, path) if path.suffix == ".md" else _from_registry(read_json(text, path), path)


# ---- rubrics ---------------------------------------------------------------------------------------------------------

_MATERIAL = "[QUESTION]\n{question}\n[END OF QUESTION]\n\n[ANSWER]\n{answer}\n[END OF ANSWER]"
_WITH_REFERENCE = (
    "[QUESTION]\n{question}\n[END OF QUESTION]\n\n[REFERENCE]\n{reference}\n[END OF REFERENCE]\n\n"
    "[ANSWER]\n{answer}\n[END OF ANSWER]"
)


def read_rubric(text: str, where: object, *, reference: bool = False) -> Classification:
    """A rubric's text. Places are {question}, {answer} and {reference}; without any, they are put before its question.

    Raises DataError, naming the line, for letters that are not A, B, C, ... in this order, or have no score.
    """
    asked: list[str] = []
    options: list[tuple[str, float, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if found := _OPTION.match(line.rstrip()):
            options.append(_option(found, len(options), f"{where}:{number}"))
        elif options and line[:1].isspace() and line.strip():  # an option's further lines
            letter, score, said = options[-1]
            options[-1] = (letter, score, f"{said} {line.strip()}")
        elif options and line.strip():
            raise DataError("text after the options", where=f"{where}:{number}", hint="lines of an option are indented")
        else:
            asked.append(line)
    question = "\n".join(asked).strip()
    if len(options) < _FEWEST or not question:
        raise DataError("no rubric: a question and at least two options", where=where, hint='"- A (1): it does"')
    shown = "\n".join(f"{letter}: {said}" for letter, _, said in options)
    material = "" if _PLACE.search(question) else f"{_WITH_REFERENCE if reference else _MATERIAL}\n\n"
    letters, scores = tuple(one[0] for one in options), tuple(one[1] for one in options)
    return Classification(f"{material}{question}\n\n{shown}", letters, scores, "classify_cot", "exact", only_first=True)


def _option(found: re.Match[str], place: int, where: str) -> tuple[str, float, str]:
    letter, score, said = found.groups()
    if letter != _LETTERS[place]:
        raise DataError(f"option {letter} where {_LETTERS[place]} is due", where=where)
    if score is None:
        raise DataError(f"option {letter} has no score", where=where, hint=f'"- {letter} (0.5): ..."')
    return letter, float(score), said


# ---- OpenAI Evals ----------------------------------------------------------------------------------------------------


def _from_registry(found: Any, where: Path) -> Classification:
    if not isinstance(found, dict) or not isinstance(found.get("prompt"), str):
        raise DataError("no classification: an object with prompt, choice_strings and choice_scores", where=where)
    given = found.get("choice_strings")
    choices = tuple(given) if isinstance(given, str | list) else ()
    if len(choices) < _FEWEST or not all(isinstance(one, str) and one for one in choices):
        raise DataError("choice_strings is no list of texts, and no text of letters", where=where)
    if len(set(choices)) != len(choices):
        raise DataError("choice_strings has a choice twice", where=where)
    form, match = found.get("eval_type", "cot_classify"), found.get("match_fn", "starts_or_endswith")
    for name, value, known in (("eval_type", form, get_args(Form)), ("match_fn", match, tuple(MATCHES))):
        if value not in known:
            raise DataError(f"unknown {name} '{value}'", where=where, hint=did_you_mean(str(value), known))
    if found.get("input_outputs", {"input": "completion"}) != {"input": "completion"}:
        raise DataError("input_outputs is another than input: completion", where=where)
    return Classification(found["prompt"], choices, _scores(found.get("choice_scores"), choices, where), form, match)


def _scores(given: Any, choices: tuple[str, ...], where: Path) -> tuple[float, ...]:
    """A number for every choice; "from_strings": the choices are their own."""
    values = dict(zip(choices, choices, strict=True)) if given == "from_strings" else given
    try:
        return tuple(float(values[choice]) for choice in choices)
    except (KeyError, TypeError, ValueError):
        text = "choice_scores has no number for every choice"
        raise DataError(text, where=where, hint="an average needs them; or from_strings") from None
