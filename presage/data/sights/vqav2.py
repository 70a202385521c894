"""A hundred questions of VQAv2 (Goyal et al. 2017) with the answers of ten people each: to be asked, not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.data.images.question import Question
from presage.data.sights.packed import Zipped, check_split, json_rows


def vqav2_sample(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """The questions, all for every seed. Raises DataError, also for a training split."""
    check_split(split, folder, ("test",))
    pictures = Zipped(folder, "images.zip")
    for row in json_rows(folder, "questions.jsonl", {"id": str, "file": str, "prompt": str, "answer": dict}):
        yield _question(row, pictures)


def _question(row: dict[str, Any], pictures: Zipped) -> Question:
    name = f"vqav2_sample/{row['id']}"
    said = row["answer"].get("answer")
    if not isinstance(said, list) or not said or not all(isinstance(one, str) for one in said):
        raise DataError("without its annotators' answers", where=name)
    return Question(
        name,
        (pictures.picture(row["file"]), row["prompt"]),
        str(row["answer"].get("multiple_choice_answer", said[0])),
        metric="vqa",
        answers=tuple(said),
        group=str(row["answer"].get("image_id", "")),
    )
