"""What images cost in training: the same rows with images and as text alone, one after the other, against their FLOPs.

A row holds as many tokens either way; with images some are image tokens, and the encoder comes on top. Asked for: the
encoder adds at most its own share of FLOPs and a tenth of the step. Ratios of the fastest of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from harness.report import entry, options, publish, table

from presage.data.images.grid import Grid
from presage.model.config import ModelConfig, VisionConfig, qwen3
from presage.model.splice import places
from presage.model.transformer import Transformer, build
from presage.train.packing import Rows, packed_loss
from presage.train.sight import Batch, sight_loss

ROWS, LENGTH = 8, 256
SHAPES = ((128, 4, 2), (256, 6, 2), (512, 8, 4))
"""Width, layers of the trunk, layers of the encoder."""
GRIDS = ((64, 64, Grid(patch=8)), (96, 128, Grid(patch=8, merge=2)), (224, 224, Grid(patch=16, merge=1)))
"""Pixels down and across, and the grid."""
IMAGES = 2
"""In a row, where they fit."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [_row(shape, grid, args.rounds) for shape in SHAPES for grid in GRIDS]
    columns = ["trunk, encoder", "image", "image tokens", "text, tokens/s", "images, tokens/s", "images/s"]
    columns += ["encoder's FLOPs over the trunk's", "step's time over text's", "beyond the FLOPs"]
    said = f"fp32, {args.threads} thread(s), {ROWS} rows of {LENGTH} tokens, {IMAGES} images a row where they fit."
    publish("vision-speed", "What images cost in training", [said, table(columns, rows)], write=args.write)


def _row(shape: tuple[int, int, int], image: tuple[int, int, Grid], rounds: int) -> list[str]:
    width, layers, sees = shape
    height, across, grid = image
    encoder = VisionConfig(
        **grid.model_dump(),
        n_layers=sees,
        d_model=width,
        n_heads=width // 32,
        d_ff=8 * width // 3 // 16 * 16,
        d_project=width,
    )
    config = qwen3(1024, LENGTH, layers, width).model_copy(update={"vision": encoder})
    model = build(config, 0)
    count = grid.tokens(height, across)
    each = min(IMAGES, (LENGTH - 16) // count)
    text, mixed = _batches(config, height, across, count, each)
    steps: dict[str, Callable[[], torch.Tensor]] = {
        "text": lambda: packed_loss(model, text)[0],
        "images": lambda: sight_loss(model, mixed)[0],
    }
    taken = [{name: _timed(model, step) for name, step in steps.items()} for _ in range(rounds + 1)][1:]
    seconds = {name: min(one[name] for one in taken) for name in steps}
    trunk = ROWS * LENGTH * config.flops_forward(LENGTH)
    share = ROWS * each * encoder.flops_forward(height, across, width) / trunk
    ratio = seconds["images"] / seconds["text"]
    return [
        f"{width} x {layers}, {sees}",
        f"{across} x {height}, patch {grid.patch}, merge {grid.merge}",
        str(count * each),
        *(f"{ROWS * LENGTH / seconds[name]:,.0f}" for name in ("text", "images")),
        f"{ROWS * each / seconds['images']:,.0f}",
        f"{100 * share:.0f} %",
        f"{ratio:.2f}",
        f"{100 * (ratio - 1 - share):+.0f} %",
    ]


def _batches(config: ModelConfig, height: int, across: int, count: int, each: int) -> tuple[Rows, Batch]:
    random = np.random.default_rng(0)
    tokens = torch.from_numpy(random.integers(0, 1024, (ROWS, LENGTH + 1)))
    read, predicted = tokens[:, :-1].clone(), tokens[:, 1:]
    same = torch.ones_like(read)
    text = Rows(read, predicted, same.float(), same)
    seen = read.clone()
    for row in range(ROWS):
        for image in range(each):
            begin = 8 + image * count
            seen[row, begin : begin + count] = torch.tensor(places((row * each + image) * count, count))
    images = [random.integers(0, 256, (height, across, 3), dtype=np.uint8) for _ in range(ROWS * each)]
    images = [
        np.pad(one, ((0, -height % config.vision.cell), (0, -across % config.vision.cell), (0, 0))) for one in images
    ]  # type: ignore[union-attr]
    return text, Batch(Rows(seen, predicted, same.float(), same), images)


def _timed(model: Transformer, step: Callable[[], torch.Tensor]) -> float:
    begin = time.perf_counter()
    step().backward()  # type: ignore[no-untyped-call]
    taken = time.perf_counter() - begin
    for parameter in model.parameters():
        parameter.grad = None
    return taken


if __name__ == "__main__":
    entry(main)
