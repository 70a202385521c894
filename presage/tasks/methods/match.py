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
import re
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.chat import as_prompt
from presage.tasks.methods.choice import ACCURACY
from presage.tasks.task import Example, Graded, Metric, Steps

Rule = Literal["match", "includes", "fuzzy", "json", "exact"]
ANSWER = Decoding(512)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Match:
    """Write, and be compared with the example's targets."""

    rule: Rule = "match"
    decoding: Decoding = ANSWER

    needs_likelihood = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Accuracy, and F1 beside the fuzzy rule."""
        return (ACCURACY, Metric("f1")) if self.rule == "fuzzy" else (ACCURACY,)

    def examine(self, example: Example, context: str) -> Steps:
        """One step: write. An answer that is empty is invalid, and so is one that is no JSON where JSON is due."""
        written: list[list[Completion]] = yield [Generation(as_prompt(example, context), self.decoding)]
        completion = written[0][0]
        answer = completion.text.strip()
        picked = next((target for target in example.targets if RULES[self.rule](answer, target)), None)
        invalid = not answer or (self.rule == "json" and _parsed(answer) is _NO_JSON)
        extra = {"picked": picked, "invalid": invalid, "truncated": completion.truncated}
        scores = {"accuracy": float(picked is not None)}
        if self.rule == "fuzzy":
            scores["f1"] = max((f1(answer, target) for target in example.targets), default=0.0)
        return Graded(scores, answer, extra)


def normalise(text: str) -> str:
    """Without case, punctuation, English articles and further blanks."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def f1(answer: str, target: str) -> float:
    """Of the words that both share, each counted as often as it occurs in both."""
    words = [Counter(normalise(text).split()) for text in (answer, target)]
    shared = (words[0] & words[1]).total()
    return 2 * shared / (words[0].total() + words[1].total()) if shared else 0.0


def _fuzzy(answer: str, target: str) -> bool:
    one, other = normalise(answer), normalise(target)
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
    "exact": lambda answer, target: normalise(answer) == normalise(target),
}
