"""Is a new word used in a sentence? A weak check by rule, and a judge where one is wanted.

The rule sees whether the first sentence written holds the word (or a form of it: its stem with up to three letters
more) among at least `fewest` others. It cannot see whether the use makes sense, nor that the definition was only
repeated; a judge can, and answers yes or no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from presage.core.seeds import derive
from presage.data.verbs import Completion, Decoding, Generation, Message
from presage.tasks.methods.free import ask, said
from presage.tasks.methods.rouge import sentences
from presage.tasks.task import JUDGE, NO_NEEDS, Example, Graded, Metric, Need, Steps, ToJudge

_PARAGRAPH = Decoding(max_tokens=64, stops=("\n\n",))
_ENDINGS = r"(?:\w{0,3})"


@dataclass(frozen=True)
class NovelWord:
    """Write one paragraph, look for the word. judged: also ask the judge, whose verdict is then the metric to quote."""

    judged: bool = False
    fewest: int = 4
    decoding: Decoding = _PARAGRAPH

    @property
    def needs(self) -> frozenset[Need]:
        """A judge, where one is to judge."""
        return JUDGE if self.judged else NO_NEEDS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """judged_right where there is a judge; used, the weak check."""
        return (*((Metric("judged_right"),) if self.judged else ()), Metric("used"))

    def examine(self, example: Example, context: str) -> Steps:
        """Write, look for the word, and where wanted be judged."""
        answers: list[list[Completion]] = yield [ask(example, context, self.decoding)]
        sentence = next(iter(sentences(answers[0][0].text)), "")
        scores = {"used": float(uses(example.targets[0], sentence, self.fewest))}
        extra = said(answers[0][0]) | {"invalid": not sentence}
        if not self.judged:
            return Graded(scores, sentence, extra)
        asked = Generation(_judgement(example, sentence), Decoding(max_tokens=8), derive(0, "judged", example.id))
        verdicts: list[list[Completion]] = yield [ToJudge(asked)]
        verdict = verdicts[0][0].text.strip()
        readable = re.match(r"(?i)(yes|no)\b", verdict)
        right = float(bool(readable) and verdict.lower().startswith("yes"))
        extra |= {"verdict": verdict, "invalid": not readable}
        return Graded({"judged_right": right, **scores}, sentence, extra)


def uses(word: str, sentence: str, fewest: int = 4) -> bool:
    """Whether a sentence holds the word or a form of it, and `fewest` other words."""
    stem = re.escape(word.lower().rstrip("e"))
    found = re.search(rf"\b{stem}{_ENDINGS}\b", sentence.lower())
    return found is not None and len(re.findall(r"\w+", sentence)) > fewest


def _judgement(example: Example, sentence: str) -> tuple[Message, ...]:
    text = (
        f"A word was made up: {example.question}\nSomebody was asked to use it in a sentence, and wrote:\n\n{sentence}"
        "\n\nIs the word used correctly, in that meaning and as the right part of speech? Answer yes or no."
    )
    return (Message("user", text),)
