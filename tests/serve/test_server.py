"""A real server, in a process of its own: slow clients, clients that go, signals, and the command line."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from presage.cli import main
from presage.data.bpe import Tokenizer
from presage.model.config import qwen3
from tests.imports import ROOT
from tests.model.shapes import lively, make_run
from tests.serve.house import NAME, TEXT

ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
ENDLESS: dict[str, Any] = {"model": NAME, "prompt": "a", "max_tokens": 2000, "logit_bias": {"299": -100}}
HEAD = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
LIMIT = 60.0
BUSY = 4.0
"""Seconds that the end of a process may take on a machine that has other work."""


@contextlib.contextmanager
def server(*command: str, **settings: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and its port."""
    line = command or ("-m", "tests.serve.standalone", json.dumps(settings))
    process = subprocess.Popen(
        [sys.executable, *line], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(re.findall(r"\d+", said.removesuffix("/v1\n"))[-1]) if said.strip() else 0
        assert port, process.communicate()[1]
        yield process, port
    finally:
        process.kill()
        process.communicate()


def eventually(wanted: Callable[[], bool], seconds: float = LIMIT) -> float:
    """Seconds until it is so."""
    begun = time.monotonic()
    while not wanted():
        assert time.monotonic() - begun < seconds, "it never was"
        time.sleep(0.02)
    return time.monotonic() - begun


def gauge(port: int, name: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"presage_{name} ")))


def raw(port: int, body: dict[str, Any]) -> socket.socket:
    """A connection that has asked."""
    data = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(HEAD + str(len(data)).encode() + b"\r\n\r\n" + data)
    return connection


def ended(connection: socket.socket, seconds: float) -> bytes:
    """What a server said until it closed."""
    connection.settimeout(seconds)
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            found += part
    return found


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with server(rows=2, queue=40, head_seconds=0.5, body_seconds=0.6, write_seconds=0.7) as (_, found):
        yield found


def test_who_goes_leaves_its_place(port: int) -> None:
    """While it waits, while it is written, streamed or not."""
    for stream in (False, True):
        connections = [raw(port, ENDLESS | {"stream": stream}) for _ in range(6)]
        eventually(lambda: gauge(port, "sequences_active") == 2 and gauge(port, "requests_in_flight") == 6)
        for connection in connections:
            connection.close()
        eventually(lambda: gauge(port, "requests_in_flight") == 0, 5)
        eventually(lambda: gauge(port, "sequences_active") + gauge(port, "sequences_waiting") == 0, 5)


def test_slow_headers_and_bodies_are_not_waited_for(port: int) -> None:
    silent, trickling, body = (socket.create_connection(("127.0.0.1", port)) for _ in range(3))
    trickling.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-A: ")
    body.sendall(HEAD + b"99\r\n\r\n{")
    begun = time.monotonic()
    assert ended(silent, 5) == b""
    assert b" 408 " in ended(trickling, 5) and b'"request_timeout"' in ended(body, 5)
    assert time.monotonic() - begun < 4


def test_trickled_headers_of_a_later_request_are_not_waited_for(port: int) -> None:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    said = b""
    while b'"ok"' not in said:
        said += connection.recv(65536)
    connection.sendall(b"GET /health HT")
    assert b" 408 " in ended(connection, 5)


def test_who_reads_nothing_is_dropped(port: int) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.connect(("127.0.0.1", port))
    for _ in range(3000):
        connection.settimeout(0.3)
        try:
            connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        except (TimeoutError, ConnectionError):
            break
    with contextlib.suppress(ConnectionError):
        eventually(lambda: _gone(connection), 10)


def _gone(connection: socket.socket) -> bool:
    with contextlib.suppress(TimeoutError):
        connection.sendall(b"G")
    return False


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    ],
)
def test_what_is_no_request_is_refused_in_our_form(port: int, data: bytes) -> None:
    connection = socket.create_connection(("127.0.0.1", port))
    with contextlib.suppress(ConnectionError):
        connection.sendall(data)
    said = ended(connection, 5)
    codes = (b'"invalid_http"', b'"headers_too_large"')
    assert not said or (said[9:10] == b"4" and any(code in said for code in codes))


def test_signals_drain_then_end() -> None:
    with server(grace=20, rows=4) as (process, port), ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_posted, port, ENDLESS | {"max_tokens": 150}) for _ in range(8)]
        eventually(lambda: gauge(port, "requests_in_flight") == 8)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: _posted(port, ENDLESS)[0] == 503, 5)
        assert [one.result()[0] for one in asked] == [200] * 8
        assert process.wait(5) == 0


def test_when_the_grace_is_over_they_are_told() -> None:
    with server(grace=0.3, rows=2) as (process, port), ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(_posted, port, ENDLESS | {"stream": number % 2 == 0}) for number in range(6)]
        eventually(lambda: gauge(port, "requests_in_flight") == 6)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        told = [one.result()[1] for one in asked]
        assert process.wait(5) == 0 and time.monotonic() - begun < 0.3 + BUSY
        assert all('"shutting_down"' in text for text in told), told


def test_a_second_signal_ends_at_once() -> None:
    with server(grace=60) as (process, port), ThreadPoolExecutor(2) as pool:
        asked = pool.submit(_posted, port, ENDLESS)
        eventually(lambda: gauge(port, "requests_in_flight") == 1)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/health").status_code == 503)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(BUSY) == 4 and time.monotonic() - begun < BUSY
        asked.result()


def _posted(port: int, body: dict[str, Any]) -> tuple[int, str]:
    try:
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/completions", json=body, timeout=LIMIT)
    except httpx.HTTPError as error:
        return 0, str(error)
    return answer.status_code, answer.text


def test_the_command_serves_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT * 4], 300).to_json())
    run = make_run(tmp_path / "target", lively(qwen3(300, 64, 1, 16, n_heads=2, n_kv_heads=2, d_head=8)), tokenizer)
    keys = tmp_path / "keys.json"
    secret = _said(capsys, "keys", "add", "ada", "--file", str(keys))
    assert _said(capsys, "keys", "add", "bob", "--file", str(keys)) != secret
    assert _said(capsys, "keys", "remove", "bob", "--file", str(keys)) == ""
    arguments = ("-m", "presage", "serve", str(run), "--port", "0", "--keys", str(keys))
    policy = ("--policy", str(run), "--block-from", "1", "--warn-from", "1", "--audit", str(tmp_path / "audit"))
    with server(*arguments, *policy) as (process, port):
        api = openai.OpenAI(api_key=secret, base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)
        answer = api.chat.completions.create(
            model="target", messages=[{"role": "user", "content": "hi"}], max_tokens=3, timeout=LIMIT
        )
        assert answer.usage and answer.usage.completion_tokens <= 3
        assert set(api.moderations.create(input="hi").results[0].category_scores.model_dump()) >= {"hate", "violence"}
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 0
        assert process.stderr is not None and process.stderr.read() == ""


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(arguments) == 0
    finally:
        signal.signal(signal.SIGTERM, handler)
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-run"], "no such directory"),
        (["no-such-run", "--host", "0.0.0.0"], "no key is asked for"),
        (["no-such-run", "--keys", "no-such-file"], "presage keys add"),
        (["no-such-run", "--keys", "no-keys"], "presage keys add"),
        (["http://127.0.0.1/v1#a"], "serves itself"),
        (["no-such-run", "--audit", "a"], "--policy"),
        (["no-such-run", "--rows", "0"], "rows"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-keys").write_text('{"keys": []}')  # the last was removed: not open to all then
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["serve", *arguments]) == 2
    finally:
        signal.signal(signal.SIGTERM, handler)
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
