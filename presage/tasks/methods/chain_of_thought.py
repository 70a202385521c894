"""Chain of thought: the model reasons, then says "The answer is N", and N is read by a stated rule.

The rule: the first answer of the task's kind after the last "the answer is" that one follows; where nobody says so, the
last one in the whole text, and `marked` is false in the log; where there is none at all, the answer is invalid and
wrong.

Zero-shot, a second request asks for the answer after the reasoning ("Therefore, the answer is"; Kojima et al. 2022,
§3), since nothing has shown the model how to end. With several samples the majority decides (self-consistency, Wang et
al. 2022): equal numbers are one vote, of answers with equal votes the one that came first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, Literal

from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.free import ask, decoded, value
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Request, Steps

Kind = Literal["number", "letter", "yes_no", "letters"]
REASONING = Decoding(max_tokens=400, stops=("\n\n", "\nQuestion:", "\nQ:"))

_KINDS: dict[str, str] = {
    "number": r"(?<![\w.,])-?[$€£]?\d[\d,]*(?:\.\d+)?|(?<!\w)-?\.\d+",
    "letter": r"\(([A-Z])\)|\b(?!I\b(?!\s*(?:$|[.,)])))([A-Z])\b(?![’'])",  # "I am" names no option
    "yes_no": r"(?i:\b(yes|no)\b)",
    "letters": r"\b([a-z]+)\b",
}
_MARKER = re.compile(r"the answer is", re.IGNORECASE)
_SHORT = 32


@dataclass(frozen=True)
class ChainOfThought:
    """Reason, then answer. then: what asks for the answer in a request of its own (zero-shot); "" where shots show it.

    marker: what stands before the answer. samples: completions among which the majority decides; more than one needs a
    temperature above 0 in `decoding`.
    """

    kind: Kind = "number"
    decoding: Decoding = REASONING
    then: str = ""
    samples: int = 1

    needs = NO_NEEDS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """accuracy of what is answered; with several samples also of a single one."""
        return (Metric("accuracy"), *((Metric("accuracy_of_one"),) if self.samples > 1 else ()))

    def decoded(self, samples: int | None = None, **changes: Any) -> ChainOfThought:
        """With other settings of the reasoning. Raises ConfigError for several samples at temperature 0."""
        n = samples or self.samples
        return replace(self, samples=n, decoding=decoded(self.decoding, n, **changes))

    def examine(self, example: Example, context: str) -> Steps:
        """Reason (and answer, where `then` asks for it), read every sample, let the majority decide."""
        written, truncated = yield from self._write(example, context)
        read = [extract(text, self.kind) for text in written]
        answers = [answer for answer, _ in read if answer is not None]
        votes = Counter(answers)
        answer = max(votes, key=lambda one: votes[one]) if votes else None
        right = [float(one is not None and one in rights(example, self.kind)) for one, _ in read]
        scores = {"accuracy": float(answer is not None and answer in rights(example, self.kind))}
        scores |= {"accuracy_of_one": sum(right) / len(right)} if self.samples > 1 else {}
        extra: dict[str, Any] = {
            "invalid": answer is None,
            "marked": [marked for _, marked in read],
            "votes": dict(votes),
            "completions": written,
            "truncated": truncated,
        }
        return Graded(scores, answer or "", extra)

    def _write(self, example: Example, context: str) -> Generator[list[Request], list[Any], tuple[list[str], int]]:
        answers: list[list[Completion]] = yield [ask(example, context, replace(self.decoding, samples=self.samples))]
        texts = [one.text for one in answers[0]]
        if not self.then:
            return texts, max(one.truncated for one in answers[0])
        short = Decoding(max_tokens=_SHORT, stops=("\n",))
        ended: list[list[Completion]] = yield [Generation(f"{context}{text}{self.then}", short) for text in texts]
        both = [f"{text}\nThe answer is{one[0].text}" for text, one in zip(texts, ended, strict=True)]
        return both, max(one[0].truncated for one in ended)


def extract(text: str, kind: Kind) -> tuple[str | None, bool]:
    """(the answer in its canonical form, or None; whether it follows "the answer is")."""
    pattern = re.compile(_KINDS[kind])
    for marker in reversed(list(_MARKER.finditer(text))):
        if match := pattern.search(text, marker.end()):
            return _canonical(match, kind), True
    last = next(reversed(list(pattern.finditer(text))), None)
    return (_canonical(last, kind) if last else None), False


def rights(example: Example, kind: Kind) -> list[str]:
    """The example's answers in canonical form."""
    return [_number(target) if kind == "number" else _plain(target, kind) for target in example.targets]


def _canonical(match: re.Match[str], kind: Kind) -> str:
    said = next((group for group in match.groups() if group), match[0])
    return _number(said) if kind == "number" else _plain(said, kind)


def _number(text: str) -> str:
    """Equal numbers spelled equally: 7, 7.0 and $7 are "7", 1,200 is "1200"."""
    number = value(text)
    if number is None:
        return text.strip()
    spelled = f"{number:f}"
    spelled = spelled.rstrip("0").rstrip(".") if "." in spelled else spelled
    return "0" if spelled in ("-0", "") else spelled


def _plain(text: str, kind: Kind) -> str:
    return text.strip().upper() if kind == "letter" else text.strip().lower()
