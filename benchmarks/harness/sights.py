"""What small models are shown, and what each is examined on: the tasks of vision.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from presage.data.images.augment import Augment
from presage.data.images.grid import Grid
from presage.evaluate import sight

SEED = 0
PLAIN = Grid(patch=8)


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
    turns: bool = False
    """All of it as further turns of one document."""
    told: int = 0
    """How many questions more in words alone, other images' than those that are shown."""
    only: str = ""
    """The one category of what is drawn that is trained on."""
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
    seed: int = SEED
    """Of what is drawn for training."""
    conditions: tuple[sight.Condition, ...] = ("vision", "no-vision")


SETS = ("mnist_test", "noto_emoji", "country_flags", "nlvr", "omniglot_small", "vqav2_sample")
TURNED = Augment(shift=2.0, turn=12.0, scale=0.12, shear=0.15)
BARS: dict[str, Any] = {
    "grid": Grid(patch=8, merge=2),
    "steps": True,
    "context": 256,
    "rows": 8,
    "longest": 160,
    "conditions": ("vision", "no-vision", "text"),
}
"""What every task of bar charts has."""
TASKS = (
    Task("words", (("words", 100_000),), (("words", 600),), "0.95", grid=Grid(patch=8, merge=2), more=1),
    Task(
        "words, gone on with",
        (("words", 90_000),),
        (("words", 600),),
        "0.95",
        grid=Grid(patch=8, merge=2),
        base="words",
        rate=0.5,
        seed=1,
    ),
    Task(
        "words, to the end",
        (("words", 80_000),),
        (("words", 600),),
        "0.95",
        grid=Grid(patch=8, merge=2),
        base="words, gone on with",
        rate=0.3,
        seed=2,
    ),
    Task(
        "labels",
        (("labels", 30_000),),
        (("labels", 500),),
        "",
        grid=Grid(patch=8, merge=2),
        base="words",
        longest=40,
    ),
    Task(
        "bars",
        (("bars", 50_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="labels",
        rate=0.5,
        **BARS,
    ),
    Task(
        "bars, gone on with",
        (("bars", 12_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="bars",
        rate=0.5,
        seed=1,
        **BARS,
    ),
    Task(
        "bars, in turns",
        (("bars", 9_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="bars, gone on with",
        seed=2,
        turns=True,
        **BARS | {"context": 448},
    ),
    Task(
        "bars, in turns and told",
        (("bars", 6_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="bars, in turns",
        seed=3,
        turns=True,
        told=12_000,
        **BARS | {"context": 448},
    ),
    Task(
        "bars, to the end",
        (("bars", 16_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="bars, in turns",
        seed=4,
        **BARS | {"context": 320},
    ),
    Task("counting", (("counting", 20_000),), (("counting", 1000),), "0.95", grid=Grid(patch=8, merge=2), more=1),
    Task(
        "counting in steps",
        (("counting", 80_000),),
        (("counting", 1000),),
        "0.95",
        grid=Grid(patch=8, merge=2),
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
        (("nlvr", 0),),
        "0.60 aimed at",
        grid=Grid(patch=8, merge=2),
        base="counting in steps",
        only="tower",
        steps=True,
        context=416,
        rows=8,
        longest=120,
    ),
    Task(
        "nlvr, towers gone on with",
        (("statements", 20_000),),
        (("nlvr", 0),),
        "0.60 aimed at",
        grid=Grid(patch=8, merge=2),
        base="nlvr, towers",
        only="tower",
        steps=True,
        context=416,
        rows=8,
        longest=120,
        rate=0.7,
        seed=5,
    ),
    Task(
        "nlvr",
        (("nlvr", 0), ("statements", 12_000)),
        (("nlvr", 0),),
        "0.60 aimed at",
        grid=Grid(patch=8, merge=2),
        base="nlvr, towers gone on with",
        seed=1,
        steps=True,
        context=512,
        rows=8,
        longest=400,
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
        grid=Grid(patch=8, merge=2),
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
        grid=Grid(patch=8, merge=2),
        context=256,
        rows=8,
        epochs=4,
    ),
)
