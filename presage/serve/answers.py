"""Answers as the API's schema describes them. Tests hold real answers against them; nothing is built of them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """What all parts of answers have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, protected_namespaces=())


class ErrorDetail(Answer):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(Answer):
    """Every refusal."""

    error: ErrorDetail


class Tokens(Answer):
    """What it took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Alternative(Answer):
    """A token and how likely it was, in nats."""

    token: str
    logprob: float | None
    bytes: list[int]


class Told(Alternative):
    """The same, with what else was likely."""

    top_logprobs: list[Alternative]


class ChatLogprobs(Answer):
    """Of a chat's choice."""

    content: list[Told]
    refusal: None


class CalledFunction(Answer):
    """A function and its arguments, a JSON text."""

    name: str
    arguments: str


class Call(Answer):
    """A call of a function."""

    id: str
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(Answer):
    """The assistant's turn."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    tool_calls: list[Call] = Field(default_factory=list)


class ChatChoice(Answer):
    """One of `n`."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"]


class ChatCompletion(Answer):
    """Of POST /v1/chat/completions."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Tokens


class TextLogprobs(Answer):
    """Of a completion's choice."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(Answer):
    """One of `n` of each prompt."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length", "content_filter"]


class Completion(Answer):
    """Of POST /v1/completions."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Tokens


class Model(Answer):
    """The model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(Answer):
    """Of GET /v1/models."""

    object: Literal["list"]
    data: list[Model]


class Result(Answer):
    """Of one text."""

    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]


class Moderation(Answer):
    """Of POST /v1/moderations."""

    id: str
    model: str
    results: list[Result]


class Health(Answer):
    """Of GET /health."""

    status: Literal["ok", "draining", "broken"]
