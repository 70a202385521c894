"""Documents of text and images as JSON lines: a conversation, of which the assistant's words are learned, or a text.

    {"messages": [{"role": "user", "content": [parts]}, {"role": "assistant", "content": "…"}]}
    {"content": [parts]}

Parts are those of presage.data.images.parts; whatever else a line holds is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.data.bpe import Tokenizer
from presage.data.chat import ROLES, See, encoded, interleaved
from presage.data.documents import json_lines
from presage.data.images.parts import Mixed, read_content
from presage.data.verbs import Message, shown

Mixture = Mixed | tuple[Message, ...]
"""A text with images, or a conversation."""
MOST_BYTES = 64 << 30


def read_documents(path: Path) -> Iterator[tuple[str, Mixture]]:
    """(file and line, what is there) of every line. Raises DataError for the first fault, naming the line."""
    empty = True
    for where, row in json_lines(path, MOST_BYTES):
        empty = False
        yield where, _document(row, where, path.parent)
    if empty:
        raise DataError("holds no records", where=path)


def document_ids(tokenizer: Tokenizer, document: Mixture, see: See) -> tuple[list[int], list[bool]]:
    """Ids and which of them are learned: of a conversation the assistant's, of a text all but its images."""
    if all(isinstance(one, Message) for one in document):
        return encoded(tokenizer, document, see)  # type: ignore[arg-type]
    ids = [tokenizer.eot, *interleaved(tokenizer, document, see), tokenizer.eot]  # type: ignore[arg-type]
    return ids, [number > 0 and i >= 0 for number, i in enumerate(ids)]


def _document(row: Any, where: str, folder: Path) -> Mixture:
    if not isinstance(row, dict):
        raise DataError(f"a JSON {type(row).__name__}, not an object", where=where)
    if "messages" not in row:
        if "content" not in row:
            raise DataError("neither 'messages' nor 'content'", where=where)
        return read_content(row["content"], where, folder)
    if "content" in row:
        raise DataError("both 'messages' and 'content': a conversation, or a text?", where=where)
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise DataError("'messages' is not a list of them", where=where)
    turns = tuple(_message(one, f"{where}: message {number}", folder) for number, one in enumerate(messages, 1))
    if turns[-1].role != "assistant":
        raise DataError("the last message is not the assistant's: there is nothing to learn", where=where)
    if not any(turn.content.strip() for turn in turns if turn.role == "assistant"):
        raise DataError("the assistant says nothing: there is nothing to learn", where=where)
    if any(turn.parts for turn in turns if turn.role == "assistant"):
        raise DataError("an image in the assistant's words, which are text", where=where)
    return turns


def _message(value: Any, where: str, folder: Path) -> Message:
    if not isinstance(value, dict) or value.get("role") not in ROLES:
        raise DataError("not a message", where=where, hint=f'"role" is one of {", ".join(ROLES)}')
    return shown(value["role"], read_content(value.get("content"), where, folder))
