"""Examples of a task asked of a model, all together: every step's requests in one call a verb."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from presage.core.errors import ConfigError, PresageError
from presage.data.verbs import Continuation, Generation, LanguageModel, Rolling
from presage.tasks.task import Example, Execute, Graded, Method, Request, Steps, ToJudge, Verdict

T = TypeVar("T")


class Executor(Protocol):
    """What runs programs against their tests: the sandbox."""

    def check(self, programs: Sequence[Execute]) -> list[Verdict]:
        """A verdict a program, in their order."""
        ...


@dataclass(frozen=True)
class Exchange:
    """One example with everything that was asked about it and answered, for the log."""

    example: Example
    graded: Graded
    asked: tuple[tuple[Request, Any], ...]


@dataclass
class Runner:
    """Who answers: the model examined, and where a task needs them a judge and a sandbox."""

    model: LanguageModel
    judge: LanguageModel | None = None
    sandbox: Executor | None = None

    def run(self, method: Method, examples: Sequence[Example], contexts: Sequence[str]) -> list[Exchange]:
        """Every example graded, in order. Raises ConfigError where a judge or a sandbox is needed and missing."""
        talks = [_Talk(method.examine(one, text), one, []) for one, text in zip(examples, contexts, strict=True)]
        for talk in talks:
            talk.hear(None)
        while active := [talk for talk in talks if talk.graded is None]:
            asked = [(talk, request) for talk in active for request in talk.wanted]
            answers = iter(self.answer([request for _, request in asked]))
            for talk in active:
                talk.hear([next(answers) for _ in talk.wanted])
        return [Exchange(talk.example, talk.graded, tuple(talk.log)) for talk in talks if talk.graded is not None]

    def answer(self, requests: Sequence[Request]) -> list[Any]:
        """Answers to requests of any kind, in their order. Raises PresageError for a log-probability not finite, and
        where there are not as many answers, or texts, as were asked for."""
        answers: list[Any] = [None] * len(requests)
        for kind, ask in self._verbs().items():
            places = [i for i, request in enumerate(requests) if isinstance(request, kind)]
            if places:
                some = [requests[i] for i in places]
                found = ask(some)
                who = self._name(kind)
                _check_whole(some, found, who)
                _check_finite(found, who)
                for place, answer in zip(places, found, strict=True):
                    answers[place] = answer
        return answers

    def _verbs(self) -> dict[type, Callable[[list[Any]], list[Any]]]:
        return {
            Continuation: lambda some: self.model.loglikelihood(some),
            Rolling: lambda some: self.model.rolling_loglikelihood([one.text for one in some]),
            Generation: lambda some: self.model.generate(some),
            ToJudge: lambda some: self._judging().generate([one.generation for one in some]),
            Execute: lambda some: self._executing().check(some),
        }

    def _name(self, kind: type) -> str:
        """Who answers requests of a kind."""
        return "the sandbox" if kind is Execute else (self._judging() if kind is ToJudge else self.model).name

    def _judging(self) -> LanguageModel:
        if self.judge is None:
            raise ConfigError("answers are graded by a judge, and none is given", hint="name a model: --judge")
        return self.judge

    def _executing(self) -> Executor:
        if self.sandbox is None:
            raise ConfigError("answers are programs, and no sandbox is open")
        return self.sandbox


class _Talk:
    """One example's conversation."""

    def __init__(self, steps: Steps, example: Example, log: list[tuple[Request, Any]]) -> None:
        self.steps, self.example, self.log = steps, example, log
        self.wanted: list[Request] = []
        self.graded: Graded | None = None

    def hear(self, answers: list[Any] | None) -> None:
        """Take the answers to what was wanted, and say what is wanted next."""
        self.log += zip(self.wanted, answers or [], strict=True)
        try:
            self.wanted = next(self.steps) if answers is None else self.steps.send(answers)
        except StopIteration as end:
            self.wanted, self.graded = [], _with_truncated(end.value, self.log)


def _with_truncated(graded: Graded, log: Sequence[tuple[Request, Any]]) -> Graded:
    """With the tokens cut from prompts, summed over all that was asked, so that no method can forget a request. What
    the judge did not see stands apart."""
    own = [answer for request, answer in log if isinstance(request, Continuation | Rolling | Generation)]
    judged = [answer for request, answer in log if isinstance(request, ToJudge)]
    extra = {**graded.extra, "truncated": _truncated(own)}
    return replace(graded, extra=extra | ({"judge_truncated": _truncated(judged)} if judged else {}))


def _truncated(answers: Sequence[Any]) -> int:
    """Of completions of one prompt, which are cut alike, the prompt once."""
    return sum(max((part.truncated for part in _parts(one)), default=0) for one in answers)


def _parts(answer: Any) -> list[Any]:
    return answer if isinstance(answer, list) else [answer]


def _check_whole(requests: Sequence[Request], answers: Sequence[Any], who: str) -> None:
    if len(answers) != len(requests):
        raise PresageError(f"gives {len(answers)} answers to {len(requests)} requests", where=who, hint=_MISMATCH)
    for request, answer in zip(requests, answers, strict=True):
        asked = request.generation if isinstance(request, ToJudge) else request
        if isinstance(asked, Generation) and len(answer) != asked.decoding.samples:
            what = f"writes {len(answer)} texts where {asked.decoding.samples} were asked for"
            raise PresageError(what, where=who, hint=_MISMATCH)


_MISMATCH = "what was answered before is kept: --resume goes on once it is mended"


def _check_finite(answers: Sequence[Any], who: str) -> None:
    for number in (getattr(part, "logprob", None) for one in answers for part in _parts(one)):
        if number is not None and not math.isfinite(number):
            hint = "its numbers overflow: another dtype, or a damaged model"
            raise PresageError(f"gives a log-probability of {number}", where=who, hint=hint)


def parts(questions: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Questions in parts: what has been answered is kept part by part."""
    return (questions[first : first + size] for first in range(0, len(questions), size))
