"""Conversations as examples: `fields["turns"]` holds messages {"role", "content"}, `fields["head"]` those before shots.

A context is text, and so is a conversation's: JSON lists of messages, a list for what stands before the shots, one for
each shot and each answer, and one for the question. `as_prompt` makes messages of it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from presage.data.verbs import Message, Prompt
from presage.tasks.task import Example, Template

Turns = Sequence[dict[str, str]]


def chat_template(text: Template) -> Template:
    """A template for examples with turns, and for those without them as `text` shows them."""

    def header(example: Example) -> str:
        head = example.fields.get("head")
        return _dumped(head) if head else "" if is_chat(example) else text.header(example)

    def ask(example: Example) -> str:
        return _dumped(example.fields["turns"]) if is_chat(example) else text.ask(example)

    def answer(example: Example) -> str:
        if not is_chat(example):
            return text.answer(example)
        return "\n" + _dumped([{"role": "assistant", "content": example.targets[0]}])

    return Template(ask, answer, header, text.separator)


def is_chat(example: Example) -> bool:
    """Whether it is a conversation."""
    return "turns" in example.fields


def as_prompt(example: Example, context: str) -> Prompt:
    """The context as the model is asked: messages where the example is a conversation, else the text itself."""
    if not is_chat(example):
        return context
    decoder, messages, at = json.JSONDecoder(), list[Message](), 0
    while at < len(context):
        turns, at = decoder.raw_decode(context, at)
        messages += [Message(turn["role"], turn["content"]) for turn in turns]
        at = _blank(context, at)
    return tuple(messages)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def as_text(example: Example) -> str:
    """What was asked, for a judge: a conversation with the speaker before every turn."""
    turns: list[Any] = [*example.fields.get("head", []), *example.fields.get("turns", [])]
    shown = "\n\n".join(f"[{turn['role']}]\n{turn['content']}" for turn in turns)
    return turns[0]["content"] if len(turns) == 1 else shown or example.question


def _dumped(turns: Turns) -> str:
    return json.dumps(list(turns), ensure_ascii=False)
