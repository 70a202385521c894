"""What small models are shown, and what each is examined on: the tasks of vision.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from presage.data.images.augment import Augment
from presage.data.images.grid import Grid
from presage.evaluate import sight

SEED = 0
ALL = 99
PLAIN, MERGED = Grid(patch=8), Grid(patch=8, merge=2)


class Phase(NamedTuple):
    """Pictures that are learned from before those of a task, in the same training."""

    kind: str
    count: int
    steps: bool = False
    only: str = ""


@dataclass(frozen=True)
class Task:
    """What a base is shown, through which encoder, how long. train, test: (kind or set, how many; 0: all of a set)."""

    name: str
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]
    asked: str
    grid: Grid = PLAIN
    width: int = 128
    layers: int = 2
    epochs: float = 1.0
    more: int = 0
    """Of what else there is to learn from an image, how much; each a document of its own."""
    turns: int = 0
    """So much of it at most as further turns of one document."""
    dense: int = 1
    """One picture in so many is asked about so; of the others only what all of it shows is learned."""
    told: int = 0
    """How many questions more in words alone, other images' than those that are shown."""
    only: str = ""
    """The one category of what is drawn that is trained on."""
    before: tuple[Phase, ...] = ()
    """One after another, with soft passages."""
    base: str = ""
    """Another task, whose model this one begins with; by default --base."""
    steps: bool = False
    """Answers tell what they come from first."""
    context: int | None = None
    """Tokens of a row, where the base's are too few."""
    rows: int = 16
    """In a batch."""
    longest: int = 24
    """Tokens of an answer."""
    augment: Augment | None = None
    rate: float = 1.0
    """What the usual rates are multiplied with."""
    decay: int = 0
    """Tokens over which they fall at the end; 0: all the way."""
    seed: int = SEED
    """Of what is drawn for training."""
    conditions: tuple[sight.Condition, ...] = ("vision", "no-vision")


SETS = ("mnist_test", "noto_emoji", "country_flags", "nlvr", "omniglot_small", "vqav2_sample")
TURNED = Augment(shift=2.0, turn=12.0, scale=0.12, shear=0.15)
WORDS: dict[str, Any] = {"test": (("words", 600),), "asked": "0.95", "grid": MERGED}
BARS: dict[str, Any] = {
    "test": (("bars", 1000),),
    "asked": "value 0.85, largest 0.95",
    "grid": MERGED,
    "steps": True,
    "context": 256,
    "rows": 8,
    "longest": 160,
    "conditions": ("vision", "no-vision", "text"),
}
NLVR: dict[str, Any] = {
    "test": (("nlvr", 0),),
    "asked": "0.60 aimed at",
    "grid": MERGED,
    "steps": True,
    "rows": 8,
}
TOWERS = NLVR | {"only": "tower", "context": 416, "longest": 120}
"""What all tasks of a kind have."""
TASKS = (
    Task("words", (("words", 100_000),), more=1, **WORDS),
    Task("words, in one", (("words", 180_000),), more=1, **WORDS),
    Task(
        "words, gone on with",
        (("words", 90_000),),
        base="words",
        rate=0.5,
        seed=1,
        **WORDS,
    ),
    Task(
        "words, to the end",
        (("words", 80_000),),
        base="words, gone on with",
        rate=0.3,
        seed=2,
        **WORDS,
    ),
    Task(
        "labels",
        (("labels", 30_000),),
        (("labels", 500),),
        "",
        grid=MERGED,
        base="words",
        longest=40,
    ),
    Task(
        "bars",
        (("bars", 50_000),),
        base="labels",
        rate=0.5,
        **BARS,
    ),
    Task(
        "bars, gone on with",
        (("bars", 12_000),),
        base="bars",
        rate=0.5,
        seed=1,
        **BARS,
    ),
    Task(
        "bars, in turns",
        (("bars", 9_000),),
        base="bars, gone on with",
        seed=2,
        turns=ALL,
        **BARS | {"context": 448},
    ),
    Task(
        "bars, in turns and told",
        (("bars", 6_000),),
        base="bars, in turns",
        seed=3,
        turns=ALL,
        told=12_000,
        **BARS | {"context": 448},
    ),
    Task(
        "bars, to the end",
        (("bars", 16_000),),
        base="bars, in turns",
        seed=4,
        **BARS | {"context": 320},
    ),
    Task(
        "bars, compared",
        (("bars", 8_000),),
        base="bars, to the end",
        seed=6,
        turns=ALL,
        **BARS | {"context": 768},
    ),
    Task(
        "bars, in one",
        (("bars", 28_000),),
        before=(Phase("glyphs", 4_000), Phase("words", 30_000), Phase("labels", 12_000)),
        seed=3,
        dense=3,
        turns=ALL,
        decay=4_500_000,
        **BARS | {"context": 768, "rows": 4},
    ),
    Task("counting", (("counting", 20_000),), (("counting", 1000),), "0.95", grid=MERGED, more=1),
    Task(
        "counting in steps",
        (("counting", 80_000),),
        (("counting", 1000),),
        "0.95",
        grid=MERGED,
        steps=True,
        context=192,
        rows=12,
        longest=120,
    ),
    Task(
        "mnist",
        (("mnist_test", 0), ("digits", 8000)),
        (("mnist_test", 0),),
        "0.97",
        grid=Grid(patch=4, merge=2),
        epochs=6,
        augment=TURNED,
    ),
    Task(
        "nlvr, towers",
        (("statements", 40_000),),
        base="counting in steps",
        **TOWERS,
    ),
    Task(
        "nlvr, towers gone on with",
        (("statements", 20_000),),
        base="nlvr, towers",
        rate=0.7,
        seed=5,
        **TOWERS,
    ),
    Task(
        "nlvr, towers in turns",
        (("statements", 20_000),),
        base="nlvr, towers gone on with",
        seed=7,
        turns=ALL,
        **TOWERS | {"context": 896},
    ),
    Task(
        "nlvr, towers to the end",
        (("statements", 12_000),),
        base="nlvr, towers in turns",
        rate=0.6,
        seed=8,
        turns=ALL,
        **TOWERS | {"context": 896},
    ),
    Task(
        "nlvr",
        (("nlvr", 0), ("statements", 5_000)),
        base="nlvr, towers in turns",
        seed=1,
        turns=ALL,
        **NLVR | {"context": 1216, "longest": 400},
    ),
    Task(
        "nlvr, in one",
        (("statements", 14_000),),
        before=(Phase("counting", 10_000, steps=True), Phase("statements", 20_000, steps=True, only="tower")),
        seed=1,
        turns=ALL,
        **TOWERS | {"context": 896, "rows": 3, "longest": 140},
    ),
    Task(
        "omniglot",
        (("omniglot_small", 0),),
        (("omniglot_small", 0),),
        "chance beside",
        grid=Grid(patch=4, merge=4),
        context=256,
        rows=8,
        epochs=3,
        augment=Augment(shift=2.0, turn=8.0, scale=0.1, shear=0.1),
        longest=4,
    ),
    Task(
        "emoji",
        (("noto_emoji", 6000),),
        (("noto_emoji", 0),),
        "chance beside",
        grid=MERGED,
        context=256,
        rows=8,
        epochs=6,
        augment=TURNED,
    ),
    Task(
        "flags",
        (("country_flags", 0),),
        (("country_flags", 0),),
        "chance beside",
        grid=MERGED,
        context=256,
        rows=8,
        epochs=4,
    ),
)
