"""The base asked the same items without being fine-tuned: zero-shot as GPT-1 §5 did, and after k solved examples.

SST-2: "very" after the sentence, then positive or negative. CoLA: the mean log-probability of a token, and a threshold
that is never fitted on what it is tested on. All else: the answer of the highest mean log-probability of a token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from presage.align.finetune_data import Asking
from presage.core.errors import ConfigError
from presage.core.estimates import Estimate, bootstrap, of_mean
from presage.data.verbs import Continuation, LanguageModel
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Graded, Method, Metric, average

COMPARED = ["how", "metric", "n", "value", "stderr", "lo", "hi", "truncated"]


def compared(how: str, metric: str, found: Estimate, truncated: int) -> dict[str, Any]:
    """A row of tables/compared.csv; truncated: items of which something did not fit the context."""
    numbers = {"value": found.value, "stderr": found.stderr, "lo": found.lo, "hi": found.hi}
    return {"how": how, "metric": metric, "n": found.n, **numbers, "truncated": truncated}


def asked(model: LanguageModel, asking: Asking, shots: int, seed: int) -> list[dict[str, Any]]:
    """A row a metric; none where the task shows no solved examples, as CoLA's heuristic does not."""
    task = asking.task
    if shots and not getattr(task.method, "takes_shots", True):
        return []
    drawn = Shots(task, asking.pool, shots, seed, own=False, asked=asking.examples)
    found = _graded(model, task.method, asking.examples, [drawn.context(one) for one in asking.examples])
    how = f"{shots} shots" if shots else "zero-shot"
    cut = sum(bool(one.extra.get("truncated")) for one in found)
    groups = [one.group for one in asking.examples]
    return [compared(how, metric.name, _estimate(metric, found, groups, seed), cut) for metric in task.method.metrics]


def _graded(model: LanguageModel, method: Method, examples: Sequence[Example], contexts: Sequence[str]) -> list[Graded]:
    """Every example in one step of likelihoods, which is all that these methods take."""
    talks = [method.examine(one, context) for one, context in zip(examples, contexts, strict=True)]
    wanted = [next(talk) for talk in talks]
    requests = [one for some in wanted for one in some if isinstance(one, Continuation)]
    answers = iter(model.loglikelihood(requests))
    found: list[Graded] = []
    for talk, some in zip(talks, wanted, strict=True):
        try:
            talk.send([next(answers) for _ in some])
        except StopIteration as end:
            found.append(end.value)
            continue
        raise ConfigError("asks in more than one step", where=type(method).__name__)
    return found


def _estimate(metric: Metric, found: Sequence[Graded], groups: Sequence[str], seed: int) -> Estimate:
    if metric.aggregate is average:
        return of_mean([one.scores[metric.name] for one in found], groups)
    estimate = bootstrap(found, lambda some: metric.aggregate(metric.name, some), groups, seed=seed)
    known = estimate.value is not None and math.isfinite(estimate.value)
    return estimate if known else Estimate(None, None, None, None, estimate.n, estimate.groups)
