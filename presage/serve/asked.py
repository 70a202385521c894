"""From a request to what the engine is asked: prompts in ids, how answers are drawn, and what binds them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from presage.core.seeds import derive
from presage.infer.engine.asks import Ask, Draw
from presage.serve.errors import ApiError, invalid
from presage.serve.grammar import Grammar
from presage.serve.masks import Bound, Spelling
from presage.serve.policy import Case
from presage.serve.said import Said
from presage.serve.served import Read, Served
from presage.serve.wire import Drawn


@dataclass(frozen=True)
class Plan:
    """Sequences to write, in the order of their choices. prompt_tokens: of all prompts, each counted once.

    judged: what a policy looks at before anything is written."""

    asks: Sequence[Ask]
    said: Sequence[Said]
    prompt_tokens: int
    judged: Sequence[Case]


def check_model(served: Served, name: str) -> None:
    """ApiError, 404, for another model."""
    if name != served.id:
        raise ApiError(404, f"The model '{name[:80]}' does not exist.", code="model_not_found", param="model")


def seeds(request: Drawn, count: int) -> list[int]:
    """One for each sequence; the same seed draws the same, whoever else is written beside it."""
    first = request.seed if request.seed is not None else secrets.randbits(63)
    return [derive(first, "choice", number) for number in range(count)]


def draw(request: Drawn, served: Served) -> Draw:
    """How ids are drawn. Raises ApiError for a bias on an id that the model does not have."""
    biases = {int(number): value for number, value in (request.logit_bias or {}).items()}
    wrong = next((number for number in biases if number >= served.vocabulary), None)
    if wrong is not None:
        raise invalid(f"{wrong} is no token id of this model, which has {served.vocabulary}.", "logit_bias")
    return Draw(
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p or None,
        presence_penalty=request.presence_penalty or 0.0,
        frequency_penalty=request.frequency_penalty or 0.0,
        logit_bias=biases,
    )


def asks(
    served: Served, request: Drawn, prompts: Sequence[Read], most: int, *,
    top: int | None, prompt_top: bool = False, grammar: Grammar | None = None,
) -> list[Ask]:  # fmt: skip
    """`n` of every prompt. Of at most `most` new ids, and no more than the context holds."""
    how, count = draw(request, served), request.n or 1
    bound = None if grammar is None else Bound(grammar, spelling_of(served))
    chances = iter(seeds(request, count * len(prompts)))
    return [
        Ask(
            prompt.ids,
            min(most, served.context - len(prompt.ids)),
            replace(how, seed=next(chances)),
            stop_ids=served.asking.text.ends,
            images=prompt.images,
            top=top,
            prompt_top=prompt_top,
            allowed=None if bound is None else bound.fork(),
        )
        for prompt in prompts
        for _ in range(count)
    ]


def spelling_of(served: Served) -> Spelling:
    """How tokens are spelled. Raises ApiError where nobody knows."""
    if served.spelling is None:
        raise invalid("Answers of this model cannot be bound to a form: its tokens are no bytes.", "response_format")
    return served.spelling
