"""Whether two examinations asked the same: which labels are one task, and what origins say of how it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HOW = ("begin", "stride", "chat", "likelihood", "beginning", "unsent")
"""Facts of a model's identity that say how it was asked; the others say which one it is."""
Asking = tuple[str, str]
"""A task's declared name, and its number of shots."""


def same_labels(ours: Mapping[str, Asking], theirs: Mapping[str, Asking]) -> dict[str, str]:
    """{their label: ours} of tasks that both asked in the same way and call otherwise, as "boolq" and "boolq@0" where 0
    is the declared number of shots. What is called alike is left alone."""
    known = {asking: label for label, asking in ours.items() if label not in theirs}
    found = ((label, known.pop(asking, None)) for label, asking in theirs.items() if label not in ours)
    return {label: own for label, own in found if own is not None}


def apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for every way in which two origins say that models were asked otherwise, though prompts be equal."""
    ours, theirs = a.get("model") or {}, b.get("model") or {}
    for name in (name for name in HOW if name in ours and name in theirs and ours[name] != theirs[name]):
        yield (
            f"the models were not asked alike, even where prompts are equal: {name} is {ours[name]} in A and "
            f"{theirs[name]} in B"
        )
    judges = a.get("judge"), b.get("judge")
    if None not in judges and judges[0] != judges[1]:
        yield "answers were graded by another judge in A than in B"


def other_settings(label: str, other: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether a task's method was recorded with other settings; label: in A, other: in B."""
    ours, theirs = ((one.get("methods") or {}).get(name) for one, name in ((a, label), (b, other)))
    return None not in (ours, theirs) and ours != theirs
