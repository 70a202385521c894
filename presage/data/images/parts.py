"""Text and images in one prompt, in OpenAI's form: a list of parts, each a text or an image as a data URL or a path.

| part | form |
| :-- | :-- |
| text | `{"type": "text", "text": "…"}` |
| image, inline | `{"type": "image_url", "image_url": {"url": "data:image/png;base64,…"}}` |
| image, a file | `{"type": "image", "image": "pictures/1.png"}`, below the folder of the file that says so |

No address is ever fetched. Bytes are counted before they are decoded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import half_surrogate
from presage.data.images.reading import LIMITS, Limits, kind_of

DATA_URL = "data:"
TAG = "IMAGE:"
"""What stands for an image where there is none, as in the GPT-4 report's exams without vision (appendix A.5)."""
MOST_IMAGES = 64
"""In one prompt."""
MOST_HEAD = 200
"""Characters of a data URL before its comma."""


@dataclass(frozen=True)
class Picture:
    """An image as the bytes of its file: PNG, JPEG, WebP or GIF."""

    data: bytes

    @cached_property
    def digest(self) -> str:
        """sha256 of the file."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def url(self) -> str:
        """As a data URL. Raises DataError for bytes that are no such file."""
        kind = kind_of(self.data).lower()
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


Part = str | Picture
Mixed = tuple[Part, ...]


def pictures(parts: Sequence[Part]) -> list[Picture]:
    """The images among parts, in their order."""
    return [part for part in parts if isinstance(part, Picture)]


def without_pictures(parts: Sequence[Part], tag: str = TAG) -> Mixed:
    """The same with a tag in place of every image: what a reader sees who sees nothing."""
    return tuple(tag if isinstance(part, Picture) else part for part in parts)


def written(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Parts as JSON values, images inline."""
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in parts
    ]


def read_content(value: Any, where: str, folder: Path | None = None, limits: Limits = LIMITS) -> Mixed:
    """The parts of a message's `content`, a text or a list. Raises DataError saying which part is wrong.

    folder: below which files of images are looked for; None: no file is opened. Images are not decoded here.
    """
    if isinstance(value, str):
        return (_text(value, where),)
    if not isinstance(value, list) or not value:
        raise DataError("content is neither a text nor a list of parts", where=where)
    if sum(isinstance(part, dict) and part.get("type") != "text" for part in value) > MOST_IMAGES:
        raise DataError(f"more than {MOST_IMAGES} images in one prompt", where=where)
    return tuple(_part(part, f"{where}: part {number}", folder, limits) for number, part in enumerate(value, 1))


def _part(part: Any, where: str, folder: Path | None, limits: Limits) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        return _text(part.get("text"), where)
    if kind == "image":
        return _file(part.get("image"), where, folder, limits)
    if kind == "image_url":
        given = part.get("image_url")
        return _from_url(given.get("url") if isinstance(given, dict) else given, where, limits)
    raise DataError("not a part", where=where, hint='"type" is "text", "image_url" or "image"')


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or half_surrogate(value):
        raise DataError("not a text", where=where)
    return value


def _from_url(url: Any, where: str, limits: Limits) -> Picture:
    if not isinstance(url, str):
        raise DataError("an image without its url", where=where)
    if url[: len(DATA_URL)].lower() != DATA_URL:
        scheme = url.split(":", 1)[0][:20] if ":" in url[:20] else "no scheme"
        hint = "give it as data:image/png;base64,… or as a file: no address is fetched"
        raise DataError(f"an image by address ({scheme!a})", where=where, hint=hint)
    if len(url) > limits.bytes * 4 // 3 + MOST_HEAD:
        raise DataError(limits.too_big(len(url) * 3 // 4), where=where)
    head, comma, body = url.partition(",")
    said, *options = head[len(DATA_URL) : MOST_HEAD].lower().split(";")
    if not comma or not said.startswith("image/") or options[-1:] != ["base64"]:
        raise DataError("not a data URL of an image", where=where, hint="data:image/png;base64,…")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise DataError("its data URL is not base64", where=where) from None
    if len(data) > limits.bytes:
        raise DataError(limits.too_big(len(data)), where=where)
    kind = kind_of(data, where)
    if said.removeprefix("image/").replace("jpg", "jpeg") != kind.lower():
        raise DataError(f"said to be {said[:40]!a}, but its bytes are a {kind}", where=where)
    return Picture(data)


def _file(name: Any, where: str, folder: Path | None, limits: Limits) -> Picture:
    if folder is None:
        raise DataError("an image by path, and no folder that it lies in", where=where, hint="give it as a data URL")
    if not isinstance(name, str) or not name or "\0" in name:
        raise DataError("an image without its path, a text", where=where)
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "://" in name:
        raise DataError(f"the path {name[:80]!a} leads out of its folder", where=where, hint="put images below it")
    try:
        data = _read_below(folder, path, name[:80], where, limits)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name that the system cannot spell
        reason = getattr(error, "strerror", None) or "its name leads nowhere"
        raise DataError(f"{name[:80]!a} cannot be read: {reason}", where=where) from None
    kind_of(data, f"{where}: {name[:80]!a}")
    return Picture(data)


def _read_below(folder: Path, path: PurePosixPath, name: str, where: str, limits: Limits) -> bytes:
    place = (folder / path).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise DataError(f"the path {name!a} leads out of its folder", where=where)
    if not place.is_file():
        raise DataError(f"{name!a} is {'no file' if place.exists() else 'missing'}", where=where)
    with place.open("rb") as file:
        data = file.read(limits.bytes + 1)
    if len(data) > limits.bytes:
        raise DataError(limits.too_big(place.stat().st_size), where=where)
    return data
