"""Before any route: who asks, and from where. What is not named here as open to all needs a key.

Also what all answers have in common: headers for safety, counts for /metrics, and that no fault of ours tells anything.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import sys
import time
import traceback
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from presage.serve.errors import ApiError, internal
from presage.serve.house import House, is_local
from presage.serve.keys import Key, match

OPEN = frozenset({"/health"})
"""And what a house names besides: files that are the same for everybody."""
LONGEST_HEAD = 64_000
SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
_BEARER = "bearer "


class Guard:
    """Around the whole app."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self.app, self.house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send, secrets.token_hex(8))
        begun = time.perf_counter()
        try:
            scope.setdefault("state", {})["key"] = self._caller(scope)
            await self.app(scope, receive, answer)
        except ApiError as error:
            await answer.refuse(error, scope, receive)
        except asyncio.CancelledError:
            answer.status = answer.status or 499
            raise
        except Exception:  # told to whoever runs the server, and to nobody else
            traceback.print_exc(file=sys.stderr)
            await answer.refuse(internal(), scope, receive)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self.house.metrics.count("requests", path=path, status=str(answer.status or 499))
            self.house.metrics.observe("request", time.perf_counter() - begun)

    def _caller(self, scope: Scope) -> Key | None:
        """Whose key this is; None where nobody needs one. Raises ApiError."""
        headers = scope["headers"]
        if sum(len(name) + len(value) + len(b": \r\n") for name, value in headers) > LONGEST_HEAD:
            raise ApiError(431, "The headers are too long.", code="headers_too_large")
        if not self.house.keys:
            self._check_host([value for name, value in headers if name.lower() == b"host"])
            return None
        if scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN | self.house.open_paths:
            return None
        given = [value.decode("latin-1") for name, value in headers if name.lower() == b"authorization"]
        one = given[0] if len(given) == 1 else ""
        secret = one[len(_BEARER) :].strip() if one[: len(_BEARER)].lower() == _BEARER else ""
        key = match(self.house.keys, secret) if secret else None
        if key is None:
            message = (
                "Incorrect API key provided." if secret else "You didn't provide an API key: Authorization: Bearer KEY."
            )
            raise ApiError(401, message, code="invalid_api_key")
        return key

    def _check_host(self, hosts: list[bytes]) -> None:
        """Without keys only this machine asks; a page elsewhere whose name points here does not."""
        said = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        name = re.sub(r":\d*$", "", said).strip("[]")
        if not is_local(name):
            raise ApiError(403, "This server answers on this machine alone.", code="host_not_allowed")


class _Answer:
    """`send` with the headers that every answer has, and what became of it."""

    def __init__(self, send: Send, id: str) -> None:
        self._send, self._id = send, id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name.lower() for name, _ in message["headers"]}
            more = SAFE | {"x-request-id": self._id}
            extra = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in given]
            message = {**message, "headers": [*message["headers"], *extra]}
        await self._send(message)

    async def refuse(self, error: ApiError, scope: Scope, receive: Receive) -> None:
        """The error as an answer, where none has begun."""
        if self.status is None:
            response: Any = JSONResponse(error.body, error.status, headers=dict(error.headers))
            await response(scope, receive, self)
