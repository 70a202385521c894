"""A made-up endpoint on this machine, and time that passes only when somebody sleeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from presage.data.verbs import Generation
from presage.infer.url import UrlModel
from presage.infer.url_limits import Clock

Body = dict[str, Any]
VOWEL, REST = -1.0, -2.0


@dataclass
class Reply:
    """What a handler answers: JSON of `body`, or `raw` bytes as they are. claim: the length it says it has."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    claim: int | None = None


Rule = Callable[[str, Body], Reply]


class Endpoint:
    """Answers by a rule (path, body) -> Reply; keeps what it was asked, and the keys it was sent."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.asked: list[tuple[str, Body]] = []
        self.keys: list[str | None] = []
        self.hold = threading.Event()
        self.most, self._now, self._lock = 0, 0, threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # headers and body in one segment: else each answer waits for an acknowledgement

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                server.answer(self, json.loads(self.rfile.read(length)))

            def do_GET(self) -> None:
                server.answer(self, {})

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def answer(self, handler: BaseHTTPRequestHandler, body: Body) -> None:
        path = handler.path.removeprefix("/v1/")
        with self._lock:
            self.asked.append((path, body))
            self.keys.append(handler.headers.get("authorization"))
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self._send(handler, self.rule(path, body))
        finally:
            with self._lock:
                self._now -= 1

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        data = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(data) if reply.claim is None else reply.claim))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(data)
            handler.wfile.flush()
        handler.close_connection = reply.claim is not None or handler.close_connection

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def serving(rule: Rule) -> Iterator[Endpoint]:
    """An endpoint that listens while the block runs."""
    endpoint = Endpoint(rule)
    thread = threading.Thread(target=endpoint.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        endpoint.hold.set()
        endpoint.http.shutdown()
        endpoint.http.server_close()


class Time(Clock):
    """Stands still but for sleeps, which are kept, and for `tick` seconds a look."""

    def __init__(self, tick: float = 0.0) -> None:
        self.seconds, self.tick = 1000.0, tick
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            self.seconds += self.tick
            return self.seconds

    def today(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds - 1000.0)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.seconds += seconds


# ---- rules -----------------------------------------------------------------------------------------------------------


def honest(path: str, body: Body, words: str = " Wednesday, Thursday", context: int = 10_000) -> Reply:
    """Chat, completions and echo of a model whose tokens are characters: vowels are likelier, and " " the top token."""
    if path == "models":
        return Reply({"data": [{"id": "toy"}]})
    if "messages" in body:
        text = "".join(one["content"] for one in body["messages"])
        return _fits(text, body, context) or Reply(_answer(body, text, words, chat=True))
    return _fits(body["prompt"], body, context) or Reply(_answer(body, body["prompt"], words, chat=False))


def no_chat(path: str, body: Body) -> Reply:
    """A model that only continues texts."""
    return error(404, "This is not a chat model") if path.startswith("chat") else honest(path, body)


def error(status: int, message: str, **more: Any) -> Reply:
    return Reply({"error": {"message": message, **more}}, status)


def _fits(text: str, body: Body, context: int) -> Reply | None:
    wanted = len(text) + body["max_tokens"]
    told = f"This model's maximum context length is {context} tokens. However, you requested {wanted} tokens."
    return error(400, told, code="context_length_exceeded") if wanted > context else None


def _answer(body: Body, prompt: str, words: str, *, chat: bool) -> Body:
    ends = [place for stop in body.get("stop", []) if (place := words.find(stop)) >= 0]
    whole = words[: min(ends)] if ends else words
    text = whole[: body["max_tokens"]]
    choice: Body = {"index": 0, "finish_reason": "length" if len(text) < len(whole) else "stop"}
    if chat:
        rows = [{"token": c, "logprob": logprob(c)} for c in text]
        choice |= {"message": {"role": "assistant", "content": text}}
        choice["logprobs"] = {"content": rows} if body.get("logprobs") else None
    else:
        shown = prompt + text if body.get("echo") else text
        choice |= {"text": shown, "logprobs": _logprobs(shown, bool(body.get("echo"))) if "logprobs" in body else None}
    rows = [{**choice, "index": i} for i in range(body.get("n", 1))]
    usage = {"prompt_tokens": len(prompt), "completion_tokens": len(text) * len(rows)}
    return {"model": "toy-1", "choices": rows, "usage": usage}


def _logprobs(shown: str, echo: bool) -> Body:
    logprobs: list[float | None] = [logprob(c) for c in shown]
    tops: list[dict[str, float] | None] = [{c: logprob(c), "e": VOWEL} for c in shown]
    if echo and shown:
        logprobs[0], tops[0] = None, None
    offsets = list(range(len(shown)))
    return {"tokens": list(shown), "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets}


def logprob(character: str) -> float:
    return VOWEL if character in "aeiou" else REST


# ---- for tests of what goes wrong ------------------------------------------------------------------------------------

KEY = "sk-0123456789abcdefSECRET"
GO = [Generation("Go on")]


def opened(endpoint: Endpoint, time: Time | None = None, **settings: object) -> UrlModel:
    return UrlModel.open(endpoint.url + "#toy", clock=time or Time(), **settings)


class Then:
    """Honest while a model is opened; then the given replies, one a generation, and honest again."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, path: str, body: Body) -> Reply:
        opening = body.get("max_tokens") == 1 and not body.get("prompt", "").endswith("!")
        return honest(path, body) if opening or not self.replies else self.replies.pop(0)


def message(content: object) -> Reply:
    return Reply({"choices": [{"message": {"role": "assistant", "content": content}}], "usage": None})


def one_line_without_key(problem: BaseException) -> None:
    assert "\n" not in str(problem)
    assert KEY not in f"{problem!s} {problem!r} {problem.__cause__!r} {problem.__context__!r}"
