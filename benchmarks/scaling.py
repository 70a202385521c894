"""What a second process brings: as many tokens each, as many processes as cores, whole models and shared ones.

Weak scaling: with twice the processes and twice the batch, a step should take as long. One thread a process.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness.report import entry, options, publish, table

from presage.core.device import Device
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.core.workers import usable_cores
from presage.data import corpus, shards, tokenizer
from presage.model.config import qwen3
from presage.train import pretrain

ROOT = Path(__file__).resolve().parent.parent
LENGTH, BATCH = 256, 16
"""Tokens of a sequence, sequences of a process."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    counts = sorted({1, 2, usable_cores()} & {*range(1, usable_cores() + 1)})
    with tempfile.TemporaryDirectory() as place:
        tokens = _tokens(Path(place))
        rows, alone = [], 0.0
        for sharded in (False, True):
            for count in counts[sharded:]:
                rate = _rate(Path(place), tokens, args, count, sharded)
                alone = alone or rate
                rows.append([_name(count, sharded), f"{rate:,.0f}", f"{rate / alone / count:.2f}"])
    text = f"Width {args.width}, {args.layers} layers, {BATCH} sequences of {LENGTH} tokens a process, one thread each."
    columns = ["processes", "tokens/s in all", "of as many alone"]
    publish("scaling", "What a second process brings", [text, table(columns, rows)], write=args.write)


def _name(count: int, sharded: bool) -> str:
    return f"{count}{', one model shared' if sharded else ', each with the model' if count > 1 else ''}"


def _tokens(place: Path) -> Path:
    """Shards of random words: what they say is of no account here."""
    chance = np.random.default_rng(0)
    (place / "text").mkdir()
    for number in range(20):
        words = chance.integers(0, 4000, 20_000)
        (place / "text" / f"{number}.txt").write_text(" ".join(f"w{word}" for word in words))
    source = corpus.Source(name="random", paths=(str(place / "text"),))
    texts = corpus.run(corpus.Config(sources=(source,), val_fraction=0.2), place / "corpus")
    made = tokenizer.run(tokenizer.Config(corpus=texts.path, vocab_size=1024), place / "tokenizer")
    return shards.run(shards.Config(corpus=texts.path, tokenizer=made.path), place / "shards").path


def _rate(place: Path, tokens: Path, args: object, count: int, sharded: bool) -> float:
    """Tokens per second of all processes, the first step left out."""
    steps, width, layers = (getattr(args, name) for name in ("steps", "width", "layers"))
    batch = BATCH * LENGTH * count
    config = pretrain.Config(
        shards=tokens,
        model=qwen3(1024, LENGTH, layers, width),
        tokens=batch * (steps + 1),
        batch_tokens=batch,
        device=Device(),
        eval_tokens=LENGTH,
        log_every=1,
    )
    recipe, out = place / "recipe.json", place / f"run-{count}-{sharded}"
    recipe.write_text(config.to_json())
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", "-m", "presage", "pretrain"]
    command = [
        sys.executable,
        *launcher,
        str(recipe),
        "--out",
        str(out),
        "--quiet",
        *(["--sharded"] if sharded else []),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
        raise RunError("a process failed", where=out)
    rows = RunDir.open(out).rows("timing.jsonl")
    return statistics.median([row["tokens_per_s"] for row in rows if "tokens_per_s" in row][1:])


if __name__ == "__main__":
    entry(main)
