"""Answers bound to a form: whatever a model of random weights draws, what comes out is JSON by its schema."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from presage.data.bpe import Tokenizer
from presage.serve.errors import ApiError
from presage.serve.grammar import Grammar, whole
from presage.serve.house import House
from presage.serve.json_rules import any_object, by_schema
from presage.serve.masks import Bound, Spelling
from tests.serve.house import NAME, TEXT, client, house, served

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "age": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"enum": ["a", "é", 3]}, "maxItems": 2},
        "kind": {"const": "person"},
    },
    "required": ["name", "kind"],
    "additionalProperties": False,
}


def reads(grammar: Grammar, text: str) -> bool:
    return whole(grammar.read(grammar.begin(), text.encode()))


@pytest.mark.parametrize("value", [{}, {"a": [1, -2.5e-3, True, None, "é\n\U0001f600\\"]}, {"": {"b": [{}, []]}}])
def test_json_is_read(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":"))):
        surrogate = "\\ud83d" in text
        assert reads(any_object(), text) is not surrogate


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a"}', '{"a": 01}', '{"a": .5}', '{"a":1,}', '{"a":"\n"}', "{} ", '{"a":NaN}']
)
def test_what_is_no_json_object_is_not(text: str) -> None:
    assert not reads(any_object(), text)


def test_text_that_is_no_utf8_is_not() -> None:
    grammar = any_object()
    for tail in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x28"):
        assert not grammar.read(grammar.begin(), b'{"' + tail)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"name": "ada", "kind": "person"}, True),
        ({"name": "ada", "age": None, "tags": ["a", 3], "kind": "person"}, True),
        ({"name": "ada", "age": 3, "tags": [], "kind": "person"}, True),
        ({"name": "ada"}, False),
        ({"kind": "person"}, False),
        ({"name": "longer", "kind": "person"}, False),
        ({"name": "ada", "age": 1.5, "kind": "person"}, False),
        ({"name": "ada", "tags": ["a", "a", "a"], "kind": "person"}, False),
        ({"name": "ada", "kind": "dog"}, False),
        ({"name": "ada", "kind": "person", "more": 1}, False),
    ],
)
def test_a_schema_is_held(value: Any, fits: bool) -> None:
    assert reads(by_schema(PERSON, "schema"), json.dumps(value, ensure_ascii=False)) is fits


def test_a_schema_may_refer_to_itself() -> None:
    tree = {"$ref": "#/$defs/node", "$defs": {"node": {
        "type": "object", "required": ["next"],
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}}  # fmt: skip
    grammar = by_schema(tree, "schema")
    assert reads(grammar, '{"next": {"next": {"next": null}}}') and not reads(grammar, '{"next": {}}')


def test_counts_are_held() -> None:
    for least, most in ((0, None), (0, 0), (0, 1), (1, None), (2, 3), (2, None)):
        schema = {"type": "array", "items": {"type": "boolean"}, "minItems": least}
        grammar = by_schema(schema if most is None else schema | {"maxItems": most}, "schema")
        for count in range(5):
            fits = least <= count and (most is None or count <= most)
            assert reads(grammar, json.dumps([True] * count)) is fits, (least, most, count)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "pattern": "a+"}, "'pattern'"),
        ({"type": "number", "minimum": 3}, "'minimum'"),
        ({"not": {}}, "'not'"),
        ({"type": "object", "patternProperties": {}}, "'patternProperties'"),
        ({"type": "thing"}, "'type'"),
        ({"type": []}, "'type'"),
        ({"enum": []}, "'enum'"),
        ({"$ref": "#/no"}, "leads nowhere"),
        ({"$ref": "http://example.org/a.json"}, "'\\$ref'"),
        ({"$ref": "#"}, "leads to itself"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "less than"),
        ({"type": "array", "minItems": 10**9}, "above"),
        ({"type": "object", "required": ["a"], "properties": {"b": {}}}, "'required'"),
        ({"allOf": [{}, {}]}, "'allOf'"),
        ({"anyOf": [{"type": "object"}], "properties": {}}, "beside"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(schema: Any, said: str) -> None:
    with pytest.raises(ApiError, match=said) as refused:
        by_schema(schema, "schema")
    assert refused.value.param == "schema" and refused.value.code == "invalid_schema"


def test_masks_are_what_trying_every_token_gives() -> None:
    """The slow twin: each token read from the state on its own."""
    tokenizer = Tokenizer.train([TEXT * 4], 300)
    tokens: list[bytes | None] = [None] * tokenizer.n_vocab
    for data, number in tokenizer.ranks.items():
        tokens[number] = data
    spelling = Spelling(tokens, frozenset({tokenizer.eot}), len(tokens))
    chance = random.Random(0)
    for grammar in (any_object(), by_schema(PERSON, "schema")):
        bound, ids = Bound(grammar, spelling), list[int]()
        for _ in range(40):
            mask = bound(ids)
            state = grammar.read(grammar.begin(), b"".join(tokens[one] or b"" for one in ids))
            slow = [bool(data) and bool(grammar.read(state, data)) for data in (one or b"" for one in tokens)]
            slow[tokenizer.eot] = whole(state)
            assert mask.tolist() == slow
            allowed = [one for one in mask.nonzero().flatten().tolist() if one != tokenizer.eot]
            if not allowed:
                break
            ids.append(chance.choice(allowed))
        forked = bound.fork()
        assert forked(ids[:3]).equal(bound(ids[:3])) and forked(ids).equal(bound(ids))


@pytest.fixture(scope="module")
def home() -> Iterator[House]:
    with house(model=served(chat=True)) as one:
        yield one


async def ask(one: House, **changes: Any) -> Any:
    values: dict[str, Any] = {"model": NAME, "messages": [{"role": "user", "content": "JSON?"}], "max_tokens": 400}
    async with client(one) as api:
        return await api.chat.completions.create(**(values | changes))


def schema_format(schema: Any) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True}}


def test_a_model_of_random_weights_writes_json(home: House) -> None:
    for seed in range(3):
        answer = asyncio.run(ask(home, response_format=schema_format(PERSON), n=4, seed=seed))
        for choice in answer.choices:
            found = json.loads(choice.message.content)
            assert choice.finish_reason == "stop" and found["kind"] == "person" and len(found["name"]) <= 5
    short = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    assert asyncio.run(ask(home, response_format=schema_format(short))).choices[0].message.content in (
        '{"a":true}', '{"a":false}', '{"a": true}', '{"a": false}')  # fmt: skip
    free = asyncio.run(ask(home, response_format={"type": "json_object"}, n=4, max_tokens=1500))
    for choice in free.choices:
        if choice.finish_reason == "stop":
            assert isinstance(json.loads(choice.message.content), dict)
        assert choice.message.content.startswith("{")


def test_a_schema_that_is_refused_names_its_field(home: House) -> None:
    with pytest.raises(openai.BadRequestError, match="'pattern' is not supported") as refused:
        asyncio.run(ask(home, response_format=schema_format({"type": "string", "pattern": "a"})))
    assert refused.value.param == "response_format.json_schema.schema"


def tool(name: str, **properties: Any) -> Any:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "it", "parameters": parameters}}


TOOLS = [tool("weather", place={"enum": ["Oslo", "Rome"]}), tool("time", hour={"type": "boolean"}), tool("none")]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "time"}}])
def test_a_tool_is_called(home: House, choice: Any) -> None:
    names = set()
    for seed in range(6):
        answer = asyncio.run(ask(home, tools=TOOLS, tool_choice=choice, seed=seed))
        [call] = answer.choices[0].message.tool_calls
        arguments = json.loads(call.function.arguments)
        assert answer.choices[0].finish_reason == "tool_calls" and answer.choices[0].message.content is None
        assert set(arguments) == {"weather": {"place"}, "time": {"hour"}}.get(call.function.name, set()) or arguments
        names.add(call.function.name)
    assert names == {"time"} if isinstance(choice, dict) else len(names) > 1


def test_a_call_is_streamed_and_answered(home: House) -> None:
    async def streamed() -> list[Any]:
        return [chunk async for chunk in await ask(home, tools=TOOLS[:2], tool_choice="required", stream=True)]

    chunks = asyncio.run(streamed())
    [call] = [call for chunk in chunks for c in chunk.choices for call in c.delta.tool_calls or []]
    assert json.loads(call.function.arguments) and chunks[-1].choices[0].finish_reason == "tool_calls"
    turns: list[Any] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": call.id, "type": "function",
             "function": {"name": call.function.name, "arguments": call.function.arguments}}]},
        {"role": "tool", "tool_call_id": call.id, "content": "12"},
    ]  # fmt: skip
    assert asyncio.run(ask(home, messages=turns, tools=TOOLS, tool_choice="none", max_tokens=5)).choices[0].message


def test_with_auto_an_answer_is_text_or_a_call(home: House) -> None:
    text = asyncio.run(ask(home, tools=TOOLS, max_tokens=20, logit_bias={str(ord("{")): -100}))
    assert text.choices[0].message.tool_calls is None and text.choices[0].message.content
    brace = str(served().asking.text.bare(["{"])[0][0])
    call = asyncio.run(ask(home, tools=TOOLS[:2], logit_bias={brace: 100}))
    assert call.choices[0].message.tool_calls


def test_a_tool_that_is_none_is_refused(home: House) -> None:
    with pytest.raises(openai.BadRequestError, match="No function is called 'no'"):
        asyncio.run(ask(home, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "no"}}))
    with pytest.raises(openai.BadRequestError, match="'format' is not supported"):
        asyncio.run(ask(home, tools=[tool("a", b={"type": "string", "format": "date"})]))
