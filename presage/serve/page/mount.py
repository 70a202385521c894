"""The page's routes. Its files are held in memory and sent with a policy under which nothing but them can run.

Whoever asks for a key lets the OPEN paths through without one: files that are the same for everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from presage.core.errors import DataError, PresageError, RunError

STATIC = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "trusted-types 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
LONGEST_VOTE = 1 << 20
NAMES = tuple(sorted(path.name for path in STATIC.iterdir() if path.suffix in KINDS and path.name != "index.html"))
OPEN = frozenset({"/", *(f"/page/{name}" for name in NAMES)})
"""Paths that hold nothing of any model or person."""

Vote = Callable[[Mapping[str, Any]], None]
"""Keeps a vote durably. Raises DataError for one that is none, RunError where it cannot be written."""


def mount(app: Starlette, models: Sequence[Mapping[str, Any]], vote: Vote | None = None) -> None:
    """Add the page at "/" and what it asks for below "/page/". models: `facts` of each that is served."""
    body = JSONResponse({"models": list(models), "votes": vote is not None}).body
    routes = [_file("/", "index.html"), *(_file(f"/page/{name}", name) for name in NAMES), _facts(bytes(body))]
    app.router.routes.extend([*routes, _votes(vote)] if vote else routes)


def _file(path: str, name: str) -> Route:
    file = STATIC / name
    body, kind = file.read_bytes(), f"{KINDS[file.suffix]}; charset=utf-8"

    async def send(request: Request) -> Response:
        return Response(body, headers=HEADERS | {"Content-Type": kind})

    return Route(path, send, methods=["GET"], include_in_schema=False)


def _facts(body: bytes) -> Route:
    async def send(request: Request) -> Response:
        return Response(body, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})

    return Route("/page/facts", send, methods=["GET"], include_in_schema=False)


def _votes(vote: Vote) -> Route:
    async def take(request: Request) -> Response:
        """JSON alone: what another site's form could send is refused."""
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return _refused(415, "a vote is application/json")
        body = await _body(request)
        if body is None:
            return _refused(413, f"a vote has at most {LONGEST_VOTE:,} bytes")
        try:
            await run_in_threadpool(vote, _object(body))
        except PresageError as error:
            return _refused(507 if isinstance(error, RunError) else 422, str(error))
        return JSONResponse({"saved": True})

    return Route("/page/votes", take, methods=["POST"], include_in_schema=False)


async def _body(request: Request) -> bytes | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_VOTE:
            return None
    return body


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DataError("no JSON", where="the vote") from None
    if not isinstance(found, dict):
        raise DataError("no object", where="the vote")
    return found


def _refused(status: int, what: str) -> JSONResponse:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return JSONResponse({"error": {"message": what, "type": kind, "param": None, "code": None}}, status)
