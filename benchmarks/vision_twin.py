"""What images give or cost the text: models from scratch on the same text, with images and with tags in their place.

Both twins read the same windows of --shards and the same conversations about drawings; for one every image is a tag.
Compared on held-out text of the shards, in bits per byte, seed by seed.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from itertools import chain
from pathlib import Path
from typing import Any

from harness.report import entry, options, publish, table

from presage.core.device import Device, measure
from presage.core.estimates import student
from presage.core.run import RunDir
from presage.data.drawing.kinds import questions
from presage.data.images import shards
from presage.data.images.grid import Grid
from presage.data.images.question import write_questions
from presage.model.config import VisionConfig, qwen3
from presage.train import vision
from presage.train.optim import OptimConfig

KINDS = ("captions", "counting", "relations")
GRID = Grid(patch=8, merge=2)
ENCODER = VisionConfig(**GRID.model_dump(), n_layers=2, d_model=96, n_heads=4, d_ff=256, d_project=192)
TEXT_SHARE = 0.6


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--shards", type=Path, metavar="RUN", help="text in tokens: the demo's")
    parser.add_argument("--documents", type=int, default=6000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep runs here, and go on from what is there")
    args = parser.parse_args()
    if args.shards is None:
        print("vision_twin: skipped, --shards is not given: text in tokens, such as a demo's")
        return
    with tempfile.TemporaryDirectory() as folder:
        out = args.out or Path(folder)
        pairs = [tuple(_trained(args, out, seed, blind=blind) for blind in (False, True)) for seed in range(args.seeds)]
    rows = [
        [str(seed), *map(_told, pair), f"{_bits(pair[0]) - _bits(pair[1]):+.4f}"] for seed, pair in enumerate(pairs)
    ]
    found = student([_bits(seeing) - _bits(blind) for seeing, blind in pairs])
    ends = "" if found.lo is None else f" ({found.lo:+.4f} to {found.hi:+.4f}, 95 %)"
    said = f"{args.documents:,} conversations ({', '.join(KINDS)}), {100 * TEXT_SHARE:.0f} % of the rows text."
    mean = f"With images less without: {found.value:+.4f} bits per byte{ends}."
    columns = ["seed", "with images", "with tags", "difference, bits per byte"]
    publish("vision-twin", "What images cost the text", [said, table(columns, rows), mean], write=args.write)


def _trained(args: Namespace, out: Path, seed: int, *, blind: bool) -> RunDir:
    out.mkdir(parents=True, exist_ok=True)
    records = out / f"records-{seed}.jsonl"
    if not records.exists():
        count = args.documents // len(KINDS)
        write_questions(records, chain.from_iterable(questions(kind, count, seed, "train") for kind in KINDS))
    name = f"{'blind' if blind else 'seeing'}-{seed}"
    if not (out / f"images-{name}" / "DONE").exists():
        made = shards.Config(records=(records,), tokenizer=args.shards, grid=GRID, blind=blind)
        shards.run(made, out / f"images-{name}")
    if not (out / name / "DONE").exists():
        device = Device.model_validate(measure().model_dump() | {"threads": args.threads, "dtype": "float32"})
        settings: dict[str, Any] = {
            "images": (out / f"images-{name}",),
            "model": qwen3(1024, 128, 3, 160).model_copy(update={"vision": ENCODER}),
            "shards": args.shards,
            "optim": OptimConfig(lr=0.01, adam_lr=0.004),
            "batch_rows": 16,
            "micro_batch": 16,
            "device": device,
            "seed": seed,
            "eval_tokens": 131_072,
            "samples": 0,
        }
        plain = vision.Config(**settings)
        own, text = int(str(plain.plan()["rows"])), _windows(out, seed, blind=blind)
        share = text / (text + own) if text else TEXT_SHARE
        vision.run(plain.model_copy(update={"text_share": share}), out / name)
    return RunDir.open(out / name)


def _windows(out: Path, seed: int, *, blind: bool) -> int:
    """Rows of text that the other twin has read; 0 for the first."""
    if not blind:
        return 0
    other = RunDir.open(out / f"seeing-{seed}")
    return round(int(other.value("rows")) * TEXT_SHARE / (1 - TEXT_SHARE))


def _bits(run: RunDir) -> float:
    return float(run.value("text/bpb"))


def _told(run: RunDir) -> str:
    return f"{_bits(run):.4f} ({int(run.value('tokens')):,} tokens)"


if __name__ == "__main__":
    entry(main)
