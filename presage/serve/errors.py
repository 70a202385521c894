"""What a request is refused with, in OpenAI's form: {"error": {message, type, param, code}}.

| status | code | when |
| :-- | :-- | :-- |
| 400 | by what is wrong | a request that cannot be answered as it stands |
| 401 | invalid_api_key | no key, or none that is known |
| 403 | key_suspended, content_policy, host_not_allowed | a key that may not ask, or not this |
| 404 | model_not_found, not_found | another model, another address |
| 405 | method_not_allowed | |
| 408 | request_timeout | a body that does not come |
| 413 | request_too_large | a body beyond the limit |
| 415 | unsupported_media_type | not application/json, or compressed |
| 429 | rate_limit_exceeded | a key's own limits |
| 431 | headers_too_large | |
| 500 | internal_error | a fault of ours; nothing of it is told |
| 503 | overloaded, shutting_down | the queue is full, the server ends |
| 504 | deadline_exceeded | it took longer than a request may |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from presage.core.errors import PresageError

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
INVALID, OURS = "invalid_request_error", "server_error"
STATUSES = (400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 503, 504)
LONGEST = 400


class ApiError(Exception):
    """A refusal. param: the field that is wrong; retry_after: seconds after which asking again makes sense."""

    def __init__(
        self, status: int, message: str, *, code: str, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message[:LONGEST], code, param
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        kind = TYPES.get(self.status, OURS if self.status >= 500 else INVALID)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> Mapping[str, str]:
        """Of its answer. Where a body may not have been read whole, what comes of it is no next request."""
        found = {"connection": "close"} if self.status in (408, 413, 431, 503) else {}
        if self.retry_after is not None:
            found["retry-after"] = str(max(1, round(self.retry_after)))
        return found | ({"www-authenticate": "Bearer"} if self.status == 401 else {})


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> ApiError:
    """Of a request that cannot be answered as it stands."""
    return ApiError(400, message, code=code, param=param)


def of_presage(error: PresageError, param: str | None = None) -> ApiError:
    """What one of our own errors says, without where it was: that may be a path."""
    hint = f" ({error.hint})" if error.hint else ""
    return invalid(f"{error.what}{hint}", param)


def internal() -> ApiError:
    """Of a fault of ours."""
    return ApiError(500, "The server had an error; it is in the server's log.", code="internal_error")
