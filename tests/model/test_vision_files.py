"""The exported encoder: a reader of docs/vision-format.md, written from it alone, sees the same; so does the trunk."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from presage.model.config import VisionConfig, qwen3
from presage.model.exchange import export_hf, import_hf
from presage.model.splice import eyes
from presage.model.transformer import Transformer
from presage.model.weights import load_run
from tests.model.shapes import lively, make_run

TRUNK = qwen3(300, 64, 2, 32, n_heads=2, n_kv_heads=2, d_head=16)
CONFIGS = {
    "conv": VisionConfig(patch=4, merge=2, n_layers=2, d_model=32, n_heads=2, d_ff=40, d_project=48),
    "linear": VisionConfig(patch=6, merge=1, n_layers=1, d_model=24, n_heads=3, d_ff=16, d_project=20, stem="linear"),
    "wide cells": VisionConfig(patch=2, merge=3, n_layers=1, d_model=16, n_heads=1, d_ff=24, d_project=32),
    "no blocks": VisionConfig(patch=8, merge=1, n_layers=0, d_model=16, n_heads=2, d_ff=24, d_project=32),
}


class Reader:
    """An encoder of nothing but the two files."""

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "vision_config.json").read_text())
        self.layout = self.config["layout"]
        self.tensors = load_file(folder / "vision.safetensors")

    def tokens(self, image: np.ndarray) -> Tensor:
        """uint8 [H, W, 3] on the grid -> [tokens, width of the trunk]."""
        pixels = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        deviation = pixels.square().mean().sub(pixels.mean() ** 2).sqrt()
        x = self.stem((pixels - pixels.mean()) / (deviation + self.layout["faint"]))[0]
        _, rows, columns = x.shape
        places = [(row, column) for row in range(rows) for column in range(columns)]
        x = torch.stack([x[:, row, column] + self.wave(row, column) for row, column in places])
        for layer in range(self.config["n_layers"]):
            x = x + self.attention(self.norm(x, f"blocks.{layer}.attention_norm.weight"), f"blocks.{layer}.", places)
            x = x + self.mlp(self.norm(x, f"blocks.{layer}.mlp_norm.weight"), f"blocks.{layer}.")
        merge, found = self.config["merge"], []
        for top in range(0, rows, merge):
            for left in range(0, columns, merge):
                cell = [(top + down) * columns + left + right for down in range(merge) for right in range(merge)]
                found.append(torch.cat([x[place] for place in cell]))
        merged = self.norm(torch.stack(found), "norm.weight")
        return self.linear(self.gelu(self.linear(merged, "project_in")), "project_out")

    def stem(self, x: Tensor) -> Tensor:
        if self.config["stem"] == "linear":
            weight = self.tensors["stem.patch.weight"]
            return F.conv2d(x, weight, self.tensors["stem.patch.bias"], stride=self.config["patch"])
        for layer in range(int(math.log2(self.config["patch"]))):
            x = self.convolved(x, f"halve.{layer}", f"halve_norm.{layer}", stride=2)
            x = x + self.convolved(x, f"add.{layer}", f"add_norm.{layer}", stride=1)
        return F.conv2d(x, self.tensors["stem.out.weight"], self.tensors["stem.out.bias"])

    def convolved(self, x: Tensor, name: str, norm: str, stride: int) -> Tensor:
        weight, bias = (self.tensors[f"stem.{name}.{kind}"] for kind in ("weight", "bias"))
        x = F.conv2d(x, weight, bias, stride=stride, padding=1)
        x = (x - x.mean()) / torch.sqrt((x - x.mean()).square().mean() + self.layout["stem_norm_eps"])
        gain, shift = (self.tensors[f"stem.{norm}.{kind}"][:, None, None] for kind in ("weight", "bias"))
        return self.gelu(x * gain + shift)

    def wave(self, row: int, column: int) -> Tensor:
        quarter = self.config["d_model"] // 4
        frequencies = [100.0 ** -(n / max(1, quarter - 1)) for n in range(quarter)]
        angles = torch.tensor([place * frequency for place in (row, column) for frequency in frequencies])
        return self.layout["wave_height"] * torch.cat([angles.sin(), angles.cos()])

    def attention(self, x: Tensor, block: str, places: list[tuple[int, int]]) -> Tensor:
        heads = self.config["n_heads"]
        q, k, v = (
            part.view(len(x), heads, -1) for part in (x @ self.tensors[f"{block}attention.qkv.weight"].T).chunk(3, 1)
        )
        q, k = (self.norm(one, f"{block}attention.{name}_norm.weight") for one, name in ((q, "q"), (k, "k")))
        q, k = (torch.stack([self.rotated(one[n], *place) for n, place in enumerate(places)]) for one in (q, k))
        weights = (torch.einsum("phe,she->hps", q, k) / math.sqrt(q.shape[-1])).softmax(-1)
        return torch.einsum("hps,she->phe", weights, v).flatten(1) @ self.tensors[f"{block}attention.out.weight"].T

    def rotated(self, x: Tensor, row: int, column: int) -> Tensor:
        """[heads, E]: number i and number i + E/2 turn by the row for i < E/4, by the column for the others."""
        half = x.shape[-1] // 2
        rates = [self.config["rope_theta"] ** (-2 * n / half) for n in range(half // 2)]
        angles = torch.tensor([place * rate for place in (row, column) for rate in rates])
        left, right = x[:, :half], x[:, half:]
        return torch.cat([left * angles.cos() - right * angles.sin(), right * angles.cos() + left * angles.sin()], 1)

    def mlp(self, x: Tensor, block: str) -> Tensor:
        gate, up = (x @ self.tensors[f"{block}mlp.gate_up.weight"].T).chunk(2, 1)
        return (gate * torch.sigmoid(gate) * up) @ self.tensors[f"{block}mlp.down.weight"].T

    def norm(self, x: Tensor, name: str) -> Tensor:
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + self.layout["norm_eps"]) * self.tensors[name]

    def linear(self, x: Tensor, name: str) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    @staticmethod
    def gelu(x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def exported(vision: VisionConfig | None, tokenizer: Path, folder: Path) -> tuple[Transformer, Path]:
    model = lively(TRUNK.model_copy(update={"vision": vision}))
    return model, export_hf(make_run(folder / "run", model, tokenizer), folder / "hf")


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_another_reader_sees_the_same(name: str, tokenizer_json: Path, tmp_path: Path) -> None:
    vision = CONFIGS[name]
    model, out = exported(vision, tokenizer_json, tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (2 * vision.cell, 3 * vision.cell, 3), dtype=np.uint8)
    ours, theirs = eyes(model)([image]), Reader(out).tokens(image)
    assert ours.shape == (6, 32) and ours.std() > 0.05
    torch.testing.assert_close(theirs, ours, atol=1e-5, rtol=1e-5)


def test_the_trunk_is_exported_as_without_eyes(tokenizer_json: Path, tmp_path: Path) -> None:
    vision = CONFIGS["conv"]
    model, out = exported(vision, tokenizer_json, tmp_path / "seeing")
    trunk = Transformer(TRUNK)
    trunk.load_state_dict({name: one for name, one in model.state_dict().items() if not name.startswith("vision.")})
    alone = export_hf(make_run(tmp_path / "run", trunk, tokenizer_json), tmp_path / "hf")
    names = {path.name for path in alone.iterdir()}
    assert {path.name for path in out.iterdir()} == names | {"vision.safetensors", "vision_config.json"}
    assert all((alone / name).read_bytes() == (out / name).read_bytes() for name in names - {"README.md"})


def test_all_of_the_encoder_is_there(tokenizer_json: Path, tmp_path: Path) -> None:
    vision = CONFIGS["conv"]
    model, out = exported(vision, tokenizer_json, tmp_path)
    with safe_open(out / "vision.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    own = eyes(model).state_dict()
    assert found.keys() == own.keys() and all(torch.equal(found[name], own[name]) for name in own)
    told = json.loads((out / "vision_config.json").read_text())
    assert VisionConfig.parse({key: value for key, value in told.items() if key in vision.model_dump()}) == vision
    assert told["d_out"] == 32 and (told["layout"]["faint"], told["layout"]["wave_height"]) == (8.0, 0.3)


def test_the_format_is_documented(tokenizer_json: Path, tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "vision-format.md").read_text()
    for number, name in enumerate(CONFIGS):
        _, out = exported(CONFIGS[name], tokenizer_json, tmp_path / str(number))
        for tensor in load_file(out / "vision.safetensors"):
            general = ".".join("L" if piece.isdigit() else piece for piece in tensor.split("."))
            assert f"`{general}`" in text, general
        told = json.loads((out / "vision_config.json").read_text())
        assert all(f"`{key}`" in text for key in (*told, *told["layout"]))


def test_import_reads_the_trunk_alone(tokenizer_json: Path, tmp_path: Path) -> None:
    model, out = exported(CONFIGS["conv"], tokenizer_json, tmp_path)
    back, _ = load_run(import_hf(out, tmp_path / "back").path)
    ids = torch.tensor([[1, 2, 3]])
    assert back.vision is None and torch.equal(back(ids), model(ids))
