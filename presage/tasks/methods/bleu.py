"""Translation: corpus BLEU by sacrebleu, and chrF beside it.

BLEU is of the whole corpus: n-gram counts are added up over sentences, not scores. What a sentence adds is kept in
`extra["bleu"]`, so that any set of sentences has its BLEU without reading a text again; a sentence's own score in the
log is sentence BLEU. The report's first generated sentence is the first line written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from presage.core.errors import ConfigError
from presage.data.verbs import Completion, Decoding
from presage.tasks.methods.free import BEAM, ask, said
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps

_ORDER = 4


def corpus_bleu(metric: str, graded: Sequence[Graded]) -> float:
    """BLEU in 0..100 over what every sentence counted: sacrebleu's own formula, with its exponential smoothing."""
    counts = np.sum([one.extra["bleu"] for one in graded], axis=0).tolist()
    scored = _sacrebleu().BLEU.compute_bleu(
        counts[:_ORDER], counts[_ORDER:-2], counts[-2], counts[-1], smooth_method="exp"
    )
    return float(scored.score)


@dataclass(frozen=True)
class Bleu:
    """Write one line, compare with the targets. tokenize: sacrebleu's name of what splits words ("char" where a
    language is written without blanks)."""

    tokenize: str = "13a"
    decoding: Decoding = BEAM
    needs = NO_NEEDS
    metrics = (Metric("bleu", aggregate=corpus_bleu), Metric("chrf"))

    def examine(self, example: Example, context: str) -> Steps:
        """Write one line; count its n-grams."""
        sacrebleu = _sacrebleu()
        answers: list[list[Completion]] = yield [ask(example, context, self.decoding)]
        text = answers[0][0].text.strip()
        references = [[target] for target in example.targets]
        corpus = sacrebleu.BLEU(tokenize=self.tokenize).corpus_score([text], references)
        alone = sacrebleu.BLEU(tokenize=self.tokenize, effective_order=True).sentence_score(text, example.targets)
        chrf = sacrebleu.CHRF().sentence_score(text, example.targets)
        counts = [*corpus.counts, *corpus.totals, corpus.sys_len, corpus.ref_len]
        extra = said(answers[0][0]) | {"bleu": [int(count) for count in counts], "invalid": not text}
        return Graded({"bleu": float(alone.score), "chrf": float(chrf.score)}, text, extra)


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise ConfigError("BLEU needs sacrebleu", hint="pip install 'presage[eval]'") from None
    return metrics
