"""The body of a request by itself: what is refused before and while it comes, and what is no JSON that we take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from presage.serve.body import parsed, read_body
from presage.serve.errors import ApiError

JSON = (b"content-type", b"application/json")
MOST = 8


class Small(BaseModel):
    """Any request."""

    number: int = 0


def read(headers: list[tuple[bytes, bytes]], *messages: dict[str, Any]) -> bytes:
    """The body of a request whose messages are these; one that asks for more waits in vain."""
    left = [*messages]

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    return asyncio.run(read_body({"headers": headers}, receive, MOST, 0.2))


def part(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def refused(status: int, headers: list[tuple[bytes, bytes]], *messages: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        read(headers, *messages)
    assert caught.value.status == status


def test_a_body_in_parts_is_whole() -> None:
    assert read([JSON], part(b"1234", more=True), part(b"5678")) == b"12345678"


def test_a_length_beyond_the_limit_is_refused_before_the_body_comes() -> None:
    refused(413, [JSON, (b"content-length", b"9")])
    refused(413, [JSON, (b"content-length", b"1e1")])


def test_a_body_that_grows_beyond_the_limit_is_refused_at_once() -> None:
    refused(413, [JSON], part(b"1234", more=True), part(b"56789", more=True))


def test_a_body_that_does_not_come_is_refused_in_time() -> None:
    refused(408, [JSON], part(b"1", more=True))


def test_who_hangs_up_is_not_waited_for() -> None:
    with pytest.raises(asyncio.CancelledError):
        read([JSON], part(b"1", more=True), {"type": "http.disconnect"})


def test_a_key_that_stands_twice_is_refused() -> None:
    assert parsed(b'{"number": 1}', Small).number == 1
    with pytest.raises(ApiError, match="a key stands twice"):
        parsed(b'{"number": 1, "number": 2}', Small)
