"""The images of some requests: each is read once, and its tokens stand behind ids below zero in whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from presage.core.errors import ConfigError
from presage.data.chat import blind
from presage.data.images.parts import Picture
from presage.data.images.reading import read_image
from presage.infer.asking import Ids
from presage.infer.own import OwnEngine
from presage.model.config import VisionConfig
from presage.model.splice import places, seeing

E = TypeVar("E", covariant=True)


class Looks(Protocol[E]):
    """What the requests of one call show to an engine."""

    def see(self, picture: Picture) -> Ids:
        """The ids that stand for an image."""
        ...

    def seen(self) -> E:
        """The engine, which then knows all that was shown."""
        ...


class NoLook(Generic[E]):
    """Of an engine that reads text alone."""

    def __init__(self, engine: E) -> None:
        self._engine = engine

    def see(self, picture: Picture) -> Ids:
        """Raises DataError."""
        return blind(picture)

    def seen(self) -> E:
        """The engine."""
        return self._engine


class Look:
    """Of one of ours."""

    def __init__(self, engine: OwnEngine) -> None:
        self.engine = engine
        self._images: list[np.ndarray] = []
        self._ids: dict[str, Ids] = {}
        self._count = 0

    def see(self, picture: Picture) -> Ids:
        """The ids that stand for an image. Raises DataError for one that cannot be read, ConfigError for a model that
        reads text alone."""
        if picture.digest not in self._ids:
            grid = self._vision()
            image = grid.fitted(read_image(picture.data, where="an image of the prompt"))
            count = grid.tokens(*image.shape[:2])
            self._ids[picture.digest] = places(self._count, count)
            self._images.append(image)
            self._count += count
        return self._ids[picture.digest]

    @property
    def images(self) -> list[np.ndarray]:
        """What was shown, uint8 [H, W, 3] on the model's grid; row k of their tokens stands behind id -1 - k."""
        return list(self._images)

    def seen(self) -> OwnEngine:
        """The engine, which then knows all that was shown."""
        return replace(self.engine, model=seeing(self.engine.model, self._images)) if self._images else self.engine

    def _vision(self) -> VisionConfig:
        vision = self.engine.model.config.vision
        if vision is None:
            raise ConfigError("this model reads text alone", hint="images are read by runs of `presage vision`")
        return vision
