"""Requests that nobody planned: none is answered with 5xx, every error has one form, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from starlette.applications import Starlette

from presage.serve.answers import Error
from presage.serve.app import build_app
from presage.serve.house import House
from presage.serve.json_rules import REFUSED, SUPPORTED
from presage.serve.policy import Usage
from tests.serve.house import NAME, URL, WordJudge, house, served

FEW, MANY, BRIEF, LONG = 25, 500, 8, 1 << 15
SIGNS = ("Traceback", '.py"', " at 0x", "site-packages", "pydantic", "starlette")
CHAT: dict[str, Any] = {"model": NAME, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}
TEXT: dict[str, Any] = {"model": NAME, "prompt": "hi", "max_tokens": 2}
FIELDS = [
    *("temperature", "top_p", "top_k", "min_p", "n", "stop", "seed", "presence_penalty", "logit_bias", "stream"),
    *("stream_options", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "response_format", "tools"),
    *("tool_choice", "messages", "prompt", "echo", "user", "model", "metadata", "suffix", "unknown"),
]
NUMBERS = st.sampled_from([0, 1, -1, 2, 0.5, 1.5, 1e308, -1e308, 2**31, 2**63, 2**64, 10**9, 1e-320])
WORDS = st.sampled_from(["", "a", "\0", "\u202e", "<|endoftext|>", "🙂" * 50, "json_object", "auto", "x" * 5000, NAME])
LEAVES = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=20)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "function", "name", "schema", "text", "1"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def home() -> Iterator[House]:
    with house(model=served(context=LONG), usage=Usage(WordJudge()), settings={"max_tokens": BRIEF}) as one:
        yield one
        assert not one.places and one.runner.active == one.runner.waiting == 0


@pytest.fixture(scope="module")
def app(home: House) -> Starlette:
    return build_app(home)


def sent(app: Starlette, path: str, data: bytes, kind: str = "application/json") -> httpx.Response:
    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL, timeout=30) as plain:
            return await plain.post(path, content=data, headers={"content-type": kind})

    return asyncio.run(post())


def fine(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    assert not any(sign in answer.text for sign in SIGNS), answer.text
    if answer.status_code != 200:
        Error.model_validate(answer.json())


def check_changed(app: Starlette, chat: bool, changes: dict[str, Any]) -> None:
    path, good = ("/v1/chat/completions", CHAT) if chat else ("/v1/completions", TEXT)
    fine(sent(app, path, json.dumps(good | changes).encode()))


def check_mutated(app: Starlette, places: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(json.dumps(CHAT | {"logprobs": True, "stop": ["a"], "stream": True}).encode())
    for place, byte in places:
        data[place % len(data)] = byte
    fine(sent(app, "/v1/chat/completions", bytes(data[: len(data) - cut])))


CHANGES = st.dictionaries(st.sampled_from(FIELDS), VALUES, min_size=1, max_size=4)
PLACES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4)
CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=150, deadline=None, suppress_health_check=CALM)
@given(chat=st.booleans(), changes=CHANGES)
def test_strange_values_are_no_fault_of_ours(app: Starlette, chat: bool, changes: dict[str, Any]) -> None:
    check_changed(app, chat, changes)


@settings(max_examples=100, deadline=None, suppress_health_check=CALM)
@given(places=PLACES, cut=st.sampled_from([0, 0, 0, 1, 20]))
def test_changed_bytes_are_no_fault_of_ours(app: Starlette, places: list[tuple[int, int]], cut: int) -> None:
    check_mutated(app, places, cut)


@pytest.mark.slow
@settings(max_examples=8000, deadline=None, suppress_health_check=CALM)
@given(chat=st.booleans(), changes=CHANGES)
def test_many_strange_values(app: Starlette, chat: bool, changes: dict[str, Any]) -> None:
    check_changed(app, chat, changes)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=CALM)
@given(places=PLACES, cut=st.integers(0, 100))
def test_many_changed_bytes(app: Starlette, places: list[tuple[int, int]], cut: int) -> None:
    check_mutated(app, places, cut)


# ---- by the schema ---------------------------------------------------------------------------------------------------

ASKING = {"host": "localhost"}
CONFIG: dict[str, Any] = {"generation": {"mode": "all", "allow-x00": True}, "phases": {"stateful": {"enabled": True}}}


@pytest.fixture
def schema(app: Starlette) -> Any:
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config, headers=ASKING)


MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


def check_by_schema(schema: Any, path: str, mode: GenerationMode, count: int) -> None:
    """Every check that schemathesis has of an answer."""
    [operation] = [one for one in map(_known, schema.get_all_operations()) if one.path == path]
    body = schema.raw_schema["paths"][path].get("post", {}).get("requestBody", {"content": {"application/json": {}}})
    described = body["content"]["application/json"].get("schema", True)
    valid = Draft202012Validator({"components": schema.raw_schema["components"], "allOf": [described]}).is_valid

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        _name_a_tool(case.body)
        _be_brief(case.body)
        if mode is GenerationMode.POSITIVE:
            _bind_to_nothing(case.body)
        elif isinstance(case.body, dict) and case.media_type == "application/json":  # what was changed may fit still
            assume(not valid(case.body))
        case.call_and_validate(headers=ASKING)

    check()


def _name_a_tool(body: Any) -> None:
    """That the function demanded is one of those given is all that the schema cannot say."""
    choice = body.get("tool_choice") if isinstance(body, dict) else None
    if isinstance(choice, dict) and isinstance(body.get("tools"), list):
        with contextlib.suppress(LookupError, TypeError, AttributeError):
            if isinstance(choice["function"]["name"], str):
                choice["function"]["name"] = body["tools"][0]["function"]["name"]


def _bind_to_nothing(body: Any) -> None:
    """Which schemas an answer can be bound by is more than a schema can say: words that mean something are left out."""
    if not isinstance(body, dict):
        return
    form = body.get("response_format") or {}
    given = [tool["function"].get("parameters") for tool in body.get("tools") or []]
    for one in [*given, form.get("json_schema", {}).get("schema")]:
        for word in {*SUPPORTED, *REFUSED} & set(one or {}):
            del one[word]


def _be_brief(body: Any) -> None:
    """A context full of tokens, sixteen times over, is as good an answer, and takes minutes."""
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(body, dict) and isinstance(body.get(name), int | float) and body[name] > BRIEF:
            body[name] = BRIEF


def _known(result: Any) -> Any:
    return result.ok()


PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/moderations"]
READ = ["/v1/models", "/v1/models/{model}", "/health", "/metrics"]


def test_every_route_is_described(app: Starlette, schema: Any) -> None:
    described = {operation.path for operation in map(_known, schema.get_all_operations())}
    assert described == {*PATHS, *READ}
    routes = {getattr(route, "path", "") for route in app.router.routes}
    assert routes - described == {"/openapi.json"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", PATHS)
def test_the_schema_is_what_is_taken_and_answered(schema: Any, path: str, mode: GenerationMode) -> None:
    check_by_schema(schema, path, mode, FEW)


@pytest.mark.parametrize("path", READ)
def test_what_is_read_is_as_the_schema_says(schema: Any, path: str) -> None:
    check_by_schema(schema, path, GenerationMode.POSITIVE, 5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", PATHS)
def test_the_schema_many_times(schema: Any, path: str, mode: GenerationMode) -> None:
    check_by_schema(schema, path, mode, MANY)
