"""A rule-based reward model: a rubric put to a judge, and what its verdict is worth on a request of a known kind.

The GPT-4 report (§6, and §3.1 of the system card; papers.md §9.12): zero-shot classifiers that see the prompt, where it
is given, the policy's output and a rubric give an *additional* reward on a *subset* of the prompts. On requests for
what is disallowed they reward refusing; on requests that are safe and can be answered they reward not refusing. Neither
the numbers nor the scores of the two other classes are published; REWARDS is our reading, and the only place where it
stands. Where the reward model prefers what the rules do not, the report computes "optimal" weights to overcome it, by a
formula that is not published either; ours is overcoming_weight in presage.align.weighing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from presage.align.refusals import Outcome, refusal
from presage.align.rubric import KINDS, Kind, Rubric, ask, read_answer
from presage.core.errors import ConfigError, DataError
from presage.core.seeds import derive
from presage.data.verbs import Completion, Decoding, Generation, LanguageModel, Message, Prompt

Request = Literal["allowed", "disallowed"]
REQUESTS: tuple[Request, ...] = get_args(Request)
Identity = dict[str, str | int | float | bool | None]


# ---- classifying -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What is judged. The prompt may be withheld; the id gives the judge's sampling its seed."""

    id: str
    prompt: Prompt | None
    completion: str


@dataclass(frozen=True)
class Verdict:
    """Class of a completion, by the option of this letter; without a letter the judge was out of contract, the class is
    "invalid", and `why` is what it said instead."""

    letter: str | None
    kind: Kind
    why: str

    @property
    def valid(self) -> bool:
        """Did the judge keep to the contract?"""
        return self.letter is not None


JUDGING = Decoding(max_tokens=96)
"""Greedy; room for the letter and a sentence or two."""


class Judge(Protocol):
    """Whoever answers a rubric: "first line a single letter, then why", or whatever it says."""

    def answers(self, rubric: Rubric, cases: Sequence[Case]) -> list[str]:
        """What is said of every case, in order."""
        ...

    def identity(self) -> Identity:
        """What the answers depend on, for records."""
        ...


@dataclass(frozen=True)
class ModelJudge:
    """A language model as a judge, asked zero-shot, `batch` cases at a time."""

    model: LanguageModel
    decoding: Decoding = JUDGING
    seed: int = 0
    batch: int = 64

    def __post_init__(self) -> None:
        if self.batch < 1 or self.decoding.samples != 1:
            raise ConfigError("a judge answers one sample a case, in batches of at least one")

    def answers(self, rubric: Rubric, cases: Sequence[Case]) -> list[str]:
        """The model's words; a case's do not depend on the others beside it. What did not fit its context was not
        judged, and is answered out of contract, whatever the model said of the rest."""
        found: list[str] = []
        for start in range(0, len(cases), self.batch):
            part = [self._request(rubric, case) for case in cases[start : start + self.batch]]
            found += [_said(completion) for [completion] in self.model.generate(part)]
        return found

    def identity(self) -> Identity:
        """The model's, and how it was sampled."""
        return self.model.identity() | {"judge_seed": self.seed, "judge_temperature": self.decoding.temperature}

    def _request(self, rubric: Rubric, case: Case) -> Generation:
        text = ask(rubric, case.prompt, case.completion)
        return Generation((Message("user", text),), self.decoding, derive(self.seed, "judge", rubric.digest, case.id))


def _said(completion: Completion) -> str:
    cut = completion.truncated
    return f"not judged: {cut} tokens of rubric and material did not fit the context" if cut else completion.text


@dataclass(frozen=True)
class RuleJudge:
    """A rule as a judge: rule(completion, prompt) is a class, answered as the first option of the rubric that has it:
    its letter says no more than the class.

    A class that the rubric does not know is out of contract, as any other answer would be.
    """

    rule: Callable[[str, Prompt | None], Kind]
    name: str

    def answers(self, rubric: Rubric, cases: Sequence[Case]) -> list[str]:
        """The letters of the classes, the rule's name for a reason."""
        kinds = [self.rule(case.completion, case.prompt) for case in cases]
        options = [rubric.first(kind) for kind in kinds]
        return [
            f"{option.letter}\nby rule: {self.name}" if option else f"by rule {self.name}: {kind}, which is no option"
            for option, kind in zip(options, kinds, strict=True)
        ]

    def identity(self) -> Identity:
        """The rule's name."""
        return {"backend": "rule", "rule": self.name}


@dataclass(frozen=True)
class Classifier:
    """A rubric and a judge: a classifier over (prompt, completion)."""

    rubric: Rubric
    judge: Judge

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """One a case, in order; none is dropped."""
        return [self._verdict(text) for text in self.judge.answers(self.rubric, cases)]

    def identity(self) -> Identity:
        """The judge's, and the rubric's digest."""
        return self.judge.identity() | {"rubric": self.rubric.title, "rubric_sha256": self.rubric.digest}

    def _verdict(self, text: str) -> Verdict:
        answer = read_answer(self.rubric, text)
        option = self.rubric.option(answer.letter)
        return Verdict(answer.letter, option.kind if option else "invalid", answer.why)


def refusal_judge() -> RuleJudge:
    """The rule of presage.align.refusals. A refusal that goes on to help is of undesired style ("a refusal plus extra
    content" in the published rubric); it cannot tell disallowed content from an answer, and never says "disallowed"."""
    return RuleJudge(_by_refusal, "refusals")


_CLASS: dict[Outcome, Kind] = {"refusal": "refusal", "partial": "bad_refusal", "answer": "answer"}


def _by_refusal(completion: str, prompt: Prompt | None) -> Kind:
    asked = prompt if prompt is None or isinstance(prompt, str) else prompt[-1].content
    return _CLASS[refusal(completion, asked)]


# ---- rewards ---------------------------------------------------------------------------------------------------------

Rewards = Mapping[tuple[Request, Kind], float]

REWARDS: Rewards = {
    ("disallowed", "refusal"): 1.0,
    ("disallowed", "bad_refusal"): 0.25,
    ("disallowed", "answer"): -0.5,
    ("disallowed", "disallowed"): -1.0,
    ("disallowed", "invalid"): -1.0,
    ("allowed", "answer"): 1.0,
    ("allowed", "refusal"): -0.5,
    ("allowed", "bad_refusal"): -0.75,
    ("allowed", "disallowed"): -1.0,
    ("allowed", "invalid"): -1.0,
}
"""(kind of request, class) -> reward. Published: on disallowed requests refusing is rewarded, on safe ones
not refusing.

Ours, since not published: all numbers; that the desired refusal is class (a) and not refusing class (d) of the system
card; that on a disallowed request a refusal in bad style still beats an answer without harm, which evades or did not
understand; that on an allowed one a refusal in good style loses less than one in bad style; that harmful content is the
worst everywhere. What the judge says out of contract has the lowest score of its row: never a gain, never dropped.
"""


def checked_rewards(table: Rewards) -> Rewards:
    """The table, if it is one: whole, finite, "invalid" nowhere above another class of its row. Raises ConfigError."""
    for request in REQUESTS:
        for kind in KINDS:
            if not math.isfinite(table.get((request, kind), math.nan)):
                raise ConfigError("no finite reward", where=f"{request}, {kind}", hint="give every class a number")
        lowest = min(table[request, kind] for kind in KINDS)
        if table[request, "invalid"] > lowest:
            raise ConfigError("'invalid' above the lowest reward", where=request, hint=f"at most {lowest:g}")
    return table


@dataclass(frozen=True)
class Graded:
    """A case, and of which kind its request is known to be; `prompt_id` is that of the request, one for all of its
    completions, by which the subset is stated."""

    case: Case
    request: Request
    prompt_id: str


@dataclass(frozen=True)
class Addition:
    """What the rules add to a completion's reward: 0 without a verdict, where its prompt is not of the subset."""

    reward: float
    verdict: Verdict | None


@dataclass(frozen=True)
class Rules:
    """The rule-based part of a reward: weight x the table's number, on the prompts of `subset` (None: on all)."""

    classifier: Classifier
    weight: float = 1.0
    subset: frozenset[str] | None = None
    table: Rewards = field(default_factory=lambda: REWARDS)

    def __post_init__(self) -> None:
        checked_rewards(self.table)
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise ConfigError("a weight is a number from 0 up", where=f"weight={self.weight}")

    def additions(self, graded: Sequence[Graded]) -> list[Addition]:
        """One a case, in order. The judge is asked about the subset alone. Raises DataError for an unknown kind."""
        for one in graded:
            if one.request not in REQUESTS:
                raise DataError(
                    f"unknown kind of request {one.request!r}", where=one.prompt_id, hint="/".join(REQUESTS)
                )
        inside = [place for place, one in enumerate(graded) if self.subset is None or one.prompt_id in self.subset]
        verdicts = self.classifier.verdicts([graded[place].case for place in inside])
        found = dict(zip(inside, verdicts, strict=True))
        return [self._addition(one, found.get(place)) for place, one in enumerate(graded)]

    def _addition(self, one: Graded, verdict: Verdict | None) -> Addition:
        return Addition(self.weight * self.table[one.request, verdict.kind] if verdict else 0.0, verdict)


def drawn_subset(ids: Sequence[str], share: float, seed: int) -> frozenset[str]:
    """A share of the prompts, each by its own draw: the same one is in or out whatever else is asked. Raises
    ConfigError for a share outside 0 to 1."""
    if not 0 <= share <= 1:
        raise ConfigError("a share is from 0 to 1", where=f"share={share}")
    return frozenset(one for one in ids if derive(seed, "rbrm", one) / 2**63 < share)
