"""Questions about images by the names that people write: kinds of drawings, and public sets in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from presage.core.errors import DataError, did_you_mean
from presage.data.drawing.kinds import KINDS, questions
from presage.data.images.question import Question
from presage.data.sights import SETS


def drawn(kinds: Sequence[str], split: str, seed: int, count: int) -> Iterator[Question]:
    """`count` of each kind, by turns. Raises DataError for no kind, an unknown one or one named twice."""
    if not kinds:
        raise DataError("no kind of drawing", where="make pictures", hint=f"known: {', '.join(KINDS)}")
    for kind in kinds:
        if kind not in KINDS:
            hint = "a public set needs --data" if kind in SETS else did_you_mean(kind, KINDS)
            raise DataError(f"no kind of drawing '{kind}'", where="make pictures", hint=hint)
    twice = next((kind for kind in kinds if kinds.count(kind) > 1), None)
    if twice:
        raise DataError(f"'{twice}' twice", where="make pictures", hint="each kind once; --count says how many of it")
    supplies = [questions(kind, count, seed, split) for kind in kinds]
    return (question for some in zip(*supplies, strict=True) for question in some)


def of_set(names: Sequence[str], data: Path, split: str, seed: int, count: int) -> Iterator[Question]:
    """The questions of a public set below `data`, at most `count` (0: all). Raises DataError for another number of
    names than one, an unknown set, and whatever its files are short of."""
    if len(names) != 1:
        raise DataError(f"{len(names)} names, and --data is of one public set", where="make pictures")
    name = names[0]
    if name not in SETS:
        raise DataError(f"no public set '{name}'", where="make pictures", hint=did_you_mean(name, SETS))
    folder = next((one for one in (data / name, data / "vision" / name) if one.is_dir()), data)
    return islice(SETS[name](folder, split, seed), count or None)
