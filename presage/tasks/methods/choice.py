"""Multiple choice by likelihood: of every option's text, or of its letter where the options are shown.

| scoring | an option's score |
| :-- | :-- |
| sum | log P(option | context) |
| per_token | the same over the option's tokens: the GPT-3 report's default (§2.4) |
| per_byte | the same over its bytes in UTF-8, which no tokenizer changes |
| unconditional | log P(option | context) - log P(option | answer context): ARC, OpenBookQA and RACE in that report |
| letter | log P(letter | context that shows all options): the GPT-4 report (§4, Table 2) |

The answer is the option of the highest score, the first of equals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from presage.core.errors import ConfigError
from presage.data.verbs import Continuation, Likelihood
from presage.tasks.task import LIKELIHOOD, Example, Graded, Method, Metric, Steps, Task, Template

Scoring = Literal["sum", "per_token", "per_byte", "unconditional", "letter"]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCURACY = Metric("accuracy")
_CUE = re.compile(r"\s*\b(?:answer|a):$", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """Pick the likeliest option. unconditional: the answer context whose likelihoods are divided out."""

    scoring: Scoring = "per_token"
    unconditional: str = "Answer:"
    lead: str = " "
    """What stands between the context and an option."""

    metrics = (ACCURACY,)
    needs = LIKELIHOOD

    def examine(self, example: Example, context: str) -> Steps:
        """The likelihood of every option, in one step."""
        texts = [self.lead + text for text in _shown(self.scoring, example)]
        asked = [Continuation(context, text) for text in texts]
        if self.scoring == "unconditional":
            asked += [Continuation(self.unconditional, text) for text in texts]
        answers: list[Likelihood] = yield list(asked)
        scores = _SCORES[self.scoring](answers, texts)
        return graded(example, scores, answers[: len(texts)])


def graded(example: Example, scores: Sequence[float], answers: Sequence[Likelihood]) -> Graded:
    """The option of the highest score against the right one.

    `probabilities` are the model's own, of the options (or letters) among themselves after the context: the softmax of
    their summed log-probabilities, whatever they are scored by. Scores per token or byte, or with a bare likelihood
    divided out, are logarithms of no probability. So the option picked need not be the most probable one.
    """
    picked = int(np.argmax(scores))
    logprobs = np.array([answer.logprob for answer in answers])
    weights = np.exp(logprobs - logprobs.max())
    extra = {
        "picked": picked,
        "option_scores": [float(score) for score in scores],
        "option_logprobs": [answer.logprob for answer in answers],
        "probabilities": [float(weight) for weight in weights / weights.sum()],
        "truncated": max(answer.truncated for answer in answers),
    }
    return Graded({"accuracy": float(picked == example.answer)}, example.options[picked], extra)


def _shown(scoring: Scoring, example: Example) -> Sequence[str]:
    return LETTERS[: len(example.options)] if scoring == "letter" else example.options


def _sums(answers: Sequence[Likelihood], texts: Sequence[str]) -> list[float]:
    return [answer.logprob for answer in answers]


def _per_token(answers: Sequence[Likelihood], texts: Sequence[str]) -> list[float]:
    return [answer.logprob / max(1, answer.tokens) for answer in answers]


def _per_byte(answers: Sequence[Likelihood], texts: Sequence[str]) -> list[float]:
    return [answer.logprob / len(text.encode()) for answer, text in zip(answers, texts, strict=True)]


def _unconditional(answers: Sequence[Likelihood], texts: Sequence[str]) -> list[float]:
    count = len(texts)
    return [given.logprob - bare.logprob for given, bare in zip(answers[:count], answers[count:], strict=True)]


_SCORES: dict[str, Callable[[Sequence[Likelihood], Sequence[str]], list[float]]] = {
    "sum": _sums,
    "per_token": _per_token,
    "per_byte": _per_byte,
    "unconditional": _unconditional,
    "letter": _sums,
}


# ---- templates -------------------------------------------------------------------------------------------------------


def plain(question: Callable[[Example], str] = lambda example: f"Question: {example.question}\nAnswer:") -> Template:
    """The question alone; a shot's answer is the text of the right option."""
    return Template(question, lambda example: f" {example.options[example.answer or 0]}")


def lettered(
    question: Callable[[Example], str] = lambda example: example.question.strip(),
    header: Callable[[Example], str] = lambda example: "",
) -> Template:
    """The question, the options one a line as "A. text", and "Answer:"; a shot's answer is the letter."""

    def ask(example: Example) -> str:
        options = (f"{letter}. {option}" for letter, option in zip(LETTERS, example.options, strict=False))
        return "\n".join([question(example), *options, "Answer:"])

    return Template(ask, lambda example: f" {LETTERS[example.answer or 0]}", header)


def by_letter(task: Task, source: str = "") -> Task:
    """The same task asked by letter, all options shown, as the GPT-4 report does; `source` says where that is from."""
    template, said = lettered(uncued(task.template), task.template.header), source or f"{task.source}; here by letter"
    return replace(task, name=f"{task.name}_letter", template=template, method=Choice("letter"), source=said)


def uncued(template: Template) -> Callable[[Example], str]:
    """What a template asks without its last line "Answer:" or "A:", so that options can be shown before it."""
    return lambda example: _CUE.sub("", template.ask(example))


# ---- tasks ----------------------------------------------------------------------------------------------------------


def choosing(task: Task) -> Choice:
    """The choice that a task's method makes, itself or wrapped. Raises ConfigError where it makes none."""
    method: Any = getattr(task.method, "choice", task.method)
    if not isinstance(method, Choice):
        kind = type(task.method).__name__
        hint = "ask it as it is declared"
        raise ConfigError(f"asked by {kind}, not by a choice between options", where=task.name, hint=hint)
    return method


def rewrapped(task: Task, method: Method) -> Method:
    """A method in place of the choice that the task's method makes, in the same wrapping."""
    outer: Any = task.method
    return replace(outer, choice=method) if hasattr(outer, "choice") else method
