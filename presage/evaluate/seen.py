"""Whether a model was trained on the images that it is asked about: the same pixels, or nearly the same look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from presage.core.run import RunDir
from presage.data.images.hashing import distance, look, pixel_digest
from presage.data.images.loader import Images
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import read_image
from presage.data.images.shards import PICTURE

NEAR = 2
"""Bits of 64 in which two perceptual hashes may differ to be called near."""


@dataclass(frozen=True)
class Seen:
    """exact: whether an image of a question, decoded, is in the training images; nearest: the fewest bits in which the
    perceptual hash of one differs from any of them. None where nothing is known of the training."""

    exact: list[bool]
    nearest: list[int | None]
    images: int

    @classmethod
    def of(cls, trained: Sequence[Path], questions: Sequence[Question]) -> Self:
        """Of questions and the runs of `presage images` that were trained on."""
        table = np.concatenate([np.zeros(0, PICTURE), *(Images(path).table for path in trained)])
        if not len(table):
            return cls([False] * len(questions), [None] * len(questions), 0)
        known, looks = {bytes(one) for one in table["pixels"]}, np.unique(table["look"])
        exact, nearest = [], []
        for question in questions:
            images = [read_image(picture.data, question.id) for picture in pictures(question.prompt)]
            exact.append(any(pixel_digest(image) in known for image in images))
            own = np.array([look(image) for image in images], np.uint64)
            nearest.append(int(distance(own, looks).min()) if images else None)
        return cls(exact, nearest, len(table))

    def __getitem__(self, number: int) -> tuple[bool, int | None]:
        return self.exact[number], self.nearest[number]

    def told(self) -> list[tuple[str, float, str]]:
        """Shares of the questions, and how many training images they were compared with; nothing where none are."""
        if not self.images:
            return []
        near = [one is not None and one <= NEAR for one in self.nearest]
        count = len(self.exact)
        return [
            ("exact", sum(self.exact) / count, "share of questions"),
            ("near", sum(near) / count, "share of questions"),
            ("training_images", float(self.images), "images"),
        ]


def trained_on(run: Path | None) -> list[Path]:
    """The runs of images that a run names as what it was trained on, itself and the bases before it."""
    found: list[Path] = []
    while run is not None and (run / "config.json").is_file():
        config = RunDir(run).read_object("config.json", config=dict)["config"]
        found += [(run / path).resolve() for path in config.get("images") or ()]
        run = (run / config["base"]).resolve() if config.get("base") else None
    return [path for path in found if (path / "DONE").is_file()]
