"""A server of the page without a model: it answers as a test says, in OpenAI's form, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from presage.serve.page.mount import OPEN, Vote, mount

Body = Mapping[str, Any]
Script = Callable[[Body], Sequence[str]]


def about(id: str, **changes: Any) -> dict[str, Any]:
    """What the page is told of a model."""
    known = {
        "id": id,
        "name": id,
        "chat": True,
        "sees": False,
        "context_length": 128,
        "note": "",
        "facts": [["Parameters", "1.19 million"], ["Context", "128 tokens"]],
        "prompts": [],
    }
    return known | changes


TWO = (about("base", chat=False), about("tuned"))


@dataclass
class Scripted:
    """script: the pieces of an answer; pause: seconds between them; key: what is asked for, if anything."""

    script: Script
    pause: float = 0.0
    key: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken: int = 0
    """Answers that the browser did not wait for."""
    url: str = ""

    def app(self, models: Sequence[Mapping[str, Any]], vote: Vote | None) -> Any:
        routes = [Route(f"/v1/{path}", self._answer, methods=["POST"]) for path in ("chat/completions", "completions")]
        inner = Starlette(routes=routes)
        mount(inner, models, vote)

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and self.key and scope["path"] not in OPEN:
                given = dict(scope["headers"]).get(b"authorization", b"").decode()
                if given != f"Bearer {self.key}":
                    refused = {"error": {"message": "no key", "type": "invalid_request_error"}}
                    await JSONResponse(refused, 401)(scope, receive, send)
                    return
            await inner(scope, receive, send)

        return guarded

    async def _answer(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body | {"path": request.url.path})
        pieces = self.script(body)
        if pieces and pieces[0] == "!busy":
            error = {"error": {"message": "at its limit", "type": "server_error", "param": None, "code": "overloaded"}}
            return JSONResponse(error, 503, headers={"Retry-After": "3"})
        if pieces and pieces[0] == "!long":
            error = {"error": {"message": "too long", "type": "x", "param": None, "code": "context_length_exceeded"}}
            return JSONResponse(error, 400)
        read = max(7, sum(16 + len(str(one["content"])) for one in body.get("messages", ())) * 7 // 16)
        return StreamingResponse(self._events(pieces, "chat" in request.url.path, read), media_type="text/event-stream")

    async def _events(self, pieces: Sequence[str], chat: bool, read: int) -> AsyncIterator[str]:
        whole = False
        try:
            for piece in pieces:
                if piece == "!error":
                    yield _event({"error": {"message": "the model stopped", "type": "server_error"}})
                    return
                choice = {"delta": {"content": piece}} if chat else {"text": piece}
                yield _event({"choices": [choice | {"index": 0, "finish_reason": None}]})
                await asyncio.sleep(self.pause)
            last = {"delta": {}} if chat else {"text": ""}
            yield _event({"choices": [last | {"index": 0, "finish_reason": "stop"}]})
            usage = {"prompt_tokens": read, "completion_tokens": len(pieces), "total_tokens": read + len(pieces)}
            yield _event({"choices": [], "usage": usage})
            yield "data: [DONE]\n\n"
            whole = True
        finally:
            self.broken += not whole


def _event(data: Body) -> str:
    return f"data: {json.dumps(data)}\n\n"


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address at which an application is served by a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(10)
