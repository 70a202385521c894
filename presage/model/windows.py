"""Windows over a sequence that is longer than the context: every token is scored once, with a context of its own."""

from __future__ import annotations

from collections.abc import Sequence

Window = tuple[int, int, int]
"""(first token, token after the last, how many of its last tokens no window before it scored)."""


def windows(length: int, context: int, *, stride: int | None = None, known: int = 1) -> list[Window]:
    """The windows of a sequence, whose first `known` tokens (at least 1, at most `context`) are not scored.

    Each stands `stride` tokens further on than the one before it, by default half a context; the last ends with the
    sequence. A window of context + 1 tokens fills the context: its last token is predicted and not read.
    """
    end = min(length, context + 1)
    found = [(0, end, end - known)]
    step = max(1, context // 2) if stride is None else stride
    while (end := found[-1][1]) < length:
        further = min(length, end + step)
        found.append((further - context - 1, further, further - end))
    return found


def pieces(
    sequence: Sequence[int], context: int, *, stride: int | None = None, known: int = 1
) -> list[tuple[list[int], list[int]]]:
    """[(tokens seen, tokens scored)] of a sequence's windows: pairs that fit the context."""
    cuts = windows(len(sequence), context, stride=stride, known=known)
    return [(list(sequence[first : end - new]), list(sequence[end - new : end])) for first, end, new in cuts if new]
