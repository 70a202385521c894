"""What a completion is worth to a policy that learns: a reward model's score, plus what the rules add.

The rules' weight is given, or computed before the first step from the starting policy's own answers, as the least that
overcomes the reward model where it prefers what they do not (presage.align.weighing).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field

from presage.align.learners import LARGEST
from presage.align.prompts import Asked
from presage.align.rbrm import Addition, Case, Classifier, Graded, Judge, ModelJudge, Rules, drawn_subset, refusal_judge
from presage.align.reading import rewards
from presage.align.rollout import Rollout
from presage.align.rubric import Rubric, read_rubric, refusal_style
from presage.align.weighing import Weighing, gaps, overcoming_weight
from presage.align.world.judging import world_judge
from presage.align.world.requests import read_requests
from presage.core.config import Config, File
from presage.core.errors import RunError
from presage.data.bpe import Tokenizer
from presage.infer.opening import open_model
from presage.model.transformer import Transformer


class RulesConfig(Config):
    """Rule-based rewards (papers.md §9.12)."""

    judge: str = "refusals"
    """Who classifies: "refusals", a programmatic rule; "world", the policy world's own judge, which reads programs; or
    a model: a run directory, hf:DIR or an address."""
    rubric: File | None = None
    """What a model is asked; by default the refusal style's."""
    weight: float | None = Field(default=None, ge=0, le=LARGEST)
    """Times the table's reward; by default computed, as the least that overcomes the reward model."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the prompts, to which they are applied."""
    margin: float = Field(default=0.1, gt=0)
    """By how much the weighed sum shall prefer what the rules do."""
    overcome: float = Field(default=0.95, gt=0, le=1)
    """In which share of the conflicts."""
    weigh_prompts: int = Field(default=128, gt=0)
    """Prompts, with four answers each, from which the weight is computed."""


@dataclass(frozen=True)
class Grade:
    """What a completion is worth, and of what it is made; class and text for the records."""

    score: float
    model: float
    rules: float
    kind: str
    text: str


@dataclass(frozen=True)
class Grader:
    """Grades completions. Either part may be missing; both are multiplied by `scale`, and `unfinished` is added where a
    completion has no end."""

    tokenizer: Tokenizer
    model: Transformer | None
    rules: Rules | None
    unfinished: float = 0.0
    scale: float = 1.0

    def grades(self, asked: Sequence[Asked], rollouts: Sequence[Rollout]) -> list[Grade]:
        """One a completion, in order. Raises RunError for a reward that is no number, naming its prompt."""
        texts = [one.text(self.tokenizer) for one in rollouts]
        scores = self._scores(rollouts)
        additions = self._additions(asked, texts)
        found = []
        for one, roll, text, score, added in zip(asked, rollouts, texts, scores, additions, strict=True):
            total = self.scale * (score + added.reward) + (0.0 if roll.ended else self.unfinished)
            if not math.isfinite(total):
                raise RunError(f"a reward of {total}", where=f"prompt {one.id}", hint="the reward model is damaged")
            kind = added.verdict.kind if added.verdict else ""
            found.append(Grade(total, score, added.reward, kind, text))
        return found

    def weighed(self, asked: Sequence[Asked], rollouts: Sequence[Rollout], config: RulesConfig) -> Weighing:
        """The weight that these answers ask for: completions of one prompt stand together."""
        if self.rules is None:
            raise RunError("no rules to weigh", where="rules")
        plain = replace(self, rules=replace(self.rules, weight=1.0))
        grades = plain.grades(asked, rollouts)
        by: dict[str, list[Grade]] = {}
        for one, grade in zip(asked, grades, strict=True):
            by.setdefault(one.id, []).append(grade)
        pairs = [gap for some in by.values() for gap in gaps([one.model for one in some], [one.rules for one in some])]
        return overcoming_weight(pairs, config.margin, config.overcome)

    def deviation(self, asked: Sequence[Asked], rollouts: Sequence[Rollout]) -> float:
        """Standard deviation of what these answers are worth, before any scale."""
        return statistics.pstdev(one.model + one.rules for one in self.grades(asked, rollouts))

    def _scores(self, rollouts: Sequence[Rollout]) -> list[float]:
        if self.model is None:
            return [0.0] * len(rollouts)
        eot = self.tokenizer.eot
        return rewards(self.model, [one.ids if one.ended else [*one.ids, eot] for one in rollouts]).tolist()

    def _additions(self, asked: Sequence[Asked], texts: Sequence[str]) -> list[Addition]:
        """None for prompts of no known kind."""
        found = [Addition(0.0, None)] * len(texts)
        if self.rules is None:
            return found
        known = [place for place, one in enumerate(asked) if one.kind is not None]
        graded = [
            Graded(Case(asked[place].id, asked[place].messages, texts[place]), kind, asked[place].id)
            for place in known
            if (kind := asked[place].kind) is not None
        ]
        for place, addition in zip(known, self.rules.additions(graded), strict=True):
            found[place] = addition
        return found


def rules_of(config: RulesConfig, asked: Sequence[Asked], files: Sequence[Path], seed: int) -> Rules:
    """The rules of a config, with weight 1 where it is to be computed."""
    subset = None if config.share == 1 else drawn_subset([one.id for one in asked], config.share, seed)
    classifier = Classifier(_rubric(config), _judge(config, files))
    return Rules(classifier, 1.0 if config.weight is None else config.weight, subset)


def _rubric(config: RulesConfig) -> Rubric:
    return read_rubric(config.rubric) if config.rubric else refusal_style()


def _judge(config: RulesConfig, files: Sequence[Path]) -> Judge:
    if config.judge == "refusals":
        return refusal_judge()
    if config.judge == "world":
        return world_judge(read_requests(*files))
    return ModelJudge(open_model(config.judge))
