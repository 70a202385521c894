"""A task = data + prompt + method: what is asked, how it is shown, and how answers become scores.

A method is written as a conversation. `examine` is a generator: it yields lists of requests, is sent the answers, and
returns what was found. One example may so take one step (a likelihood for every option) or several (explain, then
answer; write, then be judged; complete, then be executed); whoever runs a task walks all its examples together, and
batches what they ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from presage.data.verbs import Completion, Continuation, Generation, Likelihood, Rolling

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Example:
    """One question.

    id is unique in its task. question: the text that contamination is judged on. options and answer (the index of the
    right one) where it is multiple choice; targets, the texts that count as right, where it is not. group: examples
    that share a passage or the like, whose scores are not independent ("" stands alone). category: a subject, a
    paradigm, a language, for breakdowns. fields: whatever else prompt and method need; plain JSON values.
    """

    id: str
    question: str
    options: tuple[str, ...] = ()
    answer: int | None = None
    targets: tuple[str, ...] = ()
    group: str = ""
    category: str = ""
    fields: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True)
class Graded:
    """What an example came to: a score by metric, the model's answer for people, and what metrics over all need.

    extra holds plain JSON values. Two keys have a meaning everywhere: "probabilities" (of the options, summing to 1,
    for calibration) and "invalid" (True where the answer could not be read, and was scored as wrong).
    """

    scores: Mapping[str, float]
    answer: str = ""
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


def average(metric: str, graded: Sequence[Graded]) -> float:
    """The mean of a metric over examples: the aggregate of most."""
    return float(np.mean([one.scores[metric] for one in graded]))


Better = Literal["higher", "lower", "nearer 0"]


@dataclass(frozen=True)
class Metric:
    """A name, which way is better, and how examples' scores become one number.

    "nearer 0" is for what has a sign and no better end, as a bias: parity is the best there is.
    An aggregate takes (name, graded); any other than `average` gets its error from a bootstrap over groups.
    """

    name: str
    better: Better = "higher"
    aggregate: Callable[[str, Sequence[Graded]], float] = average


@dataclass(frozen=True)
class ToJudge:
    """A generation asked of the judge, not of the model examined. Answered like a Generation."""

    generation: Generation


@dataclass(frozen=True)
class Execute:
    """A program to be run in the sandbox against its tests. Answered by a Verdict.

    test calls `entry`, the program's function, and `more_entries`, its others; setup runs before it, and holds what the
    tests need besides.
    """

    id: str
    source: str
    entry: str
    test: str
    timeout_s: float = 3.0
    setup: str = ""
    more_entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What became of a program. reason: passed, failed, error, timeout or limit; detail is one line for people."""

    passed: bool
    reason: str
    detail: str = ""


Request = Continuation | Rolling | Generation | ToJudge | Execute
Answer = Likelihood | list[Completion] | Verdict
Steps = Generator[list[Request], list[Any], Graded]


Need = Literal["likelihood", "judge", "sandbox"]
LIKELIHOOD: frozenset[Need] = frozenset({"likelihood"})
JUDGE: frozenset[Need] = frozenset({"judge"})
SANDBOX: frozenset[Need] = frozenset({"sandbox"})
NO_NEEDS: frozenset[Need] = frozenset()


class Method(Protocol):
    """How a model is asked and graded. Equal methods ask equal things: their repr is recorded with every result."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The first is the one to quote."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What must be there for it to be asked, besides a model that writes."""
        ...

    def examine(self, example: Example, context: str) -> Steps:
        """Ask about one example after `context` (header, shots and question), and grade it."""
        ...


@dataclass(frozen=True)
class Template:
    """How an example is shown: header(example) once, then shots and the question, each set off by `separator`.

    A shot is ask(example) + answer(example): the answer brings its own leading space. An example that is asked ends
    where the answer begins, without trailing blanks. numbered: what is shown has field "number", from 1, which `ask`
    writes.
    """

    ask: Callable[[Example], str]
    answer: Callable[[Example], str]
    header: Callable[[Example], str] = field(default=lambda example: "")
    separator: str = "\n\n"
    numbered: bool = False


class Data(Protocol):
    """Where examples come from."""

    def files(self, folder: Path) -> list[Path]:
        """The files that would be read; raises DataError saying what is missing and where it was looked for."""
        ...

    def examples(self, folder: Path, seed: int) -> list[Example]:
        """The examples to be asked, in the order of the files."""
        ...

    def pool(self, folder: Path, seed: int) -> list[Example]:
        """The examples that shots are drawn from; empty: from the examples themselves, never the one asked."""
        ...


@dataclass(frozen=True)
class Task:
    """One declaration. `version` rises with every change that can change a score; `source` says where the form is from.

    draw: "each" draws new shots for every example (GPT-3 §2.4), "fixed" one draw for all, "first" takes the pool's
    first; from the example's own category where by_category.
    """

    name: str
    version: int
    data: Data
    template: Template
    method: Method
    source: str
    shots: int = 0
    draw: Literal["each", "fixed", "first"] = "each"
    by_category: bool = False
