"""Rows of text and images for training, and their loss."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.data.images.loader import Images
from presage.model.config import VisionConfig
from presage.model.losses import cross_entropy
from presage.model.splice import check_count, eyes, places, spliced
from presage.model.transformer import Transformer
from presage.train.packing import Packing, Rows, joined, pack
from presage.train.packing import places as positions_and_mask


class Batch(NamedTuple):
    """Rows, and the images of all their places in order."""

    rows: Rows
    images: Sequence[np.ndarray]

    def to(self, device: torch.device) -> Batch:
        """Its rows on a device; images go there when they are encoded."""
        return Batch(Rows(*(one.to(device) for one in self.rows)), self.images)


class Opening(NamedTuple):
    """A document up to the first words that count, with its images, and those words."""

    prompt: list[int]
    images: list[np.ndarray]
    answer: list[int]


class Album:
    """The documents of some runs of `presage images` in rows of one length, and their pictures. apart: the rows of one
    run after those of another, none with documents of two."""

    def __init__(
        self, runs: Sequence[Images], split: str, length: int, vision: VisionConfig, *, apart: bool = False
    ) -> None:
        for one in runs:
            _check_grid(one, vision)
        self.runs, self.vision = runs, vision
        self._firsts = np.cumsum([0, *(len(one.table) for one in runs)]).tolist()
        own = [
            [(_moved(document.ids, first).tolist(), document.learned.tolist()) for document in one.documents(split)]
            for one, first in zip(runs, self._firsts[:-1], strict=True)
        ]
        packed = [pack(documents, length) for documents in (own if apart else [list(chain.from_iterable(own))])]
        self.packing = Packing(joined([one.rows for one in packed]), sum(one.too_long for one in packed))
        self.documents = sum(map(len, own))

    def batch(self, rows: Sequence[int]) -> Batch:
        """These rows."""
        some = self.packing.rows.some(rows, torch.device("cpu"))
        images = [self.pixels(picture) for ids in some.read.numpy() for picture in self.pictures(ids)]
        read = some.read.clone()
        seen = read < 0
        read[seen] = torch.tensor(places(0, int(seen.sum())), dtype=torch.int64)
        return Batch(some._replace(read=read), images)

    def pictures(self, ids: np.ndarray) -> list[int]:
        """The pictures whose places are among ids, in their order."""
        found, place = [], 0
        spots = np.flatnonzero(ids < 0)
        while place < len(spots):
            found.append(-1 - int(ids[spots[place]]))
            place += self._tokens(found[-1])
        return found

    def images_in(self, row: int) -> int:
        """How many images a row has."""
        return len(self.pictures(self.packing.rows.read[row].numpy()))

    def pixels(self, picture: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        run = self._run(picture)
        return self.runs[run].pixels(picture - self._firsts[run])

    def openings(self, count: int) -> list[Opening]:
        """The first documents of the first rows."""
        found = []
        for number in range(min(count, len(self.packing.rows.read))):
            read, predicted, counted, text = (one[number].numpy() for one in self.packing.rows)
            end = int((text == 1).sum())
            begin = int(np.argmax(counted[:end] > 0)) + 1
            images = [self.pixels(picture) for picture in self.pictures(read[:begin])]
            prompt = read[:begin].copy()
            prompt[prompt < 0] = places(0, int((prompt < 0).sum()))
            answer = predicted[begin - 1 : end][counted[begin - 1 : end] > 0]
            found.append(Opening(prompt.tolist(), images, answer.tolist()))
        return found

    def patches(self) -> np.ndarray:
        """How many patches each image of all rows has, int64."""
        areas = [self._area(picture) for ids in self.packing.rows.read.numpy() for picture in self.pictures(ids)]
        return np.array(areas, dtype=np.int64) // self.vision.patch**2

    def _area(self, picture: int) -> int:
        run = self._run(picture)
        row = self.runs[run].table[picture - self._firsts[run]]
        return int(row["height"]) * int(row["width"])

    def _run(self, picture: int) -> int:
        return int(np.searchsorted(self._firsts, picture, side="right")) - 1

    def _tokens(self, picture: int) -> int:
        run = self._run(picture)
        return self.runs[run].tokens(picture - self._firsts[run])


def sight_loss(model: Transformer, batch: Batch) -> tuple[Tensor, float]:
    """Summed cross-entropy in nats of the text that counts, and how much it counts; images are read, never predicted.

    Raises ConfigError where places and image tokens do not count up.
    """
    rows = batch.rows
    table = eyes(model)(batch.images)
    check_count(rows.read, table)
    positions, mask = positions_and_mask(rows.text)
    hidden = model.trunk(spliced(model, rows.read, table), positions, mask)
    loss = cross_entropy(hidden, model.head.weight, rows.predicted.clamp(min=0), rows.counted)
    seen = loss + 0 * table.sum()  # rows without images have a gradient, too, of zeros: a frozen trunk gives none
    return seen, float(rows.counted.sum())


def _moved(ids: np.ndarray, first: int) -> np.ndarray:
    """Ids with pictures numbered from `first`."""
    return np.where(ids < 0, ids - first, ids)


def _check_grid(images: Images, vision: VisionConfig) -> None:
    grid, own = images.grid.model_dump(), vision.model_dump()
    wrong = [name for name in grid if own[name] != grid[name]]
    if wrong:
        said = ", ".join(f"{name} {grid[name]}, the model's {own[name]}" for name in wrong)
        raise ConfigError(f"images on another grid: {said}", where=images.path.parent, hint="make them with this grid")
