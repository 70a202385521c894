"""Where an endpoint is, how it may be asked, and the key: read from a file, shown nowhere."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from presage.core.errors import ConfigError, did_you_mean

_LONGEST_KEY = 4096
_SECRET = 16  # a shorter key ("EMPTY", "x") is a placeholder, and may well occur in an honest answer


@dataclass(frozen=True)
class UrlSettings:
    """How an endpoint is asked.

    chat: ask /chat/completions rather than /completions; None: chat where the endpoint has it for this model.
    likelihood: whether /completions echoes a prompt with log-probabilities; None: found out by asking.
    beginning: the text that stands for the beginning of a document, where the endpoint adds none of its own.
    deadline_s: for one request with all its attempts. Prices are per million tokens. plain_http: send the key over
    http to a host that is not this machine.
    """

    model_name: str | None = None
    key_file: Path | None = None
    chat: bool | None = None
    likelihood: bool | None = None
    logprobs: bool = True
    beginning: str = ""
    concurrency: int = 8
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    timeout_s: float = 300.0
    deadline_s: float = 1800.0
    attempts: int = 8
    price_in: float = 0.0
    price_out: float = 0.0
    max_body_bytes: int = 1 << 26
    proxy: str | None = field(default=None, repr=False)
    plain_http: bool = False

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout_s", "deadline_s", "attempts", "max_body_bytes"):
            _more_than_zero(name, getattr(self, name))
        for name in ("requests_per_minute", "tokens_per_minute"):
            if getattr(self, name) is not None:
                _more_than_zero(name, getattr(self, name))


def read_settings(values: dict[str, Any]) -> UrlSettings:
    """Settings by name. Raises ConfigError for one that is unknown or no positive number."""
    known = {one.name for one in fields(UrlSettings)}
    for name in values.keys() - known:
        raise ConfigError(f"an endpoint has no setting '{name}'", hint=did_you_mean(name, known))
    return UrlSettings(**values)


def _more_than_zero(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ConfigError(f"{value} is not more than 0", where=name)


# ---- the address -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Address:
    """`https://host/v1#model`: the base that paths are joined to, the host for people, and the model ("" if unsaid)."""

    base: str
    host: str
    model: str
    open_line: bool
    """Whether what is sent can be read on its way: http, to another machine."""


def read_address(spec: str, model_name: str | None) -> Address:
    """Taken apart. Raises ConfigError; where a password or a query stands in it, without repeating them."""
    try:
        parts = urlsplit(spec.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError("not the address of an endpoint", hint=_FORM) from None
    if parts.username is not None or parts.password is not None or parts.query:
        raise ConfigError("the address of an endpoint holds a user, password or query", hint="keys: --key-file FILE")
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() or not c.isprintable() for c in spec):
        raise ConfigError("not the address of an endpoint", hint=_FORM)
    shown = f"{host}:{port}" if port else host
    place = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return Address(base, shown, model_name or parts.fragment, parts.scheme == "http" and not _here(host))


_FORM = "https://HOST/v1#MODEL, or https://HOST/v1 --model-name MODEL"


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# ---- the key ---------------------------------------------------------------------------------------------------------


class Key:
    """A key that is sent and never shown: its repr hides it, and `hide` takes it out of a text."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Key(hidden)" if self._text else "Key(none)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a key is not written down")

    def headers(self) -> dict[str, str]:
        """What is sent."""
        return {"Authorization": f"Bearer {self._text}"} if self._text else {}

    def hide(self, text: str) -> str:
        """The text without the key: for messages, which an endpoint may write the key into."""
        return text.replace(self._text, "[key]") if self._text else text

    def hide_in_answer(self, text: str) -> str:
        """The same for answers, which a placeholder that stands for a key must not change."""
        return self.hide(text) if len(self._text) >= _SECRET else text


def read_key(path: Path | None) -> Key:
    """The key in a file of one line; no key without a file. Raises ConfigError, which never repeats the content."""
    if path is None:
        return Key()
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST_KEY + 1).decode("ascii").strip()
    except OSError as error:
        raise ConfigError(f"the key cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise ConfigError("not a key: it holds other than plain characters", where=path) from None
    if not text or len(text) > _LONGEST_KEY or not all("!" <= c <= "~" for c in text):
        raise ConfigError("not a key: one line without blanks is expected", where=path)
    return Key(text)
