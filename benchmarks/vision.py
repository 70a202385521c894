"""Small models of text that learn to see: what each task reaches with its images, without, and in words.

Every task: questions drawn or read (training and test apart), `images`, `vision`, `sight`. Finished runs in --out are
reused, so an interrupted experiment goes on. Real sets are read from --data and skipped where it is absent.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from harness.report import entry, options, publish, table

from presage.core.device import Device, measure
from presage.core.run import RunDir
from presage.data.images import shards
from presage.data.images.augment import Augment
from presage.data.images.grid import Grid
from presage.data.images.question import ANSWER_IS, Question, write_questions
from presage.evaluate import sight
from presage.model.config import VisionConfig
from presage.recipes.kept import kept
from presage.recipes.pictures import drawn, of_set
from presage.train import vision
from presage.train.optim import OptimConfig

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
    told: int = 0
    """How many questions more in words alone, other images' than those that are shown."""
    given: bool = False
    """With those the steps are given, and the answer alone is learned."""
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
    seen = kept(
        shards,
        lambda: shards.Config(
            records=(records, *_told(task, folder)), tokenizer=args.base, grid=task.grid, held_out=0.005
        ),
        folder / "images",
    )
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
            images=(seen.path,),
            base=folder.parent / f"{task.base}-{seed}" / "model" if task.base else args.base,
            vision=None if task.base else encoder,
            epochs=task.epochs,
            context_length=task.context,
            batch_rows=task.rows,
            micro_batch=task.rows,
            optim=OptimConfig(lr=0.01 * task.rate, adam_lr=0.004 * task.rate),
            augment=task.augment,
            device=Device.model_validate(measure().model_dump() | {"threads": args.threads, "dtype": "float32"}),
            seed=seed,
            log_every=50,
            checkpoint_every=500_000,
        ),
        folder / "model",
    )


def _file(parts: tuple[tuple[str, int], ...], split: str, task: Task, args: Namespace, folder: Path) -> Path:
    path = folder / f"{split}.jsonl"
    if not path.exists():
        seed = task.seed if split == "train" else SEED
        supplies = [
            of_set([name], args.data, split, SEED, count) if name in SETS else drawn([name], split, seed, count)
            for name, count in parts
        ]
        drawn_or_read = chain.from_iterable(supplies)
        if task.steps:  # what such a model says first is no option
            drawn_or_read = (replace(one, options=()) for one in drawn_or_read)
        if task.more and split == "train":
            drawn_or_read = (one for question in drawn_or_read for one in question.apart(task.more))
        write_questions(path, drawn_or_read, steps=task.steps and split == "train")
    return path


def _told(task: Task, folder: Path) -> Iterator[Path]:
    path = folder / "told.jsonl"
    if task.told and not path.exists():
        kind, _ = task.train[-1]
        questions = drawn([kind], "train", task.seed + TOLD, task.told)
        if task.given:
            write_questions(path, map(_with_steps, questions))
        else:
            write_questions(path, questions, form="text", steps=task.steps)
    if task.told:
        yield path


def _with_steps(question: Question) -> Question:
    """What is asked and what the image shows, as the steps say it; what is left is to answer."""
    asked = " ".join(part for part in question.prompt if isinstance(part, str))
    return Question(question.id, (f"{asked}\n{question.steps}",), f"{ANSWER_IS} {question.answer}.")


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


TOLD = 1000
"""How far their seeds are from those of what is shown."""
SETS = ("mnist_test", "noto_emoji", "country_flags", "nlvr", "omniglot_small", "vqav2_sample")
TURNED = Augment(shift=2.0, turn=12.0, scale=0.12, shear=0.15)
BARS: dict[str, Any] = {
    "grid": Grid(patch=8, merge=2),
    "steps": True,
    "context": 256,
    "rows": 8,
    "longest": 100,
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
        "bars, also told",
        (("bars", 4_000),),
        (("bars", 1000),),
        "value 0.85, largest 0.95",
        base="bars, gone on with",
        seed=2,
        told=25_000,
        **BARS,
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
        "nlvr",
        (("nlvr", 0), ("statements", 12_000)),
        (("nlvr", 0),),
        "0.60 aimed at",
        grid=Grid(patch=8, merge=2),
        base="counting in steps",
        steps=True,
        context=512,
        rows=8,
        longest=300,
    ),
    Task(
        "nlvr, also told",
        (("nlvr", 0), ("statements", 1000)),
        (("nlvr", 0),),
        "0.60 aimed at",
        grid=Grid(patch=8, merge=2),
        base="nlvr",
        seed=1,
        told=60_000,
        given=True,
        steps=True,
        context=512,
        rows=8,
        longest=300,
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

if __name__ == "__main__":
    entry(main)
