"""Every kind of question that can be drawn, by name, each numbered by seed and split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from presage.core.errors import DataError, did_you_mean
from presage.core.seeds import stream
from presage.data.drawing import charts, diagrams, documents, labels, panels, scenes, statements, words
from presage.data.drawing.canvas import Draw
from presage.data.images.question import Question
from presage.data.sights.digits import digits

KINDS: dict[str, Draw] = {
    **words.KINDS,
    **labels.KINDS,
    **charts.KINDS,
    **documents.KINDS,
    **scenes.KINDS,
    **statements.KINDS,
    **panels.KINDS,
    **diagrams.KINDS,
    "digits": digits,
}


def question(kind: str, seed: int, split: str, number: int) -> Question:
    """The question of a number: it is the same wherever it is asked for. Raises DataError for no such kind or split."""
    if kind not in KINDS:
        raise DataError(f"no kind of drawing '{kind}'", where="drawing", hint=did_you_mean(kind, KINDS))
    drawn = KINDS[kind](stream(seed, "drawing", kind, split, number), split)
    return replace(drawn, id=f"{kind}-{split}-{seed}-{number}")


def questions(kind: str, count: int, seed: int, split: str) -> Iterator[Question]:
    """The first `count`: a longer supply begins with a shorter one's."""
    for number in range(count):
        yield question(kind, seed, split, number)
