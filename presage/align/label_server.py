"""The page's server: on this machine alone, for who has the address.

The address holds a token drawn at the start, so no page of another origin can name it; a request must also be meant for
this very host and port (a name that a stranger's server points here is refused), come from this origin where it says
where from, and be JSON of bounded length where it changes anything. Answers of a book are kept in their order by it.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from presage.align.label_book import VERBS, Book, Stale
from presage.align.label_page import Page, page_of
from presage.core.errors import ConfigError, DataError, PresageError, RunError
from presage.core.strict import whole_number

HOST = "127.0.0.1"
LONGEST_BODY = 1 << 16
PATIENCE = 30.0
"""Seconds that a connection may say nothing."""
_NOTHING = "default-src 'none'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class LabelServer(ThreadingHTTPServer):
    """Serves one book at `url` until `stop`. Raises ConfigError for a port that cannot be had."""

    daemon_threads = True

    def __init__(self, book: Book, port: int = 0) -> None:
        self.book, self.token, self.page = book, secrets.token_urlsafe(24), page_of(book.sheet.kind)
        if not 0 <= port < 1 << 16:
            raise ConfigError(f"--port {port}", where="label", hint="0 to 65535; 0 takes any that is free")
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise ConfigError(f"port {port}: {error.strerror}", where=HOST, hint="another --port") from None
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def url(self) -> str:
        """Where the page is; whoever has it can label."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more. Only after `start`."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no error; all else is ours, and shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Refused(Exception):
    """A request that is not answered."""

    def __init__(self, status: HTTPStatus, what: str) -> None:
        super().__init__(what)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = PATIENCE
    server_version, sys_version = "presage", ""
    policy = _NOTHING
    """Of content, sent with the next answer."""

    def do_GET(self) -> None:
        """The page, or where the book stands."""
        self._answer(self._read)

    def do_POST(self) -> None:
        """Something done to the book."""
        self._answer(self._write)

    def end_headers(self) -> None:
        """The headers that every answer has, those of requests that reach none of ours, too."""
        for name, value in ({"Content-Security-Policy": self.policy} | _HEADERS).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""

    def _answer(self, how: Any) -> None:
        try:
            self._send(HTTPStatus.OK, how(self._place()))
        except _Refused as refused:
            self._send(refused.status, {"error": str(refused)})
        except Stale:
            state = self.server.book.state()
            self._send(HTTPStatus.CONFLICT, {"error": "answered in another window already", "state": state})
        except PresageError as error:
            full = isinstance(error, RunError)
            status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.UNPROCESSABLE_ENTITY
            self._send(status, {"error": str(error)})

    def _place(self) -> str:
        """What is asked for, below the token. Raises _Refused for whoever should not ask."""
        if self.headers.get("Host") not in self.server.hosts:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "not this host")
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise _Refused(HTTPStatus.FORBIDDEN, "not this origin")
        _, token, place = (*self.path.split("/", 2), "", "")[:3]
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here: open the whole address that presage label printed")
        return place

    def _read(self, place: str) -> Page | Mapping[str, Any]:
        if place == "state":
            return self.server.book.state()
        if place:
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")
        return self.server.page

    def _write(self, place: str) -> Mapping[str, Any]:
        if place not in VERBS:
            raise _Refused(HTTPStatus.NOT_FOUND, "nothing here")
        return self.server.book.act(place, self._body())

    def _body(self) -> Mapping[str, Any]:
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not application/json")
        length = whole_number(self.headers.get("Content-Length", ""))
        if length is None:
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "how long is it?")
        if length > LONGEST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {LONGEST_BODY} bytes")
        try:
            found = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError):
            raise DataError("not JSON", where="the answer") from None
        if not isinstance(found, dict):
            raise DataError("no object", where="the answer")
        return found

    def _send(self, status: HTTPStatus, what: Page | Mapping[str, Any]) -> None:
        page = what if isinstance(what, Page) else None
        body = page.body if page else json.dumps(what).encode()
        self.send_response(status)
        kind = "text/html" if page else "application/json"
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.policy = page.policy if page else _NOTHING
        self.end_headers()
        self.wfile.write(body)
