"""Functions that a model may call: told to it in a system turn, and bound to the form of a call where it calls.

A call is written as `{"name": …, "arguments": {…}}` and nothing else, one in an answer. With tool_choice "auto" an
answer that begins with a brace is a call, any other is text.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from presage.serve.errors import invalid
from presage.serve.grammar import Grammar, literal, sequence
from presage.serve.json_rules import SchemaRules
from presage.serve.wire import ChatRequest, NamedTool, Tool

ANYTHING = frozenset(range(256))
BRACE = ord("{")


def offered(request: ChatRequest) -> list[Tool]:
    """The functions that this request lets the model call. Raises ApiError for a choice that is none."""
    tools, choice = request.tools or [], request.tool_choice
    names = [tool.function.name for tool in tools]
    if choice == "none":
        return []
    if choice not in (None, "auto") and not tools:
        raise invalid("'tool_choice' is only allowed when 'tools' are given.", "tool_choice")
    if not isinstance(choice, NamedTool):
        return tools
    if choice.function.name not in names:
        raise invalid(f"No function is called '{choice.function.name}'.", "tool_choice")
    return [tool for tool in tools if tool.function.name == choice.function.name]


def must_call(request: ChatRequest) -> bool:
    """Is an answer that is no call ruled out?"""
    return request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)


def told(tools: Sequence[Tool]) -> str:
    """What a model reads of the functions."""
    lines = [json.dumps(tool.function.model_dump(exclude_none=True, exclude={"strict"})) for tool in tools]
    form = '{"name": the function, "arguments": {…}}'
    return "\n".join(["Functions that you can call:", *lines, f"To call one, answer with {form} and nothing else."])


def call_grammar(tools: Sequence[Tool], must: bool) -> Grammar:
    """Of a call, or where none is demanded, of a call or of a text that begins with no brace."""
    calls = []
    rules = SchemaRules({}, "tools")
    for number, tool in enumerate(tools):
        function, param = tool.function, f"tools[{number}].function.parameters"
        rules.root, rules.param = function.parameters or {}, param
        rules.forget()
        schema = function.parameters or {"type": "object"}
        name = literal(f'{{"name": {json.dumps(function.name)}, "arguments": ')
        calls.append(sequence(name, rules.of(schema), literal("}")))
    start = rules.add(*calls)
    if not must:
        rest = rules.add()
        rules.rules[rest] = ((), (ANYTHING, rest))
        start = rules.add((start,), (ANYTHING - {BRACE}, rest), ())
    return Grammar(rules.rules, start)


def read_call(text: str) -> dict[str, Any] | None:
    """A call as the API writes it, of a text that is one; None of any other."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or set(value) != {"name", "arguments"} or not isinstance(value["name"], str):
        return None
    arguments = json.dumps(value["arguments"], ensure_ascii=False)
    function = {"name": value["name"], "arguments": arguments}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
