"""Scores as lm-evaluation-harness 0.4.13 counts them, for comparisons item by item.

acc: the option of the highest log P. acc_norm: of the highest log P over its characters (Unicode code points of the
option without the blank before it, not bytes, and not tokens). The first of equals, also where it is the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from presage.data.verbs import Continuation, Likelihood
from presage.tasks.methods.choice import LETTERS, graded
from presage.tasks.methods.pairs import SEPARATOR
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps


@dataclass(frozen=True)
class HarnessChoice:
    """Multiple choice: acc, and where the task has it acc_norm. letters: of the options' letters, as in MMLU. whole:
    options are texts by themselves and nothing is asked before them, so that after shots they are set off as these are.
    """

    norm: bool = False
    letters: bool = False
    whole: bool = False

    needs = LIKELIHOOD

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric("acc"), Metric("acc_norm")) if self.norm else (Metric("acc"),)

    def examine(self, example: Example, context: str) -> Steps:
        lead = f"{SEPARATOR} " if self.whole and context else " "
        answers: list[Likelihood] = yield [Continuation(context, lead + text) for text in self._texts(example)]
        logprobs = [answer.logprob for answer in answers]
        found = graded(example, logprobs, answers)
        by_length = [logprob / len(text) for logprob, text in zip(logprobs, self._texts(example), strict=True)]
        normed = float(int(np.argmax(by_length)) == example.answer)
        scores = {"acc": found.scores["accuracy"], "acc_norm": normed}
        return Graded({metric.name: scores[metric.name] for metric in self.metrics}, found.answer, found.extra)

    def _texts(self, example: Example) -> Sequence[str]:
        return LETTERS[: len(example.options)] if self.letters else example.options
