"""Minimal pairs: which of two sentences is likelier, as a whole, from the beginning of a document.

The first option of an example is the one that counts; sentences that are exactly as likely count one half, so that a
model to which all is alike scores 0.5. One metric, under the name that the pairs give it: accuracy on grammatical
pairs (BLiMP), the share of stereotypes preferred on CrowS-Pairs, where neither end is good and 0.5 is no preference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presage.data.verbs import Continuation, Likelihood
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps, Template

SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Pairs:
    """Compare log P of two whole sentences, in nats, summed over their tokens."""

    metric: str = "accuracy"
    better: Literal["higher", "lower"] = "higher"
    lead: str = ""
    """What stands before a sentence; by default nothing, and after shots what stands between them."""

    needs = LIKELIHOOD

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Metric(self.metric, self.better),)

    def examine(self, example: Example, context: str) -> Steps:
        lead = self.lead or (SEPARATOR if context else "")
        answers: list[Likelihood] = yield [Continuation(context, lead + text) for text in example.options]
        first, second = (answer.logprob for answer in answers)
        score = 0.5 if first == second else float(first > second)
        extra = {"option_logprobs": [first, second], "truncated": max(answer.truncated for answer in answers)}
        return Graded({self.metric: score}, example.options[int(second > first)], extra)


def bare() -> Template:
    """Nothing before the sentence; a shot is the right option alone."""
    return Template(lambda example: "", lambda example: example.options[example.answer or 0])
