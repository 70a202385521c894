"""What an endpoint calls things, and which settings it refuses: learnt from its refusals, and said in `identity`."""

from __future__ import annotations

import re
import threading
from typing import Any

_OPTIONAL = ("logprobs", "seed", "stop", "n")
"""Settings that can be done without: stops are applied here too, samples drawn one by one."""
_FIXED = ("temperature", "top_p")
"""Settings that some models have fixed; left out where that is said, not where a value is out of range."""
_UNSUPPORTED = re.compile(r"unsupported|not support|only the default|deprecated", re.IGNORECASE)
_RENAMED = "max_completion_tokens"


class Dialect:
    """`unsent`: the optional settings that are left out, and "max_tokens" where the newer name is used for it."""

    def __init__(self, logprobs: bool) -> None:
        self.unsent: set[str] = set() if logprobs else {"logprobs"}
        self._lock = threading.Lock()

    def shape(self, body: dict[str, Any], chat: bool) -> dict[str, Any]:
        """The body as this endpoint takes it: nothing that is None or empty, nothing it refused."""
        body = {**body, "logprobs": True if chat else 1}
        body = {name: value for name, value in body.items() if value is not None and value != []}
        return self._without(body)

    def learn(self, told: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The body without what the refusal names; None if it names nothing that can be left out."""
        known = (*_OPTIONAL, *_FIXED) if _UNSUPPORTED.search(told) else _OPTIONAL
        named = [name for name in known if name in body and re.search(rf"\b{name}\b", told)]
        if "max_tokens" in body and "messages" in body and _RENAMED in told:  # only chats have the newer name
            named.append("max_tokens")
        if not named:
            return None
        with self._lock:
            self.unsent |= {named[0] if "max_tokens" not in named else "max_tokens"}
        return self._without(body)

    def _without(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            unsent = set(self.unsent)
        kept = {name: value for name, value in body.items() if name not in unsent}
        return kept | {_RENAMED: body["max_tokens"]} if "max_tokens" in unsent and "max_tokens" in body else kept
