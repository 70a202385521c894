"""Texts that end a completion, looked for in the text as it grows: a stop may straddle tokens, even within a letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from presage.core.errors import ConfigError

SLACK = 8
"""Tokens read besides those a stop can fill: the first of a part may decode otherwise than in its place."""


@dataclass(frozen=True)
class Stops:
    """Looks for `stops` in what `decode` makes of ids."""

    stops: tuple[str, ...]
    decode: Callable[[Sequence[int]], str]

    def __post_init__(self) -> None:
        if "" in self.stops:
            raise ConfigError("an empty stop text ends every completion at once", where="stops")

    def over(self, ids: Sequence[int]) -> bool:
        """Whether these new ids hold a stop. Only their end is decoded: no earlier token completed one."""
        if not self.stops:
            return False
        most = max(len(stop.encode()) for stop in self.stops) + SLACK
        end = self.decode(ids[-most:])
        return any(stop in end for stop in self.stops) and self._place(self.decode(ids)) is not None

    def cut(self, ids: Sequence[int]) -> tuple[str, bool]:
        """The text before the first stop, and whether there was one."""
        text = self.decode(ids)
        place = self._place(text)
        return (text, False) if place is None else (text[:place], True)

    def _place(self, text: str) -> int | None:
        return min((place for stop in self.stops if (place := text.find(stop)) >= 0), default=None)
