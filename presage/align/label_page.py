"""The page that things are labelled on: one file, put together from align/pages; it loads nothing but its own data.

What a model or a person wrote travels as JSON and goes in as text nodes, never as HTML. A content policy names the
digests of the page's own script and style; nothing else runs, is fetched or frames it.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True)
class Page:
    """The page's bytes, and the policy that is sent with it."""

    body: bytes
    policy: str


def page_of(kind: str) -> Page:
    """The page of a kind of sheet: compare or study."""
    style = _read("label.css")
    script = f"{_read('label.js')}{_read(f'{kind}.js')}"
    body = _read("label.html").replace("{{ style }}", style).replace("{{ script }}", script)
    policy = {
        "default-src": "'none'",
        "script-src": _digest(script),
        "style-src": _digest(style),
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return Page(body.encode(), "; ".join(f"{name} {value}" for name, value in policy.items()))


def _read(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
