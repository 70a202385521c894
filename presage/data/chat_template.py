"""Chat templates in Jinja: ours for other engines, and foreign models', which run in a sandbox or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from presage.core.errors import ConfigError, DataError
from presage.data.chat import ROLES
from presage.data.verbs import Message

_OURS = """\
{%- set speakers = SPEAKERS %}
{%- if not messages %}{{ raise_exception('a conversation without messages') }}{% endif %}
{{- END }}
{%- for message in messages %}
{%- if message.role not in speakers %}{{ raise_exception('no such role, only ' + speakers | join(', ')) }}{% endif %}
{%- if message.content is not string %}{{ raise_exception('a turn is one text') }}{% endif %}
{%- for special in SPECIALS %}
{%- if special in message.content %}{{ raise_exception(special + ' in a turn: it ends one') }}{% endif %}
{%- endfor %}
{{- speakers[message.role] + ': ' + message.content + END }}
{%- endfor %}
{%- if add_generation_prompt and messages[-1].role != 'assistant' %}{{ ASSISTANT }}{% endif %}"""


def written(end: str, specials: Sequence[str]) -> str:
    """Our template (presage.data.chat) as transformers, vLLM and llama.cpp read one.

    There a special token in a text would be read as one and could end a turn: the template refuses it.
    """
    values = {"SPEAKERS": ROLES, "SPECIALS": list(specials), "END": end, "ASSISTANT": f"{ROLES['assistant']}:"}
    return re.sub("|".join(values), lambda name: json.dumps(values[name[0]], ensure_ascii=False), _OURS)


def rendered(template: str, messages: Sequence[Message], words: Mapping[str, str]) -> str:
    """A conversation that waits for the assistant's next words, by a foreign template. No code of it is trusted.

    An assistant's turn that comes last is gone on with.

    words: bos_token, eos_token and whatever else it may name. Raises ConfigError for a template that is none, DataError
    where it refuses the conversation.
    """
    from jinja2 import TemplateError
    from jinja2.exceptions import SecurityError, TemplateSyntaxError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _refuse
    last = messages[-1]
    turns = [{"role": message.role, "content": message.content} for message in messages]
    waits = last.role != "assistant"
    try:
        text = environment.from_string(template).render(words, messages=turns, add_generation_prompt=waits)
    except (TemplateSyntaxError, SecurityError) as error:
        raise ConfigError(f"not a chat template that can be run: {error}", where="chat_template") from None
    except (TemplateError, *_OF_TEMPLATES) as error:
        raise DataError(f"the chat template refuses this conversation: {error}", where="chat_template") from None
    said = last.content.strip()
    if waits:
        return text
    if said not in text:
        raise DataError("the chat template changes the turn that is to be gone on with", where="chat_template")
    return text[: text.rindex(said) + len(said)]


_OF_TEMPLATES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _refuse(text: object) -> str:
    raise DataError(f"the chat template refuses this conversation: {text}", where="chat_template")
