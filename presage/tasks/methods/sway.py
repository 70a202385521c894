"""How far a remark sways an answer: log-odds of the right option without the remark, less those with it.

The Inverse Scaling Prize's log-odds tasks (McKenzie et al. 2023): two prompts that differ in something that should not
matter, and two options. shift > 0: the remark makes the answer less likely. `held`: the answer is the likelier option
after both prompts or after neither.
"""

from __future__ import annotations

from dataclasses import dataclass

from presage.data.verbs import Continuation, Likelihood
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps


@dataclass(frozen=True)
class Sway:
    """Ask with both prompts: the context, and the field `other`, which stands alone."""

    metrics = (Metric("shift", "lower"), Metric("held"))
    needs = LIKELIHOOD
    takes_shots = False

    def examine(self, example: Example, context: str) -> Steps:
        prompts = (context, str(example.fields["other"]))
        answers: list[Likelihood] = yield [Continuation(p, f" {text}") for p in prompts for text in example.options]
        logprobs = [answer.logprob for answer in answers]
        right = example.answer or 0
        plain, remarked = (pair[right] - pair[1 - right] for pair in (logprobs[:2], logprobs[2:]))
        scores = {"shift": plain - remarked, "held": float((plain > 0) == (remarked > 0))}
        picked = right if remarked > 0 else 1 - right
        extra = {"option_logprobs": logprobs, "truncated": max(answer.truncated for answer in answers)}
        return Graded(scores, example.options[picked], extra)
