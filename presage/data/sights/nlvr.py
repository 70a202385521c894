"""NLVR (Suhr et al. 2017): is a sentence true of a picture of shapes? Its public test split trains, dev asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, TypeVar

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.drawing.meanings import Representation
from presage.data.drawing.statements import BOXES, TRUTHS, asked, further, seen
from presage.data.images.question import Question
from presage.data.sights.packed import Zipped, check_split, json_rows

FROM = {"train": "test", "test": "dev"}
ORDERS = tuple(permutations(range(BOXES)))
"""Of the boxes, in the pictures of one sentence by the number at the end of their names."""
FIELDS: dict[str, type] = {"split": str, "files": list, "sentence": str, "label": str, "structured_rep": list}
Row = dict[str, Any]
T = TypeVar("T")


def nlvr(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """One question for each picture of each sentence; no picture that is asked of is trained on. Those to learn from
    have sentences of our own as further turns. Raises DataError."""
    check_split(split, folder)
    pictures = Zipped(folder, "images.zip")
    rows = json_rows(folder, "nlvr.jsonl.xz", FIELDS)
    tested = _of_split(rows, "test")
    if split == "test":
        yield from (_question(row, file, pictures) for row, file in tested)
        return
    unseen = {pictures.picture(file).digest for _, file in tested}
    trained = [(row, file) for row, file in _of_split(rows, "train") if pictures.picture(file).digest not in unseen]
    for place in stream(seed, "nlvr").permutation(len(trained)).tolist():
        row, file = trained[int(place)]
        random, where = stream(seed, "nlvr", Path(file).stem), f"{pictures.path}: {Path(file).stem}"
        more = _of_boxes(row, file, where, partial(further, random, split, sentence=row["sentence"]))
        yield replace(_question(row, file, pictures), more=more)


def _of_split(rows: Sequence[Row], split: str) -> list[tuple[Row, str]]:
    return [(row, file) for row in rows if row["split"] == FROM[split] for file in row["files"]]


def _question(row: Row, file: str, pictures: Zipped) -> Question:
    stem = Path(file).stem
    group = stem.rpartition("-")[0]
    if row["label"] not in TRUTHS:
        raise DataError("its label is neither true nor false", where=f"{pictures.path}: {stem}")
    return Question(
        f"nlvr/{stem}",
        (pictures.picture(file), asked(row["sentence"])),
        row["label"],
        steps=_of_boxes(row, file, f"{pictures.path}: {stem}", partial(seen, sentence=row["sentence"])),
        options=TRUTHS,
        group=group,
    )


def _of_boxes(row: Row, file: str, where: str, make: Callable[[Representation], T]) -> T:
    """What follows of the boxes as they stand in a picture."""
    try:
        return make([row["structured_rep"][box] for box in ORDERS[int(Path(file).stem.rpartition("-")[2])]])
    except (LookupError, TypeError, ValueError):
        what = "its boxes are not three of items with a place, a size, a colour and a type"
        raise DataError(what, where=where) from None
