"""The page's server by real requests: who is answered, who is not, and what a page may do."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presage.align.label_page import PAGES, page_of
from presage.align.label_server import HOST, LONGEST_BODY, LabelServer
from presage.align.records import read_preferences
from presage.core.errors import ConfigError
from presage.report.svg import INK
from tests.align.labelled import PAIRS, answer_of, ask, book_of, rows, serving

ALWAYS = (
    "Cache-Control",
    "Content-Security-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Referrer-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabelServer]:
    with serving(book_of(tmp_path / "l.jsonl")) as found:
        yield found


def saving(turn: int = 0) -> dict[str, Any]:
    return {"turn": turn, "answer": answer_of(1, 2)}


# ---- a session -------------------------------------------------------------------------------------------------------


def test_a_whole_session(server: LabelServer, tmp_path: Path) -> None:
    status, state, _ = ask(server, "state")
    assert (status, state["kind"], state["who"], state["total"]) == (200, "compare", "Ada", 4)
    for verb in ("save", "save", "undo", "skip", "save", "save"):
        turn = state["turn"]
        status, state, _ = ask(server, verb, saving(turn))
        assert status == 200
    assert (state["task"], state["done"], state["skipped"]) == (None, 3, 1)
    assert [one.id for one in read_preferences(tmp_path / "l.jsonl")] == ["t0", "t2", "t3"]
    assert server.book.summary == "3 labelled now, 3 of 4 by Ada in all, 1 skipped"


def test_a_window_that_is_behind_is_told_where_it_stands(server: LabelServer) -> None:
    ask(server, "save", saving())
    status, told, _ = ask(server, "save", saving())
    assert status == 409
    assert "another window" in told["error"]
    assert (told["state"]["turn"], told["state"]["done"]) == (1, 1)


def test_two_browsers_at_once_write_each_label_once(server: LabelServer, tmp_path: Path) -> None:
    statuses: list[int] = []

    def browse() -> None:
        _, state, _ = ask(server, "state")
        while state["task"] is not None:
            status, told, _ = ask(server, "save", saving(state["turn"]))
            statuses.append(status)
            state = told["state"] if status == 409 else told

    both = [threading.Thread(target=browse) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert statuses.count(200) == len(PAIRS)
    assert set(statuses) <= {200, 409}
    assert [one.id for one in read_preferences(tmp_path / "l.jsonl")] == [one.id for one in PAIRS]


def test_an_answer_that_is_none_is_told_why(server: LabelServer, tmp_path: Path) -> None:
    for wrong in ({"turn": 0, "answer": answer_of(1, 9)}, {"turn": 0, "answer": []}, {"turn": 0}):
        status, told, _ = ask(server, "save", wrong)
        assert status == 422
        assert told["error"]
    assert rows(tmp_path / "l.jsonl") == []
    assert ask(server, "state")[1]["turn"] == 0


# ---- who is not answered ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/state", "/save", "//state", "/wrong/state", "/" + "x" * 32 + "/", "x", "/é/"])
def test_without_the_token_there_is_nothing(server: LabelServer, path: str) -> None:
    for body in (None, saving()):
        status, told, headers = ask(server, "", body, path=path.replace("é", "%C3%A9"))
        assert (status, set(told)) == (404, {"error"})
        assert server.token not in str(told) + str(headers)
    assert server.book.state()["done"] == 0


def test_raw_bytes_in_the_path_are_no_token(server: LabelServer) -> None:
    with socket.create_connection((HOST, server.server_port), timeout=10) as raw:
        raw.sendall(b"GET /\xff\xfe/state HTTP/1.0\r\nHost: %b:%d\r\n\r\n" % (HOST.encode(), server.server_port))
        assert b" 404 " in raw.recv(100)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", None])
def test_another_name_for_this_machine_is_refused(server: LabelServer, host: str | None) -> None:
    """What a stranger's name server points here sends the stranger's name as its host."""
    given = host and host.format(port=server.server_port)
    for body in (None, saving()):
        status, told, _ = ask(server, "state" if body is None else "save", body, headers={"Host": given})
        assert (status, set(told)) == (421, {"error"})
    assert server.book.state()["done"] == 0


def test_localhost_is_this_machine(server: LabelServer) -> None:
    own = f"localhost:{server.server_port}"
    assert ask(server, "state", headers={"Host": own, "Origin": f"http://{own}"})[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_pages_of_other_origins_are_refused(server: LabelServer, origin: str) -> None:
    headers = {"Origin": origin.format(port=server.server_port)}
    assert ask(server, "save", saving(), headers=headers)[0] == 403
    assert ask(server, "state", headers=headers)[0] == 403
    assert server.book.state()["done"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": None}, 415),
        ({"Content-Length": None}, 411),
        ({"Content-Length": "-1"}, 411),
        ({"Content-Length": "9" * 30}, 411),
        ({"Content-Length": str(LONGEST_BODY + 1)}, 413),
    ],
)
def test_bodies_are_json_of_bounded_length(server: LabelServer, headers: dict[str, str | None], status: int) -> None:
    assert ask(server, "save", saving(), headers=headers)[0] == status
    assert server.book.state()["done"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"[" * 60_000, b"\xff", b'{"turn": NaN}'])
def test_bodies_that_are_no_object(server: LabelServer, body: bytes) -> None:
    assert ask(server, "save", body)[0] in (409, 422)
    assert server.book.state()["done"] == 0


def test_other_places_and_methods(server: LabelServer) -> None:
    assert ask(server, "label.js")[0] == 404
    assert ask(server, "save")[0] == 404
    assert ask(server, "drop", saving())[0] == 404
    assert ask(server, "../../etc/passwd")[0] == 404
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
        assert ask(server, "state", method=method)[0] == 501


@pytest.mark.parametrize(("method", "path", "status"), [("PUT", "", 501), ("GET", "/" + "x" * (1 << 16), 414)])
def test_requests_that_are_none_are_answered_with_the_same_headers(
    server: LabelServer, method: str, path: str, status: int
) -> None:
    _, _, usual = ask(server, "state")
    given, _, headers = ask(server, "state", method=method, path=path)
    assert given == status
    assert [headers.get(name) for name in ALWAYS] == [usual[name] for name in ALWAYS]


def test_a_visitor_who_says_nothing_holds_nobody_up(server: LabelServer) -> None:
    with socket.create_connection((HOST, server.server_port), timeout=10) as silent:
        silent.sendall(b"POST ")
        assert ask(server, "state")[0] == 200


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_page_runs_its_own_script_and_nothing_else(server: LabelServer) -> None:
    status, text, headers = ask(server, "")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["script-src"])
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert (headers["Referrer-Policy"], headers["X-Content-Type-Options"]) == ("no-referrer", "nosniff")
    assert headers["Cache-Control"] == "no-store"
    assert not re.findall(r"(?:src|href|url)\s*[=(]", text)
    assert "Question" not in text


@pytest.mark.parametrize("kind", ["compare", "study"])
def test_the_policy_names_what_is_on_the_page(kind: str) -> None:
    import base64
    import hashlib

    page = page_of(kind)
    for tag in ("script", "style"):
        (inner,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.body.decode(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page.policy


def test_texts_never_become_html() -> None:
    for path in PAGES.glob("*.js"):
        text = path.read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "srcdoc"):
            assert way not in text, f"{path.name}: {way}"


def test_the_page_has_the_colours_of_reports() -> None:
    style = (PAGES / "label.css").read_text()
    light, *darks = re.findall(r"color-scheme:(?:light|dark);([^}]*)}", style)
    for theme, place in [(light, 1), *((dark, 2) for dark in darks)]:
        assert dict(one.split(":") for one in theme.split(";")) == {
            f"--{role}": colours[place] for role, colours in INK.items()
        }
    assert len(darks) == 2


def test_a_port_in_use_is_told(server: LabelServer, tmp_path: Path) -> None:
    book = book_of(tmp_path / "other.jsonl")
    with pytest.raises(ConfigError, match=f"port {server.server_port}: .*another --port"):
        LabelServer(book, server.server_port)
    with pytest.raises(ConfigError, match="0 to 65535"):
        LabelServer(book, 70000)
    book.close()


def test_two_servers_have_two_tokens(server: LabelServer, tmp_path: Path) -> None:
    with serving(book_of(tmp_path / "other.jsonl")) as other:
        assert other.token != server.token
        assert ask(other, "", path=f"/{server.token}/state")[0] == 404
        assert len(other.token) == 32
