"""A request's body: read within limits of size and time, and as JSON that says one thing only.

No key twice in an object, no NaN, no half of a surrogate pair, no nesting beyond DEPTH, and no value taken for another
kind than it is: "1" is no number, 1 is not true.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.types import Receive, Scope

from presage.core.strict import whole_number
from presage.serve.errors import ApiError, invalid

DEPTH = 64
Form = TypeVar("Form", bound=BaseModel)


async def read_body(scope: Scope, receive: Receive, most: int, seconds: float) -> bytes:
    """The whole body. Raises ApiError for one that is no JSON by its headers, too long, or does not come in time."""
    _check_headers(_headers(scope), most)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise asyncio.CancelledError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _too_large(most)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise ApiError(408, f"The body did not come within {seconds:g} s.", code="request_timeout") from None


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in scope["headers"]}


def _check_headers(headers: Mapping[bytes, bytes], most: int) -> None:
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise ApiError(415, "Send the body as application/json.", code="unsupported_media_type")
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise ApiError(415, "Send the body as it is, not compressed.", code="unsupported_media_type")
    length = whole_number(headers.get(b"content-length", b"0").decode("latin-1"))
    if length is None or length > most:
        raise _too_large(most)


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"The body is longer than the {most:,} bytes allowed.", code="request_too_large")


def parsed(data: bytes, form: type[Form]) -> Form:
    """A body as a request. Raises ApiError naming the field that is wrong."""
    _check_json(data)
    try:
        return form.model_validate_json(data)
    except ValidationError as error:
        raise _refusal(error) from None


def _check_json(data: bytes) -> None:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        what = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else what
        raise invalid(f"The body is not JSON that we take: {what}", code="invalid_json") from None
    level: Sequence[Any] = [value]
    for _ in range(DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise invalid(f"The body is nested deeper than {DEPTH} levels.", code="invalid_json")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _inside(value: Any) -> Sequence[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refusal(error: ValidationError) -> ApiError:
    """The first thing that is wrong, as OpenAI puts it: the field in `param`."""
    first = _tellable(error.errors(include_url=False, include_context=False))
    param = _param(first["loc"])
    if first["type"] == "extra_forbidden":
        return invalid(f"Unrecognized request argument supplied: {param}", param, "unknown_parameter")
    if first["type"] == "missing":
        return invalid(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    wrong_kind = first["type"].endswith("_type")
    said = first["msg"].removeprefix("Value error, ")
    return invalid(f"{param or 'the body'}: {said}", param, "invalid_type" if wrong_kind else "invalid_value")


def _tellable(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """The first; where it is one kind of several that a field may be, what is wrong with the kind that was given."""
    first = errors[0]
    field = first["loc"][:-1]
    same = [one for one in errors if field and one["loc"][: len(field)] == field]
    return min([first, *same], key=lambda one: one["type"].endswith("_type"))


def _param(place: Sequence[int | str]) -> str | None:
    """messages[0].content of ("messages", 0, "user", "content"): what pydantic names besides fields are its own."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() and part not in _OWN:
            text += f".{part}" if text else part
    return text[:80] or None


_OWN = {"str", "int", "bool", "float", "none", "system", "developer", "user", "assistant", "tool", "text", "image_url"}
