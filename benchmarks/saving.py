"""What a checkpoint costs: writing it, hashing it, and both against the training that it interrupts.

A save is timed as it is and with digests that cost nothing; the difference is what hashing costs beside the writing
that it overlaps with. Of training: one save against the whole of a run, which saves once unless its config says
otherwise, and against the ten minutes that a long run may lose.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from harness.report import entry, options, publish, table

from presage.core.run import RunDir
from presage.model import tensorfile, weights
from presage.model.config import ModelConfig, qwen3
from presage.model.transformer import Transformer
from presage.train import pretrain
from presage.train import state as states
from presage.train.optim import OptimConfig, Optimizer

SHAPES = {"1 M": (128, 4), "11 M": (384, 6), "85 M": (768, 12)}
LOST = 600.0
"""Seconds of training between saves."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--full", action="store_true", help="the large shape too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path, help="a finished pretraining run, whose length is compared with a save")
    args = parser.parse_args()
    shapes = {name: qwen3(1024, 256, layers, width) for name, (width, layers) in SHAPES.items()}
    if not args.full:
        del shapes["85 M"]
    rows = [_row(name, shape, args.rounds, LOST) for name, shape in shapes.items()]
    if args.run is not None:
        run = RunDir.open(args.run, "pretrain")
        shape = run.config(pretrain.Config).model
        seconds = next(row["total_seconds"] for row in run.rows("timing.jsonl") if "total_seconds" in row)
        rows.append(_row(f"{shape.n_params / 1e6:.1f} M, its run of {seconds:.0f} s", shape, args.rounds, seconds))
    columns = ["parameters", "MB", "a save, s", "with hashing for nothing, s", "hashing's share", "of training"]
    text = "Medians. Of training: of ten minutes, or of the run's length."
    publish("saving", "What a checkpoint costs", [text, table(columns, rows)], write=args.write)


def _row(name: str, shape: ModelConfig, rounds: int, training: float) -> list[str]:
    model = Transformer(shape)
    optimizer = Optimizer(model, OptimConfig())
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        whole, free = [], []
        for step in range(rounds + 1):
            whole.append(_timed(run, model, optimizer, 2 * step))
            with patch.object(tensorfile, "hashlib", _Free), patch.object(weights, "sha256", _nothing):
                free.append(_timed(run, model, optimizer, 2 * step + 1))
        size = sum(path.stat().st_size for path in states.checkpoints(run)[-1].iterdir()) / 1e6
    save, without = statistics.median(whole[1:]), statistics.median(free[1:])
    cells = [f"{size:.0f}", f"{save:.3f}", f"{without:.3f}", f"{1 - without / save:.1%}", f"{save / training:.2%}"]
    return [name, *cells]


def _timed(run: Path, model: Transformer, optimizer: Optimizer, step: int) -> float:
    begin = time.perf_counter()
    states.save(run, model, optimizer, states.TrainState(step=step), keep=1)
    return time.perf_counter() - begin


class _Free:
    """A digest that costs nothing, in the place of the module that has the others."""

    @classmethod
    def sha256(cls) -> _Free:
        return cls()

    def update(self, data: object) -> None:
        """Nothing."""

    def hexdigest(self) -> str:
        return _nothing()


def _nothing(path: Path | None = None) -> str:
    return "0" * 64


if __name__ == "__main__":
    entry(main)
