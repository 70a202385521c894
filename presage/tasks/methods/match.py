"""Answers written by the model and compared with texts: the graders of OpenAI Evals, and an exact one.

| rule | right is an answer that |
| :-- | :-- |
| match | begins with one of the texts |
| includes | holds one of them |
| fuzzy | holds one or is held in one, without case, punctuation, articles and further blanks; F1 of words beside it |
| json | is equal to one of them as JSON |
| exact | is one of them, without case, punctuation, articles and further blanks |

Blanks before and after an answer never count.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from presage.core.seeds import derive
from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.chat import as_prompt
from presage.tasks.methods.choice import ACCURACY
from presage.tasks.methods.free import f1, normalised
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps

Rule = Literal["match", "includes", "fuzzy", "json", "exact"]
ANSWER = Decoding(512)


@dataclass(frozen=True)
class Match:
    """Write, and be compared with the example's targets."""

    rule: Rule = "match"
    decoding: Decoding = ANSWER

    needs = NO_NEEDS
    reads_samples = True

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, and F1 beside the fuzzy rule."""
        return (ACCURACY, Metric("f1")) if self.rule == "fuzzy" else (ACCURACY,)

    def examine(self, example: Example, context: str) -> Steps:
        """One step: write. Scores are means over samples; an answer that is empty, or no JSON where it is due, is
        invalid."""
        request = Generation(as_prompt(example, context), self.decoding, derive(0, "written", example.id))
        written: list[list[Completion]] = yield [request]
        answers = [one.text.strip() for one in written[0]]
        picked = [next((one for one in example.targets if RULES[self.rule](answer, one)), None) for answer in answers]
        scores = {"accuracy": sum(one is not None for one in picked) / len(picked)}
        if self.rule == "fuzzy":
            scores["f1"] = sum(f1(answer, example.targets) for answer in answers) / len(answers)
        facts = {"invalid": any(map(self._invalid, answers)), "truncated": written[0][0].truncated}
        more = {"answers": answers} if len(answers) > 1 else {}
        return Graded(scores, answers[0], {"picked": picked[0], **facts, **more})

    def _invalid(self, answer: str) -> bool:
        return not answer or (self.rule == "json" and _parsed(answer) is _NO_JSON)


def _fuzzy(answer: str, target: str) -> bool:
    one, other = normalised(answer), normalised(target)
    return (one in other or other in one) if one and other else one == other


def same_json(answer: str, target: str) -> bool:
    """Equal as JSON: the order of keys says nothing, and true is not 1. What is no JSON equals nothing."""
    one, other = _parsed(answer), _parsed(target)
    return one is not _NO_JSON and other is not _NO_JSON and _frozen(one) == _frozen(other)


_NO_JSON = object()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _frozen(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_frozen(one) for one in value]
    return (isinstance(value, bool), value)


RULES: dict[str, Callable[[str, str], bool]] = {
    "match": lambda answer, target: answer.startswith(target.strip()),
    "includes": lambda answer, target: target.strip() in answer,
    "fuzzy": _fuzzy,
    "json": same_json,
    "exact": lambda answer, target: normalised(answer) == normalised(target),
}
