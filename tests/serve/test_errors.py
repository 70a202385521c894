"""What is refused, with which status, and as which of the exceptions of OpenAI's client; who may ask at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from presage.core.errors import ConfigError
from presage.serve.answers import Error
from presage.serve.app import build_app
from presage.serve.errors import ApiError
from presage.serve.guard import OPEN
from presage.serve.house import House, check_address
from tests.serve.house import NAME, SECRET, URL, client, house, http, image_url, key, served

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
GOOD: dict[str, Any] = {"model": NAME, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}


@pytest.fixture(scope="module")
def home() -> Iterator[House]:
    with house() as one:
        yield one


@pytest.fixture(scope="module")
def locked() -> Iterator[House]:
    with house(keys=[key()]) as one:
        yield one


def posted(one: House, path: str = CHAT, *, data: bytes | None = None, **changes: Any) -> httpx.Response:
    async def post() -> httpx.Response:
        async with http(one) as plain:
            body = {"content": data, "headers": {"content-type": "application/json"}} if data is not None else {}
            return await plain.post(path, **(body or {"json": GOOD | changes}))

    return asyncio.run(post())


def refused(response: httpx.Response, status: int, code: str | None = None, param: str | None = None) -> None:
    assert response.status_code == status, response.text
    error = Error.model_validate(response.json()).error
    assert code in (None, error.code) and param in (None, error.param), error
    assert not any(sign in response.text for sign in ("Traceback", ".py", "0x", "presage/", "pydantic"))


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"temperature": "0"}, "invalid_type", "temperature"),
        ({"temperature": -1}, "invalid_value", "temperature"),
        ({"temperature": 1e308}, "invalid_value", "temperature"),
        ({"top_p": 0}, "invalid_value", "top_p"),
        ({"top_p": 2}, "invalid_value", "top_p"),
        ({"n": 0}, "invalid_value", "n"),
        ({"n": 10**9}, "invalid_value", "n"),
        ({"n": True}, "invalid_type", "n"),
        ({"max_tokens": 1.5}, None, "max_tokens"),
        ({"max_tokens": -1}, "invalid_value", "max_tokens"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"stop": ""}, None, "stop"),
        ({"stop": ["x"] * 5}, "invalid_value", "stop"),
        ({"seed": 2**64}, "invalid_value", "seed"),
        ({"logit_bias": {"a": 1}}, None, None),
        ({"logit_bias": {"100000": 1}}, "invalid_value", "logit_bias"),
        ({"logit_bias": {"1": 101}}, None, None),
        ({"top_logprobs": 10**6, "logprobs": True}, "invalid_value", "top_logprobs"),
        ({"top_logprobs": 2}, "invalid_value", "top_logprobs"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"audio": {}}, "unknown_parameter", "audio"),
        ({"messages": []}, "invalid_value", "messages"),
        ({"messages": [{"role": "root", "content": "x"}]}, None, "messages[0]"),
        ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
        ({"messages": [{"role": "user", "content": 3}]}, None, None),
        ({"tool_choice": "required"}, "invalid_value", "tool_choice"),
        ({"response_format": {"type": "yaml"}}, None, "response_format"),
    ],
)
def test_a_wrong_field_is_named(home: House, changes: dict[str, Any], code: str | None, param: str | None) -> None:
    refused(posted(home, **changes), 400, code, param)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"model": "small", "model": "small", "messages": []}',
        b'{"model": "small", "temperature": NaN}',
        b'{"model": "small", "temperature": 1e999}',
        b'{"model": "\\ud800"}',
        b"[" * 100_000,
        b'{"metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 201,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_our_json_is_refused(home: House, data: bytes) -> None:
    refused(posted(home, data=data), 400)


def test_a_body_is_bounded_and_plain() -> None:
    with house(settings={"body": 1000}) as one:
        refused(posted(one, messages=[{"role": "user", "content": "x" * 2000}]), 413, "request_too_large")

        async def odd(headers: dict[str, str]) -> httpx.Response:
            async with http(one) as plain:
                return await plain.post(CHAT, content=b"{}", headers=headers)

        refused(asyncio.run(odd({"content-type": "text/plain"})), 415)
        refused(asyncio.run(odd({"content-type": "application/json", "content-encoding": "gzip"})), 415)


def test_ids_beyond_the_vocabulary(home: House) -> None:
    for prompt in ([-1], [2**31], [[5], [301]], [1.5], [], [[]], None):
        refused(posted(home, TEXT, data=_json({"model": NAME, "prompt": prompt})), 400)


def _json(value: Any) -> bytes:
    import json

    return json.dumps(value).encode()


def test_every_class_of_error_of_the_client(locked: House, home: House) -> None:
    async def raised(one: House, secret: str = SECRET, **changes: Any) -> Exception:
        async with client(one, secret) as api:
            try:
                await api.chat.completions.create(**(GOOD | changes))
            except openai.APIStatusError as error:
                return error
        raise AssertionError("it was answered")

    async def found() -> list[Exception]:
        return [
            await raised(locked, temperature=9),
            await raised(locked, "sk-wrong"),
            await raised(locked, model="other"),
        ]

    bad, unknown, missing = asyncio.run(found())
    assert isinstance(bad, openai.BadRequestError) and bad.param == "temperature"
    assert isinstance(unknown, openai.AuthenticationError) and unknown.code == "invalid_api_key"
    assert isinstance(missing, openai.NotFoundError) and missing.code == "model_not_found"
    with house(keys=[key(requests_per_minute=1)]) as one:

        async def twice() -> Exception:
            async with client(one, SECRET) as api:
                await api.chat.completions.create(**GOOD)
            return await raised(one)

        limited = asyncio.run(twice())
    assert isinstance(limited, openai.RateLimitError) and int(limited.response.headers["retry-after"]) > 1
    with house(settings={"rows": 1, "queue": 0}) as one:

        async def crowded() -> Exception:
            with one.place(None):
                return await raised(one)

        full = asyncio.run(crowded())
        assert isinstance(full, openai.InternalServerError) and full.status_code == 503
        assert full.code == "overloaded" and full.response.headers["retry-after"] == "1"
        one.draining = True
        assert getattr(asyncio.run(raised(one)), "code", "") == "shutting_down"


def test_tokens_are_limited_when_they_are_known() -> None:
    with house(keys=[key(tokens_per_minute=5)]) as one:

        async def many() -> list[int]:
            async with http(one, authorization=f"Bearer {SECRET}") as plain:
                return [(await plain.post(CHAT, json=GOOD | {"max_tokens": 9})).status_code for _ in range(2)]

        assert asyncio.run(many()) == [200, 429]


def test_a_request_ends_at_its_deadline() -> None:
    with house(settings={"deadline": 0.15}) as one:
        endless = {"max_tokens": 2000, "logit_bias": {str(one.served.asking.text.begin): -100}}
        refused(posted(one, **endless), 504, "deadline_exceeded")
        streamed = posted(one, **endless, stream=True)
        assert streamed.status_code == 200 and '"deadline_exceeded"' in streamed.text
        assert one.runner.active <= 1 and not one.places


# ---- who may ask -----------------------------------------------------------------------------------------------------

BAD_KEYS: list[dict[str, str]] = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer "},
    {"authorization": SECRET},
    {"authorization": f"Basic {SECRET}"},
    {"authorization": f"Bearer {SECRET}x"},
    {"authorization": f"Bearer {SECRET[:-1]}"},
    {"authorization": f"Bearer {SECRET} {SECRET}"},
    {"authorization": "Bearer " + "x" * 60_000},
    {"x-api-key": SECRET},
    {"cookie": f"authorization=Bearer {SECRET}"},
    {"x-forwarded-for": "127.0.0.1"},
    {"x-original-url": "/health"},
    {"x-rewrite-url": "/health"},
    {"host": "localhost"},
    {"host": "a/?x="},
]
TRICKS = ["{}", "/{}", "{}/", "{}?key=" + SECRET, "{}%20", "{}%2e", "/health/..{}", "/health/%2e%2e{}", "{};/health"]


def _methods() -> list[str]:
    return ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def test_every_route_asks_for_a_key(locked: House) -> None:
    """Routes are taken from the app: one that is added is refused without a key unless somebody opens it."""

    async def added(request: Request) -> PlainTextResponse:
        return PlainTextResponse("open")

    app = build_app(locked, lambda app: app.router.routes.append(Route("/added", added)))
    paths = [getattr(route, "path", "") for route in app.router.routes]
    assert "/added" in paths and "/metrics" in paths and len(paths) >= 9

    async def statuses() -> set[tuple[str, str, int]]:
        found = set()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL) as plain:
            for path in paths:
                for method in _methods():
                    for trick in TRICKS:
                        where = trick.format(path.replace("{model}", NAME))
                        if (method, where) in {(m, p) for m in ("GET", "HEAD") for p in OPEN}:
                            continue
                        headers = BAD_KEYS[len(found) % len(BAD_KEYS)]
                        response = await plain.request(method, httpx.URL(URL + where), headers=headers)
                        found.add((method, where, response.status_code))
            for headers in BAD_KEYS:
                for method, where in (("GET", "/v1/models"), ("POST", CHAT), ("GET", "/metrics")):
                    response = await plain.request(method, where, headers=headers)
                    found.add((method, str(headers), response.status_code))
        return found

    wrong = {one for one in asyncio.run(statuses()) if one[2] != 401}
    # What is /health once its dots and its query are gone, which is open; nothing else is.
    health = {f"/health?key={SECRET}", "/health/../health", "/health/%2e%2e/health"}
    assert {one for one in wrong if one[1] not in health or one[0] not in ("GET", "HEAD")} == set()


def test_the_key_opens_what_it_should(locked: House) -> None:
    async def seen() -> list[int]:
        async with http(locked, authorization=f"bearer {SECRET}") as plain:
            return [(await plain.get(path)).status_code for path in ("/v1/models", "/metrics", "/openapi.json", "/no")]

    assert asyncio.run(seen()) == [200, 200, 200, 404]


def test_health_is_open_and_its_other_methods_are_not_there(locked: House) -> None:
    async def seen() -> list[int]:
        async with http(locked) as plain:
            return [(await plain.get("/health")).status_code, (await plain.post("/health")).status_code]

    assert asyncio.run(seen()) == [200, 401]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "a/?x=", "", "8.8.8.8"])
def test_without_keys_only_this_machine_is_answered(home: House, host: str) -> None:
    async def seen() -> httpx.Response:
        async with http(home) as plain:
            return await plain.get("/v1/models", headers={"host": host})

    refused(asyncio.run(seen()), 403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:80", "127.9.9.9"])
def test_this_machine_is_known_by_its_names(home: House, host: str) -> None:
    async def seen() -> int:
        async with http(home) as plain:
            return (await plain.get("/v1/models", headers={"host": host})).status_code

    assert asyncio.run(seen()) == 200


def test_another_address_needs_a_key() -> None:
    for host in ("0.0.0.0", "::", "192.168.0.1", "example.org"):
        with pytest.raises(ConfigError, match="no key is asked for"):
            check_address(host, [])
        check_address(host, [key()])
    check_address("::1", [])


def test_answers_let_no_other_site_in(home: House) -> None:
    async def seen() -> httpx.Headers:
        async with http(home) as plain:
            return (await plain.get("/v1/models", headers={"origin": "https://evil.example"})).headers

    headers = asyncio.run(seen())
    assert "access-control-allow-origin" not in headers
    assert headers["x-content-type-options"] == "nosniff" and "default-src 'none'" in headers["content-security-policy"]


def test_a_fault_of_ours_tells_nothing(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("presage.serve.chat.conversation", lambda *_: 1 / 0)
    refused(posted(home), 500, "internal_error")
    monkeypatch.setattr("presage.serve.chat.conversation", _unfit)
    refused(posted(home), 400)


def _unfit(*_: Any) -> None:
    raise ConfigError("does not fit", where="/home/somebody/runs/secret.py", hint="another one")


def test_no_address_of_an_image_is_ever_asked() -> None:
    with house(model=served(eyes=True)) as one, socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        port = listening.getsockname()[1]
        for url in _addresses(port):
            content = [{"type": "image_url", "image_url": {"url": url}}]
            refused(posted(one, messages=[{"role": "user", "content": content}]), 400)
        with contextlib.suppress(TimeoutError):
            listening.accept()
            raise AssertionError("somebody came")


def _addresses(port: int) -> list[str]:
    names = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "127.1", "[::ffff:7f00:1]"]
    schemes = ["http", "https", "HTTP", "ftp", "gopher", "ws", "file", "jar:http"]
    found = [f"{scheme}://{name}:{port}/a.png" for scheme in schemes for name in names]
    return [
        *found,
        f"//127.0.0.1:{port}/",
        f"\\\\127.0.0.1:{port}\\a",
        "file:///etc/passwd",
        "/etc/passwd",
        " http://x",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,",
        "data:image/png;base64,AAAA",
        "data:image/png,abc",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64,***",
        "data:text/html;base64,PHA+",
        "data:image/png;base64," + image_url(),
        image_url("JPEG").replace("jpeg", "png"),
        image_url(size=(13_000, 13_000)),
        image_url()[:-40],
    ],
)
def test_a_bad_image_is_refused(url: str) -> None:
    with house(model=served(eyes=True)) as one:
        content = [{"type": "image_url", "image_url": {"url": url}}]
        answer = posted(one, messages=[{"role": "user", "content": content}])
        refused(answer, 400)
        assert answer.elapsed.total_seconds() < 1


def test_an_error_is_short_and_of_one_form() -> None:
    error = ApiError(429, "x" * 10_000, code="rate_limit_exceeded", retry_after=0.2)
    assert len(error.message) <= 400 and error.headers["retry-after"] == "1"
