"""Which ids may come next, for a grammar over the bytes of tokens: `Ask.allowed`.

The tokens stand in a tree by their bytes, so that what many begin with is read once; what follows from a state is
computed once and kept with it. Within a string nearly every token fits, and states differ only in what lies below:
those are computed anew for each place in a schema, and then kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from presage.serve.grammar import Grammar, State, only_end, whole

Tree = dict[int, "Node"]


@dataclass
class Node:
    """Tokens that are spelled just so far, and what goes on from here."""

    ids: list[int] = field(default_factory=list)
    children: Tree = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Spelling:
    """The bytes of every token; None of one that has no text. size: of the masks."""

    tokens: Sequence[bytes | None]
    ends: frozenset[int]
    size: int
    root: Node = field(default_factory=Node)

    def __post_init__(self) -> None:
        for number, text in enumerate(self.tokens):
            if text and number not in self.ends:
                self._insert(text, number)

    def _insert(self, text: bytes, number: int) -> None:
        node = self.root
        for byte in text:
            node = node.children.setdefault(byte, Node())
        node.ids.append(number)


class Bound:
    """An answer bound to a grammar: called with the ids written so far, it says which may come next.

    Ids come one by one, and what was read of the others is kept; the same object serves one answer.
    """

    def __init__(self, grammar: Grammar, spelling: Spelling, masks: dict[State, Tensor] | None = None) -> None:
        self.grammar, self.spelling = grammar, spelling
        self._masks: dict[State, Tensor] = {} if masks is None else masks
        self._ids: list[int] = []
        self._states: list[State] = [grammar.begin()]

    def __call__(self, ids: Sequence[int]) -> Tensor:
        """bool [V]: True for what may come next. At the end only the end of text may."""
        self._follow(list(ids))
        state = self._states[-1]
        if state not in self._masks:
            self._masks[state] = self._mask(state)
        return self._masks[state]

    def fork(self) -> Bound:
        """Of another answer by the same grammar; masks are computed once for all."""
        return Bound(self.grammar, self.spelling, self._masks)

    def _follow(self, ids: list[int]) -> None:
        same = next((place for place, (a, b) in enumerate(zip(self._ids, ids, strict=False)) if a != b), None)
        kept = min(len(self._ids), len(ids)) if same is None else same
        del self._states[kept + 1 :]
        for number in ids[kept:]:
            text = self.spelling.tokens[number] or b""
            self._states.append(self.grammar.read(self._states[-1], text))
        self._ids = ids

    def _mask(self, state: State) -> Tensor:
        allowed: list[int] = []
        if not only_end(state):
            self._walk(self.spelling.root, state, allowed)
        # Where no token fits, which a whole vocabulary of bytes rules out, ending is better than an empty choice.
        if whole(state) or not allowed:
            allowed += self.spelling.ends
        mask = torch.zeros(self.spelling.size, dtype=torch.bool)
        mask[torch.tensor(allowed, dtype=torch.long)] = True
        return mask

    def _walk(self, root: Node, start: State, allowed: list[int]) -> None:
        waiting = [(root, start)]
        while waiting:
            node, state = waiting.pop()
            allowed += node.ids
            for byte, child in node.children.items():
                following = self.grammar.after(state, byte)
                if following:
                    waiting.append((child, following))
