"""Answers written by the model and graded by a judge: a classification or a rubric."""

from __future__ import annotations

from dataclasses import dataclass

from presage.core.seeds import derive
from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.chat import as_prompt, as_text
from presage.tasks.methods.match import ANSWER
from presage.tasks.methods.rubric import INVALID, Classification
from presage.tasks.task import JUDGE, Example, Graded, Metric, Steps, ToJudge

JUDGING = Decoding(1024)


@dataclass(frozen=True)
class Judged:
    """The model answers, the judge classifies the answer; the score is that of its choice.

    Places of the prompt: {question} or {input} (what the model was asked), {answer} or {completion} (what it wrote),
    {reference} or {ideal} (what counts as right, several texts with "or" between, "" if none does), and every text
    among the example's fields. A reply that names no choice has the lowest score, and counts as invalid.
    """

    classification: Classification
    decoding: Decoding = ANSWER
    judging: Decoding = JUDGING

    metrics = (Metric("score"),)
    needs = JUDGE
    reads_samples = True

    def examine(self, example: Example, context: str) -> Steps:
        """Two steps: write, be judged. The score is the mean over samples."""
        request = Generation(as_prompt(example, context), self.decoding, derive(0, "written", example.id))
        written: list[list[Completion]] = yield [request]
        asked = [self.classification.ask(_fields(example, one.text)) for one in written[0]]
        replies: list[list[Completion]] = yield [ToJudge(Generation(text, self.judging)) for text in asked]
        judged = [reply[0].text for reply in replies]
        choices = [self.classification.read(text) for text in judged]
        score = sum(map(self.classification.score, choices)) / len(choices)
        facts = {"invalid": INVALID in choices, "truncated": written[0][0].truncated}
        return Graded({"score": score}, written[0][0].text, {"choices": choices, "judge": judged, **facts})


def _fields(example: Example, answer: str) -> dict[str, str]:
    texts = {name: value for name, value in example.fields.items() if isinstance(value, str)}
    asked, right = as_text(example), " or ".join(example.targets)
    named = {"question": asked, "input": asked, "answer": answer, "completion": answer}
    return {**texts, **named, "reference": right, "ideal": right}
