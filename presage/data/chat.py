"""A conversation as the text that a base model goes on with, and as the ids that an assistant is trained on.

An assistant's template is the transcript with the end-of-text id in place of its empty lines:

    <eot>System: …<eot>User: …<eot>Assistant: …<eot>

No text can spell that id, so nobody's words can pass for another's turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from presage.core.errors import DataError, did_you_mean
from presage.data.bpe import Tokenizer
from presage.data.images.parts import Part, Picture
from presage.data.verbs import Message

ROLES = {"system": "System", "user": "User", "assistant": "Assistant"}
NEXT_TURN = "\n\nUser:"
"""Where an answer ends when the model writes the other side's turn, too."""


def transcript(messages: Sequence[Message]) -> str:
    """ "System: …", "User: …" and "Assistant:" set apart by empty lines, open for the assistant's next words.

    An assistant's turn that comes last is gone on with. Raises DataError for no message or an unknown role.
    """
    _check(messages)
    turns = [f"{_speaker(message.role)}: {message.content}" for message in messages]
    if messages[-1].role != "assistant":
        turns.append("Assistant:")
    return "\n\n".join(turns)


See = Callable[[Picture], list[int]]
"""The ids that stand for an image."""


def blind(picture: Picture) -> list[int]:
    """For whoever reads text alone: raises DataError."""
    raise DataError("an image, where only text is read", hint="images are read by runs of `presage vision`")


def encoded(tokenizer: Tokenizer, messages: Sequence[Message], see: See = blind) -> tuple[list[int], list[bool]]:
    """Ids of a conversation, and which of them the assistant is to learn: its words and the ends of its turns.

    Whole where the assistant has the last word, else open for its next. Raises DataError for no message or an unknown
    role, ConfigError for a tokenizer without an end of text.
    """
    _check(messages)
    ids, learned = [tokenizer.eot], [False]
    for message in messages:
        own = message.role == "assistant"
        head, said = tokenizer.encode(f"{_speaker(message.role)}:"), _said(tokenizer, message, see)
        ids += [*head, *said, tokenizer.eot]
        learned += [False] * len(head) + [own] * (len(said) + 1)
    if messages[-1].role != "assistant":
        opening = tokenizer.encode(f"{ROLES['assistant']}:")
        ids, learned = ids + opening, learned + [False] * len(opening)
    return ids, learned


def interleaved(tokenizer: Tokenizer, parts: Sequence[Part], see: See = blind) -> list[int]:
    """Ids of text and images in turn."""
    return [i for part in parts for i in (tokenizer.encode(part) if isinstance(part, str) else see(part))]


def opened(tokenizer: Tokenizer, messages: Sequence[Message], see: See = blind) -> list[int]:
    """Ids of a conversation that waits for the assistant: `encoded`, or where its words are to be gone on with, those
    without their end."""
    ids, _ = encoded(tokenizer, messages, see)
    return ids[:-1] if messages[-1].role == "assistant" else ids


def _check(messages: Sequence[Message]) -> None:
    if not messages:
        raise DataError("a conversation without messages")


def _said(tokenizer: Tokenizer, message: Message, see: See) -> list[int]:
    """A turn behind its speaker; a text that begins it stands off by a blank."""
    first, *rest = message.parts or (message.content,)
    return interleaved(tokenizer, (f" {first}" if isinstance(first, str) else first, *rest), see)


def _speaker(role: str) -> str:
    if role not in ROLES:
        raise DataError(f"no role '{role}'", hint=did_you_mean(role, ROLES))
    return ROLES[role]
