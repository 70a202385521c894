"""What the tests of fine-tuning share: a base that has learnt a little, and toy sets in every form."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from presage.align import finetune
from presage.core.device import Device
from presage.train.optim import OptimConfig

QUICK = OptimConfig(kind="adamw", lr=3e-3, beta2=0.999, weight_decay=0.01, transfer=False)
GOOD, BAD = ("kind", "bright", "warm"), ("grim", "cold", "sour")
REST = ("stone", "river", "table", "lamp")


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def moods(count: int, seed: int) -> list[dict[str, Any]]:
    """One word tells the label, wherever it stands among words that do not."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        label = chance.randrange(2)
        words = [chance.choice(REST), chance.choice((BAD, GOOD)[label]), chance.choice(REST)]
        chance.shuffle(words)
        rows.append({"text": " ".join(words), "label": ("low", "high")[label]})
    return rows


def pairs(count: int, seed: int) -> list[dict[str, Any]]:
    """Two texts that are of one mood, or are not."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        sides = [chance.randrange(2), chance.randrange(2)]
        a, b = (chance.choice((BAD, GOOD)[side]) for side in sides)
        rows.append({"a": a, "b": b, "label": int(sides[0] == sides[1])})
    return rows


def questions(count: int, seed: int) -> list[dict[str, Any]]:
    """The one good word among bad ones is right; two to four choices."""
    chance = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        choices = [chance.choice(GOOD), *chance.sample(BAD, chance.randint(1, 3))]
        right = choices[0]
        chance.shuffle(choices)
        rows.append({"context": chance.choice(REST), "choices": choices, "label": choices.index(right)})
    return rows


def config(base: Path, train: Path, test: Path, **changes: Any) -> finetune.Config:
    """A short fine-tuning of one of the toy sets."""
    values = {"train": str(train), "test": str(test), "device": Device(), "optim": QUICK, "log_every": 1, "batch": 8}
    return finetune.Config.model_validate({"base": base, **values, **changes})
