"""The encoder of images beside an exported trunk: vision.safetensors and vision_config.json (docs/vision-format.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.model.config import ModelConfig
from presage.model.transformer import Transformer
from presage.model.vision import FAINT, HEIGHT, NORM_EPS
from presage.model.weights import model_tensors, write_tensors

VISION_FILE = "vision.safetensors"
VISION_CONFIG = "vision_config.json"
PREFIX = "vision."

LAYOUT = {
    "pixels": "red, green and blue from 0 to 255, less their mean over the image, over their deviation plus faint",
    "fitting": "shrunk to most_tokens cells at most, never enlarged; edges repeated to fill up cells of patch x merge",
    "order": "patches, and the tokens of merge x merge of them, row by row",
    "splicing": "an image's tokens, in their order, are embeddings in the place of those of as many ids below zero",
}


def vision_config(config: ModelConfig) -> dict[str, Any]:
    """What vision_config.json says of a model that has an encoder."""
    assert config.vision is not None
    numbers = {"faint": FAINT, "wave_height": HEIGHT, "stem_norm_eps": NORM_EPS}
    numbers["norm_eps"] = config.vision.as_blocks().norm_eps
    return config.vision.model_dump(mode="json") | {"d_out": config.d_model, "layout": LAYOUT | numbers}


def write_vision(model: Transformer, folder: Path) -> None:
    """Both files; none of a model that reads text alone."""
    if model.vision is None:
        return
    tensors = {name: tensor.float() for name, tensor in model_tensors(model).items()}
    own = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    write_tensors(folder / VISION_FILE, own)
    (folder / VISION_CONFIG).write_text(json.dumps(vision_config(model.config), indent=2) + "\n", encoding="utf-8")
