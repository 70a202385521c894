"""Things to be named in many languages: asked of things never seen, and in languages in which none was named.

A tenth of the pictures is held out, by a hash of the picture itself, so that two files of one picture lie on one side.
Nothing in a held-out language is trained on, and nothing of a held-out picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.images.parts import Picture
from presage.data.images.question import Question

HELD_OUT = 10
"""One picture in so many."""
ASKED = 500
"""Questions of each of a test split's two categories, at most."""
CHOICES = 10
NEW_ITEM, NEW_LANGUAGE = "held-out item", "held-out language"


@dataclass(frozen=True)
class Item:
    """A picture, and its names by code of language."""

    name: str
    picture: Picture
    labels: Mapping[str, str]

    @property
    def held_out(self) -> bool:
        return int(self.picture.digest, 16) % HELD_OUT == 0


@dataclass(frozen=True)
class Naming:
    """A set of things. trained, unseen: languages, code -> name in English."""

    name: str
    items: Sequence[Item]
    trained: Mapping[str, str]
    unseen: Mapping[str, str]

    def questions(self, split: str, seed: int) -> Iterator[Question]:
        """All of a training split, in the seed's order; of a test split the same for every seed."""
        known = [item for item in self.items if not item.held_out]
        new = [item for item in self.items if item.held_out]
        if split == "train":
            yield from self._ask(known, self.trained, seed, "known", len(known) * len(self.trained))
            return
        yield from self._ask(new, self.trained, 0, NEW_ITEM, ASKED)
        yield from self._ask(known, self.unseen, 0, NEW_LANGUAGE, ASKED)

    def _ask(
        self, items: Sequence[Item], languages: Mapping[str, str], seed: int, category: str, most: int
    ) -> Iterator[Question]:
        random = stream(seed, self.name, category)
        pairs = [(item, code) for item in items for code in languages]
        for place in random.permutation(len(pairs))[:most].tolist():
            item, code = pairs[place]
            yield Question(
                f"{self.name}/{item.name}/{code}",
                (item.picture, f"Name it in {languages[code]}:"),
                item.labels[code],
                metric="choice",
                options=self._options(item, code, items, random),
                category=category,
                group=item.name,
            )

    def _options(self, item: Item, code: str, items: Sequence[Item], random: np.random.Generator) -> tuple[str, ...]:
        """The right name among those of things that look different and are called differently."""
        others: list[str] = []
        for place in random.permutation(len(items)).tolist():
            other = items[place]
            fits = other.picture != item.picture and other.labels[code] not in (item.labels[code], *others)
            others += [other.labels[code]] if fits else []
            if len(others) == CHOICES - 1:
                break
        if not others:
            raise DataError("nothing else to choose from", where=f"{self.name}/{item.name}")
        options = [item.labels[code], *others]
        return tuple(options[place] for place in random.permutation(len(options)).tolist())


def check_labels(labels: object, languages: Sequence[str], where: str) -> Mapping[str, str]:
    """The names of a thing. Raises DataError where a language is missing."""
    if not isinstance(labels, dict) or not all(isinstance(labels.get(code), str) for code in languages):
        raise DataError("not a name in each language", where=where)
    return labels
