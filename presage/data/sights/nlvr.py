"""NLVR (Suhr et al. 2017): is a sentence true of a picture of shapes? Its public test split trains, dev asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.images.question import Question
from presage.data.sights.packed import Zipped, check_split, json_rows

FROM = {"train": "test", "test": "dev"}
TRUTHS = ("true", "false")


def nlvr(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """One question for each picture of each sentence. Raises DataError."""
    check_split(split, folder)
    pictures = Zipped(folder, "images.zip")
    rows = json_rows(folder, "nlvr.jsonl.xz", ["split", "files", "sentence", "label"])
    asked = [(row, file) for row in rows if row["split"] == FROM[split] for file in row["files"]]
    order = stream(seed, "nlvr").permutation(len(asked)).tolist() if split == "train" else range(len(asked))
    for place in order:
        yield _question(*asked[place], pictures)


def _question(row: dict[str, Any], file: str, pictures: Zipped) -> Question:
    stem = Path(file).stem
    if row["label"] not in TRUTHS:
        raise DataError("its label is neither true nor false", where=f"{pictures.path}: {stem}")
    return Question(
        f"nlvr/{stem}",
        (pictures.picture(file), f"{row['sentence']} True or false?"),
        row["label"],
        options=TRUTHS,
        group=stem.rsplit("-", 1)[0],
    )
