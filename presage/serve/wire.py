"""Requests as OpenAI's clients send them, strictly: no field that we do not know, no value of another kind.

Fields that would change the answer and that we do not have (audio, web_search_options, suffix, …) are refused as
unknown; those that only label a request or ask for a service of OpenAI's own are taken and have no effect, as
docs/serving.md says.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_CHOICES, MOST_PROMPTS, MOST_STOPS, MOST_TOP, MOST_TOOLS = 16, 16, 4, 20, 128
NAME = r"^[a-zA-Z0-9_-]{1,64}$"


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 3.0 is the whole number 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]
Count = Annotated[int, Field(ge=1), WHOLE]
TokenId = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})$")]


class Form(BaseModel):
    """What all parts of requests have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


# ---- how an answer is drawn ------------------------------------------------------------------------------------------


class StreamOptions(Form):
    """include_usage: a last event says how many tokens it was."""

    include_usage: bool | None = None


class Drawn(Form):
    """What chat and completions have in common."""

    model: str
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Count | None = None
    """Not OpenAI's."""
    min_p: Unit | None = None
    """Not OpenAI's."""
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES), WHOLE] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63), WHOLE] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Bias] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts that end an answer."""
        given = self.stop if self.stop is not None else []
        return (given,) if isinstance(given, str) else tuple(given)

    @property
    def with_usage(self) -> bool:
        """Does a stream end with its tokens?"""
        return bool(self.stream_options and self.stream_options.include_usage)


class CompletionRequest(Drawn):
    """POST /v1/completions."""

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_PROMPTS)]
        | Annotated[list[Annotated[int, Field(ge=0), WHOLE]], Field(min_length=1)]
        | Annotated[
            list[Annotated[list[Annotated[int, Field(ge=0), WHOLE]], Field(min_length=1)]],
            Field(min_length=1, max_length=MOST_PROMPTS),
        ]
    )
    max_tokens: Annotated[int, Field(ge=0), WHOLE] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_TOP), WHOLE] | None = None


# ---- conversations ---------------------------------------------------------------------------------------------------


class TextPart(Form):
    """A text among parts."""

    type: Literal["text"]
    text: str


class ImageUrl(Form):
    """An image as a data URL. No address is fetched."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Form):
    """An image among parts."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FunctionCall(Form):
    """A function's name, and its arguments as a JSON text."""

    name: str
    arguments: str


class ToolCall(Form):
    """What the assistant asked for."""

    id: str
    type: Literal["function"]
    function: FunctionCall


Texts = str | list[TextPart]
Parts = list[Annotated[TextPart | ImagePart, Field(discriminator="type")]]


class SystemMessage(Form):
    """Of who set the model up."""

    role: Literal["system", "developer"]
    content: Texts
    name: str | None = None


class UserMessage(Form):
    """Of a person."""

    role: Literal["user"]
    content: str | Annotated[Parts, Field(min_length=1)]
    name: str | None = None


class AssistantMessage(Form):
    """Of the model; its other fields are those that OpenAI's client hands back with an answer."""

    role: Literal["assistant"]
    content: Texts | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    refusal: str | None = None
    annotations: Annotated[list[dict[str, Any]], Field(max_length=0)] | None = None
    audio: None = None
    function_call: None = None


class ToolMessage(Form):
    """What a function answered."""

    role: Literal["tool"]
    content: Texts
    tool_call_id: str


Turn = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


# ---- how an answer is bound ------------------------------------------------------------------------------------------


class PlainFormat(Form):
    """Any text, or any JSON object."""

    type: Literal["text", "json_object"]


class Described(Form):
    """A JSON schema and its name."""

    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class SchemaFormat(Form):
    """JSON by a schema."""

    type: Literal["json_schema"]
    json_schema: Described


class Function(Form):
    """A function that may be called, its arguments by a JSON schema."""

    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Form):
    """What may be called."""

    type: Literal["function"]
    function: Function


class Named(Form):
    """A function by its name."""

    name: Annotated[str, Field(pattern=NAME)]


class NamedTool(Form):
    """The function to call."""

    type: Literal["function"]
    function: Named


class ChatRequest(Drawn):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Turn], Field(min_length=1, max_length=2048)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_TOP), WHOLE] | None = None
    response_format: Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")] | None = None
    tools: Annotated[list[Tool], Field(min_length=1, max_length=MOST_TOOLS)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    modalities: list[Literal["text"]] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None


class ModerationRequest(Form):
    """POST /v1/moderations."""

    input: str | Annotated[list[str], Field(min_length=1, max_length=32)]
    model: str | None = None
