"""Tasks, books and servers for tests of labelling."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from presage.align.label_book import Book
from presage.align.label_compare import Comparing
from presage.align.label_server import HOST, LabelServer
from presage.align.label_tasks import Task
from presage.data.verbs import Message

PAIRS = tuple(
    Task(f"t{n}", (Message("user", f"Question {n}?"),), (f"one {n}", f"two {n}"), ("run A", "run B"), "odd" * (n % 2))
    for n in range(4)
)
MANY = Task("many", (Message("user", "Rank."),), ("a", "b", "c", "d"))


def book_of(out: Path, *tasks: Task, who: str = "Ada") -> Book:
    return Book(Comparing(tasks or PAIRS, who), out)


def answer_of(*ranks: int, ratings: Any = None, flags: Any = None) -> dict[str, Any]:
    none = [None] * len(ranks)
    return {"ranks": list(ranks), "ratings": ratings or none, "flags": flags or [[] for _ in ranks]}


def save(book: Book, *ranks: int, **more: Any) -> dict[str, Any]:
    return book.act("save", {"turn": book.turn, "answer": answer_of(*ranks, **more)})


def step(book: Book, verb: str) -> dict[str, Any]:
    return book.act(verb, {"turn": book.turn})


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.contextmanager
def serving(book: Book) -> Iterator[LabelServer]:
    server = LabelServer(book)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        book.close()


def ask(
    server: LabelServer,
    place: str,
    body: Any = None,
    *,
    method: str = "",
    path: str = "",
    headers: Mapping[str, str | None] | None = None,
) -> tuple[int, Any, Mapping[str, str]]:
    """(status, what came as JSON or text, headers). A header of None is left out."""
    connection = http.client.HTTPConnection(HOST, server.server_port, timeout=10)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    given = {"Host": f"{HOST}:{server.server_port}"} | ({} if sent is None else {"Content-Type": "application/json"})
    if sent is not None:
        given["Content-Length"] = str(len(sent))
    wanted = {name: value for name, value in (given | dict(headers or {})).items() if value is not None}
    try:
        connection.putrequest(
            method or ("GET" if sent is None else "POST"), path or f"/{server.token}/{place}", skip_host=True
        )
        for name, value in wanted.items():
            connection.putheader(name, value)
        connection.endheaders(sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        told = dict(answer.getheaders())
        return answer.status, json.loads(text) if "json" in told.get("Content-Type", "") else text, told
    finally:
        connection.close()
