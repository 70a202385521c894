"""One row of samples.jsonl an example: what was shown, asked and answered, and what it was worth."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from presage.data.verbs import Continuation, Generation, Rolling
from presage.evaluate.asking import Plan, Question
from presage.evaluate.runner import Exchange
from presage.tasks.task import Execute, Graded, Request, ToJudge

_KINDS: dict[type, str] = {
    Continuation: "loglikelihood",
    Rolling: "rolling",
    Generation: "generate",
    ToJudge: "judge",
    Execute: "execute",
}


def row(plan: Plan, question: Question, exchange: Exchange) -> dict[str, Any]:
    """A row as docs/examination.md says. A prompt that is the row's own is not repeated."""
    graded = exchange.graded
    return of_question(plan, question) | {
        "answer": graded.answer,
        "scores": dict(graded.scores),
        "extra": dict(graded.extra),
        "asked": [_exchange(request, answer, question.context) for request, answer in exchange.asked],
    }


def of_question(plan: Plan, question: Question) -> dict[str, Any]:
    """The part of a row that is known before anything is asked: plain values."""
    example = question.example
    return {
        "task": plan.label,
        "declared": plan.declared,
        "version": plan.task.version,
        "id": example.id,
        "category": example.category,
        "group": example.group,
        "shots": list(question.shots),
        "prompt": question.context,
        "prompt_sha256": digest(question.context),
        "options": list(example.options),
        "gold": example.answer,
        "targets": list(example.targets),
    }


def digest(context: str) -> str:
    """What says that two prompts are the same."""
    return hashlib.sha256(context.encode()).hexdigest()


def graded(row: Mapping[str, Any]) -> Graded:
    """What a row says of its example."""
    return Graded(row["scores"], row["answer"], row["extra"])


def _exchange(request: Request, answer: Any, context: str) -> dict[str, Any]:
    told = asdict(request)
    inner = told.pop("generation", told)
    if inner.get("prompt") == context:
        del inner["prompt"]
    answers = [asdict(one) for one in answer] if isinstance(answer, list) else asdict(answer)
    return {"kind": _KINDS[type(request)], "request": inner, "answer": answers}
