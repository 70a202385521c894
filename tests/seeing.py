"""Tiny images with questions, their runs, and a tiny model that sees, for tests."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from presage.core.device import Device
from presage.core.run import RunDir
from presage.data.images import shards
from presage.data.images.grid import Grid
from presage.data.images.parts import Picture
from presage.data.images.question import Question, write_questions
from presage.model.config import ModelConfig, VisionConfig, qwen3
from presage.train import vision

GRID = Grid(patch=4, merge=2, most_tokens=6)
VISION = VisionConfig(
    patch=4, merge=2, most_tokens=6, n_layers=1, d_model=16, n_heads=2, d_ff=32, d_project=24, stem="linear"
)
BYTES = 257
CONTEXT = 64
COLOURS = {"red": (220, 30, 20), "green": (20, 200, 40), "blue": (30, 40, 210), "white": (250, 250, 250)}
ASKED = "Colour?"

Row = Mapping[str, Any]


def noise(seed: int, height: int = 16, width: int = 16) -> Image.Image:
    """Pixels without any order."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def shades(seed: int, height: int = 48, width: int = 56) -> Image.Image:
    """Soft light and dark, as photographs have."""
    values = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


def plain(colour: str, height: int = 8, width: int = 16) -> Image.Image:
    """One colour all over."""
    return Image.new("RGB", (width, height), COLOURS[colour])


def picture(image: Image.Image, kind: str = "PNG", **options: Any) -> Picture:
    """As a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Picture(file.getvalue())


def part(image: Image.Image) -> dict[str, Any]:
    """As a part of a message's content."""
    return {"type": "image_url", "image_url": {"url": picture(image).url}}


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def talk(content: Any, answer: str) -> Row:
    """A question and its answer."""
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]}


def colour_rows() -> list[Row]:
    """The colours, each asked about."""
    return [talk([part(plain(name)), said(ASKED)], name) for name in COLOURS]


def colour_questions(**changes: Any) -> list[Question]:
    """The same to be examined on; in words, too."""
    return [
        Question(**{"id": name, "prompt": (picture(plain(name)), ASKED), "answer": name, "group": name} | changes)
        for name in COLOURS
    ]


def write_rows(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_images(folder: Path, rows: Sequence[Row], name: str = "images", **changes: Any) -> RunDir:
    """A run of the stage `images` on these records."""
    records = write_rows(folder / f"{name}.jsonl", rows)
    return shards.run(shards.Config.model_validate({"records": (records,), "grid": GRID} | changes), folder / name)


def make_questions(path: Path, questions: Sequence[Question]) -> Path:
    write_questions(path, questions)
    return path


def model(**changes: Any) -> ModelConfig:
    """Some ten thousand weights, and eyes."""
    shape = {"vocab_size": BYTES, "context_length": CONTEXT, "n_layers": 1, "d_model": 16, "n_heads": 2}
    return qwen3(**(shape | {"n_kv_heads": 2, "d_head": 8, "vision": VISION} | changes))


def training(*images: Path, **changes: Any) -> vision.Config:
    """Two epochs of two rows a step."""
    values = {"images": images, "model": model(), "batch_rows": 2, "micro_batch": 1, "epochs": 2.0, "samples": 2}
    values |= {"device": Device(), "log_every": 1, "checkpoint_every": 3 * CONTEXT}
    return vision.Config.model_validate(values | changes)


def learn_colours(folder: Path, **changes: Any) -> RunDir:
    """A model that has learned to name the colours."""
    images = make_images(folder, colour_rows() * 4)
    values = {
        "model": model(d_model=32, n_layers=2, context_length=96),
        "epochs": 40.0,
        "batch_rows": 4,
        "micro_batch": 4,
    }
    optim = {"lr": 0.02}
    config = training(images.path, **(values | {"checkpoint_every": 0, "optim": optim} | changes))
    return vision.run(config, folder / "seeing")
