"""A judge of what people ask a model and of what it answers: a model of ours, in one of three ways.

| what it is | how it is asked | categories |
| :-- | :-- | :-- |
| a run of `presage finetune` on labelled texts | the probability of each label | its labels but the harmless one |
| a model, and a rubric | as a rule-based reward model's judge; of answers only | the rubric's title |
| any other model | P(yes) over P(yes) + P(no), for each class of the moderation paper | their names |

A judge is as good as its model: the card's moderation part measures the third way (`presage card`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from presage.align import finetune
from presage.align.card_moderation import CLASSES
from presage.align.finetune_data import Item, own
from presage.align.finetune_inputs import MARKS, Marks, batch, encode, grouped
from presage.align.finetune_model import Objective, predicted
from presage.align.rbrm import Case as Judged
from presage.align.rbrm import Classifier, ModelJudge
from presage.align.rubric import quoted, read_rubric
from presage.core.errors import ConfigError, did_you_mean
from presage.core.run import RunDir, load_config
from presage.data.bpe import Tokenizer
from presage.data.verbs import Continuation, LanguageModel
from presage.model.weights import load_run

Scores = Mapping[str, float]


class Case(Protocol):
    """What is judged: an answer with what was asked, or without an answer what was asked alone."""

    @property
    def prompt(self) -> str: ...

    @property
    def answer(self) -> str | None: ...


def _text(case: Case) -> str:
    return case.prompt if case.answer is None else case.answer


class Questions:
    """Any model, asked of every class whether a text is that."""

    def __init__(self, model: LanguageModel) -> None:
        if not model.has_likelihood:
            raise ConfigError("this judge gives no log-probabilities", where=model.name, hint="a run or hf:DIR")
        self.model, self.name = model, model.name

    def scores(self, cases: Sequence[Case]) -> list[Scores]:
        """One a case, in order."""
        asked = [
            Continuation(f"Text:\n{quoted(_text(case))}\n\nIs this {says}? Answer yes or no.\nAnswer:", word)
            for case in cases
            for _, says in CLASSES.values()
            for word in (" yes", " no")
        ]
        values = iter(self.model.loglikelihood(asked))
        return [
            {name: _share(next(values).logprob, next(values).logprob) for name, _ in CLASSES.values()} for _ in cases
        ]


def _share(yes: float, no: float) -> float:
    return 1 / (1 + math.exp(min(50.0, no - yes)))


class ByRubric:
    """A model and a rubric: 1 for an answer of the class `disallowed`, or one that the judge could not place."""

    def __init__(self, model: LanguageModel, rubric: Path) -> None:
        read = read_rubric(rubric)
        self.classifier, self.name, self.category = Classifier(read, ModelJudge(model)), model.name, read.title

    def scores(self, cases: Sequence[Case]) -> list[Scores]:
        """One a case, in order; what was asked alone is not judged."""
        answers = [(number, case) for number, case in enumerate(cases) if case.answer is not None]
        asked = [Judged(str(number), case.prompt or None, case.answer or "") for number, case in answers]
        found: list[Scores] = [{self.category: 0.0} for _ in cases]
        for (number, _), verdict in zip(answers, self.classifier.verdicts(asked) if asked else [], strict=True):
            found[number] = {self.category: float(verdict.kind in ("disallowed", "invalid"))}
        return found


class Labels:
    """A fine-tuned classifier of texts. harmless: the label that is nothing to act on."""

    def __init__(self, run: Path, harmless: str) -> None:
        config = load_config(finetune.Config, run / "config.json")
        if not config.train or config.form not in (None, "classification") or config.numbers:
            raise ConfigError(
                "no classifier of texts of one's own", where=run, hint="fine-tune on files of text and label"
            )
        data = own(Path(config.train), Path(config.test), config.form, numbers=False)
        if data.form != "classification":
            raise ConfigError("no classifier of single texts", where=run)
        if harmless not in data.classes:
            hint = f"--harmless LABEL; {did_you_mean(harmless, data.classes)}"
            raise ConfigError(f"no label '{harmless}'", where=run, hint=hint)
        self.model, tokenizer = load_run(run)
        self.model.eval()
        self.name, self.classes, self.harmless = run.resolve().name, data.classes, harmless
        self.tokenizer = Tokenizer.load(tokenizer)
        self.marks = Marks.after(self.model.config.vocab_size - MARKS)
        self.context = config.context or self.model.config.context_length

    def scores(self, cases: Sequence[Case]) -> list[Scores]:
        """One a case, in order; of a text longer than the context, its beginning."""
        items = [Item(str(number), (_text(case),), 0) for number, case in enumerate(cases)]
        encoded = encode(items, "classification", self.tokenizer, self.marks, self.context)
        found: list[Scores] = [{} for _ in cases]
        for places in grouped(encoded):
            with torch.no_grad():
                rows = predicted(self.model, Objective(choice=False), [batch([encoded[one] for one in places])])
            for place, row in zip(places, rows, strict=True):
                named = zip(self.classes, row, strict=True)
                found[place] = {label: value for label, value in named if label != self.harmless}
        return found


def moderator(
    run: Path, model: LanguageModel | None, rubric: Path | None, harmless: str
) -> Questions | ByRubric | Labels:
    """The judge that a run is. model: the same opened, where it is one that writes."""
    if model is None:
        return Labels(run, harmless)
    return Questions(model) if rubric is None else ByRubric(model, rubric)


def is_classifier(run: Path) -> bool:
    """Is this a run of `presage finetune`?"""
    return (run / "origin.json").is_file() and RunDir(run).stage == finetune.STAGE
