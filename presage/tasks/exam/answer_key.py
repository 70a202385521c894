"""Multiple choice as an answer key that the model goes on with (GPT-4 report, appendix A.2 and A.7).

Worked examples of a similar exam, each with its explanation, then the question. The explanation is sampled at
temperature 0.3, at most 512 tokens, up to the line with the answer; then the letter at temperature 0, up to "]". Only
generation is asked for, so that any model can sit the exam.

In most of the report's runs the letter was taken from the explanation instead. How is not published; here, with
letter="explanation", the model writes on through the line with the answer and the letter is the one in its brackets, or
else the last in brackets in what it wrote.

Published are the words of the template; blank lines, and where an image's tag stands, are ours. The template of the
report prints a wrong number in its last explanation, a slip that is not repeated here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from presage.core.errors import ConfigError
from presage.data.verbs import Completion, Decoding
from presage.tasks.methods.choice import LETTERS
from presage.tasks.methods.free import ask
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps, Template

HEADER = "ANSWER KEY\n\nHere are the answers for the problems in the exam."
STOP = "\nThe answer is therefore"
EXPLAINING = Decoding(512, (STOP,), 0.3)
_LETTER_TOKENS = 16
_NEXT = "\nProblem "
_STATED = re.compile(r"The answer is therefore \[([^\]\n]*)")
_BRACKETS = re.compile(r"\[([A-Z](?:[ ,;]*[A-Z])*)\]")
HALF = 0.5
"""Of a part's points, for some of its right letters and no wrong one: the rule of the Gaokao's physics papers."""


def image_tag(example: Example) -> str:
    """What a model that sees no images is shown of one: a file name that means nothing. Empty where there is none."""
    image = example.fields.get("image")
    return f"IMAGE: {hashlib.sha256(f'{example.id}/{image}'.encode()).hexdigest()[:10]}.png\n" if image else ""


def key_template() -> Template:
    """Problem, options, and "Explanation for Problem i:"; a shot goes on with explanation and letter."""
    return Template(_ask, _solved, lambda example: HEADER, numbered=True)


def _ask(example: Example) -> str:
    number = example.fields.get("number", 1)
    options = " ".join(f"[{letter}] {text}" for letter, text in zip(LETTERS, example.options, strict=False))
    choose = f"\n\nChoose from the following options: {options}" if options else ""
    problem = f"Problem {number}. {image_tag(example)}{example.question.strip()}"
    return f"{problem}{choose}\nExplanation for Problem {number}:"


def _solved(example: Example) -> str:
    explanation = str(example.fields.get("explanation", "")).strip()
    return f" {explanation}{STOP} [{', '.join(right_letters(example))}]"


def right_letters(example: Example) -> tuple[str, ...]:
    """The letters of every part of a question: one for most, several where a passage has several questions."""
    letters = example.fields.get("letters")
    return tuple(letters) if letters else (LETTERS[example.answer or 0],)


def sampled_once(decoding: Decoding, changes: dict[str, Any]) -> Decoding:
    """The decoding with changes. Raises ConfigError for several samples: an exam is sat once."""
    if changes.get("samples", 1) != 1:
        raise ConfigError("an exam is sat once: one sample a question", where="samples")
    return replace(decoding, **changes)


@dataclass(frozen=True)
class AnswerKey:
    """Explain, then answer. points: of a question without any of its own.

    wrong: points of a wrong answer. blank: points of "[]", where leaving out is allowed; None makes it invalid. An
    answer that is no letter of an option is wrong and counted as invalid.
    """

    points: float = 1.0
    wrong: float = 0.0
    blank: float | None = None
    decoding: Decoding = EXPLAINING
    letter: Literal["sampled", "explanation"] = "sampled"

    metrics = (Metric("accuracy"), Metric("points"))
    needs = NO_NEEDS

    def decoded(self, **changes: Any) -> AnswerKey:
        """With another temperature or length of the explanation. Raises ConfigError for several samples."""
        return replace(self, decoding=sampled_once(self.decoding, changes))

    def examine(self, example: Example, context: str) -> Steps:
        """The explanation is asked for, then the letter; one question where the letter is in the explanation."""
        stops = self.decoding.stops if self.letter == "sampled" else (_NEXT,)
        [[written]] = yield [ask(example, context, replace(self.decoding, stops=stops))]
        if self.letter == "explanation":
            return self._graded(example, _stated(written.text), written, written)
        [[letter]] = yield [ask(example, f"{context}{written.text}{STOP} [", Decoding(_LETTER_TOKENS, ("]",)))]
        return self._graded(example, letter.text, written, letter)

    def _graded(self, example: Example, answer: str, written: Completion, letter: Completion) -> Graded:
        most = float(example.fields.get("points", self.points))
        right = right_letters(example)
        given = read_letters(answer, right, example.options)
        blank = not answer.strip() and self.blank is not None
        invalid = given is None and not blank
        shares = [0.0] * len(right) if given is None else [part_share(a, b) for a, b in zip(given, right, strict=True)]
        earned = (self.blank or 0.0) if blank else self._points(shares, most)
        extra = {
            "points_max": most,
            "picked": LETTERS.index(given[0]) if given and len(given) == len(given[0]) == 1 else None,
            "invalid": invalid,
            "blank": blank,
            "explanation": written.text,
            "explanation_cut": written.finish == "length",
            "truncated": max(written.truncated, letter.truncated),
        }
        accuracy = sum(share == 1 for share in shares) / len(shares)
        return Graded({"accuracy": accuracy, "points": earned}, answer.strip(), extra)

    def _points(self, shares: Sequence[float], most: float) -> float:
        each = most / len(shares)
        return sum(each * share if share else self.wrong for share in shares)


def _stated(text: str) -> str:
    """The letters in the brackets of the line with the answer, or else the last in brackets."""
    stated = _STATED.search(text)
    if stated:
        return stated[1]
    found: list[str] = _BRACKETS.findall(text)
    return found[-1] if found else ""


def read_letters(answer: str, right: Sequence[str], options: Sequence[str]) -> tuple[str, ...] | None:
    """The letters given for every part, as many parts as are asked about; None where they cannot be read."""
    parts = [part for part in re.split(r"[\s,;]+", answer.strip().strip("()[].").upper()) if part]
    if len(parts) == 1 < len(right) == len(parts[0]):
        parts = list(parts[0])  # "BCA" for three parts
    if len(right) == 1 and len(right[0]) > 1:
        parts = ["".join(parts)]  # "A, C" for one part with two right letters
    known = LETTERS[: len(options)] or LETTERS
    fits = len(parts) == len(right) and all(letter in known for part in parts for letter in part)
    single = all(len(given) == 1 or len(one) > 1 for given, one in zip(parts, right, strict=False))
    return tuple("".join(sorted(set(part))) for part in parts) if fits and single else None


def part_share(given: str, right: str) -> float:
    """Of a part's points: all for exactly its letters, half for some of several and no other, else none."""
    if set(given) == set(right):
        return 1.0
    return HALF if len(right) > 1 and set(given) < set(right) else 0.0
