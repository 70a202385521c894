"""/openapi.json: what each route takes and answers, of this very server: its model, its vocabulary, what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from presage import __version__
from presage.serve import answers, wire
from presage.serve.errors import STATUSES
from presage.serve.house import House

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]
POSTS: Mapping[str, tuple[type[BaseModel], type[BaseModel], bool]] = {
    "/v1/chat/completions": (wire.ChatRequest, answers.ChatCompletion, True),
    "/v1/completions": (wire.CompletionRequest, answers.Completion, True),
    "/v1/moderations": (wire.ModerationRequest, answers.Moderation, False),
}
"""{route: (request, answer, may be streamed)}."""
GETS: Mapping[str, type[BaseModel]] = {
    "/v1/models": answers.ModelList,
    "/v1/models/{model}": answers.Model,
    "/health": answers.Health,
}


TOP: Schema = {
    "anyOf": [
        {"properties": {"logprobs": {"const": True}}, "required": ["logprobs"]},
        {"properties": {"top_logprobs": {"type": "null"}}},
    ]
}
"""top_logprobs only with logprobs."""
CHOICE: Schema = {
    "anyOf": [
        {"properties": {"tools": {"type": "array"}}, "required": ["tools"]},
        {"properties": {"tool_choice": {"enum": ["none", "auto", None]}}},
    ]
}
"""A call is demanded only where there is something to call."""


BOUND: Schema = {
    "anyOf": [
        {"properties": {"tools": {"type": "null"}}},
        {"properties": {"response_format": {"type": "null"}}},
        {"properties": {"tool_choice": {"const": "none"}}, "required": ["tool_choice"]},
    ]
}
"""An answer is bound to one form."""


def openapi(house: House) -> Schema:
    """The whole document. /v1/moderations stands in it where a judge is attached."""
    posts = {path: kinds for path, kinds in POSTS.items() if path != "/v1/moderations" or house.usage is not None}
    requests = [(kinds[0], "validation") for kinds in posts.values()]
    said = [(kinds[1], "serialization") for kinds in posts.values()]
    found = [(kind, "serialization") for kind in (*GETS.values(), answers.Error)]
    _, schema = models_json_schema([*requests, *said, *found], ref_template=REF)  # type: ignore[list-item]
    schemas: Schema = schema["$defs"]
    _narrow(schemas, house)
    paths: Schema = {path: {"post": _post(*kinds)} for path, kinds in posts.items()}
    paths |= {path: {"get": _get(path, kind, house)} for path, kind in GETS.items()}
    paths["/metrics"] = {"get": _plain()}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "presage serve", "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if house.keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
        paths["/health"]["get"]["security"] = []
    return document


def _narrow(schemas: Schema, house: House) -> None:
    """What depends on the models: what all of them take."""
    size = min(one.served.vocabulary for one in house.all)
    for name in ("ChatRequest", "CompletionRequest"):
        fields = schemas[name]["properties"]
        fields["model"] = {"type": "string", "enum": [one.served.id for one in house.all]}
        ids = next(one for one in fields["logit_bias"]["anyOf"] if one["type"] == "object")
        values = ids.pop("patternProperties").popitem()[1]
        ids["patternProperties"] = {_below(size): values}
        ids["additionalProperties"] = False
    _bound_ids(schemas["CompletionRequest"]["properties"]["prompt"], size - 1)
    schemas["ChatRequest"]["allOf"] = [TOP, CHOICE, BOUND]
    if not all(one.served.sees for one in house.all):
        content = schemas["UserMessage"]["properties"]["content"]
        content["anyOf"][1]["items"] = {"$ref": REF.format(model="TextPart")}
    if house.usage is not None:
        judge = {"anyOf": [{"type": "string", "enum": [house.usage.judge.name]}, {"type": "null"}]}
        schemas["ModerationRequest"]["properties"]["model"] = judge


def _bound_ids(schema: Any, most: int) -> None:
    """Every whole number below here is a token id."""
    if isinstance(schema, dict):
        if schema.get("type") == "integer":
            schema["maximum"] = most
        for inner in schema.values():
            _bound_ids(inner, most)
    elif isinstance(schema, list):
        for inner in schema:
            _bound_ids(inner, most)


def _below(limit: int) -> str:
    """A pattern of the whole numbers from 0 to limit - 1, without zeros in front."""
    last = str(limit - 1)
    shorter = [f"[1-9][0-9]{{{count}}}" for count in range(len(last) - 1)]
    same = []
    for place, digit in enumerate(last):
        low, high = (1 if place == 0 and len(last) > 1 else 0), int(digit) - 1
        if high >= low:
            same.append(f"{last[:place]}[{low}-{high}][0-9]{{{len(last) - place - 1}}}")
    zero = ["0"] if len(last) > 1 else []
    return f"^({'|'.join([*zero, *shorter, *same, last])})$"


def _post(request: type[BaseModel], answer: type[BaseModel], streamed: bool) -> Schema:
    content: Schema = {"application/json": {"schema": {"$ref": REF.format(model=answer.__name__)}}}
    if streamed:
        content["text/event-stream"] = {}
    body = {"application/json": {"schema": {"$ref": REF.format(model=request.__name__)}}}
    return {
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": "the answer", "content": content}} | _errors(),
    }


def _get(path: str, answer: type[BaseModel], house: House) -> Schema:
    content = {"application/json": {"schema": {"$ref": REF.format(model=answer.__name__)}}}
    found: Schema = {"responses": {"200": {"description": "the answer", "content": content}} | _errors()}
    if path == "/health":
        found["responses"]["503"] = {"description": "not taking requests", "content": content}
    if "{model}" in path:
        schema = {"type": "string", "enum": [one.served.id for one in house.all]}
        found["parameters"] = [{"name": "model", "in": "path", "required": True, "schema": schema}]
    return found


def _plain() -> Schema:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {"responses": {"200": {"description": "in Prometheus' form", "content": content}} | _errors()}


def _errors() -> Schema:
    content = {"application/json": {"schema": {"$ref": REF.format(model="Error")}}}
    return {str(status): {"description": "refused", "content": content} for status in STATUSES}
