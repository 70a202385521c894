"""How every request that costs something is answered: its body read, a place found for it, and dropped when it goes."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from presage.core.errors import PresageError
from presage.serve.body import parsed, read_body
from presage.serve.errors import ApiError, of_presage
from presage.serve.house import House, Place

Form = TypeVar("Form", bound=BaseModel)
STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
DONE = b"data: [DONE]\n\n"


class Endpoint(ABC, Generic[Form]):
    """One route, as an ASGI app."""

    form: type[Form]

    def __init__(self, house: House) -> None:
        self.house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self.house.settings
        self.house.check_room()  # before anything is read: saying no must cost little
        data = await read_body(scope, receive, limits.body, limits.body_seconds)
        try:
            request = parsed(data, self.form)
            del data
            with self.house.place(scope["state"]["key"]) as place:
                await while_there(receive, self.worker(request).answer(request, place, Sending(scope, receive, send)))
        except PresageError as error:
            raise of_presage(error) from None

    def worker(self, request: Form) -> Endpoint[Form]:
        """Whoever answers this request."""
        return self

    @abstractmethod
    async def answer(self, request: Form, place: Place, to: Sending) -> None:
        """Answer one request. Raises ApiError or PresageError before anything was sent."""


class Sending:
    """Where an answer goes."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send

    async def whole(self, value: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """All of it at once."""
        await JSONResponse(dict(value), headers=dict(headers))(self._scope, self._receive, self._send)

    async def stream(self, chunks: AsyncIterator[Mapping[str, Any]], headers: Mapping[str, str]) -> None:
        """One event after another. What fails before the first has a status of its own; later it is an event, and the
        last."""
        begun = False
        try:
            async for chunk in chunks:
                if not begun:
                    await self._begin(headers)
                    begun = True
                await self._event(chunk)
        except ApiError as error:
            if not begun:
                raise
            await self._event(error.body)
        else:
            await self._send({"type": "http.response.body", "body": DONE, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, headers: Mapping[str, str]) -> None:
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": 200, "headers": [*STREAM, *given]})

    async def _event(self, value: Mapping[str, Any]) -> None:
        data = b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Some work for as long as the client is there; once it has gone the work is cancelled, and nothing is answered."""
    job, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({job, gone}, return_when=asyncio.FIRST_COMPLETED)
        if job.done():
            job.result()
    finally:
        for task in (job, gone):
            task.cancel()
        await asyncio.gather(job, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
