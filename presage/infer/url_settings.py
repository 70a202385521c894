"""Where an endpoint is, how it may be asked, and the key: read from a file, shown nowhere."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError

_LONGEST_KEY = 4096
_SECRET = 16  # a shorter key ("EMPTY", "x") is a placeholder, and may well occur in an honest answer


class UrlSettings(Config):
    """How an endpoint is asked."""

    model_name: str | None = None
    """The model, where the address does not say it after #."""
    key_file: Path | None = None
    chat: bool | None = None
    """Ask /chat/completions rather than /completions; None: where the endpoint has a chat for this model."""
    likelihood: bool | None = None
    """Whether /completions echoes a prompt with log-probabilities; None: it is asked to."""
    logprobs: bool = True
    """Ask for the log-probabilities of what is written."""
    beginning: str = ""
    """The text that stands for the beginning of a document, where the endpoint adds none of its own."""
    concurrency: int = Field(default=8, gt=0, le=1024)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    timeout_s: float = Field(default=300.0, gt=0, le=1e6)
    """Of one attempt."""
    deadline_s: float = Field(default=1800.0, gt=0, le=1e8)
    """Of one request with all its attempts."""
    attempts: int = Field(default=8, gt=0)
    price_in: float = Field(default=0.0, ge=0, le=1e12)
    """Of a million tokens of prompt, in any currency."""
    price_out: float = Field(default=0.0, ge=0, le=1e12)
    max_body_bytes: int = Field(default=1 << 26, gt=0)
    proxy: str | None = Field(default=None, repr=False)
    plain_http: bool = False
    """Send the key over http to a host that is not this machine."""


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
        (host or "").encode("idna")  # as it is looked up: no part longer than 63 characters, none empty
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


_FORM = "https://HOST/v1#MODEL, or https://HOST/v1 --set model_name=MODEL"


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

    def clean(self, answer: Any) -> Any:
        """Decoded JSON with the key hidden in every text of it. Raises RecursionError where it is nested too deep."""
        if isinstance(answer, str):
            return self.hide_in_answer(answer)
        if isinstance(answer, dict):
            return {self.clean(name): self.clean(value) for name, value in answer.items()}
        return [self.clean(one) for one in answer] if isinstance(answer, list) else answer


_A_FILE = "the name of a file that holds the key alone"  # never repeated: it may be the key itself, by mistake


def read_key(path: Path | None) -> Key:
    """The key in a file of one line; no key without a file. Raises ConfigError, which never repeats the content."""
    if path is None:
        return Key()
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST_KEY + 1).decode("ascii").strip()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where="key_file", hint=_A_FILE) from None
    except (UnicodeDecodeError, ValueError):
        raise ConfigError("no key in it: other than plain characters", where="key_file", hint=_A_FILE) from None
    if not text or len(text) > _LONGEST_KEY or not all("!" <= c <= "~" for c in text):
        raise ConfigError("no key in it: one line without blanks is due", where="key_file", hint=_A_FILE)
    return Key(text)
