"""A conversation as the text that a base model goes on with."""

from __future__ import annotations

from collections.abc import Sequence

from presage.core.errors import DataError, did_you_mean
from presage.data.verbs import Message

ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}
NEXT_TURN = "\n\nUser:"
"""Where an answer ends when the model writes the other side's turn, too."""


def transcript(messages: Sequence[Message]) -> str:
    """ "System: …", "User: …" and "Assistant:" set apart by empty lines, open for the assistant's next words.

    An assistant's turn that comes last is gone on with. Raises DataError for no message or an unknown role.
    """
    if not messages:
        raise DataError("a conversation without messages")
    turns = [f"{_speaker(message.role)}: {message.content}" for message in messages]
    if messages[-1].role != "assistant":
        turns.append("Assistant:")
    return "\n\n".join(turns)


def _speaker(role: str) -> str:
    if role not in ROLES:
        raise DataError(f"no role '{role}'", hint=did_you_mean(role, ROLES))
    return ROLES[role]
