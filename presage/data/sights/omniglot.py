"""Omniglot (Lake et al. 2015): which of the characters just shown, each once, is this one by another hand?

Asked are the 20 runs of 20 published for one-shot classification; training draws episodes of the same form from the
background alphabets, which share none with the runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.core.strict import utf8
from presage.data.images.parts import Part, Picture
from presage.data.images.question import Question
from presage.data.images.reading import read_image
from presage.data.sights.packed import Zipped, as_png, check_split

SIDE = 28
WAYS = (5, 20)
EPISODES = 10_000
RUNS, BACKGROUND = "all_runs.zip", "images_background_small1.zip"
LABELS = "class_labels.txt"
Alphabets = Mapping[str, Mapping[str, Sequence[str]]]
"""Alphabet -> character -> files, one by each hand."""


def omniglot_small(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """The runs, or episodes of 5 and of 20 ways by turns. Raises DataError."""
    check_split(split, folder)
    return runs(folder) if split == "test" else episodes(folder, seed)


def runs(folder: Path) -> Iterator[Question]:
    """The published runs, each test picture one question."""
    archive = Zipped(folder, RUNS)
    for labels in sorted(name for name in archive.names if name.endswith(LABELS)):
        run = labels.split("/")[0]
        pairs = [line.split() for line in utf8(archive.read(labels), archive.path).splitlines() if line.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise DataError("not a test and a training file a line", where=f"{archive.path}: {labels}")
        shown = sorted(trained for _, trained in pairs)
        known = [shrunk(archive, name) for name in shown]
        for tested, trained in pairs:
            name = f"omniglot_small/{run}/{Path(tested).stem}"
            yield _question(name, known, shrunk(archive, tested), shown.index(trained), run)


def episodes(folder: Path, seed: int, ways: Sequence[int] = WAYS, count: int = EPISODES) -> Iterator[Question]:
    """Episodes of so many ways, by turns: characters of one alphabet, shown by one hand, asked by another."""
    archive = Zipped(folder, BACKGROUND)
    alphabets = _alphabets(archive)
    for number in range(count):
        random = stream(seed, "omniglot_small", number)
        yield _episode(archive, alphabets, ways[number % len(ways)], random, f"omniglot_small/train/{number}")


def shrunk(archive: Zipped, name: str) -> Picture:
    """A drawing in a side of 28 pixels, as one compares with."""
    drawn = read_image(archive.read(name), f"{archive.path}: {name}").convert("L")
    return as_png(np.asarray(drawn.resize((SIDE, SIDE), Image.Resampling.BOX)))


def _alphabets(archive: Zipped) -> Alphabets:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name in sorted(archive.names):
        if name.endswith(".png") and name.count("/") == 3:
            _, alphabet, character, _ = name.split("/")
            found[alphabet][character].append(name)
    return found


def _episode(archive: Zipped, alphabets: Alphabets, ways: int, random: np.random.Generator, name: str) -> Question:
    large = [alphabet for alphabet, characters in alphabets.items() if len(characters) >= ways]
    if not large:
        raise DataError(f"no alphabet of {ways} characters", where=archive.path)
    alphabet = alphabets[large[random.integers(len(large))]]
    characters = random.permutation(sorted(alphabet))[:ways].tolist()
    hands = min(len(alphabet[character]) for character in characters)
    if hands < 2:
        raise DataError("a character drawn only once", where=archive.path)
    first, second = random.permutation(hands)[:2].tolist()
    right = int(random.integers(ways))
    known = [shrunk(archive, alphabet[character][first]) for character in characters]
    return _question(name, known, shrunk(archive, alphabet[characters[right]][second]), right, f"{ways} ways")


def _question(name: str, known: Sequence[Picture], tested: Picture, right: int, group: str) -> Question:
    numbers = tuple(str(number) for number in range(1, len(known) + 1))
    shown: list[Part] = [part for pair in zip(known, numbers, strict=True) for part in pair]
    prompt = (*shown, tested, "Which?")
    return Question(name, prompt, numbers[right], options=numbers, category=f"{len(known)} ways", group=group)
