"""The ids of one request as text while they come: whole characters, and nothing that may turn out to be a stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from presage.core.errors import ConfigError

CUT = "�"
"""What a decoder makes of a character of which bytes are missing."""
LONGEST_CHARACTER = 4
"""Bytes of a character: an id is at least one of them."""
BEFORE = 8
"""Ids decoded before those that are new, at least: the first of a text may decode otherwise than in its place."""


class Spoken:
    """`feed` it ids; what it says, one after another, and what `end` says, is the text up to the first stop."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stops: Sequence[str] = ()) -> None:
        if "" in stops:
            raise ConfigError("an empty stop text ends every completion at once", where="stop")
        self._decode, self._stops = decode, tuple(stops)
        self._ids: list[int] = []
        self._told = 0
        """Ids whose text is in `_held` or was said."""
        self._held = ""
        self._first, self._before = 0, ""
        """From which id on is decoded, and the text from there to the last id told."""
        self.stopped = False
        """A stop was met; what follows is not said."""

    def feed(self, one: int) -> str:
        """What can be said now."""
        self._ids.append(one)
        return self._say(self._fresh(last=False), last=False)

    def end(self) -> str:
        """The rest."""
        return self._say(self._fresh(last=True), last=True)

    def _fresh(self, *, last: bool) -> str:
        """The text of the ids not told yet, unless the last character lacks bytes that may come."""
        if self.stopped or self._told == len(self._ids):
            return ""
        if self._told - self._first >= 2 * BEFORE:
            self._first = self._told - BEFORE
            self._before = self._decode(self._ids[self._first : self._told])
        text = self._decode(self._ids[self._first :])
        if not last and text.endswith(CUT) and len(self._ids) - self._told < LONGEST_CHARACTER:
            return ""
        fresh = text[len(self._before) :]
        self._told, self._before = len(self._ids), text
        return fresh

    def _say(self, fresh: str, *, last: bool) -> str:
        if self.stopped:
            return ""
        text = self._held + fresh
        place = min((found for stop in self._stops if (found := text.find(stop)) >= 0), default=None)
        if place is not None:
            self.stopped, self._held = True, ""
            return text[:place]
        keep = 0 if last else max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text a stop may begin with."""
    most = min(len(text), len(stop) - 1)
    return next((count for count in range(most, 0, -1) if text.endswith(stop[:count])), 0)
