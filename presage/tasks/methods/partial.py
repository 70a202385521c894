"""Blanks filled from two or more candidates, judged by the text around the candidate, not by the candidate alone.

| scoring | a candidate's score | after |
| :-- | :-- | :-- |
| partial | log P(text after the blank | text before it, filled) | Trinh and Le 2018; the GPT-2 and GPT-3 reports |
| full | log P(candidate and text after it | text before it) | the same |

"Partial" compares one completion after several contexts, so neither the candidate's frequency nor its length counts;
"full" ranks as log P of the whole sentence does, since the text before the blank is the same for all. The GPT-1 report
(§5) takes the mean over tokens of the partial text, which ranks alike: all candidates are followed by the same tokens.
Where nothing follows the blank there is no partial text, and the full one is scored.

An example's fields hold `before` (what the template's question is), `lead` (what stands between it and a candidate)
and `rest`; its options are the candidates, in the case that the sentence asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from presage.data.verbs import Continuation, Likelihood
from presage.tasks.methods.choice import ACCURACY, graded
from presage.tasks.task import LIKELIHOOD, Example, Steps, Template


@dataclass(frozen=True)
class Partial:
    """Pick the candidate that makes the sentence likeliest."""

    scoring: Literal["partial", "full"] = "partial"

    metrics = (ACCURACY,)
    needs = LIKELIHOOD

    def examine(self, example: Example, context: str) -> Steps:
        before, lead, rest = (str(example.fields[name]) for name in ("before", "lead", "rest"))
        joint = "\n\n" if context and not before else lead
        filled = [joint + option for option in example.options]
        if self.scoring == "partial" and rest:
            asked = [Continuation(context + text, rest) for text in filled]
        else:
            asked = [Continuation(context, text + rest) for text in filled]
        answers: list[Likelihood] = yield list(asked)
        return graded(example, [answer.logprob for answer in answers], answers)


def blank() -> Template:
    """The text before the blank; a shot's answer is the right candidate and the rest."""
    return Template(lambda example: str(example.fields["before"]), _solution)


def _solution(example: Example) -> str:
    return f"{example.fields['lead']}{example.options[example.answer or 0]}{example.fields['rest']}"
