"""Whether a model was trained on the images that it is asked about: the same pixels, or nearly the same look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from presage.core.run import RunDir
from presage.data.images.hashing import distance, look, pixel_digest, structure
from presage.data.images.loader import Images
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import read_image
from presage.data.images.shards import PICTURE

NEAR = 2
"""Bits of 64 in which two perceptual hashes may differ to be called near."""
FEWEST = 12
"""Bits of structure that an image needs to be compared by its look. Of drawings that are not the same, most of those
found near had fewer (docs/vision.md)."""


@dataclass(frozen=True)
class Seen:
    """exact: whether an image of a question, decoded, is in the training images; nearest: the fewest bits in which the
    perceptual hash of one differs from any of them, None where none can be compared. plain: images of the questions
    with too little structure for that. images: how many were trained on; with 0 nothing is known."""

    exact: list[bool]
    nearest: list[int | None]
    plain: int
    images: int

    @classmethod
    def of(cls, trained: Sequence[Path], questions: Sequence[Question]) -> Self:
        """Of questions and the runs of `presage images` that were trained on."""
        table = np.concatenate([np.zeros(0, PICTURE), *(Images(path).table for path in trained)])
        if not len(table):
            return cls([False] * len(questions), [None] * len(questions), 0, 0)
        known, looks = {bytes(one) for one in table["pixels"]}, np.unique(table["look"])
        exact, nearest, plain = [], [], 0
        for question in questions:
            images = [read_image(picture.data, question.id) for picture in pictures(question.prompt)]
            exact.append(any(pixel_digest(image) in known for image in images))
            own = [seen for image in images if structure(seen := look(image)) >= FEWEST]
            plain += len(images) - len(own)
            nearest.append(int(distance(np.array(own, np.uint64), looks).min()) if own else None)
        return cls(exact, nearest, plain, len(table))

    def __getitem__(self, number: int) -> tuple[bool, int | None]:
        return self.exact[number], self.nearest[number]

    def told(self) -> dict[str, dict[str, Any]]:
        """Shares of the questions, how many images were left out of the look, and how many training images there were;
        nothing where there were none."""
        if not self.images:
            return {}
        compared = [one <= NEAR for one in self.nearest if one is not None]
        count = len(self.exact)
        told: dict[str, dict[str, Any]] = {
            "exact": {"value": sum(self.exact) / count, "n": count, "unit": "share of questions"}
        }
        if compared:
            share = sum(compared) / len(compared)
            told["near"] = {"value": share, "n": len(compared), "unit": "share of questions compared by look"}
        told["too_plain"] = {"value": self.plain, "unit": "images not compared by look: too little structure"}
        return told | {"training_images": {"value": self.images, "unit": "images"}}


def trained_on(run: Path | None) -> list[Path]:
    """The runs of images that a run names as what it was trained on, itself and the bases before it."""
    found: list[Path] = []
    while run is not None and (run / "config.json").is_file():
        config = RunDir(run).read_object("config.json", config=dict)["config"]
        found += [(run / path).resolve() for path in config.get("images") or ()]
        run = (run / config["base"]).resolve() if config.get("base") else None
    return [path for path in found if (path / "DONE").is_file()]
