"""POST /v1/chat/completions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from presage.data.images.parts import Part, read_content
from presage.data.verbs import Message, shown
from presage.serve import tools as calling
from presage.serve.asked import Plan, asks
from presage.serve.errors import invalid
from presage.serve.grammar import Grammar
from presage.serve.json_rules import any_object, by_schema
from presage.serve.policy import Case
from presage.serve.said import Said, chat_logprobs
from presage.serve.wire import (
    AssistantMessage,
    ChatRequest,
    ImagePart,
    SchemaFormat,
    TextPart,
    Tool,
    ToolMessage,
    UserMessage,
)
from presage.serve.writing import Chunk, Pieces, Writer

MOST_IMAGES = 8
CHUNK = "chat.completion.chunk"


class Chat(Writer[ChatRequest]):
    """The model's next turn of a conversation."""

    form = ChatRequest
    prefix = "chatcmpl"

    def plan(self, request: ChatRequest) -> Plan:
        """The conversation in ids, and what binds its answer."""
        served = self.house.served
        offered = calling.offered(request)
        if request.top_logprobs is not None and not request.logprobs:
            raise invalid("'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs")
        turns = conversation(request, offered, served.sees)
        prompt = served.read(turns, "messages")
        top = (request.top_logprobs or 0) if request.logprobs else None
        most = request.max_completion_tokens or request.max_tokens or self.house.settings.max_tokens
        asked = asks(served, request, [prompt], most, top=top, grammar=_grammar(request, offered))
        said = [Said(served, (*request.stops, *served.chat_stops), one.ids, leading=True) for one in asked]
        cases = [Case(turn.content) for turn in turns if turn.role != "assistant"]
        return Plan(asked, said, len(prompt.ids), cases)

    def whole(self, head: Chunk, request: ChatRequest, plan: Plan) -> dict[str, Any]:
        """One choice a sequence."""
        choices = [_choice(number, said, request) for number, said in enumerate(plan.said)]
        return {**head, "object": "chat.completion", "choices": choices}

    def pieces(self, head: Chunk, request: ChatRequest, plan: Plan) -> Pieces:
        """As deltas."""
        return Deltas(head, request, plan)


# ---- the conversation ------------------------------------------------------------------------------------------------


def conversation(request: ChatRequest, offered: Sequence[Tool], sees: bool) -> tuple[Message, ...]:
    """The turns as our template knows them: developer is system, what a function answered is told by the user's side.

    Raises ApiError for images that the model cannot see, DataError for those that are none."""
    images = sum(isinstance(part, ImagePart) for turn in request.messages for part in _listed(turn.content))
    if images and not sees:
        raise invalid("This model reads text alone: no image parts.", "messages", "unsupported_content")
    if images > MOST_IMAGES:
        raise invalid(f"More than {MOST_IMAGES} images in one request.", "messages")
    turns = [_turn(turn, f"messages[{number}]") for number, turn in enumerate(request.messages)]
    return (Message("system", calling.told(offered)), *turns) if offered else tuple(turns)


def _turn(turn: Any, where: str) -> Message:
    if isinstance(turn, UserMessage):
        parts: Sequence[Part] = read_content(_plain(turn.content), where)
        return shown("user", parts)
    text = _text(turn.content)
    if isinstance(turn, ToolMessage):
        return Message("user", f"The function answered: {text}")
    if isinstance(turn, AssistantMessage):
        calls = [_called(call.function.name, call.function.arguments) for call in turn.tool_calls or []]
        return Message("assistant", "\n".join([*([text] if text or not calls else []), *calls]))
    return Message("system", text)


def _called(name: str, arguments: str) -> str:
    """A call as the model is to write it; arguments that are no JSON are told as the text they are."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = arguments
    return json.dumps({"name": name, "arguments": value}, ensure_ascii=False)


def _text(content: str | Sequence[TextPart] | None) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content or ())


def _listed(content: Any) -> Sequence[TextPart | ImagePart]:
    return content if isinstance(content, list) else []


def _plain(content: Any) -> Any:
    return content if isinstance(content, str) else [part.model_dump(exclude_none=True) for part in content]


def _grammar(request: ChatRequest, offered: Sequence[Tool]) -> Grammar | None:
    form = request.response_format
    if offered:
        if form is not None and form.type != "text":
            raise invalid("'response_format' beside 'tools' is not supported.", "response_format")
        return calling.call_grammar(offered, calling.must_call(request))
    if form is None or form.type == "text":
        return None
    if isinstance(form, SchemaFormat):
        return by_schema(form.json_schema.schema_, "response_format.json_schema.schema")
    return any_object()


# ---- the answer ------------------------------------------------------------------------------------------------------


def _choice(number: int, said: Said, request: ChatRequest) -> dict[str, Any]:
    call = calling.read_call(said.text) if request.tools and said.finish == "stop" else None
    message: dict[str, Any] = {"role": "assistant", "content": None if call else said.text, "refusal": None}
    if call:
        message["tool_calls"] = [call]
    logprobs = chat_logprobs(said.served, said.tokens) if request.logprobs else None
    finish = "tool_calls" if call else said.finish
    return {"index": number, "message": message, "logprobs": logprobs, "finish_reason": finish}


class Deltas(Pieces):
    """A choice's role, then its words, then why it ended. What may be a call is held back until it is one."""

    object = CHUNK

    def __init__(self, head: Chunk, request: ChatRequest, plan: Plan) -> None:
        self._head, self._request, self._plan = head, request, plan
        self._held = [""] * len(plan.said)
        self._told = [0] * len(plan.said)

    def begin(self) -> Sequence[Chunk]:
        """Roles."""
        return [self._event(number, {"role": "assistant", "content": ""}) for number in range(len(self._plan.said))]

    def more(self, number: int, piece: str) -> Sequence[Chunk]:
        """Words, and the end."""
        said = self._plan.said[number]
        self._held[number] += piece
        waits = self._request.tools is not None and said.text.startswith("{")
        if waits and not said.finish:
            return []
        call = calling.read_call(said.text) if waits and said.finish == "stop" else None
        text, self._held[number] = self._held[number], ""
        found = [self._event(number, {"content": text})] if text and not call else []
        if call:
            found.append(self._event(number, {"tool_calls": [{"index": 0, **call}]}))
        if said.finish:
            found.append(self._event(number, {}, "tool_calls" if call else said.finish))
        return found

    def _event(self, number: int, delta: dict[str, Any], finish: str | None = None) -> Chunk:
        logprobs = self._fresh(number) if self._request.logprobs and delta.get("content") else None
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**self._head, "object": CHUNK, "choices": [choice]}

    def _fresh(self, number: int) -> dict[str, Any]:
        """Log-probabilities of what was not told yet."""
        said = self._plan.said[number]
        begin, self._told[number] = self._told[number], len(said.tokens)
        return chat_logprobs(said.served, said.tokens[begin:])
