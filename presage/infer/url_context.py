"""Prompts that an endpoint finds too long: recognised, and cut from the left.

Nobody here knows the endpoint's tokens, so it is asked, and asked again with less. Its refusal often says how much
fits ("maximum context length is 2048 tokens. However, you requested 2306").
"""

from __future__ import annotations

import re

from presage.data.verbs import Message, Prompt

_TOO_LONG = re.compile(
    r"context[ _](length|window|size)|maximum (input|model|sequence) length|max_model_len|(prompt|input) is too long"
    r"|too many (input )?tokens|exceeds? the (available )?context|longer than the maximum",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])\d{2,9}(?![\w.]*\d)")
_LESS = 0.8
_MARGIN = 0.97


def is_too_long(told: str) -> bool:
    """Whether a refusal's reason is that prompt and completion do not fit the context."""
    return _TOO_LONG.search(told) is not None


def share_to_keep(told: str, written: int) -> float:
    """The share of the prompt to ask again with, between 0.1 and 0.9; `written`: tokens kept free for the answer."""
    numbers = [int(number) for number in _NUMBER.findall(told.replace(",", ""))]
    wanted = [number for number in numbers[1:] if number > numbers[0]]
    if not wanted or numbers[0] <= written or wanted[0] <= written:
        return _LESS
    return min(0.9, max(0.1, _MARGIN * (numbers[0] - written) / (wanted[0] - written)))


def cut(prompt: Prompt, share: float) -> tuple[Prompt, int]:
    """(the right end of the prompt, characters dropped), at least one of them while there is one.

    Of a conversation the oldest turns lose their text first; its system message stays, unless there is nothing else.
    """
    drop = characters(prompt) - int(characters(prompt) * share)
    if isinstance(prompt, str):
        return prompt[drop:], drop
    kept, left = list(prompt), drop
    order = sorted(range(len(kept)), key=lambda i: (kept[i].role == "system", i))
    for i in order:
        gone = min(left, len(kept[i].content))
        kept[i] = Message(kept[i].role, kept[i].content[gone:])
        left -= gone
    return tuple(kept), drop


def tokens_in(dropped: int, prompt: Prompt, prompt_tokens: int | None) -> int:
    """About how many tokens so many characters are, at the rate of the prompt that was answered; at least 1 of any."""
    rate = (prompt_tokens or 0) / max(1, characters(prompt)) or 0.25
    return max(1, round(dropped * rate)) if dropped else 0


def characters(prompt: Prompt) -> int:
    """Of a text, or of all turns of a conversation."""
    return len(prompt) if isinstance(prompt, str) else sum(len(one.content) for one in prompt)
