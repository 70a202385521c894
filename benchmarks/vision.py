"""Small models of text that learn to see: what each task reaches with its images, without, and in words.

Every task: questions drawn or read (training and test apart), `images`, `vision`, `sight`. Finished runs in --out are
reused, so an interrupted experiment goes on. Real sets are read from --data and skipped where it is absent.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from harness.report import entry, options, publish, table
from harness.sights import SEED, SETS, TASKS, Phase, Task

from presage.core.device import Device, measure
from presage.core.run import RunDir
from presage.data.images import shards
from presage.data.images.question import write_questions
from presage.evaluate import sight
from presage.model.config import VisionConfig
from presage.recipes.kept import kept
from presage.recipes.pictures import drawn, of_set
from presage.train import vision
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig


def main() -> None:
    args = _arguments()
    if args.base is None:
        print("vision: skipped, --base is not given: a run with a model of text, such as a demo's target")
        return
    chosen = [task for task in TASKS if not args.tasks or task.name in args.tasks]
    with tempfile.TemporaryDirectory() as folder:
        out = args.out or Path(folder)
        out.mkdir(parents=True, exist_ok=True)
        rows = [row for task in chosen for row in _measured(task, args, out)]
    columns = [
        "task",
        "questions",
        "vision",
        "no vision",
        "interleaved",
        "in words",
        "chance",
        "asked",
        "trained on",
        "minutes",
    ]
    text = "Accuracy on held-out questions, in brackets a 95 % interval; seen: questions whose image was trained on."
    publish("vision", "Small models that see", [text, table(columns, rows)], write=args.write)


def _arguments() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep runs here, and go on from what is there")
    parser.add_argument("--base", type=Path, metavar="RUN", help="a run with a model of text: the demo's")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the folder of the public sets")
    parser.add_argument("--tasks", nargs="*", metavar="NAME", help=", ".join(task.name for task in TASKS))
    parser.add_argument("--seeds", type=int, default=1, help="how many models of each task")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="default: the faster one here, measured")
    return parser.parse_args()


def _measured(task: Task, args: Namespace, out: Path) -> Iterator[list[str]]:
    """A row for each category that is asked, of every seed."""
    if args.data is None and any(name in SETS for name, _ in (*task.train, *task.test)):
        print(f"{task.name}: skipped, --data is not given")
        return
    for seed in range(args.seeds):
        folder = out / f"{task.name}-{seed}"
        folder.mkdir(exist_ok=True)
        run = _trained(task, args, folder, seed)
        seconds = sum(row["seconds"] for row in run.rows("timing.jsonl") if "seconds" in row)
        asked = _examined(task, args, run, folder)
        yield from _rows(task, asked, run, seconds / 60)


def _examined(task: Task, args: Namespace, run: RunDir, folder: Path) -> RunDir:
    questions = _file(task.test, "test", task, args, folder)
    return kept(
        sight,
        lambda: sight.Config(run=run.path, questions=questions, conditions=task.conditions, max_tokens=task.longest),
        folder / "sight",
    )


def _trained(task: Task, args: Namespace, folder: Path, seed: int) -> RunDir:
    records = _file(task.train, "train", task, args, folder)
    first = [_stored((_phase(one, folder),), task, args, folder) for one in task.before]
    last = _stored((records, *_told(task, folder)), task, args, folder)
    encoder = VisionConfig(
        **task.grid.model_dump(),
        n_layers=task.layers,
        d_model=task.width,
        n_heads=4,
        d_ff=8 * task.width // 3 // 16 * 16,
        d_project=2 * task.width,
    )
    return kept(
        vision,
        lambda: vision.Config(
            images=(*first, last),
            astray=SOFT if first else 1.0,
            schedule=_schedule(task),
            base=folder.parent / f"{task.base}-{seed}" / "model" if task.base else args.base,
            vision=None if task.base else encoder,
            epochs=task.epochs,
            context_length=task.context,
            batch_rows=task.rows,
            micro_batch=task.rows,
            optim=OptimConfig(lr=0.01 * task.rate, adam_lr=0.004 * task.rate),
            augment=task.augment,
            device=_device(args),
            seed=seed,
            log_every=50,
            checkpoint_every=500_000,
        ),
        folder / "model",
    )


def _schedule(task: Task) -> ScheduleConfig:
    falling = {"kind": "wsd", "warmup_tokens": WARM, "decay_tokens": task.decay} if task.decay else {"kind": "linear"}
    return ScheduleConfig.model_validate(falling)


def _device(args: Namespace) -> Device:
    chosen = {"threads": args.threads} | ({"dtype": args.dtype} if args.dtype else {})
    return Device.model_validate(measure().model_dump() | chosen)


def _stored(records: tuple[Path, ...], task: Task, args: Namespace, folder: Path) -> Path:
    """A run of `images` named after the first file."""
    name = "images" if records[0].stem == "train" else f"images-{records[0].stem}"
    config = shards.Config(records=records, tokenizer=args.base, grid=task.grid, held_out=0.005)
    return kept(shards, lambda: config, folder / name).path


def _phase(phase: Phase, folder: Path) -> Path:
    path = folder / f"{phase.kind}.jsonl"
    if not path.exists():
        questions = drawn([phase.kind], "train", SEED, phase.count)
        ours = (replace(one, options=()) for one in questions if phase.only in ("", one.category))
        write_questions(path, ours, steps=phase.steps)
    return path


def _file(parts: tuple[tuple[str, int], ...], split: str, task: Task, args: Namespace, folder: Path) -> Path:
    path = folder / f"{split}.jsonl"
    if not path.exists():
        seed = task.seed if split == "train" else SEED
        supplies = [
            of_set([name], args.data, split, SEED, count) if name in SETS else drawn([name], split, seed, count)
            for name, count in parts
        ]
        drawn_or_read = chain.from_iterable(supplies)
        if task.only and split == "train":
            drawn_or_read = (one for one in drawn_or_read if one.category == task.only)
        if task.steps:  # what such a model says first is no option
            drawn_or_read = (replace(one, options=()) for one in drawn_or_read)
        if task.more and split == "train":
            drawn_or_read = (one for question in drawn_or_read for one in question.apart(task.more))
        if task.dense > 1 and split == "train":
            drawn_or_read = (one.apart(1)[1] if n % task.dense else one for n, one in enumerate(drawn_or_read))
        drawn_or_read = (replace(one, more=one.more[: task.turns]) for one in drawn_or_read)
        training = split == "train"
        write_questions(path, drawn_or_read, steps=task.steps and training, more=training)
    return path


def _told(task: Task, folder: Path) -> Iterator[Path]:
    path = folder / "told.jsonl"
    if task.told and not path.exists():
        kind, _ = task.train[-1]
        questions = drawn([kind], "train", task.seed + TOLD, task.told)
        questions = (replace(one, more=one.more[: task.turns]) for one in questions)
        write_questions(path, questions, form="text", steps=task.steps, more=True)
    if task.told:
        yield path


def _rows(task: Task, asked: RunDir, run: RunDir, minutes: float) -> Iterator[list[str]]:
    results = asked.results()
    names = [
        "accuracy/{}",
        *(f"accuracy/{{}}/{name.rpartition('/')[2]}" for name in results if name.startswith("accuracy/vision/")),
    ]
    trained = f"{run.value('documents'):,} documents, {run.value('flops'):.1e} FLOPs"
    for name in names:
        cells = [_cell(results.get(name.format(one))) for one in ("vision", "no-vision", "interleaved", "text")]
        first = results[name.format("vision")]
        label = f"{task.name}: {name.rpartition('/')[2]}" if name != "accuracy/{}" else task.name
        whole = name == "accuracy/{}"
        chance = f"{results['chance']['value']:.3f}" if whole else ""
        yield [
            label,
            str(first["n"]),
            *cells,
            chance,
            task.asked if whole else "",
            trained if whole else "",
            f"{minutes:.0f}" if whole else "",
        ]


def _cell(one: dict[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.3f} ({one['lo']:.3f} to {one['hi']:.3f})"


WARM = 100_000
"""Tokens over which a rate that does not fall all the way rises first."""
SOFT = 0.15
"""How far a row may be from its place where one kind of pictures follows another."""
TOLD = 1000
"""How far their seeds are from those of what is shown."""
if __name__ == "__main__":
    entry(main)
