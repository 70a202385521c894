"""Text of others on a terminal."""

from __future__ import annotations

import unicodedata


def visible(text: str, kept: str = "") -> str:
    """Text that cannot move the cursor, change colours or end its line: all but what is `kept` of its control
    characters, and marks that nobody sees, spells itself as Python does (\\x1b, \\n)."""
    return "".join(one if one in kept or _is_seen(one) else _spelt(one) for one in text)


def _is_seen(one: str) -> bool:
    return one.isprintable() or unicodedata.category(one) == "Zs"  # spaces of other scripts


def _spelt(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
