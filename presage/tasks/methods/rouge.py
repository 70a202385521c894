"""Summaries after "TL;DR:": ROUGE-1, -2 and -L (F1), with what two rules without a model reach beside them.

The GPT-2 report (§3.6): 100 tokens by top-k sampling with k = 2, the first three sentences of them are the summary.
Lead-3 is the article's own first three sentences, Random-3 three of them at random, in the article's order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from presage.core.errors import ConfigError
from presage.core.seeds import stream
from presage.data.verbs import Completion, Decoding
from presage.tasks.methods.free import ask, said
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps

TL_DR = Decoding(max_tokens=100, temperature=1.0, top_k=2)
_KINDS = ("rouge1", "rouge2", "rougeL")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]?[^\Wa-z_])|\n\s*\n")


def sentences(text: str) -> list[str]:
    """Sentences by a plain rule: they end at . ! ? before a blank and no small letter, and at a blank line."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


@dataclass(frozen=True)
class Rouge:
    """Write, keep the first `keep` sentences, compare with the targets' best. Words are compared by their stems where
    `stemmer`, as is usual with news. The example's field "article" is what the two rules choose from."""

    decoding: Decoding = TL_DR
    keep: int = 3
    stemmer: bool = True
    needs = NO_NEEDS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The model's three and their mean, then Lead-3's and Random-3's."""
        names = (*_KINDS, "rouge_mean")
        return tuple(Metric(f"{who}{name}") for who in ("", "lead3_", "random3_") for name in names)

    def examine(self, example: Example, context: str) -> Steps:
        """Write, cut to sentences, score the model and both rules."""
        scorer = _scorer(self.stemmer)
        answers: list[list[Completion]] = yield [ask(example, context, self.decoding)]
        summary = " ".join(sentences(answers[0][0].text)[: self.keep])
        article = sentences(str(example.fields["article"]))
        shown = {
            "": summary,
            "lead3_": " ".join(article[: self.keep]),
            "random3_": " ".join(self._some(example, article)),
        }
        scores = {f"{who}{name}": value for who, text in shown.items() for name, value in _rouge(scorer, example, text)}
        return Graded(scores, summary, said(answers[0][0]) | {"invalid": not summary})

    def _some(self, example: Example, article: list[str]) -> list[str]:
        chance = stream(0, "random sentences", example.id)
        places = chance.choice(len(article), min(self.keep, len(article)), replace=False)
        return [article[place] for place in sorted(places)]


def _rouge(scorer: Any, example: Example, text: str) -> Sequence[tuple[str, float]]:
    found = scorer.score_multi(list(example.targets), text)
    values = [float(found[name].fmeasure) for name in _KINDS]
    return [*zip(_KINDS, values, strict=True), ("rouge_mean", sum(values) / len(values))]


def _scorer(stemmer: bool) -> Any:
    try:
        from rouge_score import rouge_scorer
    except ImportError:
        raise ConfigError("ROUGE needs rouge-score", hint="pip install 'presage[eval]'") from None
    return rouge_scorer.RougeScorer(list(_KINDS), use_stemmer=stemmer)
