"""JSON over HTTP to one endpoint: retries, limits of rate, time and size, and errors of one line that hold no key.

Nothing is taken from the environment (no proxy, no .netrc), and redirections are not followed: what is sent goes where
the user said.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, NoReturn

import httpx

from presage.core.errors import ConfigError, EndpointError
from presage.infer.url_limits import Bucket, Clock, Limits, backoff, retry_after
from presage.infer.url_settings import Address, Key, UrlSettings
from presage.infer.url_usage import Usage

_AGAIN = {408, 409, 425, 429}
_KEY = {401, 403}
_NEVER = 501  # not implemented
_CONNECT_S = 10.0
_SHOWN = 300
_GOES_ON = "what was answered is kept: --resume goes on from there"


class Answered(EndpointError):
    """An endpoint answered with a status that is no success."""

    def __init__(self, status: int, what: str, host: str, hint: str | None = None) -> None:
        self.status = status
        super().__init__(what, where=host, hint=hint)

    @property
    def is_final(self) -> bool:
        """Whether it would say so again: not while it is busy, broken or away. The key is another matter."""
        return self.status == _NEVER or (400 <= self.status < 500 and self.status not in _AGAIN | _KEY)

    @property
    def refuses_key(self) -> bool:
        """Of what was asked: another path may be open to the same key."""
        return self.status in _KEY


class Refused(Answered):
    """An endpoint says that the request is wrong (400, 413, 422, ...), in `told`."""

    def __init__(self, status: int, told: str, host: str) -> None:
        self.told = told
        super().__init__(status, f"refuses the request ({status}): {told}", host)


class Unreadable(EndpointError):
    """An answer that is no JSON object, or too large."""


class _Again(Exception):
    """What went wrong and may go right when asked again, after so many seconds if the endpoint says so."""

    def __init__(
        self, what: str, hint: str = _GOES_ON, after: float | None = None, *, status: int = 0, unreadable: bool = False
    ) -> None:
        super().__init__(what)
        self.what, self.hint, self.after, self.status, self.unreadable = what, hint, after, status, unreadable


class Client:
    """One endpoint. Threads may ask at once; `usage` counts what they asked."""

    def __init__(self, address: Address, key: Key, settings: UrlSettings, clock: Clock | None = None) -> None:
        self.address, self.settings = address, settings
        self.usage = Usage(settings.price_in, settings.price_out)
        self._key, self._chance = key, Random()
        self._clock = clock or Clock()
        requests = Bucket(settings.requests_per_minute, self._clock)
        self._limits = Limits(self._clock, requests, Bucket(settings.tokens_per_minute, self._clock))
        self._http = _open(settings)
        self.closed = threading.Event()

    def close(self) -> None:
        """Nothing more is sent; threads that wait for their turn give up."""
        self.closed.set()
        self._http.close()

    def get(self, path: str) -> dict[str, Any]:
        """Ask for what is there. Raises EndpointError."""
        return self._ask("GET", path, None, 0, 2)

    def post(self, path: str, body: dict[str, Any], tokens: float = 0, attempts: int | None = None) -> dict[str, Any]:
        """Send a request of about so many tokens. Raises Refused, Unreadable or another EndpointError."""
        return self._ask("POST", path, body, tokens, attempts or self.settings.attempts)

    # ---- attempts ----------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, tokens: float, attempts: int) -> dict[str, Any]:
        self._limits.wait(tokens)
        end = self._clock.now() + self.settings.deadline_s
        for attempt in range(1, attempts + 1):
            try:
                answer = self._once(method, path, body)
            except _Again as problem:
                delay = max(problem.after or 0.0, backoff(attempt, self._chance))
                late = self._clock.now() + delay > end
                if attempt == attempts or late or self.closed.is_set():
                    self._give_up(problem, attempt, late)
                self._wait(problem, delay)
                self._limits.wait(tokens)
            else:
                spent = self.usage.answered(answer)
                self._limits.tokens.give(tokens - spent if spent else 0)
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, problem: _Again, delay: float) -> None:
        self.usage.count(retries=1)
        if problem.after is not None:
            self._limits.pause(delay)  # kept by the wait before the next attempt, of every thread
        else:
            self._clock.sleep(delay)

    def _give_up(self, problem: _Again, attempt: int, late: bool) -> NoReturn:
        tried = f", {attempt} times" if attempt > 1 else ""
        asked = problem.after is not None and late
        waits = f"; it asks for a wait of {problem.after:,.0f} s" if asked else ""
        what, host = f"{problem.what}{tried}{waits}", self.address.host
        if problem.status:
            raise Answered(problem.status, what, host, problem.hint) from None
        kind = Unreadable if problem.unreadable else EndpointError
        raise kind(what, where=host, hint=problem.hint) from None

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        self.usage.count(requests=1)
        with self._failures():
            content = None if body is None else json.dumps(body).encode()
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **self._key.headers()}
            url = f"{self.address.base}/{path}"
            begun = self._clock.now()
            with self._http.stream(method, url, content=content, headers=headers) as response:
                text = self._read(response, begun)
        if not response.is_success:
            self._complain(response, text, path, body)
        return _object(text, self._key)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What the network does, said in a line."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            hint = "is it running, and is the address right? When it is back, --resume goes on"
            raise _Again(f"cannot be reached: {self.line(str(error)) or type(error).__name__}", hint) from None
        except httpx.TimeoutException:
            raise _Again(f"does not answer within {self.settings.timeout_s:g} s") from None
        except httpx.TransportError as error:
            raise _Again(f"the connection broke: {self.line(str(error)) or type(error).__name__}") from None
        except (httpx.InvalidURL, httpx.HTTPError, RuntimeError, UnicodeError) as error:  # the last: a host's name
            text = f"cannot be asked: {type(error).__name__}"
            raise EndpointError(text, where=self.address.host, hint=_GOES_ON) from None

    def _read(self, response: httpx.Response, begun: float) -> str:
        """The body, within the limits of size and time. Compressed ones are refused: they were not asked for."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _Again("its answer is compressed, which was not asked for", unreadable=True)
        data = bytearray()
        for part in response.iter_raw():
            data += part
            if len(data) > self.settings.max_body_bytes:
                raise _Again(f"its answer is larger than {self.settings.max_body_bytes:,} bytes", unreadable=True)
            if self._clock.now() - begun > self.settings.timeout_s:
                raise _Again(f"does not answer within {self.settings.timeout_s:g} s")
        return data.decode("utf-8", "replace")

    # ---- refusals ----------------------------------------------------------------------------------------------------

    def _complain(self, response: httpx.Response, text: str, path: str, body: dict[str, Any] | None) -> NoReturn:
        status, host = response.status_code, self.address.host
        told, code = self._told(text)
        if status in _KEY:
            what = "refuses the key" if self._key else "asks for a key"
            hint = "is it the right one, and may it use this model? --key-file FILE"
            raise Answered(status, f"{what} ({status}): {told}", host, hint)
        if status == 404:
            model = f" or no model '{body['model']}'" if body else ""
            hint = "the address often ends in /v1; the model stands after #"
            raise Answered(status, f"has no /{path}{model} (404): {told}", host, hint)
        if 300 <= status < 400:
            hint = "redirections are not followed: give the address they lead to"
            raise Answered(status, f"sends on to another address ({status})", host, hint)
        if code == "insufficient_quota":
            raise Answered(status, f"the account has nothing left ({status}): {told}", host, _GOES_ON)
        if status in _AGAIN or (status >= 500 and status != _NEVER):
            after = retry_after(response.headers.get("retry-after"), self._clock)
            raise _Again(f"answers {status}: {told}", after=after, status=status)
        raise Refused(status, told, host)

    def _told(self, text: str) -> tuple[str, str]:
        """(message, code) of an error's body, whatever its form."""
        try:
            found = self._key.clean(json.loads(text))
        except (ValueError, RecursionError):
            found = text
        error = found.get("error", found) if isinstance(found, dict) else found
        inner = error if isinstance(error, dict) else {"message": error}
        message = inner.get("message") or inner.get("detail") or ""
        named = f" [{inner['param']}]" if isinstance(inner.get("param"), str) else ""
        return self.line(f"{message}{named}") or "no reason given", str(inner.get("code") or inner.get("type") or "")

    def line(self, text: str) -> str:
        """One printable line without the key: what an endpoint says, for people and files."""
        words = " ".join("".join(c if c.isprintable() else " " for c in self._key.hide(text)).split())
        return words if len(words) <= _SHOWN else f"{words[:_SHOWN]} ..."


def _open(settings: UrlSettings) -> httpx.Client:
    timeout = httpx.Timeout(settings.timeout_s, connect=min(_CONNECT_S, settings.timeout_s))
    limits = httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency)
    try:
        return httpx.Client(timeout=timeout, limits=limits, proxy=settings.proxy, trust_env=False)
    except ImportError:  # of socks5://
        hint = "pip install 'httpx[socks]', or http://HOST:PORT"
        raise ConfigError("this kind of proxy needs the package socksio", where="proxy", hint=hint) from None
    except (ValueError, httpx.InvalidURL):
        raise ConfigError("not the address of a proxy", where="proxy", hint="http://HOST:PORT") from None


def _object(text: str, key: Key) -> dict[str, Any]:
    """The key is hidden in what was decoded: JSON has more than one spelling of it."""
    try:
        found = key.clean(json.loads(text))
    except (ValueError, RecursionError):
        raise _Again("its answer is no JSON", unreadable=True) from None
    if not isinstance(found, dict):
        raise _Again(f"its answer is a JSON {type(found).__name__}, not an object", unreadable=True)
    return found
