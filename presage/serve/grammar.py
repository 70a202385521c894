"""A grammar over bytes, and what it has read: a set of stacks, none of which has been refuted.

A rule is a tuple of alternatives, each a tuple of parts; a part is a set of bytes, or the name of a rule. No rule
begins with itself. A stack is (alternative, place, stack below): the part at `place` is what comes next, a set of
bytes; the empty stack has read all there is. Stacks are shared and never changed, so a state can be kept as a key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Bytes = frozenset[int]
Part = Bytes | str
Alternative = tuple[Part, ...]
Rules = Mapping[str, tuple[Alternative, ...]]
Stack = tuple[Any, ...] | None
"""None: everything was read."""
State = frozenset[Any]
"""Of stacks; empty: refuted."""


def literal(text: str) -> Alternative:
    """Just these characters, as UTF-8."""
    return tuple(frozenset((byte,)) for byte in text.encode())


@dataclass(frozen=True, eq=False)
class Grammar:
    """Rules, and the one to begin with."""

    rules: Rules
    start: str
    _seen: dict[tuple[State, int], State] = field(default_factory=dict)

    def begin(self) -> State:
        """Before anything was read."""
        return frozenset(self._entered(self.start, None))

    def after(self, state: State, byte: int) -> State:
        """What may stand behind one more byte; nothing where it fits nowhere."""
        found = self._seen.get((state, byte))
        if found is None:
            found = frozenset(new for stack in state if stack is not None for new in self._read(stack, byte))
            self._seen[state, byte] = found
        return found

    def read(self, state: State, text: bytes) -> State:
        """The same of many."""
        for byte in text:
            state = self.after(state, byte)
            if not state:
                break
        return state

    def _read(self, stack: tuple[Any, ...], byte: int) -> Iterator[Stack]:
        parts, place, below = stack
        if byte in parts[place]:
            yield from self._opened(parts, place + 1, below)

    def _entered(self, rule: str, below: Stack) -> Iterator[Stack]:
        for parts in self.rules[rule]:
            yield from self._opened(parts, 0, below)

    def _opened(self, parts: Alternative, place: int, below: Stack) -> Iterator[Stack]:
        """Stacks whose next part is a set of bytes, from a place that may hold a rule, or be the end of its own."""
        while place == len(parts):
            if below is None:
                yield None
                return
            parts, place, below = below
        part = parts[place]
        if not isinstance(part, str):
            yield (parts, place, below)
            return
        # A rule at the end of another needs no way back there: lists of any length keep their stacks short.
        rest = below if place + 1 == len(parts) else (parts, place + 1, below)
        yield from self._entered(part, rest)


def whole(state: State) -> bool:
    """May it end here?"""
    return None in state


def only_end(state: State) -> bool:
    """Must it end here?"""
    return state == {None}


def sequence(*parts: Part | Sequence[Part]) -> Alternative:
    """Parts one after the other; a literal stands for its bytes."""
    found: list[Part] = []
    for part in parts:
        found += [part] if isinstance(part, str | frozenset) else part
    return tuple(found)
